"""The limits that are watched from outside: each is met by a real process, which ends, and the caller is told the truth."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import re
import select
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from plughost import Host
from plughost.errors import CallTimeout, LimitExceeded, PluginCrashed, PluginError
from plughost.policy import Policy
from plughost.sandbox._cgroup import Cgroup, find_root, sweep
from plughost.sandbox._ends import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
WAIT_S = 60


@pytest.fixture(scope="module")
def hungry_store(store_with: Callable[..., Path]) -> Path:
    return store_with("hungry")


@pytest.fixture
def limited(hungry_store: Path, confined: None) -> Iterator[Callable[..., Host]]:  # noqa: ARG001
    """`limited(cpu_s=1)` is a host whose plugins have the default policy with these limits; `options` are the host's."""
    with contextlib.ExitStack() as hosts:

        def make(options: dict[str, object] | None = None, **limits: object) -> Host:
            return hosts.enter_context(Host(store=hungry_store, policy=Policy(**limits), **(options or {})))

        yield make


def ended(host: Host, tool: str, **kwargs: object) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        host.call("hungry", tool, **kwargs)
    if caught.value.limit != "wall_s":  # a little of which the next call may take on a busy machine
        assert host.call("hungry", "echo", value="as ever") == "as ever"
    return caught.value


@pytest.mark.parametrize(
    ("limit", "allowed", "tool", "kwargs", "more"),
    [
        ("cpu_s", 0.2, "spin", {}, {}),
        ("cpu_s", 0.2, "spin", {"threads": 3}, {}),
        ("wall_s", 0.2, "sleep", {"seconds": 3600.0}, {}),
        ("disk_bytes", 20 * MIB, "write", {"mib": 25}, {}),
        ("disk_bytes", 2 * MIB, "write-many", {"files": 1000}, {}),
        ("disk_bytes", 20 * MIB, "write-many", {"files": 100, "kib": 300}, {}),
        ("disk_bytes", 20 * MIB, "write-unnamed", {"files": 3, "mib": 10}, {}),
        ("disk_bytes", 20 * MIB, "write-unnamed", {"files": 3, "mib": 10, "close": True}, {}),
        ("disk_bytes", 20 * MIB, "write-deep", {"levels": 30, "mib": 25}, {}),
        ("output_bytes", MIB, "print-much", {"mib": 5}, {}),
        ("output_bytes", MIB, "log-much", {"mib": 5}, {}),
        ("output_bytes", MIB, "report-much", {"mib": 5}, {}),
        ("result_bytes", MIB, "give", {"mib": 5}, {}),
        ("result_bytes", MIB, "give", {"mib": 5, "kind": "bytes"}, {}),
        ("result_bytes", 1000, "echo", {"value": "x" * 2000}, {}),
        ("memory_bytes", 150 * MIB, "fill-memory-files", {"mib": 300}, {}),
        ("processes", 4, "start-processes", {"count": 8}, {}),
        ("threads", 6, "start-threads", {"count": 20}, {"processes": 40}),
        ("memory_bytes", 150 * MIB, "allocate-in-children", {"count": 3, "mib": 80}, {"processes": 5}),
    ],
)
def test_a_process_that_reaches_a_limit_is_ended_and_its_caller_told_which(
    limited: Callable[..., Host], limit: str, allowed: float, tool: str, kwargs: dict[str, object], more: dict[str, object]
) -> None:
    error = ended(limited(**{limit: allowed}, **more), tool, **kwargs)
    assert (error.limit, error.allowed, error.exit_code) == (limit, allowed, 4)
    assert error.figure > allowed
    assert quantity(limit, error.figure) in error.message
    assert quantity(limit, allowed) in error.message
    assert error.record()["limit"] == limit


@pytest.fixture
def slow_start(hungry_store: Path) -> Iterator[float]:
    """Has the plugin's processes take so many seconds to start."""
    (site,) = hungry_store.glob("**/site-packages/hungry")
    hook = site.parent / "slow.pth"
    hook.write_text("import time; time.sleep(1.5)\n")
    yield 1.5
    hook.unlink()


