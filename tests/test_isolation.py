"""A fresh process for each call: what a plugin declares, what an app says, and that nothing passes from call to call."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def project(folder: Path, table: str) -> Path:
    """A project in `folder` whose `pyproject.toml` ends with `table`."""
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n'
        '[project]\nname = "small"\nversion = "1.0"\n[project.entry-points.plughost]\nsmall = "small:small"\n'
        '[tool.uv.build-backend]\nmodule-name = "small"\nmodule-root = ""\n' + table
    )
    (folder / "small").mkdir()
    (folder / "small" / "__init__.py").write_text("def small(): return 1\n")
    return folder


def test_what_a_plugin_declares_is_in_its_manifest_and_is_shown(
    git_repository: Callable[..., str], store: Path, plughost_command: Callable[..., object]
) -> None:
    source = git_repository("isolated")
    with plughost.Host(store=store) as host:
        for again in (False, True):  # the second time from the wheel that is kept of the commit
            if again:
                host.remove("isolated")
            host.add(source)
            manifest = host.manifest("isolated")
            assert (manifest["isolation"], manifest["concurrency"]) == ("call", 8)
    assert plughost_command("info", "isolated", "--json").json()["isolation"] == "call"
    page = plughost_command("info", "isolated").stdout
    assert "a fresh process for each call" in page
    assert "8 calls at once in one process" in page


@pytest.mark.parametrize(
    ("table", "named", "allowed"),
    [
        ('isolation = "process"', "`pyproject.toml: tool.plughost.isolation` can't be `process`", '`"call"`'),
        ("concurrency = 0", "`pyproject.toml: tool.plughost.concurrency` can't be `0`", "a whole number from 1 to 1024"),
        ("concurrency = 2026-01-01", '`pyproject.toml: tool.plughost.concurrency` can\'t be `"2026-01-01"`', "from 1 to 1024"),
    ],
)
def test_a_declaration_that_can_not_be_is_one_error(
    table: str, named: str, allowed: str, host: plughost.Host, tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    with pytest.raises(plughost.SourceError) as caught:
        host.add(str(project(tmp_path / "small", f"[tool.plughost]\n{table}\n")))
    assert caught.value.message == named
    assert allowed in caught.value.causes[0]


def test_what_a_plugin_declares_is_no_setting_of_who_works_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from plughost.settings import load

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    table = (
        '[tool.plughost]\nisolation = "call"\nconcurrency = 4\ninstaller = "pip"\n[tool.plughost.permissions]\nnetwork = true\n'
    )
    (tmp_path / "small").mkdir()
    assert load(str(project(tmp_path / "small", table))).installer == "pip"


def test_a_wish_of_the_app_that_can_not_be_is_refused_at_once() -> None:
    with pytest.raises(plughost.UsageError, match=r"`isolation\['weather'\]` can't be `'always'`"):
        plughost.Host(isolation={"weather": "always"})
    with pytest.raises(plughost.UsageError, match=r"`concurrency` can't be `0`"):
        plughost.Host(concurrency=0)


def test_a_bundle_carries_what_the_plugin_declares(
    host: plughost.Host, git_repository: Callable[..., str], tmp_path: Path
) -> None:
    host.add(git_repository("isolated"))
    bundle = host.export("isolated", tmp_path / "isolated.plughost")
    host.remove("isolated")
    host.add(str(bundle.path))
    assert host.manifest("isolated")["isolation"] == "call"
    assert json.dumps(host.info("isolated").record())


# Calls.

forking = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each call starts a worker")


@pytest.fixture(scope="module")
def isolated(
    tmp_path_factory: pytest.TempPathFactory, uv_cache: Path, session_repository: Callable[[str], str]
) -> Iterator[plughost.Host]:
    """A host that has `isolated`."""
    cache = tmp_path_factory.mktemp("isolated") / "cache"
    cache.mkdir()
    (cache / "uv").symlink_to(uv_cache, target_is_directory=True)
    with plughost.Host(store=cache.parent) as host:
        host.add(session_repository("isolated"))
        host.offer("again", lambda: host.call("isolated", "count"))
        yield host


def nursery_of(host: plughost.Host) -> int:
    """The process that has imported the plugin for a call, and forks."""
    where = where_it_is(host)
    assert where["imported_by"] != where["pid"]
    return where["imported_by"]


def where_it_is(host: plughost.Host) -> dict[str, object]:
    """Where a call runs that has its process from a nursery; one that was lost is back within a few calls."""
    for _ in range(100):
        where = host.call("isolated", "where")
        if where["imported_by"] != where["pid"]:
            return where
    pytest.fail("the nursery never was ready")


def state(pid: int) -> str:
    """The state of a process as the kernel shows it; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def below(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                found += [int(child), *below(int(child))]
    except OSError:  # gone
        pass
    return found


def test_no_call_finds_what_another_has_left(isolated: plughost.Host) -> None:
    wheres = [where_it_is(isolated) for _ in range(3)]
    assert len({where["pid"] for where in wheres}) == 3
    assert all(where["group"] == where["pid"] for where in wheres)
    assert [isolated.call("isolated", "count") for _ in range(3)] == [1, 1, 1]
    assert len({isolated.call("isolated", "draw") for _ in range(3)}) == 3


@forking
def test_a_forked_process_has_no_descriptor_but_its_own(isolated: plughost.Host) -> None:
    where = where_it_is(isolated)
    with plughost.Host(store=isolated.store.root) as other:  # its first call has a worker of its own
        assert len(where["descriptors"]) == len(other.call("isolated", "where")["descriptors"])


def test_a_stream_and_a_callback_are_of_one_call(isolated: plughost.Host) -> None:
    items = list(isolated.stream("isolated", "stream", 3))
    assert [item[:2] for item in items] == [[0, 1], [1, 2], [2, 3]]
    assert len({item[2] for item in items}) == 1
    own, again, _ = isolated.call("isolated", "ask")
    assert (own, again) == (1, 2), "what the app calls meanwhile goes to the same process"


def test_hooks_have_a_fresh_process_and_a_wrapper_one_for_both_halves(isolated: plughost.Host) -> None:
    class Spec:
        @pluggy.HookspecMarker("plughost")
        def score(self, text): ...

        @pluggy.HookspecMarker("plughost")
        def wrapped(self, text): ...

    manager = pluggy.PluginManager("plughost")
    manager.add_hookspecs(Spec)
    isolated.attach(manager)
    assert [manager.hook.score(text="x") for _ in range(3)] == [[1], [1], [1]]
    assert [manager.hook.wrapped(text="x") for _ in range(2)] == [[[], 2, True]] * 2


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("segfault", "was killed by SIGSEGV"),
        ("_exit", "ended with exit code 7"),
        ("kill", "was killed by SIGKILL"),
    ],
)
def test_a_crash_is_of_one_call(how: str, said: str, isolated: plughost.Host) -> None:
    where_it_is(isolated)
    with pytest.raises(plughost.PluginCrashed, match=said):
        isolated.call("isolated", "die", how)
    assert isolated.call("isolated", "count") == 1


