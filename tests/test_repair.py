"""Every kind of damage to what is installed: `doctor` names it, `repair` mends it, and the call works again."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost
from plughost import _interpreters as interpreters
from plughost import errors, registry
from plughost._repair import repair_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plughost.health import Fault


class Patient:
    """A plugin with one dependency and one console script, in a store with a cache of its own: both are damaged here."""

    def __init__(self, host: plughost.Host, source: str) -> None:
        self.host = host
        self.source = source

    @property
    def folder(self) -> Path:
        return Path(self.host.store.plugin("needs-dep"))

    @property
    def revision(self) -> Path:
        return self.folder / registry.read_state(str(self.folder)).revision

    @property
    def venv(self) -> Path:
        return self.host.info("needs-dep").environment

    @property
    def packages(self) -> Path:
        return next(self.venv.glob("lib/python*/site-packages"))

    def works(self) -> bool:
        with plughost.Host(store=self.host.store.root) as fresh:
            return fresh.call("needs-dep", "encode", domain="exämple.org") == "xn--exmple-cua.org"

    def faults(self) -> list[Fault]:
        return self.host.diagnose("needs-dep")

    def references(self) -> set[str]:
        return {fault.reference for fault in self.faults()}

    def put_aside(self, name: str) -> list[bytes]:
        return [path.read_bytes() for path in Path(self.host.store.set_aside).rglob(name)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, session_repository: Callable[..., str]) -> Iterator[Patient]:
    source = session_repository("needs-dep", scripts={"encode": "needs_dep:version"})
    with plughost.Host(store=tmp_path_factory.mktemp("patient") / "store") as host:
        host.add(source)
        yield Patient(host, source)


@pytest.fixture
def patient(installed: Patient) -> Patient:
    """Sound at the beginning, whatever the test before has done."""
    if not installed.folder.exists() or installed.faults() or installed.host.info("needs-dep").history:
        if installed.folder.exists():
            installed.host.remove("needs-dep")
        installed.host.add(installed.source)
    return installed


def overwrite(path: Path, content: bytes = b"\x00 garbage") -> None:
    """As an editor does that writes in place: hard links of it change, too."""
    with path.open("r+b") as file:
        file.truncate()
        file.write(content)


def change_with_its_record(patient: Patient) -> None:
    module, (record,) = patient.packages / "idna" / "core.py", patient.packages.glob("idna-*.dist-info/RECORD")
    changed = module.read_bytes() + b"# changed\n"
    module.unlink()
    module.write_bytes(changed)
    digest = base64.urlsafe_b64encode(hashlib.sha256(changed).digest()).rstrip(b"=").decode()
    lines = [line for line in record.read_text().splitlines() if not line.startswith("idna/core.py,")]
    record.unlink()
    record.write_text("\n".join([*lines, f"idna/core.py,sha256={digest},{len(changed)}", ""]))


def change_with_all_notes(patient: Patient) -> None:
    """Also what the environment says of itself: the receipt, which lies elsewhere, has the digest of it."""
    change_with_its_record(patient)
    marker = patient.venv / "plughost-venv.json"
    notes = json.loads(marker.read_bytes())
    (record,) = patient.packages.glob("idna-*.dist-info/RECORD")
    notes["records"][str(record.parent.relative_to(patient.venv))] = hashlib.sha256(record.read_bytes()).hexdigest()
    marker.write_text(json.dumps(notes))


def replace_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def remove_package(patient: Patient) -> None:
    for path in patient.packages.glob("idna*"):
        shutil.rmtree(path)


ENVIRONMENT = {
    "a file is missing": lambda patient: (patient.packages / "idna" / "core.py").unlink(),
    "a file was changed, and with it the cache": lambda patient: overwrite(patient.packages / "idna" / "core.py", b"x = 1\n"),
    "the plugin's own file was changed": lambda patient: overwrite(patient.packages / "needs_dep" / "__init__.py", b"x = 1\n"),
    "a file was changed as its package says": change_with_its_record,
    "a file was changed as all notes in the environment say": change_with_all_notes,
    "a console script was changed": lambda patient: overwrite(patient.venv / "bin" / "encode", b"#!/bin/sh\n"),
    "the base of the environment was changed": lambda patient: (patient.venv / "pyvenv.cfg").write_text("home = /nowhere\n"),
    "a path file was slipped in": lambda patient: (patient.packages / "zzz.pth").write_text("import os\n"),
    "a module was slipped in": lambda patient: (patient.packages / "sitecustomize.py").write_text(""),
    "a whole package is gone": remove_package,
    "the list of files is gone": lambda patient: next(patient.packages.glob("idna-*.dist-info/RECORD")).unlink(),
    "half of it is gone": lambda patient: shutil.rmtree(patient.packages),
    "its interpreter was swapped": lambda patient: (patient.venv / "bin" / "python3").unlink(),
    "it was never finished": lambda patient: (patient.venv / "plughost-venv.json").unlink(),
}

FILES = {
    "receipt.toml": "receipt-corrupt",
    "manifest.json": "manifest-corrupt",
    "pylock.toml": "lock-corrupt",
    "needs_dep-1.0-py3-none-any.whl": "wheel-corrupt",
}


#: Of which each is mended in another way.
MENDED = (
    "a file was changed, and with it the cache",
    "the plugin's own file was changed",
    "a path file was slipped in",
    "half of it is gone",
)


@pytest.mark.parametrize("damage", [damage for damage in ENVIRONMENT if damage not in MENDED])
def test_a_damaged_environment_is_named(patient: Patient, damage: str, tmp_path: Path) -> None:
    venv = patient.venv
    shutil.copytree(venv, tmp_path / "sound", symlinks=True)
    shutil.rmtree(venv)
    shutil.copytree(tmp_path / "sound", venv, symlinks=True)  # without hard links into the cache
    assert patient.faults() == []
    ENVIRONMENT[damage](patient)
    faults = patient.faults()
    assert {fault.reference for fault in faults} == {"venv-damaged"}
    assert {fault.remedy for fault in faults} == {"`repair needs-dep`"}
    assert all(str(venv) in fault.where for fault in faults)
    shutil.rmtree(venv)
    shutil.move(tmp_path / "sound", venv)


@pytest.mark.parametrize("damage", MENDED)
def test_a_damaged_environment_is_named_and_made_again(patient: Patient, damage: str) -> None:
    ENVIRONMENT[damage](patient)
    faults = patient.faults()
    assert {fault.reference for fault in faults} == {"venv-damaged"}
    before = patient.venv
    repaired = patient.host.repair("needs-dep")
    assert (repaired.faults, repaired.left, repaired.notes) == (tuple(faults), (), ())
    assert patient.faults() == []
    assert patient.works()
    assert patient.venv != before
    assert not before.exists()


def test_what_somebody_has_edited_in_an_environment_is_set_aside(patient: Patient) -> None:
    edited = {
        patient.packages / "idna" / "__init__.py": b"edited = 1\n",
        patient.packages / "needs_dep" / "__init__.py": b"edited = 2\n",
    }
    for path, content in edited.items():
        path.unlink()
        path.write_bytes(content)
    patient.host.repair("needs-dep")
    assert set(edited.values()) <= set(patient.put_aside("__init__.py*"))
    assert patient.works()


def test_an_environment_that_is_gone_is_made_again_without_a_network(patient: Patient) -> None:
    shutil.rmtree(patient.venv)
    assert patient.references() == {"venv-missing"}
    with pytest.raises(errors.StoreError) as caught:
        patient.works()
    assert (caught.value.reference, caught.value.hint) == ("venv-missing", "`repair needs-dep` makes it again")
    assert patient.host.repair("needs-dep", offline=True).left == ()
    assert patient.works()


def test_a_call_that_fails_by_the_damage_says_so_and_any_other_does_not(patient: Patient) -> None:
    (patient.packages / "idna" / "core.py").unlink()
    with pytest.raises(errors.VenvError) as caught:
        patient.works()
    assert caught.value.reference == "venv-damaged"
    assert caught.value.hint == "`repair needs-dep` makes it again"
    assert caught.value.causes[0].endswith("site-packages/idna/core.py` is missing")
    patient.host.repair("needs-dep")
    with pytest.raises(errors.PluginError):
        patient.host.call("needs-dep", "encode", domain="..")


def test_a_hook_whose_plugin_is_damaged_says_so(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("hooks"))
    manager = pluggy.PluginManager("plughost")
    host.attach(manager)
    next(host.info("hooks").environment.glob("lib/*/site-packages/hooks/plain.py")).unlink()
    with pytest.raises(errors.VenvError) as caught:
        manager.hook.score(text="abc")
    assert caught.value.hint == "`repair hooks` makes it again"
    host.repair("hooks")
    assert 3 in manager.hook.score(text="abc")


@pytest.mark.parametrize("gone", [False, True], ids=["damaged", "gone"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_revision_is_named_set_aside_and_made_again(patient: Patient, name: str, *, gone: bool) -> None:
    before, venv, history = patient.host.info("needs-dep").receipt, patient.venv, patient.host.manifest("needs-dep")
    content = f"garbage {name} {gone}".encode()
    path = patient.revision / name
    path.unlink() if gone else path.write_bytes(content)
    (fault,) = patient.faults()
    assert fault.reference == FILES[name]
    assert fault.where == str(path)
    assert ("is missing" if gone else "is damaged") in fault.what
    repaired = patient.host.repair("needs-dep")
    assert repaired.left == ()
    assert patient.works()
    after = patient.host.info("needs-dep").receipt
    for field in ("source", "commit_id", "direct_url", "request", "version", "wheel_sha256", "lock_sha256", "kind"):
        assert getattr(after, field) == getattr(before, field), field
    assert patient.venv == venv
    assert patient.host.manifest("needs-dep")["tools"] == history["tools"]
    assert (content in patient.put_aside(name)) is not gone


def test_what_was_edited_is_found_also_where_it_can_be_read(patient: Patient) -> None:
    edits = {
        "receipt.toml": ('url = "', 'url = "http://example.org'),
        "manifest.json": ('"encode"', '"decode"'),
        "pylock.toml": ('"3.7"', '"3.8"'),
    }
    for name, (old, new) in edits.items():
        replace_text(patient.revision / name, old, new)
        assert patient.references() == {FILES[name]}, name
        patient.host.repair("needs-dep")
        assert patient.works()
        assert patient.faults() == []


@pytest.mark.parametrize("content", [None, b"\xff\x00", b"", b"9.9-nowhere-0000\n"])
def test_a_lost_state_is_worked_out_from_the_revisions(patient: Patient, content: bytes | None) -> None:
    newest = patient.revision.name
    current = patient.folder / "current"
    current.unlink() if content is None else current.write_bytes(content)
    assert patient.references() == {"state-corrupt"}
    patient.host.collect_garbage()  # takes nothing, where it can't be told what is in force
    assert patient.host.repair("needs-dep").left == ()
    assert patient.revision.name == newest
    assert patient.works()
    assert content is None or content in patient.put_aside("current")


def test_a_folder_in_the_place_of_the_state_is_set_aside(patient: Patient) -> None:
    current = patient.folder / "current"
    current.unlink()
    (current / "inside").mkdir(parents=True)
    assert patient.references() == {"state-corrupt"}
    assert patient.host.repair("needs-dep").left == ()
    assert patient.works()
    assert list(Path(patient.host.store.set_aside).rglob("current/inside"))


@pytest.mark.parametrize("marker", ["[" * 100_000, "utf-16"])
def test_a_marker_that_is_no_json_is_damage(patient: Patient, marker: str) -> None:
    path = patient.venv / "plughost-venv.json"
    data = path.read_text().encode("utf-16") if marker == "utf-16" else marker.encode()
    path.unlink()
    path.write_bytes(data)
    assert patient.references() == {"venv-damaged"}
    assert patient.host.repair("needs-dep").left == ()


def test_a_record_with_a_field_that_is_too_long_is_damage(patient: Patient) -> None:
    (record,) = patient.packages.glob("idna-*.dist-info/RECORD")
    record.unlink()
    record.write_text('"' + "x" * 200_000)
    assert patient.references() == {"venv-damaged"}
    patient.host.audit("needs-dep", offline=True)
    assert patient.host.repair("needs-dep").left == ()
    assert patient.works()


def test_no_bill_of_materials_is_made_of_an_altered_lock(patient: Patient) -> None:
    replace_text(patient.revision / "pylock.toml", '"3.7"', '"3.8"')
    with pytest.raises(errors.StoreError) as caught:
        patient.host.sbom("needs-dep")
    assert caught.value.message == "The files of `needs-dep` have been altered"
    assert caught.value.hint == "`repair needs-dep` mends them, `remove needs-dep` takes the plugin away"


def test_what_can_still_be_read_of_a_damaged_state_holds(patient: Patient) -> None:
    host = patient.host
    host.disable("needs-dep")
    with (patient.folder / "current").open("ab") as file:
        file.write(b"\xff\xff\n")
    host.repair("needs-dep")
    with pytest.raises(errors.PluginDisabled):
        patient.works()
    host.enable("needs-dep")
    assert patient.works()


def test_a_receipt_is_recovered_from_what_is_left_of_it_where_the_manifest_is_lost_too(patient: Patient) -> None:
    host = patient.host
    before = host.info("needs-dep").receipt
    text = (patient.revision / "receipt.toml").read_text()
    (patient.revision / "manifest.json").unlink()
    (patient.revision / "receipt.toml").write_text(text.replace('package = "', "package = ") + "[[[")
    repaired = host.repair("needs-dep")
    assert repaired.left == ()
    assert repaired.notes == (f"Its source was read from what is left of its receipt; is it right? `{before.source}`",)
    after = host.info("needs-dep").receipt
    assert (after.source, after.commit_id, after.direct_url) == (before.source, before.commit_id, before.direct_url)
    assert patient.works()


def test_where_nobody_knows_the_source_it_says_what_to_type(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("echo"))
    revision = Path(host.info("echo").folder)
    (revision / "manifest.json").unlink()
    (revision / "receipt.toml").write_bytes(b"\xff")
    repaired = host.repair("echo")
    assert any("`add SOURCE --name echo --force`" in note for note in repaired.notes)
    assert host.call("echo", "add", a=1) == 3
    assert host.diagnose("echo") == []


def test_where_nothing_is_left_it_says_so_and_removing_works(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("echo"))
    shutil.rmtree(host.info("echo").folder)
    with pytest.raises(errors.StoreError) as caught:
        host.repair("echo")
    assert caught.value.message == "Nothing is left of `echo` that it could be made again from"
    host.remove("echo")
    assert host.plugins() == []


def test_a_wheel_of_which_no_copy_is_left_is_built_again_from_its_commit(patient: Patient) -> None:
    before = patient.host.info("needs-dep").receipt
    for wheel in Path(patient.host.store.root).rglob("needs_dep-*.whl"):
        wheel.unlink()
    repaired = patient.host.repair("needs-dep")
    assert repaired.left == ()
    assert patient.host.info("needs-dep").receipt.commit_id == before.commit_id
    assert patient.works()


def test_a_plugin_that_has_the_same_damaged_bytes_is_named(patient: Patient) -> None:
    host = patient.host
    host.add(patient.source, name="other", force=True)
    overwrite(patient.packages / "idna" / "core.py", b"x = 1\n")
    (fault,) = patient.faults()
    assert fault.what.endswith("The same bytes are in the environment of `other`")
    assert [fault.plugin for fault in host.diagnose()] == ["needs-dep", "other"]
    for name in ("needs-dep", "other"):
        assert host.repair(name).left == ()
        assert host.call(name, "encode", domain="example.org") == "example.org"
    assert host.diagnose() == []
    host.remove("other")


def test_a_call_that_runs_finishes_on_what_it_began_on(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("echo"))
    old = host.info("echo").environment
    (next(old.glob("lib/*/site-packages")) / "zzz.pth").write_text("")
    items = host.stream("echo", "countdown", 3)
    assert next(items) == 3
    repairing = threading.Thread(target=host.repair, args=("echo",))
    repairing.start()
    repairing.join()
    assert host.info("echo").environment != old
    assert old.exists()
    assert list(items) == [2, 1]
    host.close()
    registry.sweep(host.store)
    assert not old.exists()


def test_revisions_that_are_kept_for_a_way_back_are_repaired_too(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("echo"))
    older = host.info("echo").environment
    git_repository("echo", version="2.0")
    host.update("echo")
    shutil.rmtree(older)
    (fault,) = host.diagnose("echo")
    assert fault.reference == "venv-missing"
    assert "kept for a way back" in fault.what
    host.repair("echo")
    assert host.diagnose("echo") == []
    assert host.info("echo").version == "2.0"
    host.rollback("echo")
    assert host.info("echo").version == "1.0"
    assert host.call("echo", "add", a=1) == 3


def test_a_revision_whose_description_was_altered_does_not_come_into_force_again(
    host: plughost.Host, git_repository: Callable[..., str]
) -> None:
    host.add(git_repository("echo"))
    git_repository("echo", version="2.0")
    host.update("echo")
    newer = host.info("echo").folder
    host.rollback("echo")
    replace_text(newer / "manifest.json", '"add"', '"sub"')
    host.update("echo")
    assert host.info("echo").folder != newer
    assert host.call("echo", "add", a=1) == 3


#: The stages of a repair at which it is killed, as the events by which they are known.
STAGES = {
    "venv": "os.posix_spawn venv --no-project",
    "describe": "os.posix_spawn runner/__main__.py",
    "set aside": "os.mkdir set-aside/",
    "pointer": "os.rename /current plugins/plughost/needs-dep/current",
    "clearing up": "os.remove placing",
}


def test_a_repair_that_is_killed_leaves_the_old_or_the_new_and_can_be_repeated(
    patient: Patient, kill_before: Callable[..., None]
) -> None:
    host = patient.host
    for stage, event in STAGES.items():
        host.close()
        registry.sweep(host.store)  # an environment that a worker has used until now could be taken again
        before = patient.revision.name
        (patient.packages / "zzz.pth").write_text("")
        (patient.revision / "needs_dep-1.0-py3-none-any.whl").write_bytes(stage.encode())
        kill_before(host, event, "repair", "needs-dep")
        assert patient.works(), stage
        assert (patient.revision.name == before) is (stage != "clearing up"), stage
        assert patient.references() == (set() if stage == "clearing up" else {"venv-damaged", "wheel-corrupt"}), stage
        host.repair("needs-dep")
        registry.sweep(host.store)
        assert patient.faults() == [], stage
        assert patient.works(), stage
        assert stage.encode() in patient.put_aside("*.whl"), stage
        assert [path.name for path in Path(host.store.venvs).iterdir()] == [patient.venv.name], stage
        assert os.listdir(host.store.tmp) == os.listdir(host.store.trash) == [], stage


def base_python(folder: Path, of: interpreters.Interpreter) -> Path:
    """An interpreter that can be deleted: a copy of the executable, with a link to the library."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    copy = folder / "bin" / f"python{of.series}"
    shutil.copy(of.executable, copy)
    library = folder / "lib"
    library.unlink(missing_ok=True)
    library.symlink_to(Path(of.executable).parents[1] / "lib")
    found = interpreters.ask(str(copy))
    if found is None or found.executable != str(copy):
        pytest.skip("this Python doesn't start from another folder")
    return copy