def test_the_time_of_a_call_begins_when_its_process_is_up(limited: Callable[..., Host], slow_start: float) -> None:
    hosts = [limited(wall_s=1.2), limited(wall_s=1.2, processes=2), limited({"concurrency": 4}, wall_s=1.2)]
    with ThreadPoolExecutor() as threads:
        calls = [threads.submit(host.call, "hungry", "echo", value=1) for host in hosts]
        timed = threads.submit(limited().invoke, "hungry", "echo", kwargs={"value": 1}, timeout_s=1.2)
        late = threads.submit(ended, limited(wall_s=0.2), "sleep", seconds=3600.0)
        assert [call.result() for call in calls] == [1, 1, 1]
    assert timed.result().result == 1
    assert late.result().limit == "wall_s"
    assert late.result().figure < slow_start


def by_call(host: Host, tool: str, **kwargs: object) -> object:
    return host.call("hungry", tool, **kwargs)


def by_invoke(host: Host, tool: str, **kwargs: object) -> object:
    return host.invoke("hungry", tool, kwargs=kwargs).result


def by_loop(host: Host, tool: str, **kwargs: object) -> object:
    return asyncio.run(host.acall("hungry", tool, **kwargs))


def by_stream(host: Host, tool: str, **kwargs: object) -> object:
    return list(host.stream("hungry", tool, **kwargs))


def by_submission(host: Host, tool: str, **kwargs: object) -> object:
    return host.submit("hungry", tool, **kwargs).result()


def limit_met(way: Callable[..., object], host: Host, tool: str, **kwargs: object) -> str:
    with pytest.raises(LimitExceeded) as caught:
        way(host, tool, **kwargs)
    return caught.value.limit


@pytest.mark.parametrize("way", [by_call, by_invoke, by_loop, by_stream, by_submission])
def test_every_way_to_call_has_the_limits(limited: Callable[..., Host], way: Callable[..., object]) -> None:
    host = limited(cpu_s=0.3, output_bytes=MIB, result_bytes=MIB)
    way(host, "echo", value=1)
    assert limit_met(way, host, "spin") == "cpu_s"
    assert limit_met(way, host, "print-much", mib=3) == "output_bytes"
    assert limit_met(way, host, "give", mib=3) == "result_bytes"


@pytest.mark.parametrize("way", [by_call, by_loop])
def test_a_result_is_measured_where_a_call_is_quick(limited: Callable[..., Host], way: Callable[..., object]) -> None:
    host = limited(result_bytes=1000)

    async def call_twice(value: str) -> object:
        await host.acall("hungry", "echo", "quick")
        return await host.acall("hungry", "echo", value)

    def call(_: Host, __: str, value: str) -> object:
        host.call("hungry", "echo", "quick")
        return host.call("hungry", "echo", value) if way is by_call else asyncio.run(call_twice(value))

    assert call(host, "echo", "x" * 900) == "x" * 900
    assert limit_met(call, host, "echo", value="x" * 2000) == "result_bytes"


@pytest.mark.parametrize("way", [by_call, by_invoke, by_loop, by_submission])
@pytest.mark.parametrize("options", [{}, {"concurrency": 8}])
def test_items_that_are_all_kept_are_no_more_than_a_result(
    limited: Callable[..., Host], options: dict[str, object], way: Callable[..., object]
) -> None:
    host = limited(options, result_bytes=MIB)
    assert len(way(host, "give-items", count=20, kib=30)) == 20
    assert limit_met(way, host, "give-items", count=10**6, kib=30) == "result_bytes"
    assert sum(map(len, host.stream("hungry", "give-items", count=100, kib=30))) == 100 * 30 << 10


