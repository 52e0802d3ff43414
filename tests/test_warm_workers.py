"""Workers that are kept and reused: how many, for how long, and that a call never waits for another one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost.errors import CallTimeout, PluginCrashed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_S = 60
MOST_DESCRIPTORS = 4


@pytest.fixture
def lively(lively_store: Path) -> Iterator[Callable[..., plughost.Host]]:
    """Makes hosts that have `lively`."""
    with contextlib.ExitStack() as hosts:
        yield lambda **kinds: hosts.enter_context(plughost.Host(store=lively_store, **kinds))


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """The workers that the test has started, and that have not ended; others are of hosts that tests share."""

    def found() -> set[int]:
        pids: set[int] = set()
        for task in os.listdir("/proc/self/task"):
            with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                pids.update(map(int, file.read().split()))
        return pids

    before = found()
    return lambda: found() - before


def rest_together(host: plughost.Host, count: int, folder: Path, wait_for: Callable[[Path], int]) -> set[object]:
    """The processes of that many calls, none of which ends before all have begun."""
    begun = [folder / f"begun-{number}" for number in range(count)]
    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(host.call, "lively", "rest_until", str(folder / "go"), begun=str(path)) for path in begun]
        for path in begun:
            wait_for(path)
        (folder / "go").touch()
        return {call.result() for call in calls}


def test_calls_reuse_a_worker_and_a_warm_one_is_there_before_the_first(lively, children):
    host = lively()
    host.warm("lively")
    (ready,) = children()
    assert {host.call("lively", "pid") for _ in range(5)} == {ready}


def test_as_many_workers_are_warm_as_are_kept_at_least(lively, children, tmp_path, wait_for):
    host = lively(workers=(3, 3))
    host.warm("lively")
    assert len(warm := children()) == 3
    assert rest_together(host, 3, tmp_path, wait_for) == warm


def test_a_slow_call_holds_up_no_fast_one(lively, tmp_path, wait_for):
    host = lively()
    slow = host.submit("lively", "rest_until", str(tmp_path / "go"), begun=str(tmp_path / "begun"))
    busy = wait_for(tmp_path / "begun")
    assert host.call("lively", "pid") != busy
    assert not slow.done()
    (tmp_path / "go").touch()
    assert slow.result() == busy


def test_no_more_workers_are_started_than_may_be_and_callers_wait_for_one(lively, children):
    host = lively(workers=(0, 2))
    with ThreadPoolExecutor(6) as pool:
        used = set(pool.map(lambda _: host.call("lively", "rest", 0.05), range(12)))
    assert len(used) <= 2
    assert used >= children()


def test_a_caller_that_waits_for_a_worker_has_a_deadline_too(lively, tmp_path, wait_for):
    host = lively(workers=(0, 1))
    busy = host.submit("lively", "rest", 3600, begun=str(tmp_path / "begun"))
    wait_for(tmp_path / "begun")
    with pytest.raises(CallTimeout, match="All 1 workers of `lively` were busy until the deadline"), host.deadline(0.1):
        host.call("lively", "pid")
    assert busy.cancel()
    assert host.call("lively", "pid") > 0


def test_of_all_plugins_together_the_one_idle_for_longest_makes_room(lively):
    host = lively(max_workers=1)
    (first,) = {host.call("lively", "pid") for _ in range(2)}
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(lambda _: host.call("lively", "rest", 0.05), range(4))) == {first}


def test_an_idle_worker_ends_by_itself_and_the_least_number_stays(lively, children, tmp_path, wait_for):
    host = lively(idle_s=0.2, workers=(1, None))
    used = rest_together(host, 3, tmp_path, wait_for)
    assert len(used) == 3
    deadline = time.monotonic() + WAIT_S
    while len(children() & used) > 1:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.02)
    assert host.call("lively", "pid") in used


def test_a_worker_is_replaced_after_so_many_calls_or_so_much_memory(lively):
    pids = [lively_pid for host in [lively(max_calls=2)] for _ in range(4) for lively_pid in [host.call("lively", "pid")]]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    host = lively(max_memory_bytes=100 << 20)
    small, large = host.call("lively", "grow", 1), host.call("lively", "grow", 128)
    assert small == large != host.call("lively", "pid")


def test_an_idle_worker_costs_four_descriptors_and_no_thread(lively, tmp_path, wait_for):
    host = lively()
    host.call("lively", "pid")
    before, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    assert len(rest_together(host, 5, tmp_path, wait_for)) == 5
    assert len(os.listdir("/proc/self/fd")) - before <= MOST_DESCRIPTORS * 4
    assert threading.active_count() == threads


def test_a_worker_that_is_killed_while_idle_is_replaced_and_nobody_notices(lively, is_gone):
    host = lively()
    for _ in range(20):
        pid = host.call("lively", "pid")
        os.kill(pid, signal.SIGKILL)
        assert is_gone(pid), f"process {pid} lives on"
        assert host.call("lively", "pid") != pid


@pytest.mark.parametrize(
    "call",
    [
        lambda host: host.call("lively", "pid"),
        lambda host: host.invoke("lively", "pid").result,
        lambda host: host.submit("lively", "pid").result(),
        lambda host: next(host.stream("lively", "pid")),
    ],
    ids=["call", "invoke", "submit", "stream"],
)
def test_a_call_that_comes_while_its_worker_is_dying_is_answered_by_another(lively, call):
    host = lively()
    for _ in range(10):
        pid = host.call("lively", "pid")
        os.kill(pid, signal.SIGKILL)
        assert call(host) != pid


def test_a_request_is_read_whole_however_little_of_it_is_left_once_the_pipe_was_full(shared_host):
    texts = ["x" * 13_000] * 5  # some 500 bytes less than a pipe holds
    with shared_host.deadline(WAIT_S):
        for size in range(280, 520):
            value = [*texts, "y" * size]
            assert shared_host.call("echo", "echo", value=value) == value


def test_a_worker_that_is_killed_while_idle_makes_room_for_another(lively):
    host = lively(workers=(0, 1))
    pid = host.call("lively", "pid")
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + WAIT_S
    while os.path.exists(f"/proc/{pid}"):  # until it is waited for
        assert time.monotonic() < deadline
        select.select([], [], [], 0.005)
    with host.deadline(WAIT_S):
        assert host.call("lively", "pid") != pid


def test_the_end_of_a_worker_is_not_taken_for_that_of_another_by_the_number_of_its_descriptor(lively):
    host = lively()
    pid = host.call("lively", "pid")
    watcher = host._workers.pool.watcher
    (descriptor,) = watcher._living
    watcher._meet_end(descriptor)  # as when the thread was told of it before the number was given anew
    is_later = threading.Event()
    watcher.call_later(0.05, is_later.set)
    assert is_later.wait(WAIT_S)
    assert host.call("lively", "pid") == pid


def test_a_worker_that_is_killed_in_a_call_is_a_crash_at_once(lively, tmp_path, wait_for):
    host = lively()
    errors: list[PluginCrashed] = []

    def call() -> None:
        try:
            host.call("lively", "rest", 3600, begun=str(tmp_path / "begun"))
        except PluginCrashed as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    os.kill(wait_for(tmp_path / "begun"), signal.SIGKILL)
    thread.join(WAIT_S)
    assert errors[0].message == "`lively:rest` crashed: its process was killed by SIGKILL before it answered"


def test_a_host_that_is_closed_can_be_used_again(lively, children):
    host = lively()
    first = host.call("lively", "pid")
    host.close()
    assert not children()
    assert host.call("lively", "pid") != first


def test_children_have_the_folder_and_the_variables_that_the_host_was_given(lively, tmp_path):
    host = lively(working_folder=tmp_path, environment={"TZ": "Asia/Tokyo", "SECRET": "1"})
    pid = host.call("lively", "pid")
    assert os.readlink(f"/proc/{pid}/cwd") == str(tmp_path)
    with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
        variables = file.read().split("\0")
    assert "TZ=Asia/Tokyo" in variables
    assert "SECRET=1" not in variables


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"workers": (2, 1)}, "`workers=(2, 1)` can't be"),
        ({"workers": (-1, None)}, "`workers=(-1, None)` can't be"),
        ({"max_calls": 0}, "`max_calls=0` can't be"),
        ({"idle_s": -1.0}, "`idle_s=-1.0` can't be"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(lively, limits, message):
    with pytest.raises(UsageError) as caught:
        lively(**limits)
    assert caught.value.message == message