def test_a_base_python_that_is_gone_is_replaced_by_one_of_its_series(patient: Patient, tmp_path: Path) -> None:
    host = patient.host
    own = interpreters.own()
    assert own
    copy = base_python(tmp_path / "python", own)
    host.add(patient.source, name="moved", python=str(copy))
    shutil.rmtree(tmp_path / "python")
    with pytest.raises(errors.StoreError) as caught:
        host.call("moved", "encode", domain="example.org")
    assert caught.value.reference == "venv-missing"
    (fault,) = host.diagnose("moved")
    assert fault.reference == "python-missing"
    assert fault.where == str(copy)
    repaired = host.repair("moved", offline=True)
    assert repaired.left == ()
    assert host.call("moved", "encode", domain="example.org") == "example.org"
    assert host.info("moved").receipt.python == own.executable
    assert host.info("moved").receipt.request["python"] == own.series  # an update would ask for the path again
    host.remove("moved")


def other_pythons() -> list[interpreters.Interpreter]:
    own = interpreters.own()
    others = [found for found in interpreters.available() if own and found.series != own.series and found.version > "3.8"]
    if not others:
        pytest.skip("there is only one Python on this machine")
    return others


def test_a_python_of_another_series_in_its_place_is_found_and_left(patient: Patient, tmp_path: Path) -> None:
    host, own, other = patient.host, interpreters.own(), other_pythons()[0]
    assert own
    copy = base_python(tmp_path / "python", own)
    host.add(patient.source, name="upgraded", python=str(copy))
    base_python(tmp_path / "python", other).replace(copy)
    with pytest.raises(errors.VenvError):
        host.call("upgraded", "encode", domain="example.org")
    (fault,) = host.diagnose("upgraded")
    assert fault.reference == "python-replaced"
    assert host.repair("upgraded").left == ()
    assert host.info("upgraded").receipt.python_version == own.version
    assert host.call("upgraded", "encode", domain="example.org") == "example.org"
    host.remove("upgraded")


