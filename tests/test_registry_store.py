"""The registry alone: revisions put in place, found, listed and taken away, with no plugin behind them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import errors, registry
from plughost.paths import Store, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534

LISTED = """
import sys, time
from plughost.paths import Store
from plughost.registry import summaries
opened = []
sys.addaudithook(lambda event, values: opened.append(values[0]) if event == "open" else None)
begun = time.perf_counter()
found = summaries(Store(sys.argv[1]))
print(len(found), time.perf_counter() - begun, *dict.fromkeys(opened))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def receipt(name: str, number: int, **changes: object) -> registry.Receipt:
    values: dict[str, object] = dict.fromkeys(registry.Receipt.__slots__, "")
    values |= {"name": name, "package": name, "project": "plughost", "version": f"{number}.0", "revision": f"{number}.0-{name}"}
    values |= {"kind": "git", "direct_url": {}, "request": {}, "built_from_source": (), "history": (), "venv": f"venv-{name}"}
    values |= {"signer": {}, "grant": None, "unenforced": ()}
    return registry.Receipt(**{**values, **changes})


def fill(folder: Path, made: registry.Receipt) -> Path:
    folder.mkdir()
    manifest = {"venv": made.venv, "package": made.package, "revision": made.revision, "tools": [{"name": "work"}]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "pylock.toml").write_text("lock-version = '1.0'\n")
    return folder


def place(store: Store, made: registry.Receipt) -> None:
    with registry.adding(store), registry.staging(store) as stage:
        registry.place(store, fill(stage / "revision", made), made)


def put_there(store: Store, count: int) -> None:
    """Plugins, as if each had been placed."""
    for number in range(count):
        made = receipt(f"plugin-{number}", 1)
        folder = Path(store.plugin(made.name))
        folder.mkdir(parents=True)
        (fill(folder / made.revision, made) / "receipt.toml").write_bytes(made.to_toml())
        (folder / "current").write_text(made.revision)


def revisions(store: Store, name: str) -> list[str]:
    return sorted(path.name for path in Path(store.plugin(name)).iterdir() if path.is_dir())


def in_force(store: Store, name: str) -> str:
    return registry.find(store, name).revision


def test_a_further_revision_keeps_five_in_all(store: Store) -> None:
    for number in range(1, 8):
        place(store, receipt("weather", number))
    assert revisions(store, "weather") == [f"{number}.0-weather" for number in range(3, 8)]
    assert in_force(store, "weather") == "7.0-weather"
    kept = registry.load_receipt(Path(store.plugin("weather"), "7.0-weather", "receipt.toml"))
    assert [entry.version for entry in kept.history] == ["6.0", "5.0", "4.0", "3.0", "2.0", "1.0"]


def test_a_rollback_goes_back_one_by_one_and_forth_by_name(store: Store) -> None:
    for number in range(1, 4):
        place(store, receipt("weather", number))
    for expected in ("2.0-weather", "1.0-weather"):
        assert registry.turn_to(store, "weather", registry.way_back(store, "weather").revision)
        assert in_force(store, "weather") == expected
    with pytest.raises(errors.UnknownError, match="no version of `weather` before"):
        registry.way_back(store, "weather")
    assert registry.turn_to(store, "weather", registry.way_back(store, "weather", "v3").revision)
    assert registry.way_back(store, "weather").revision == "1.0-weather"
    assert not registry.turn_to(store, "weather", "3.0-weather")
    assert revisions(store, "weather") == ["1.0-weather", "2.0-weather", "3.0-weather"]


def test_what_a_rollback_came_from_is_the_first_to_be_dropped(store: Store) -> None:
    for number in range(1, 6):
        place(store, receipt("weather", number))
    registry.turn_to(store, "weather", "3.0-weather")
    place(store, receipt("weather", 6))
    state = registry.state_of(store, "weather")
    assert state is not None
    assert state.before == ("3.0-weather", "2.0-weather", "1.0-weather")
    assert len(state.after) == 1


def test_a_version_is_found_by_its_number_its_commit_and_its_name(store: Store) -> None:
    place(store, receipt("weather", 1, revision="1.2-3f2a1c0d-aaaa"))
    place(store, receipt("weather", 2, revision="1.10-77aa01bc-bbbb"))
    for wanted in ("1.2", "1.2.0", "v1.2", "3f2a", "3F2A1C0D", "3f2a1c0d" + "0" * 32, "1.2-3f2a1c0d-aaaa"):
        assert in_force(store, f"weather@{wanted}") == "1.2-3f2a1c0d-aaaa"
    assert in_force(store, "Weather@1.10") == "1.10-77aa01bc-bbbb"
    for wanted in ("1.1", "3f2", "../x", ""):
        with pytest.raises(errors.UnknownError, match="not installed in the version"):
            registry.find(store, f"weather@{wanted}")


