"""Calls that are given up, by a deadline, by `cancel` or by Ctrl-C: `finally` runs in the plugin; what doesn't end is killed."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost
from plughost.errors import CallCancelled, CallTimeout, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60


@pytest.fixture
def host(lively_store: Path) -> Iterator[plughost.Host]:
    with plughost.Host(store=lively_store) as host:
        host.warm("lively")
        yield host


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("tool", ["rest", "arest"])
def test_at_a_deadline_the_tool_ends_in_good_order_and_its_worker_is_replaced(
    host, tool, tmp_path, ever_longer, wait_for, is_gone
):
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    for limit_s in ever_longer(begun):
        with pytest.raises(CallTimeout) as caught, host.deadline(limit_s):
            host.call("lively", tool, 3600, begun=str(begun), ended=str(ended))
        assert caught.value.message == f"`lively:{tool}` was not done by its deadline, which was {limit_s:g} s"
    busy = wait_for(ended)
    assert is_gone(busy)
    assert host.call("lively", "pid") != busy


def test_what_minds_no_interrupt_is_killed_after_the_grace(host, tmp_path, ever_longer, wait_for, is_gone):
    for limit_s in ever_longer(tmp_path / "begun"):
        with pytest.raises(CallTimeout), host.deadline(limit_s):
            host.call("lively", "spin", str(tmp_path / "begun"))
    assert is_gone(wait_for(tmp_path / "begun"))


def test_a_deadline_is_for_all_calls_in_it_and_an_inner_one_is_no_later(host):
    def call_without_end() -> None:
        while True:
            host.call("lively", "rest", 0.01)

    with pytest.raises(CallTimeout), host.deadline(0.5), host.deadline(60):
        call_without_end()
    assert host.call("lively", "rest", 0.0) > 0


@pytest.mark.parametrize("given", [0, -1, math.nan, "3", True])
def test_a_time_that_is_none_is_refused_wherever_one_is_given(host, given):
    def attach(**times):
        host.attach(pluggy.PluginManager("plughost"), **times)

    ways = {
        "timeout_s": [
            host.deadline,
            lambda timeout_s: host.invoke("lively", "rest", args=[0.0], timeout_s=timeout_s),
            lambda timeout_s: host.replay(1, timeout_s=timeout_s),
            lambda timeout_s: attach(timeout_s=timeout_s),
        ],
        "timeouts['lively']": [lambda timeout_s: attach(timeouts={"lively": timeout_s})],
    }
    for name, takers in ways.items():
        for take in takers:
            with pytest.raises(plughost.UsageError) as caught:
                take(given)
            assert caught.value.message == f"`{name}={given!r}` is no number of seconds above 0"


def test_a_time_may_be_without_end(host):
    assert host.invoke("lively", "rest", args=[0.0], timeout_s=math.inf).result > 0


def test_a_call_is_submitted_and_its_result_taken_later(host, tmp_path, wait_for):
    call = host.submit("lively", "rest_until", str(tmp_path / "go"), begun=str(tmp_path / "begun"))
    pid = wait_for(tmp_path / "begun")
    assert not call.done()
    with pytest.raises(TimeoutError, match=r"has not answered within 0.01 s, and goes on"):
        call.result(0.01)
    (tmp_path / "go").touch()
    assert call.result() == call.result() == pid
    assert call.done()
    assert not call.cancelled()
    assert not call.cancel()
    assert host.submit("lively", "count", 3).result() == [0, 1, 2]


def test_calls_that_are_submitted_run_side_by_side(host, tmp_path, wait_for):
    begun = [tmp_path / f"begun-{number}" for number in range(4)]
    calls = [host.submit("lively", "rest_until", str(tmp_path / "go"), begun=str(path)) for path in begun]
    pids = {wait_for(path) for path in begun}
    (tmp_path / "go").touch()
    assert {call.result() for call in calls} == pids
    assert len(pids) == 4


def test_an_error_of_a_submitted_call_is_raised_by_its_result(host):
    call = host.submit("lively", "boom")
    with pytest.raises(ValueError, match="boom"):
        call.result()
    assert isinstance(call.exception(), PluginError)


@pytest.mark.usefixtures("unhurried")
def test_a_call_is_cancelled_from_any_thread(host, tmp_path, wait_for, is_gone):
    call = host.submit("lively", "rest", 60, ended=str(tmp_path / "ended"), begun=str(tmp_path / "begun"))
    pid = wait_for(tmp_path / "begun")
    assert call.cancel()
    assert call.cancelled()
    with pytest.raises(CallCancelled) as caught:
        call.result()
    assert str(caught.value) == "`lively:rest` was cancelled"
    assert wait_for(tmp_path / "ended") == pid
    assert is_gone(pid)


def test_whoever_waits_for_a_call_that_another_thread_cancels_is_told(host, tmp_path, wait_for):
    import threading

    call = host.submit("lively", "spin", str(tmp_path / "begun"))
    wait_for(tmp_path / "begun")
    errors: list[BaseException | None] = []
    waiting = threading.Thread(target=lambda: errors.append(call.exception()))
    waiting.start()
    assert call.cancel()
    waiting.join(WAIT_S)
    assert isinstance(errors[0], CallCancelled)


def test_a_call_that_nobody_refers_to_runs_to_its_end(host, tmp_path, wait_for, is_gone):
    host.submit("lively", "rest", 0.5, begun=str(tmp_path / "begun"), ended=str(tmp_path / "ended"))
    pid = wait_for(tmp_path / "ended")
    assert is_gone(pid)


def test_what_the_callers_own_function_raises_is_raised_as_it_is(host):
    mine = TimeoutError("mine")

    def refuse(_printed: bytes) -> None:
        raise mine

    with pytest.raises(TimeoutError) as caught:
        host.invoke("lively", "say", args=["hello"], on_output=refuse)
    assert caught.value is mine
    assert host.call("lively", "echo", 1) == 1


SCRIPT = """
import sys, plughost
with plughost.Host(store=sys.argv[1]) as host:
    try:
        print(host.call("lively", "rest", 60, begun=sys.argv[2], ended=sys.argv[3]))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_ctrl_c_in_the_app_lets_the_tool_end_in_good_order(lively_store, tmp_path, clean_environment, wait_for, is_gone):
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    argv = [sys.executable, "-c", SCRIPT, str(lively_store), str(begun), str(ended)]
    app = subprocess.Popen(argv, env=clean_environment, stdout=subprocess.PIPE, text=True)
    pid = wait_for(begun)
    app.send_signal(signal.SIGINT)
    assert app.communicate(timeout=WAIT_S)[0] == "interrupted\n"
    assert wait_for(ended) == pid
    assert is_gone(pid)