def test_an_exit_is_of_one_call(isolated: plughost.Host) -> None:
    with pytest.raises(plughost.PluginError, match="enough"):
        isolated.call("isolated", "die", "exit")
    assert isolated.call("isolated", "count") == 1


@forking
def test_what_a_call_has_left_is_gone_after_it_and_nobody_waits_for_its_exit_handlers(
    isolated: plughost.Host, tmp_path: Path, is_gone: Callable[[int], bool]
) -> None:
    where_it_is(isolated)
    note = tmp_path / "note"
    for pid in isolated.call("isolated", "leave", str(note)):
        assert is_gone(pid)
    assert note.read_text() == "exit handler\n"
    assert isolated.call("isolated", "count") == 1


@forking
def test_a_timeout_ends_one_call_and_none_beside_it(
    isolated: plughost.Host, tmp_path: Path, ever_longer: Callable[[Path], Iterator[float]], is_gone: Callable[[int], bool]
) -> None:
    nursery = nursery_of(isolated)
    beside = isolated.stream("isolated", "stream", 2)
    first = next(beside)
    for limit_s in ever_longer(tmp_path / "note"):
        with pytest.raises(plughost.CallTimeout):
            isolated.invoke("isolated", "spin", kwargs={"note": str(tmp_path / "note")}, timeout_s=limit_s)
    assert is_gone(int((tmp_path / "note").read_text().split()[0]))
    assert [item[1:] for item in beside] == [[2, first[2]]]
    assert nursery_of(isolated) == nursery


@forking
def test_a_nursery_that_is_killed_is_replaced_and_calls_under_way_go_on(
    isolated: plughost.Host, is_gone: Callable[[int], bool]
) -> None:
    nursery = nursery_of(isolated)
    under_way = isolated.stream("isolated", "stream", 2)
    first = next(under_way)
    os.kill(nursery, signal.SIGKILL)
    assert is_gone(nursery)
    assert isolated.call("isolated", "count") == 1
    assert [item[1:] for item in under_way] == [[2, first[2]]]
    assert nursery_of(isolated) != nursery


@forking
def test_a_spare_that_is_killed_is_replaced(isolated: plughost.Host, is_gone: Callable[[int], bool]) -> None:
    nursery = nursery_of(isolated)
    for pid in below(nursery):
        with contextlib.suppress(ProcessLookupError):  # the last call's process is ending
            os.kill(pid, signal.SIGKILL)
        assert is_gone(pid)
    assert isolated.call("isolated", "count") == 1
    assert nursery_of(isolated) == nursery


@forking
def test_the_process_for_a_call_was_forked_before_it(isolated: plughost.Host) -> None:
    where = where_it_is(isolated)
    nursery, last = where["imported_by"], where["pid"]
    while len(spares := [pid for pid in below(nursery) if pid != last and state(pid) == "S"]) != 1:
        select.select([], [], [], 0.01)
    assert isolated.call("isolated", "where")["pid"] == spares[0]