def test_marks_outlast_a_further_revision_and_a_rollback(store: Store) -> None:
    place(store, receipt("weather", 1))
    assert registry.mark(store, "weather", disabled=True, pinned=True)
    assert not registry.mark(store, "weather", disabled=True)
    place(store, receipt("weather", 2))
    registry.turn_to(store, "weather", "1.0-weather")
    with pytest.raises(errors.UnknownError, match="`weather` is disabled"):
        registry.find_callable(store, "weather@2")
    assert registry.mark(store, "weather", disabled=False)
    assert registry.find_callable(store, "weather").revision == "1.0-weather"
    state = registry.state_of(store, "weather")
    assert state is not None
    assert state.pinned


@pytest.mark.parametrize("line", ["disabeld", "before ../x", "before", "after  x/y", "\x00", "é"])
def test_a_state_with_a_line_that_is_none_is_damage(store: Store, line: str) -> None:
    place(store, receipt("weather", 1))
    Path(store.plugin("weather"), "current").write_text(f"1.0-weather\n{line}\n")
    with pytest.raises(errors.StoreError, match="damaged"):
        registry.find(store, "weather")
    with pytest.raises(errors.StoreError, match="damaged"):
        registry.mark(store, "weather", disabled=True)
    assert [plugin.fault != "" for plugin in registry.summaries(store)] == [True]


def test_the_same_installation_by_two_processes_at_once_is_one_revision(store: Store) -> None:
    place(store, receipt("weather", 1, added_at="2025-01-01T00:00:00+00:00"))
    place(store, receipt("weather", 1, revision="1.0-other", added_at="2025-01-01T00:00:01+00:00"))
    assert revisions(store, "weather") == ["1.0-weather"]
    place(store, receipt("weather", 1, revision="1.0-rebuilt", venv="another"))
    assert registry.find(store, "weather").revision == "1.0-rebuilt"


def test_the_same_installation_again_mends_a_damaged_one(store: Store) -> None:
    place(store, receipt("weather", 1))
    Path(store.plugin("weather"), "1.0-weather", "manifest.json").write_text("{}")
    place(store, receipt("weather", 1, revision="1.0-again"))
    assert registry.find(store, "weather").revision == "1.0-again"


def test_a_reader_never_meets_a_revision_that_is_being_replaced(store: Store) -> None:
    place(store, receipt("weather", 0))
    ended = threading.Event()

    def replace() -> None:
        for number in range(1, 40):
            place(store, receipt("weather", number))
        ended.set()

    writing = threading.Thread(target=replace)
    writing.start()
    while not ended.is_set():
        assert registry.find(store, "weather").revision.endswith("-weather")
        assert [summary.name for summary in registry.summaries(store)] == ["weather"]
    writing.join()


def test_a_reader_of_a_revision_that_goes_meanwhile_gets_the_one_in_force(store: Store) -> None:
    place(store, receipt("weather", 1))
    manifest = Path(store.plugin("weather"), "1.0-weather", "manifest.json")
    meanwhile = [2, 3]

    def come(event: str, values: tuple[object, ...]) -> None:
        while event == "open" and values[0] == str(manifest) and meanwhile:
            place(store, receipt("weather", meanwhile.pop(0)))

    manifest.unlink()
    sys.addaudithook(come)
    assert registry.find(store, "weather").revision == "3.0-weather"


@pytest.mark.parametrize("name", ["current", "1.0-weather/manifest.json", "1.0-weather/receipt.toml"])
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(store: Store, name: str) -> None:
    place(store, receipt("weather", 1))
    path = Path(store.plugin("weather"), name)
    path.unlink()
    os.mkfifo(path)
    (summary,) = registry.summaries(store)
    assert summary.fault.endswith(("Not a regular file", f"Not a regular file: '{path}'"))
    registry.collect_garbage(store)
    registry.remove(store, "weather")