@pytest.mark.parametrize("options", [{"concurrency": 8}, {"isolation": "call"}])
@pytest.mark.parametrize("way", [by_call, by_loop])
def test_processes_of_any_kind_have_the_limits(
    limited: Callable[..., Host], options: dict[str, object], way: Callable[..., object]
) -> None:
    host = limited(options, output_bytes=MIB, result_bytes=MIB)
    way(host, "echo", value=1)
    way(host, "echo", value=2)
    assert limit_met(way, limited(options, wall_s=0.1), "sleep", seconds=3600.0) == "wall_s"
    assert limit_met(way, host, "print-much", mib=3) == "output_bytes"
    assert limit_met(way, host, "log-much", mib=3) == "output_bytes"
    assert limit_met(way, host, "give", mib=3) == "result_bytes"


@pytest.mark.parametrize("options", [{}, {"isolation": "call"}])
def test_no_other_process_is_ended_with_one_that_reached_a_limit(
    limited: Callable[..., Host], options: dict[str, object]
) -> None:
    host = limited(options, processes=4, output_bytes=MIB)
    host.call("hungry", "echo", value=1)
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(host.call, "hungry", "sleep", seconds=2.0) for _ in range(3)]
        for _ in range(2):
            assert limit_met(by_call, host, "print-much", mib=3) == "output_bytes"
            assert host.call("hungry", "echo", value=1) == 1
        assert [other.result() for other in others] == ["awake"] * 3


def test_memory_that_processes_share_is_counted_once(limited: Callable[..., Host]) -> None:
    host = limited(memory_bytes=200 * MIB, processes=6)
    assert host.call("hungry", "fork-after-allocating", count=4, mib=80) == "done"


def test_many_short_calls_count_one_by_one(limited: Callable[..., Host]) -> None:
    host = limited(cpu_s=1.5, wall_s=1.5)
    until = time.monotonic() + 2.5
    pid = host.call("hungry", "pid")
    while time.monotonic() < until:
        host.call("hungry", "echo", value=1)
    assert host.call("hungry", "pid") == pid


def test_a_call_after_a_long_rest_has_the_limits_too(limited: Callable[..., Host]) -> None:
    host = limited(cpu_s=0.3)
    host.call("hungry", "echo", value=1)
    guards = host._workers.pool.guards
    deadline = time.monotonic() + WAIT_S
    while not guards.is_asleep:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)
    assert ended(host, "spin").limit == "cpu_s"


def test_a_host_that_was_closed_and_goes_on_has_the_limits(limited: Callable[..., Host]) -> None:
    host = limited(cpu_s=0.3)
    host.call("hungry", "echo", value=1)
    host.close()
    assert ended(host, "spin").limit == "cpu_s"
    host.close()
    assert not host._workers.pool.guards._watched


def test_what_an_idle_process_does_is_limited_and_logged(
    limited: Callable[..., Host], is_gone: Callable[[int], bool], caplog: pytest.LogCaptureFixture
) -> None:
    host = limited(disk_bytes=4 * MIB)
    pid = host.call("hungry", "pid")
    with caplog.at_level(logging.WARNING, logger="plughost.plugin.hungry"):
        assert host.call("hungry", "write-later", files=5000) == "soon"
        assert is_gone(pid)
    assert host.call("hungry", "pid") != pid
    assert "its work directory held" in caplog.text


def test_the_deadline_of_a_caller_is_not_the_policy_s(limited: Callable[..., Host]) -> None:
    host = limited(wall_s=60.0)
    with pytest.raises(CallTimeout) as caught:
        host.invoke("hungry", "sleep", kwargs={"seconds": 3600.0}, timeout_s=0.2)
    assert "took longer than 0.2 s" in caught.value.message