@forking
def test_calls_in_a_row_have_several_processes_ready_and_later_one_is_enough_again(isolated: plughost.Host) -> None:
    nursery = nursery_of(isolated)

    def await_spares(are_enough: Callable[[int], bool]) -> list[int]:
        children: list[int] = []
        while not are_enough([state(pid) for pid in children].count("S")):
            select.select([], [], [], 0.01)
            children = below(nursery)
        return children

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: isolated.call("isolated", "count"), range(24))) == {1}
    children = await_spares(lambda count: count > 1)
    assert isolated.call("isolated", "where")["pid"] in children
    assert isolated.call("isolated", "count") == 1
    assert await_spares(lambda count: count == 1)


@forking
def test_many_calls_leave_no_process_and_no_descriptor(isolated: plughost.Host, is_gone: Callable[[int], bool]) -> None:
    nursery = nursery_of(isolated)
    before = len(os.listdir("/proc/self/fd"))
    of_others = {*below(os.getpid())} - {nursery, *below(nursery)}
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: isolated.call("isolated", "count"), range(200))) == {1}
    spares = below(nursery)
    isolated.close()
    for pid in (nursery, *spares):
        assert is_gone(pid)
    assert {*below(os.getpid())} <= of_others
    assert len(os.listdir("/proc/self/fd")) <= before


@forking
def test_a_nursery_that_nobody_uses_ends_and_another_begins_when_it_is_wanted(
    isolated: plughost.Host, is_gone: Callable[[int], bool]
) -> None:
    with plughost.Host(store=isolated.store.root, idle_s=0.2) as host:
        before = nursery_of(host)
        assert is_gone(before)
        assert nursery_of(host) != before


@forking
def test_an_update_ends_the_nursery_of_what_was_before(
    store: Path, session_repository: Callable[..., str], is_gone: Callable[[int], bool]
) -> None:
    with plughost.Host(store=store) as host:
        host.add(session_repository("isolated"))
        before = nursery_of(host)
        host.add(session_repository("isolated"), force=True)
        assert is_gone(before)
        assert nursery_of(host) != before


@forking
def test_when_the_host_is_killed_neither_the_nursery_nor_a_busy_child_outlives_it(
    isolated: plughost.Host, tmp_path: Path, is_gone: Callable[[int], bool]
) -> None:
    note = tmp_path / "note"
    program = (
        "import sys, plughost\n"
        f"host = plughost.Host(store={str(isolated.store.root)!r})\n"
        "host.call('isolated', 'count'), host.call('isolated', 'count')\n"
        f"host.call('isolated', 'spin', {str(note)!r})\n"
    )
    host = subprocess.Popen([sys.executable, "-c", program])
    while not (note.exists() and note.read_text().endswith("\n")):
        assert host.poll() is None
        select.select([], [], [], 0.02)
    family = below(host.pid)
    assert len(family) >= 2
    host.kill()
    host.wait()
    for pid in family:
        assert is_gone(pid)


@forking
def test_where_the_import_leaves_threads_each_call_has_a_worker_of_its_own_and_info_says_so(
    host: plughost.Host, tmp_path: Path, plughost_command: Callable[..., object]
) -> None:
    (tmp_path / "small").mkdir()
    folder = project(tmp_path / "small", '[tool.plughost]\nisolation = "call"\n')
    (folder / "small" / "__init__.py").write_text(
        "import threading\nfor _ in range(2): threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "calls = []\ndef small(): calls.append(1); return len(calls)\n"
    )
    host.add(str(folder))
    assert [host.call("small") for _ in range(3)] == [1, 1, 1]
    assert host.manifest("small")["fork"] == "unsafe: 2 threads are alive after import"
    said = "a new worker for each call; fork is unsafe: 2 threads are alive after import"
    assert said in plughost_command("info", "small").stdout


@forking
def test_threads_that_were_not_there_when_it_was_added_keep_a_nursery_from_forking(host: plughost.Host, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    folder, mark = project(tmp_path / "small", '[tool.plughost]\nisolation = "call"\n'), tmp_path / "mark"
    (folder / "small" / "__init__.py").write_text(
        f"import os, threading\nimported_by = os.getpid()\nif os.path.exists({str(mark)!r}):\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "def small(): return os.getpid() == imported_by\n"
    )
    host.add(str(folder))
    assert "fork" not in host.manifest("small")
    mark.touch()
    assert [host.call("small") for _ in range(4)] == [True] * 4


def test_what_the_app_says_holds_instead_of_what_the_plugin_declares(isolated: plughost.Host) -> None:
    with plughost.Host(store=isolated.store.root, isolation={"isolated": "worker"}) as host:
        assert [host.call("isolated", "count") for _ in range(3)] == [1, 2, 3]