def wait_for_waiting(lock: str, count: int) -> None:
    """Wait until so many wait for the lock. The test's time limit bounds it."""
    inode = f":{os.stat(lock).st_ino} "
    while sum("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()) < count:
        pass


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="who waits for a lock can't be seen here")
def test_of_removals_at_once_one_succeeds_and_the_others_find_nothing(store: Store) -> None:
    place(store, receipt("weather", 1))
    outcomes: list[str] = []

    def remove() -> None:
        try:
            outcomes.append(registry.remove(store, "weather").name)
        except errors.PlughostError as error:
            outcomes.append(error.reference)

    threads = [threading.Thread(target=remove) for _ in range(4)]
    lock = store.lock("registry-plughost")
    with locked(lock):
        for thread in threads:
            thread.start()
        wait_for_waiting(lock, len(threads))
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["plugin-unknown"] * 3 + ["weather"]
    assert os.listdir(store.trash) == []


def test_who_finds_somebody_sweeping_has_them_sweep_once_more(store: Store) -> None:
    place(store, receipt("weather", 1))
    Path(store.venvs, "gone").mkdir(parents=True)
    manifest = os.path.join(store.plugin("weather"), "1.0-weather", "manifest.json")
    swept: list[bool] = []

    def sweep_too(event: str, values: tuple[object, ...]) -> None:
        if event == "open" and values[0] == manifest and not swept:  # it has seen what there is, and reads what is used
            swept.append(True)
            Path(store.venvs, "gone-later").mkdir()
            swept[0] = registry.collect_garbage(store)

    sys.addaudithook(sweep_too)
    registry.collect_garbage(store)
    assert swept == [False]
    assert os.listdir(store.venvs) == []


def test_removing_takes_the_logs_of_that_plugin_and_of_no_other(store: Store) -> None:
    place(store, receipt("weather", 1))
    Path(store.logs).mkdir()
    logs = [Path(store.logs, f"{stem}-20250102T030405-77.log") for stem in ("weather", "weather-2", "weather-2030")]
    for log in logs:
        log.touch()
    registry.remove(store, "weather")
    assert sorted(Path(store.logs).iterdir()) == logs[1:]


def test_what_somebody_holds_while_it_is_swept_goes_when_they_let_go(store: Store) -> None:
    place(store, receipt("weather", 1))
    Path(store.venvs, "venv-weather").mkdir(parents=True)
    with registry.adding(store):
        registry.remove(store, "weather")
        assert Path(store.venvs, "venv-weather").exists()
    assert not Path(store.venvs, "venv-weather").exists()
    assert os.listdir(store.trash) == []


def test_a_sweep_takes_the_locks_of_what_is_gone_and_leaves_the_others(store: Store) -> None:
    place(store, receipt("weather", 1))
    Path(store.venvs, "venv-weather").mkdir(parents=True)
    for key in ("venv-weather", "gone"):
        with locked(store.lock(f"venv-{key}")):
            pass
    registry.collect_garbage(store)
    locks = {path.name for path in Path(store.lock("adding")).parent.iterdir()}
    assert locks == {"adding.lock", "registry-plughost.lock", "venv-venv-weather.lock"}


