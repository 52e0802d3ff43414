"""Newer and older versions: updates beside what is installed, rollbacks, versions beside each other, pins, disabled plugins."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import plughost

if TYPE_CHECKING:
    from conftest import Completed

Publish = Callable[..., str]

ANSWER = 'def answer():\n    """Say which version this is."""\n    return "{version}"\n'


@pytest.fixture
def publish(tmp_path: Path, commit: Callable[[Path], str]) -> Publish:
    """`publish("1.1", code)` commits that version of the plugin `probe`; it gives the source string of the repository."""

    def publish(version: str, code: str = "", *, dependencies: tuple[str, ...] = ()) -> str:
        folder = tmp_path / "repositories" / "probe"
        (folder / "probe").mkdir(parents=True, exist_ok=True)
        (folder / "probe" / "__init__.py").write_text(ANSWER.format(version=version) + code)
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n\n'
            f'[project]\nname = "probe"\nversion = "{version}"\ndependencies = {json.dumps(dependencies)}\n\n'
            '[project.entry-points.plughost]\nanswer = "probe:answer"\n'
            + ('work = "probe:work"\n' if "def work" in code else "")
            + '\n[tool.uv.build-backend]\nmodule-name = "probe"\nmodule-root = ""\n'
        )
        commit(folder)
        return f"git+{folder.as_uri()}"

    return publish


def test_an_update_says_what_it_changed_and_keeps_the_version_before(host: plughost.Host, publish: Publish) -> None:
    first = host.add(publish("1.0", "def work(a: int): return a"))
    publish("1.1", "def work(a: int, b: int = 2): return a * b")
    checked = host.check_update("probe")
    assert (checked.status, checked.changed, len(checked.history.commits)) == ("available", False, 1)
    assert host.call("probe", "answer") == "1.0"
    record = host.update("probe").record()
    assert (record["status"], record["before"]["version"], record["after"]["version"]) == ("updated", "1.0", "1.1")
    assert [commit["commit_id"] for commit in record["commits"]] == [record["after"]["commit_id"]]
    assert record["before"]["commit_id"] == first.commit_id
    assert [change["message"] for change in record["contract"]] == ["`work` has a new parameter `b`"]
    assert not record["rewritten"]
    assert host.call("probe", "work", a=4) == 8
    assert host.call("probe@1.0", "work", a=4) == 4
    assert host.update("probe").status == "current"
    assert host.check_update("probe").status == "current"


def test_an_update_that_breaks_its_promise_is_refused_and_leaves_all_as_it_was(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0", "def work(a: int): return a"))
    publish("2.0", "def work(a: str): return a")
    with pytest.raises(plughost.ContractError) as caught:
        host.update("probe")
    assert str(caught.value) == (
        "The newest version of `probe` breaks what the installed one promised\n"
        "  Caused by: `work` no longer takes all the values for `a` that it took\n"
        "\n"
        "hint: `update probe --allow-breaking` installs it all the same; `pin probe` keeps the one there is"
    )
    assert host.call("probe", "answer") == "1.0"
    assert len(list(Path(host.store.plugin("probe")).iterdir())) == 2
    assert len(list(Path(host.store.venvs).iterdir())) == 1
    assert host.update("probe", allow_breaking=True).contract[0].breaking
    assert host.call("probe", "work", a="x") == "x"


def test_locked_dependencies_stay_until_they_are_asked_for(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0", dependencies=("idna==3.7",)))
    publish("1.1", dependencies=("idna>=3",))
    assert host.update("probe").dependencies == []
    publish("1.2", dependencies=("idna>=3",))
    assert host.update("probe", offline=True).dependencies == []
    assert dict(host.info("probe").dependencies) == {"idna": "3.7"}
    updated = host.update("probe", dependencies=True)
    assert [(change.name, change.before) for change in updated.dependencies] == [("idna", "3.7")]
    assert updated.version == "1.2"


def test_another_wheel_of_the_same_version_is_another_wheel(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0", "def work(): return 1"))
    publish("1.0", "def work(): return 2")
    assert host.update("probe").changed
    assert host.call("probe", "work") == 2


def test_a_commit_that_is_tagged_later_gets_the_version_of_its_tag(
    host: plughost.Host, tmp_path: Path, commit: Callable[[Path], str]
) -> None:
    folder = tmp_path / "tagged"
    folder.mkdir()
    (folder / "tagged.py").write_text("def answer(): return 1")
    (folder / "setup.py").write_text(
        "import subprocess, setuptools\n"
        "version = subprocess.check_output(['git', 'describe', '--tags'], text=True).strip()\n"
        "points = {'plughost': ['answer = tagged:answer']}\n"
        "setuptools.setup(name='tagged', version=version, py_modules=['tagged'], entry_points=points)\n"
    )
    commit(folder)
    subprocess.run(["git", "-C", folder, "tag", "v1.0rc1"], check=True)
    assert host.add(f"git+{folder.as_uri()}").version == "1.0rc1"
    subprocess.run(["git", "-C", folder, "tag", "-d", "v1.0rc1"], check=True)
    subprocess.run(["git", "-C", folder, "tag", "v1.0"], check=True)
    assert host.add(f"git+{folder.as_uri()}@v1.0").version == "1.0"


def test_a_rewritten_branch_is_said(host: plughost.Host, publish: Publish, tmp_path: Path) -> None:
    host.add(publish("1.0"))
    repository = tmp_path / "repositories" / "probe"
    subprocess.run(["git", "-C", repository, "update-ref", "-d", "HEAD"], check=True)
    publish("1.1")
    assert host.update("probe").record()["rewritten"]


def test_a_rollback_is_undone_by_an_update_without_building(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0"))
    publish("1.1")
    host.update("probe")
    assert host.rollback("probe").version == "1.0"
    assert host.call("probe", "answer") == "1.0"
    updated = host.update("probe")
    assert (updated.changed, updated.version) == (True, "1.1")
    assert len(list(Path(host.store.plugin("probe")).iterdir())) == 3
    assert host.rollback("probe", to="1.0").version == "1.0"
    with pytest.raises(plughost.UnknownError) as caught:
        host.rollback("probe")
    assert caught.value.reference == "version-unknown"


def test_a_rollback_to_a_version_without_its_environment_is_refused(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0"))
    old = host.info("probe").environment
    publish("1.1")
    host.update("probe")
    (old / "bin" / "python").unlink()
    with pytest.raises(plughost.StoreError) as caught:
        host.rollback("probe")
    assert caught.value.reference == "venv-missing"
    assert "`repair probe`" in caught.value.hint
    assert host.call("probe", "answer") == "1.1"
    assert host.repair("probe").changed
    assert host.call("probe", "answer") == "1.1"
    assert host.rollback("probe").version == "1.0"
    assert host.call("probe", "answer") == "1.0"


def test_an_update_that_keeps_no_version_before_can_be_told_all_the_same(
    store: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGHOST_KEEP_REVISIONS", "1")
    with plughost.Host(store=store) as host:
        before = host.add(publish("1.0", dependencies=("iniconfig",))).commit_id
        publish("1.1", dependencies=("iniconfig",))
        record = host.update("probe").record()
        host.collect_garbage()
        assert record["before"]["commit_id"] == before
        assert record["dependencies"] == []


def test_an_update_does_not_bring_back_what_was_removed_meanwhile(store: Path, publish: Publish) -> None:
    with plughost.Host(store=store) as other:

        def interfere(progress: plughost.Progress) -> None:
            if progress.stage == "describe":
                other.remove("probe")

        other.add(publish("1.0"))
        publish("1.1")
        with plughost.Host(store=store, on_progress=interfere) as host, pytest.raises(plughost.UnknownError):
            host.update("probe")
        assert other.plugins() == []


def test_what_is_done_to_all_versions_of_a_plugin_takes_none(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0"))
    for verb in (host.update, host.check_update, host.pin, host.disable, host.repair, host.remove):
        with pytest.raises(plughost.UsageError) as caught:
            verb("probe@1.0")
        assert (caught.value.reference, caught.value.hint) == ("name-invalid", "A name has no version: leave out `@1.0`")


def test_a_call_that_runs_finishes_on_the_version_that_it_began_on(host: plughost.Host, publish: Publish, tmp_path: Path) -> None:
    fifo, begun = tmp_path / "go", tmp_path / "begun"
    code = "def work(go: str, begun: str):\n    open(begun, 'w').close()\n    open(go).read()\n    return answer()\n"
    host.add(publish("1.0", code))
    publish("1.1", code)
    os.mkfifo(fifo)
    os.mkfifo(begun)
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(host.call("probe", "work", go=str(fifo), begun=str(begun))))
    caller.start()
    begun.read_bytes()
    host.update("probe")
    assert host.call("probe", "answer") == "1.1"
    host.disable("probe")
    fifo.write_bytes(b"")
    caller.join(30)
    assert answers == ["1.0"]


def test_a_pinned_plugin_is_left_alone(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0"))
    publish("1.1")
    assert host.pin("probe")
    assert not host.pin("probe")
    assert host.update("probe").status == host.check_update("probe").status == "pinned"
    assert host.unpin("probe")
    assert host.update("probe").version == "1.1"


def test_a_disabled_plugin_is_called_by_no_door(host: plughost.Host, publish: Publish) -> None:
    host.add(publish("1.0"))
    assert host.call("probe", "answer") == "1.0"
    assert host.disable("probe")
    for name in ("probe", "probe@1.0"):
        with pytest.raises(plughost.PluginDisabled, match="`probe` is disabled"):
            host.call(name, "answer")
        with pytest.raises(plughost.PluginDisabled):
            next(iter(host.stream(name, "answer")))
    publish("1.1")
    assert host.update("probe").version == "1.1"
    with pytest.raises(plughost.PluginDisabled):
        host.invoke("probe", "answer")
    assert [plugin.name for plugin in host.plugins()] == ["probe"]
    assert host.enable("probe")
    assert host.call("probe", "answer") == "1.1"


def test_an_update_of_a_folder_and_of_a_plugin_under_another_name(host: plughost.Host, publish: Publish) -> None:
    source = publish("1.0")
    folder = source.removeprefix("git+file://")
    host.add(folder, name="mine")
    assert host.update("mine").status == "current"
    publish("1.1")
    assert host.check_update("mine").status == "available"
    assert host.update("mine").version == "1.1"
    assert host.call("mine", "answer") == "1.1"


def test_the_commands_tell_what_changed(plughost_command: Callable[..., Completed], publish: Publish) -> None:
    plughost_command("add", publish("1.0", "def work(a: int): return a"))
    publish("1.1", "def work(a: int, b: int = 2): return a")
    checked = plughost_command("update", "--check")
    assert checked.stdout.startswith("`probe` 1.0 (")
    assert checked.stdout.splitlines()[1].endswith("  A plugin")
    updated = plughost_command("update", "--all").stdout.splitlines()
    assert updated[0].startswith("Updated `probe` 1.0 (")
    assert updated[2] == "  + `work` has a new parameter `b`"
    publish("2.0")
    refused = plughost_command("update", "probe")
    assert (refused.returncode, "Caused by: the tool `work` is gone" in refused.stderr) == (5, True)
    assert plughost_command("run", "probe@1.0:answer").stdout == '"1.0"\n'
    assert plughost_command("rollback", "probe").stdout.startswith("Rolled back `probe` 1.1 (")
    assert plughost_command("pin", "probe", "nope").returncode == 3
    assert plughost_command("update").stdout.endswith(" is pinned\n")
    assert plughost_command("disable", "probe").stdout == "Disabled `probe`\n"
    assert "probe  1.0 (disabled, pinned)  " in plughost_command("list").stdout
    assert plughost_command("run", "probe:answer").returncode == 3
    assert json.loads(plughost_command("enable", "probe", "--json").stdout) == [{"name": "probe", "changed": True}]
    assert plughost_command("update", "--all", "probe").returncode == 2