def test_without_a_python_of_that_series_it_is_locked_again_and_said(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, own = patient.host, interpreters.own()
    assert own
    others = [found for found in other_pythons() if not found.executable.startswith("/usr/")]
    if not others:
        pytest.skip("each Python is one that can't be hidden")
    copy = base_python(tmp_path / "python", others[0])
    host.add(patient.source, name="old", python=str(copy))
    host.add(patient.source, name="asked", python=others[0].series)
    Path(host.info("asked").environment, "bin", "python").unlink()
    shutil.rmtree(tmp_path / "python")
    for name in ("PATH", "HOME", "PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    ask = interpreters.ask
    hidden = str(Path(others[0].executable).parent)
    monkeypatch.setattr(interpreters, "ask", lambda path: None if os.path.realpath(path).startswith(hidden) else ask(path))
    repaired = host.repair("old")
    assert repaired.left == ()
    assert any(note.endswith("and its dependencies were locked again") for note in repaired.notes)
    assert host.call("old", "encode", domain="example.org") == "example.org"
    with pytest.raises(errors.ResolveError) as caught:
        host.repair("asked")
    assert caught.value.reference == "python-missing"
    for name in ("asked", "old"):
        host.remove(name)


def test_doctor_tells_and_changes_nothing(patient: Patient, plughost_command: Callable[..., object]) -> None:
    (patient.packages / "zzz.pth").write_text("")
    store = patient.host.store.root
    before = sorted(str(path) for path in Path(store).rglob("*"))
    told = plughost_command("--store", store, "doctor", "needs-dep")
    assert told.returncode == 5
    assert "venv-damaged" in told.stdout
    assert f"hint: `plughost --store {store} repair needs-dep`" in told.stdout
    record = plughost_command("--store", store, "doctor", "--json").json()
    assert [fault["reference"] for fault in record["faults"]] == ["venv-damaged"]
    assert record["machine"]["store"] == store
    assert sorted(str(path) for path in Path(store).rglob("*")) == before
    mended = plughost_command("--store", store, "repair", "--all", "--json")
    assert mended.returncode == 0
    assert [item["changed"] for item in mended.json()] == [item["name"] == "needs-dep" for item in mended.json()]
    assert plughost_command("--store", store, "doctor").returncode == 0


def test_a_damaged_index_is_found_set_aside_and_made_again(patient: Patient) -> None:
    host, index = patient.host, Path(patient.host.store.index)
    for damaged in (b"garbage\n", index_with(host, b'"1.0"', b'"6.6"')):
        index.write_bytes(damaged)
        (fault,) = host.diagnose()
        assert (fault.reference, fault.where) == ("index-corrupt", str(index))
        assert index.read_bytes() == damaged
        assert [found.reference for found in repair_store(host.store)] == ["index-corrupt"]
        assert host.diagnose() == []
        assert damaged in patient.put_aside("plughost.json")
        assert [summary.version for summary in host.plugins()] == ["1.0"]


def test_a_list_that_meets_a_damaged_index_sets_it_aside(patient: Patient) -> None:
    Path(patient.host.store.index).write_bytes(b"met by a list")
    assert [summary.name for summary in patient.host.plugins()] == ["needs-dep"]
    assert b"met by a list" in patient.put_aside("plughost.json")


def index_with(host: plughost.Host, old: bytes, new: bytes) -> bytes:
    host.plugins()
    made = Path(host.store.index).read_bytes()
    assert old in made
    return made.replace(old, new)