@pytest.mark.parametrize(
    ("limits", "tool", "kwargs", "kind", "cause"),
    [
        (
            {"memory_bytes": 150 * MIB},
            "allocate",
            {"mib": 200},
            MemoryError,
            "asked for more memory than its policy allows, which is 150 MiB; it has ",
        ),
        ({"memory_bytes": 150 * MIB}, "map-memory", {"mib": 200}, OSError, "asked for more memory than its policy allows"),
        ({"file_bytes": 2 * MIB}, "write", {"mib": 3}, OSError, "its policy allows 2 MiB for one file"),
        ({"open_files": 40}, "open-files", {"count": 50}, OSError, "its policy allows 40 open files"),
        ({"threads": 8}, "start-threads", {"count": 20}, RuntimeError, "its policy allows 8 threads"),
        ({"disk_bytes": 8 * MIB}, "fill-temporary", {"mib": 10}, OSError, "`/tmp` holds at most 8 MiB"),
    ],
)
def test_an_exception_that_a_limit_has_caused_names_it(
    limited: Callable[..., Host],
    limits: dict[str, int],
    tool: str,
    kwargs: dict[str, object],
    kind: type[Exception],
    cause: str,
) -> None:
    with pytest.raises(kind) as caught:
        limited(**limits).call("hungry", tool, **kwargs)
    assert isinstance(caught.value, PluginError)
    assert cause in caught.value.causes[0]
    assert caught.value.hint


@pytest.mark.parametrize(("threads", "limit"), [(200, "memory"), (8, "threads")])
def test_a_thread_that_is_refused_for_want_of_memory_is_told_of_as_that(
    limited: Callable[..., Host], threads: int, limit: str
) -> None:
    """Each has a stack of 8 MiB, which is promised memory."""
    host = limited(memory_bytes=150 * MIB, threads=threads)
    with pytest.raises(RuntimeError) as caught:
        host.call("hungry", "start-threads", count=30)
    assert isinstance(caught.value, PluginError)
    said = {"memory": "asked for more memory than its policy allows, which is 150 MiB", "threads": "its policy allows 8 threads"}
    assert said[limit] in caught.value.causes[0]


def test_a_file_that_the_work_directory_has_no_room_for_is_never_allotted(limited: Callable[..., Host]) -> None:
    with pytest.raises(OSError, match="File too large") as caught:
        limited(disk_bytes=8 * MIB).call("hungry", "allot", mib=500)
    assert isinstance(caught.value, PluginError)
    assert caught.value.causes == ("It reached a limit: its policy allows 8 MiB in the work directory",)


def test_a_kept_folder_that_is_too_full_can_be_emptied_but_not_filled(limited: Callable[..., Host]) -> None:
    with limited(disk_bytes=4 * MIB).session("hungry", memory_bytes=math.inf) as session:
        for tool, kwargs in {"write-many": {"files": 40, "kib": 200}, "write": {"mib": 3}}.items():
            with pytest.raises(LimitExceeded) as caught:
                session.call(tool, **kwargs)
            assert caught.value.limit == "disk_bytes"
            assert session.call("echo", value=1) == 1
        shutil.rmtree(Path(session.folder, "deep"))
        assert session.call("echo", value=2) == 2


def test_after_memory_has_run_out_the_next_call_has_a_new_process(limited: Callable[..., Host]) -> None:
    host = limited(memory_bytes=150 * MIB)
    pid = host.call("hungry", "pid")
    with pytest.raises(MemoryError):
        host.call("hungry", "allocate", mib=200)
    assert host.call("hungry", "pid") != pid


@pytest.mark.parametrize(
    ("tool", "kwargs", "ends", "cause"),
    [
        ("end-by", {"name": "SIGSEGV"}, "was killed by SIGSEGV", ""),
        ("end-by", {"name": "SIGSEGV", "mib": 130}, "was killed by SIGSEGV", "possibly out of memory: it had 13"),
        ("end-by", {"name": "SIGABRT", "mib": 130}, "was killed by SIGABRT", "possibly out of memory: it had 13"),
        ("end-by", {"name": "SIGKILL", "mib": 130}, "was killed by SIGKILL", "No limit of its policy did that"),
        ("end-by", {"name": "SIGXCPU"}, "was killed by SIGXCPU", ""),
        ("end-by", {"name": "SIGSYS"}, "was killed by SIGSYS", "another architecture"),
        ("leave", {"code": 3}, "ended with exit code 3", ""),
    ],
)
def test_what_a_plugin_does_to_itself_stays_a_crash(
    limited: Callable[..., Host], tool: str, kwargs: dict[str, object], ends: str, cause: str
) -> None:
    with pytest.raises(PluginCrashed) as caught:
        limited(memory_bytes=150 * MIB).call("hungry", tool, **kwargs)
    assert not isinstance(caught.value, LimitExceeded)
    assert ends in caught.value.message
    assert cause in "".join(caught.value.causes)
    assert bool(caught.value.causes) == bool(cause)


