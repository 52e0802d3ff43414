"""What a plugin may do to its host: each ends in the right result or one clear error, at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Every case must be over by then, on a busy machine too; none is given a timeout of its own, unless it is about that.
AT_ONCE_S = 60


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < AT_ONCE_S


def outcome(host: plughost.Host, tool: str, **kwargs: object) -> plughost.Outcome:
    return host.invoke("hazards", tool, kwargs=kwargs)


@pytest.mark.parametrize(
    ("tool", "result", "printed"),
    [
        ("print-partly", "done", "half a line"),
        ("print-forgeries", "true", '"forged"'),
        ("write-to-descriptor", "done", "written to 1\n"),
        ("print-from-grandchild", "done", "from a grandchild\n"),
        ("close-stdout", "done", ""),
        ("read-to-end", 0, ""),
    ],
)
def test_what_a_plugin_does_to_its_standard_streams_never_reaches_the_protocol(
    shared_host: plughost.Host, tool: str, result: object, printed: str
) -> None:
    done = outcome(shared_host, tool)
    assert done.result == result
    assert printed in done.output


def test_output_is_told_by_the_call_that_made_it(shared_host: plughost.Host) -> None:
    assert outcome(shared_host, "print-partly").output == "half a line"
    assert outcome(shared_host, "print-partly").output == "half a line"
    assert outcome(shared_host, "read-to-end").output == ""


def test_input_finds_the_end_of_the_file(shared_host: plughost.Host) -> None:
    with pytest.raises(EOFError) as caught:
        outcome(shared_host, "ask")
    assert isinstance(caught.value, plughost.PluginError)


def test_a_flood_on_stderr_holds_nothing_up_and_its_end_is_kept(shared_host: plughost.Host) -> None:
    received = 0

    def count(chunk: bytes) -> None:
        nonlocal received
        received += len(chunk)

    done = shared_host.invoke("hazards", "flood", kwargs={"megabytes": 100}, on_output=count)
    assert done.result == "done"
    assert received == 100 << 20
    assert done.output_truncated
    assert len(done.output) == 1 << 20


def test_a_large_result_arrives_whole(shared_host: plughost.Host) -> None:
    assert outcome(shared_host, "large").result == "x" * (64 << 20)


@pytest.mark.parametrize(
    ("tool", "how"),
    [
        ("leave-at-once", "ended with exit code 7"),
        ("segfault", "was killed by SIGSEGV"),
        ("kill-itself", "was killed by SIGKILL"),
        ("close-descriptors", "ended with exit code 70"),
    ],
)
def test_a_crash_is_told_at_once_and_the_next_call_has_a_new_process(shared_host: plughost.Host, tool: str, how: str) -> None:
    with pytest.raises(plughost.PluginCrashed) as caught:
        outcome(shared_host, tool)
    assert caught.value.message == f"`hazards:{tool}` crashed: its process {how} before it answered"
    assert caught.value.reference == "plugin-crashed"
    assert outcome(shared_host, "print-partly").result == "done"


def test_garbage_on_the_protocol_is_an_error_and_the_end_of_the_worker(shared_host: plughost.Host) -> None:
    with pytest.raises(plughost.PluginCrashed) as caught:
        outcome(shared_host, "write-to-every-descriptor")
    assert caught.value.reference == "protocol-violated"
    assert outcome(shared_host, "print-partly").result == "done"


@pytest.mark.parametrize(
    ("tool", "kind", "message"),
    [
        ("leave", plughost.PluginError, "`hazards:leave` called `sys.exit(3)`"),
        ("interrupt-itself", plughost.PluginError, "`hazards:interrupt-itself` raised KeyboardInterrupt"),
        ("raise-base", plughost.PluginError, "`hazards:raise-base` raised KeyboardInterrupt"),
        ("recurse", RecursionError, "`hazards:recurse` raised RecursionError: maximum recursion depth exceeded"),
        ("raise-value-error", ValueError, "`hazards:raise-value-error` raised ValueError: not a city"),
        ("raise-os-error", FileNotFoundError, "`hazards:raise-os-error` raised FileNotFoundError: [Errno 2] No such file"),
        ("raise-unicode-error", UnicodeDecodeError, "`hazards:raise-unicode-error` raised UnicodeDecodeError: 'utf-8' codec"),
        ("raise-own", plughost.PluginError, "`hazards:raise-own` raised hazards.errors.WeatherError: rain"),
        ("raise-awkward", plughost.PluginError, "`hazards:raise-awkward` raised hazards.errors.Awkward: <no message"),
    ],
)
def test_what_a_plugin_raises_is_raised_as_its_built_in_type_too(
    shared_host: plughost.Host, tool: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        outcome(shared_host, tool)
    assert isinstance(caught.value, plughost.PluginError)
    assert caught.value.message.startswith(message)
    assert not isinstance(caught.value, KeyboardInterrupt | SystemExit)


def test_causes_and_the_traceback_come_along(shared_host: plughost.Host) -> None:
    with pytest.raises(plughost.PluginError) as caught:
        outcome(shared_host, "raise-chained")
    assert caught.value.type_name == "hazards.errors.WeatherError"
    assert caught.value.causes == ("ValueError: no city", "KeyError: 'city'")
    assert 'raise WeatherError("no forecast")' in caught.value.remote_traceback
    assert "_serve.py" not in caught.value.remote_traceback


@pytest.mark.parametrize(
    ("tool", "named"),
    [("give-unsupported", "`result.city[1]` is a `object`"), ("give-itself", "result"), ("give-deep", "result")],
)
def test_a_result_that_cannot_travel_is_named_by_its_place(shared_host: plughost.Host, tool: str, named: str) -> None:
    with pytest.raises(plughost.PluginError) as caught:
        outcome(shared_host, tool)
    assert named in caught.value.message
    assert outcome(shared_host, "print-partly").result == "done"


@pytest.mark.parametrize("tool", ["sleep", "spin", "spin-in-c", "ignore-signals", "wait-for-grandchild"])
def test_a_timeout_ends_the_call_whatever_it_does(shared_host: plughost.Host, tool: str) -> None:
    with pytest.raises(TimeoutError) as caught:
        shared_host.invoke("hazards", tool, timeout_s=0.5)
    assert isinstance(caught.value, plughost.CallTimeout)
    assert caught.value.message == f"`hazards:{tool}` took longer than 0.5 s"


def test_a_timeout_ends_what_the_plugin_started_in_another_session(
    shared_host: plughost.Host, monkeypatch: pytest.MonkeyPatch, is_gone: Callable[[int], bool]
) -> None:
    killed: list[Worker] = []
    kill = Worker.kill
    monkeypatch.setattr(Worker, "kill", lambda self: (killed.append(self), kill(self))[1])
    pid = shared_host.call("hazards", "leave-grandchild", session=True)
    with pytest.raises(plughost.CallTimeout):
        shared_host.invoke("hazards", "sleep", timeout_s=0.2)
    assert killed
    assert is_gone(pid)


@pytest.mark.usefixtures("unhurried")
def test_a_thread_that_the_plugin_left_does_not_hold_up_the_end(shared_host: plughost.Host) -> None:
    with plughost.Host(store=shared_host.store.root) as host:
        assert host.call("hazards", "leave-thread") == "done"
        started = time.monotonic()
    assert time.monotonic() - started < AT_ONCE_S / 2


def test_items_come_before_the_error_that_follows_them(shared_host: plughost.Host) -> None:
    items = shared_host.stream("hazards", "raise-in-stream")
    assert next(items) == 1
    with pytest.raises(ValueError, match="after the first"):
        next(items)


def test_a_stream_that_is_left_early_costs_no_more_than_what_was_taken(shared_host: plughost.Host) -> None:
    items = shared_host.stream("hazards", "items", count=10**12)
    assert [next(items) for _ in range(1000)] == list(range(1000))
    items.close()
    assert shared_host.call("hazards", "print-partly") == "done"


def test_calls_from_many_threads_run_side_by_side(shared_host: plughost.Host) -> None:
    slow = shared_host.submit("hazards", "sleep", seconds=3600)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: shared_host.call("hazards", "print-partly"), range(8))) == ["done"] * 8
    assert not slow.done()
    assert slow.cancel()