def test_a_sweep_takes_what_killed_programs_left_in_the_caches(store: Store, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    for folder in (Path(store.uv_cache), shared, Path(store.index).parent):
        folder.mkdir(parents=True)
    Path(store.root, "cache", "pip").symlink_to(shared)
    left = [Path(store.uv_cache, ".tmpAbCdEf"), Path(store.index).parent / "plughost.json.77.abcd.new"]
    others = [Path(store.uv_cache, "archive-v0"), shared / ".tmpAbCdEf"]
    for path in (*left, *others):
        path.mkdir()
    registry.collect_garbage(store)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


def damage_current(store: Store, content: bytes | None) -> Path:
    current = Path(store.plugin("weather"), "current")
    current.unlink()
    if content is not None:
        current.write_bytes(content)
    return current


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00", b"../../x", b"9.9-nowhere\n", b".."])
def test_a_plugin_without_a_usable_pointer_is_listed_as_damaged_and_can_be_replaced_and_removed(
    store: Store, content: bytes | None
) -> None:
    for name in ("other", "weather"):
        place(store, receipt(name, 1))
    damage_current(store, content)
    for _ in range(2):  # by way of the index too
        healthy, damaged = registry.summaries(store)
        assert (healthy.name, healthy.fault) == ("other", "")
        assert damaged.name == "weather"
        assert "are damaged" in damaged.fault
    with pytest.raises(errors.StoreError) as caught:
        registry.find(store, "weather")
    assert caught.value.reference == "store-corrupt"
    place(store, receipt("weather", 2))
    assert registry.find(store, "weather").revision == "2.0-weather"
    damage_current(store, content)
    registry.remove(store, "weather")
    assert [summary.name for summary in registry.summaries(store)] == ["other"]


@pytest.mark.parametrize("name", ["receipt.toml", "manifest.json", "pylock.toml"])
def test_a_file_that_is_gone_or_changed_shows_in_the_list(store: Store, name: str) -> None:
    place(store, receipt("weather", 1))
    assert registry.summaries(store)[0].fault == ""
    file = Path(store.plugin("weather"), "1.0-weather", name)
    if name != "pylock.toml":
        file.write_bytes(b"\xff")
        assert registry.summaries(store)[0].fault
    file.unlink()
    assert registry.summaries(store)[0].fault


@pytest.mark.parametrize("index", [b"", b"\xff", b'{"format":4,"columns":{"weather":7}}', b'{"format":4,"columns":[[7],[8]]}'])
def test_the_index_may_be_lost_or_damaged(store: Store, index: bytes) -> None:
    place(store, receipt("weather", 1))
    registry.summaries(store)
    Path(store.index).write_bytes(index)
    assert [summary.version for summary in registry.summaries(store)] == ["1.0"]


@pytest.fixture
def as_somebody() -> Iterator[Callable[[Path], None]]:
    """Become somebody to whom permissions apply, who has these files. Root may read whatever it likes."""

    def become(folder: Path) -> None:
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
            os.seteuid(NOBODY)

    before = os.geteuid()
    yield become
    os.seteuid(before)


def test_a_plugin_that_this_user_may_not_read_hides_no_other(as_somebody: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        store = Store(root)
        for name in ("other", "weather"):
            place(store, receipt(name, 1))
        Path(store.plugin("weather"), "current").chmod(0)
        as_somebody(Path(root))
        healthy, unreadable = registry.summaries(store)
    assert (healthy.name, healthy.fault) == ("other", "")
    assert "Permission denied" in unreadable.fault


def test_what_is_no_plugin_is_not_listed(store: Store) -> None:
    place(store, receipt("weather", 1))
    Path(store.plugins, ".DS_Store").touch()
    Path(store.plugins, "Not A Name").mkdir()
    assert [summary.name for summary in registry.summaries(store)] == ["weather"]


@pytest.mark.parametrize("venv", ["../../../etc", "/etc", "..", ""])
def test_a_manifest_never_leads_to_an_environment_elsewhere(store: Store, venv: str) -> None:
    place(store, receipt("weather", 1, venv=venv))
    with pytest.raises(errors.StoreError):
        registry.find(store, "weather")
    assert registry.remove(store, "weather").freed_bytes < 10_000


def test_a_thousand_plugins_are_listed_from_one_file_in_milliseconds(store: Store) -> None:
    put_there(store, 1000)
    assert len(registry.summaries(store)) == 1000
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", LISTED, store.root]
    printed = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert printed[0] == "1000"
    assert float(printed[1]) < 0.5
    assert printed[2:] == [store.index]


def test_of_very_many_plugins_the_list_shows_each_change_though_it_looks_at_no_file(store: Store) -> None:
    put_there(store, 210)
    place(store, receipt("weather", 1))
    kept = [summary.name for summary in registry.summaries(store)]
    assert len(kept) == 211
    Path(store.plugin("plugin-7"), "1.0-plugin-7", "receipt.toml").write_text("")  # not by way of the registry
    assert all(not summary.fault for summary in registry.summaries(store))
    place(store, receipt("weather", 2))
    registry.mark(store, "plugin-8", disabled=True)
    registry.remove(store, "plugin-9")
    listed = {summary.name: summary for summary in registry.summaries(store)}
    assert (listed["weather"].version, listed["plugin-8"].disabled, "plugin-9" in listed) == ("2.0", True, False)
    assert registry.summaries(store)[-1].version == "2.0"


def test_an_index_made_while_something_changes_is_not_kept(store: Store) -> None:
    put_there(store, 2)
    with locked(store.lock("registry-plughost")):
        assert len(registry.summaries(store)) == 2
        assert not Path(store.index).exists()
    assert len(registry.summaries(store)) == 2
    assert Path(store.index).exists()


def test_whoever_changes_the_registry_takes_its_lock_by_way_of_the_index() -> None:
    package = Path(registry.__file__).parent
    users = {path.name for path in package.rglob("*.py") if 'lock(f"registry-' in path.read_text(encoding="utf-8")}
    assert users == {"_changing.py", "_remade.py"}