RUST = "memory allocation of 734003200 bytes failed\n"
CXX = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"


@pytest.mark.parametrize("options", [{}, {"isolation": "call"}])
@pytest.mark.parametrize(
    ("tool", "kwargs", "told"),
    [
        (
            "allocate-natively",
            {"mib": 300, "slowly_from": 125},
            r"was killed by SIGSEGV when it had 1[45]\d MiB of the 150 MiB of memory",
        ),
        (
            "give-up",
            {"name": "SIGABRT", "text": RUST},
            "was killed by SIGABRT for want of memory, of which its policy allows 150 MiB",
        ),
        (
            "give-up",
            {"name": "SIGABRT", "text": CXX},
            "was killed by SIGABRT for want of memory, of which its policy allows 150 MiB",
        ),
    ],
)
def test_an_end_for_want_of_memory_is_told_as_the_limit(
    limited: Callable[..., Host], options: dict[str, object], tool: str, kwargs: dict[str, object], told: str
) -> None:
    error = ended(limited(options, memory_bytes=150 * MIB), tool, **kwargs)
    assert (error.reference, error.limit, error.allowed) == ("limit-memory", "memory_bytes", 150 * MIB)
    assert re.search(told, error.message)
    assert error.hint


def test_an_end_for_want_of_room_in_memory_for_files_is_told_as_the_limit(limited: Callable[..., Host]) -> None:
    error = ended(limited(disk_bytes=32 * MIB), "map-temporary", mib=64, slowly_from=25)
    assert (error.limit, error.allowed) == ("memory_bytes", 32 * MIB)
    assert re.search(r"was killed by SIGBUS when `/tmp` held [23]\d MiB of 32 MiB", error.message)
    assert "work directory" in error.hint


def test_a_program_that_is_ended_by_the_kernel_for_a_large_file_is_told_of_as_that(limited: Callable[..., Host]) -> None:
    host = limited(file_bytes=2 * MIB)
    with pytest.raises(LimitExceeded) as caught:
        host.call("hungry", "write", mib=3, mind=False)
    assert caught.value.limit == "file_bytes"


def test_calls_that_a_limit_has_ended_are_recorded_with_it(limited: Callable[..., Host]) -> None:
    host = limited(wall_s=0.2)
    ended(host, "sleep", seconds=3600.0)
    record = next(call for call in host.calls() if call.tool == "sleep" and call.outcome == "limited")
    assert (record.reference, record.exit_code) == ("limit-wall", 4)
    assert next(tool.failed for plugin in host.stats() for tool in plugin.tools if tool.tool == "sleep")


def test_a_trusted_plugin_has_no_guard(hungry_store: Path) -> None:
    with Host(store=hungry_store, policy="trusted") as host:
        host.call("hungry", "echo", value=1)
        assert not host._workers.pool.guards._watched


# Control groups, in a folder that stands for the kernel's.


@pytest.fixture
def cgroups(tmp_path: Path) -> Callable[..., Path]:
    """`cgroups(controllers="memory pids", enabled="")` is the folder of a group that this process is in."""

    def make(*, controllers: str = "cpu memory pids", enabled: str = "memory pids") -> Path:
        (tmp_path / "self").write_text("1:cpu:/elsewhere\n0::/user.slice/scope\n")
        group = tmp_path / "user.slice" / "scope"
        group.mkdir(parents=True)
        for name, text in {"controllers": controllers, "subtree_control": enabled, "procs": f"{os.getpid()}\n"}.items():
            (group / f"cgroup.{name}").write_text(text)
        return group

    return make


