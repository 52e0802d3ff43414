"""Plugins whose processes serve several calls at once: threads and tasks of the app, on an old Python too."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost.errors import CallTimeout, PluginCrashed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Longer = Callable[[Path], Iterator[float]]
    Many = Callable[[plughost.Host, str, Sequence[tuple[object, ...]]], list[object]]

PACKAGE = Path(__file__).parent / "packages" / "crowded"
PYTHONS = Path("~/.pyenv/versions").expanduser()
MANY = 64
WAIT_S = 60


@pytest.fixture(scope="module", params=["", "3.8"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, uv_cache: Path) -> Path:
    """A store with the plugin, under the Python that runs the tests, and under an old one."""
    python = ""
    if request.param:
        found = sorted(PYTHONS.glob(f"{request.param}.*/bin/python"))
        if not found:
            pytest.skip(f"no Python {request.param} in {PYTHONS}")
        python = str(found[0])
    root = tmp_path_factory.mktemp("crowded") / "store"
    (root / "cache").mkdir(parents=True)
    (root / "cache" / "uv").symlink_to(uv_cache)
    with plughost.Host(store=root) as host:
        host.add(str(PACKAGE), **({"python": python} if python else {}))
    return root


@pytest.fixture
def host(store: Path) -> Iterator[plughost.Host]:
    """Of one worker, so that calls have to share it."""
    with plughost.Host(store=store, workers=(0, 1)) as host:
        yield host


def by_threads(host: plughost.Host, tool: str, arguments: Sequence[tuple[object, ...]]) -> list[object]:
    with ThreadPoolExecutor(len(arguments)) as pool:
        return [call.result(WAIT_S) for call in [pool.submit(host.call, "crowded", tool, *each) for each in arguments]]


def by_tasks(host: plughost.Host, tool: str, arguments: Sequence[tuple[object, ...]]) -> list[object]:
    async def all_of_them() -> list[object]:
        return list(await asyncio.gather(*(host.acall("crowded", tool, *each) for each in arguments)))

    return asyncio.run(asyncio.wait_for(all_of_them(), WAIT_S))


both = pytest.mark.parametrize("many", [by_threads, by_tasks])


@both
@pytest.mark.parametrize("tool", ["echo", "aecho"])
def test_each_of_many_callers_gets_its_own_answer_from_one_process(host: plughost.Host, many: Many, tool: str):
    values = [(f"{number}" * (1 + 400 * (number % 5)),) for number in range(MANY)]
    for _ in range(4):
        assert many(host, tool, values) == [value for (value,) in values]
    assert len(set(many(host, "pid", [()] * MANY))) == 1


@pytest.mark.parametrize(("slow", "fast"), [("wait", "open_gate"), ("await_open", "aopen"), ("await_open", "open_gate")])
def test_the_slow_do_not_hold_up_the_one_that_they_wait_for(host: plughost.Host, slow: str, fast: str):
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(host.call, "crowded", slow) for _ in range(20)]
        assert host.call("crowded", "echo", "quick") == "quick"
        assert not any(each.done() for each in waiting)
        host.call("crowded", fast)
        assert [each.result(WAIT_S) for each in waiting] == [True] * 20


@pytest.mark.parametrize(("slow", "fast"), [("wait", "open_gate"), ("await_open", "aopen"), ("await_open", "open_gate")])
def test_the_slow_tasks_do_not_hold_up_the_one_that_they_wait_for(host: plughost.Host, slow: str, fast: str):
    async def main() -> None:
        waiting = [asyncio.create_task(host.acall("crowded", slow)) for _ in range(20)]
        assert await host.acall("crowded", "echo", "quick") == "quick"
        assert not any(each.done() for each in waiting)
        await host.acall("crowded", fast)
        assert await asyncio.gather(*waiting) == [True] * 20

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


@both
@pytest.mark.parametrize("tool", ["own", "aown"])
def test_context_variables_are_those_of_one_call(host: plughost.Host, many: Many, tool: str):
    assert many(host, tool, [(number + 1,) for number in range(20)]) == [[0, number + 1] for number in range(20)]


def test_coroutines_share_an_event_loop(host: plughost.Host):
    assert set(by_threads(host, "alone", [()] * 20)) == {1}


@pytest.mark.parametrize("tool", ["say", "asay"])
def test_what_is_printed_and_logged_belongs_to_its_call(host: plughost.Host, tool: str):
    def report(text: str) -> tuple[str, list[str]]:
        events: list[plughost.Event] = []
        outcome = host.invoke("crowded", tool, args=(text,), on_event=events.append, timeout_s=WAIT_S)
        return outcome.output, [event.message for event in events if isinstance(event, plughost.LogEvent)]

    names = [f"caller {number}" for number in range(20)]
    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(report, names)) == [(f"{name}!\n" * 3, [f"logged {name}"]) for name in names]


@pytest.mark.parametrize("tool", ["count", "acount"])
def test_streams_keep_their_order_beside_one_another_and_end_where_they_are_left(host: plughost.Host, tool: str):
    def whole() -> bool:
        return list(host.stream("crowded", tool, 5000)) == list(range(5000))

    def left() -> bool:
        items = host.stream("crowded", tool, 10**9)
        return [next(items) for _ in range(10)] == list(range(10)) and items.close() is None

    before = len(host.call("crowded", "ended"))
    with ThreadPoolExecutor(12) as pool:
        assert all(call.result(WAIT_S) for call in [pool.submit(each) for each in [whole, left] * 6])
    assert host.call("crowded", "ended")[before:] == [tool] * 12


@pytest.mark.parametrize("tool", ["count", "acount"])
def test_an_event_loop_has_streams_beside_one_another(host: plughost.Host, tool: str):
    async def numbers() -> list[object]:
        return [item async for item in host.astream("crowded", tool, 2000)]

    async def all_of_them() -> list[list[object]]:
        return await asyncio.gather(*(numbers() for _ in range(8)))

    assert asyncio.run(asyncio.wait_for(all_of_them(), WAIT_S)) == [list(range(2000))] * 8


@pytest.mark.usefixtures("unhurried")
def test_a_deadline_ends_one_coroutine_and_no_other(host: plughost.Host, tmp_path: Path, ever_longer: Longer):
    with ThreadPoolExecutor(1) as pool:
        process = host.call("crowded", "pid")
        other = pool.submit(host.call, "crowded", "await_open")
        for limit_s in ever_longer(tmp_path / "begun"):
            with pytest.raises(CallTimeout) as caught, host.deadline(limit_s):
                host.call("crowded", "await_open", str(tmp_path / "begun"))
        assert caught.value.causes == ("It was told to end, and other calls of its process go on",)
        assert host.call("crowded", "ended") == ["await_open"]
        host.call("crowded", "aopen")
        assert other.result(WAIT_S) is True
        assert host.call("crowded", "pid") == process


def test_a_cancelled_task_leaves_the_others(host: plughost.Host):
    async def main() -> None:
        process = await host.acall("crowded", "pid")
        one, two = (asyncio.create_task(host.acall("crowded", "await_open")) for _ in range(2))
        assert await host.acall("crowded", "aecho", 1) == 1  # both are under way
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        while not await host.acall("crowded", "ended"):
            pass
        await host.acall("crowded", "aopen")
        assert await two is True
        assert await host.acall("crowded", "pid") == process

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_a_thread_that_does_not_end_costs_its_process_once_the_others_have_their_answers(
    host: plughost.Host, tmp_path: Path, ever_longer: Longer
):
    process = host.call("crowded", "pid")
    for limit_s in ever_longer(tmp_path / "begun"):
        with pytest.raises(CallTimeout), host.deadline(limit_s):
            host.call("crowded", "wait", str(tmp_path / "begun"))
    deadline = time.monotonic() + WAIT_S
    while host.call("crowded", "pid") == process:
        assert time.monotonic() < deadline
    deadline = time.monotonic() + WAIT_S
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline


def test_a_crash_is_told_to_those_whose_call_had_begun(host: plughost.Host):
    with ThreadPoolExecutor(9) as pool:
        process = host.call("crowded", "pid")
        waiting = [pool.submit(host.call, "crowded", "await_open") for _ in range(8)]
        while host.call("crowded", "waiting") != len(waiting):
            pass
        with pytest.raises(PluginCrashed, match="exit code 3"):
            host.call("crowded", "die")
        ends = [each.exception(WAIT_S) for each in waiting if isinstance(each.exception(WAIT_S), PluginCrashed)]
        assert len(ends) == len(waiting)
        assert host.call("crowded", "pid") != process


def test_a_call_under_way_is_moved_to_a_process_whose_descriptors_have_the_same_numbers(host: plughost.Host):
    for number in range(5):
        process = host.call("crowded", "pid")
        assert isinstance(process, int)
        os.kill(process, 9)
        assert host.submit("crowded", "echo", number).result(WAIT_S) == number


def test_a_call_that_a_stopped_process_has_not_read_is_made_by_another(host: plughost.Host):
    process = host.call("crowded", "pid")
    assert isinstance(process, int)
    os.kill(process, 19)  # SIGSTOP: it reads nothing more
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(host.call, "crowded", "echo", number) for number in range(8)]
        threading.Timer(0.2, os.kill, (process, 9)).start()
        assert [call.result(WAIT_S) for call in calls] == list(range(8))


@both
@pytest.mark.parametrize("tool", ["back", "aback"])
def test_callbacks_answer_their_own_call_and_may_call_the_plugin(host: plughost.Host, many: Many, tool: str):
    host.offer("lookup", lambda value: [value, host.call("crowded", "aecho", value)])
    assert many(host, tool, [(number,) for number in range(20)]) == [[number, number] for number in range(20)]


@both
@pytest.mark.parametrize("tool", ["total", "atotal"])
def test_iterators_are_drawn_by_the_call_that_has_them(host: plughost.Host, many: Many, tool: str):
    assert many(host, tool, [(iter(range(number)),) for number in range(20)]) == [sum(range(number)) for number in range(20)]


@both
def test_large_values_and_errors_find_their_callers(host: plughost.Host, many: Many):
    assert many(host, "size", [(b"x" * (1 << 16 + number % 4),) for number in range(20)]) == [
        1 << 16 + number % 4 for number in range(20)
    ]
    with pytest.raises(ValueError, match="of its own"):
        many(host, "boom", [("of its own",)])


def test_more_calls_than_places_wait_for_one(store: Path, tmp_path: Path):
    with plughost.Host(store=store, workers=(0, 1), concurrency=4) as host:
        assert by_threads(host, "echo", [(number,) for number in range(20)]) == list(range(20))
        assert by_tasks(host, "echo", [(number,) for number in range(20)]) == list(range(20))
        go = tmp_path / "go"
        with ThreadPoolExecutor(4) as pool:
            begun = [tmp_path / f"begun-{number}" for number in range(4)]
            waiting = [pool.submit(host.call, "crowded", "rest_until", str(go), str(path)) for path in begun]
            while not all(path.exists() for path in begun):
                time.sleep(0.005)
            with pytest.raises(CallTimeout, match="as many calls as they take"), host.deadline(0.05):
                host.call("crowded", "echo", 1)
            go.touch()
            assert [each.result(WAIT_S) for each in waiting] == [None] * 4


def test_nothing_grows_on_either_side(host: plughost.Host):
    def everything() -> None:
        for tool in ("echo", "aecho"):
            by_threads(host, tool, [(number,) for number in range(20)])
        by_threads(host, "count", [(10,)] * 8)

    everything()
    before, here = host.call("crowded", "left_open"), len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        everything()
    files, tasks = host.call("crowded", "left_open")
    assert files <= before[0]
    assert tasks <= MANY + 2
    assert len(os.listdir("/proc/self/fd")) <= here