def root_in(group: Path) -> str | None:
    top = group.parents[1]
    return find_root(own=str(top / "self"), mounted_at=str(top))


def test_groups_are_made_where_the_user_owns_a_part_of_the_tree(cgroups: Callable[..., Path]) -> None:
    group = cgroups()
    assert root_in(group) == str(group)


def test_a_process_that_has_moved_uses_the_same_part(cgroups: Callable[..., Path]) -> None:
    group = cgroups()
    (group.parents[1] / "self").write_text("0::/user.slice/scope/plughost-host\n")
    assert root_in(group) == str(group)


def test_controllers_are_passed_on_where_they_are_not_yet(cgroups: Callable[..., Path]) -> None:
    group = cgroups(enabled="")
    assert root_in(group) == str(group)
    assert (group / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_without_the_controllers_there_are_no_groups(cgroups: Callable[..., Path]) -> None:
    assert root_in(cgroups(controllers="cpu io")) is None


def test_without_a_group_of_the_second_kind_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "self").write_text("4:memory:/somewhere\n")
    assert find_root(own=str(tmp_path / "self"), mounted_at=str(tmp_path)) is None


LIMIT_FILES = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cgroup.procs", "cgroup.kill")


@pytest.fixture
def made_as_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new group has its files at once."""
    make = os.mkdir

    def mkdir(path: str, mode: int = 0o777) -> None:
        make(path, mode)
        for name in LIMIT_FILES:
            (Path(path) / name).touch()

    monkeypatch.setattr("plughost.sandbox._cgroup.os", SimpleNamespace(**{**vars(os), "mkdir": mkdir}))


@pytest.mark.usefixtures("made_as_by_the_kernel")
def test_a_group_has_the_limits_of_its_policy_and_says_what_the_kernel_has_killed(cgroups: Callable[..., Path]) -> None:
    group = Cgroup(str(cgroups()), "one", Policy(memory_bytes=64 * MIB, processes=4, threads=10))
    path = Path(group.path)
    group.add(4321)
    written = {name: (path / name).read_text() for name in LIMIT_FILES}
    assert written == {
        "memory.max": str(64 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "13",
        "cgroup.procs": "4321",
        "cgroup.kill": "",
    }
    assert group.oom_kills() == 0
    (path / "memory.events").write_text("low 0\nmax 12\noom 1\noom_kill 3\n")
    assert group.oom_kills() == 3
    assert group.kill()
    assert (path / "cgroup.kill").read_text() == "1"


@pytest.mark.usefixtures("made_as_by_the_kernel")
def test_each_worker_has_a_group_where_there_can_be_one(
    limited: Callable[..., Host], cgroups: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = cgroups()
    monkeypatch.setattr("plughost.sandbox.find_root", lambda: str(root))
    monkeypatch.setattr("plughost.worker._guards._CGROUPS", str(root))
    host = limited(memory_bytes=150 * MIB)
    pid = host.call("hungry", "pid")
    group = root / f"plughost-{os.getpid()}-{pid}"
    assert (group / "cgroup.procs").read_text() == str(pid)
    (group / "memory.events").write_text("oom_kill 1\n")
    with pytest.raises(LimitExceeded) as caught:
        host.call("hungry", "end-by", name="SIGKILL")
    assert caught.value.limit == "memory_bytes"


@pytest.mark.usefixtures("made_as_by_the_kernel")
def test_what_a_host_has_left_that_was_killed_is_killed_and_swept(cgroups: Callable[..., Path], dead_pid: int) -> None:
    root = cgroups()
    group = Cgroup(str(root), "ours", Policy())
    left = root / f"plughost-{dead_pid}-one"
    left.mkdir()
    for file in left.iterdir():
        file.unlink()  # the kernel's go with their folder
    sweep(str(root))
    assert not left.exists()
    assert Path(group.path).exists()


@pytest.fixture
def dead_pid() -> int:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid
