"""Hooks called from many threads and tasks, and from within themselves."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

PLUGINS = ("one", "three", "two")
WAIT_S = 90

hookspec = pluggy.HookspecMarker("busy")
hookimpl = pluggy.HookimplMarker("busy")


class Specifications:
    @hookspec(firstresult=True)
    def rest_first(self, seconds):
        """Rest; one that has rested is enough."""


def left_open() -> tuple[set[str], int, int]:
    """This process's children, its number of descriptors and of threads."""
    gc.collect()
    children: set[str] = set()
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
            children.update(file.read().split())
    return children, len(os.listdir("/proc/self/fd")), threading.active_count()


@pytest.fixture
def app(busy_store: Path) -> Iterator[plughost.Host]:
    """A host, after whose end nothing of it is left."""
    before = left_open()
    with plughost.Host("busy", store=busy_store) as host:
        yield host
    for now, then in zip(left_open(), before, strict=True):  # of hosts that tests share, idle workers may have ended
        assert now <= then


@pytest.fixture
def children() -> Callable[[], set[str]]:
    """The processes that this test has begun and not ended; others are of hosts that tests share."""
    before = left_open()[0]
    return lambda: left_open()[0] - before


def attach(app: plughost.Host, *names: str, **options: float) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("busy")
    manager.add_hookspecs(Specifications)
    app.attach(manager, names, **options)
    return manager


class Resting(logging.Handler):
    """Sees that a plugin has begun to rest: it says so."""

    def __init__(self, begun: Callable[[], object]) -> None:
        super().__init__()
        self._begun = begun

    def emit(self, _record: logging.LogRecord) -> None:
        self._begun()

    def __enter__(self) -> None:
        self._logger = logging.getLogger("plughost.plugin")
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(logging.NOTSET)


# Threads.


def test_many_threads_get_their_own_answers_among_crashes_and_errors(app):
    pm = attach(app, *PLUGINS)

    def work(number: int) -> None:
        value, large = [number], os.urandom(200_000)
        assert pm.hook.echo(value=value) == [value] * 3
        with pytest.raises((plughost.PluginCrashed, ValueError)):
            pm.hook.end(how=("exit", "abort", "raise")[number % 3])
        assert app.call_hook(pm, "echo", value=large) == [large] * 3
        with pytest.raises((plughost.PluginCrashed, ValueError)):
            app.call_hook(pm, "end", how=("exit", "abort", "raise")[number % 3])
        assert pm.hook.around(value=value)["inner"]["inner"]["inner"] == []

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(work, number) for number in range(8)]:
            done.result(WAIT_S)


def test_closing_ends_a_worker_in_use_after_its_call(app, children):
    pm = attach(app, "one")
    asked, closed = threading.Event(), threading.Event()
    app.offer("further", lambda n: (asked.set(), closed.wait(WAIT_S), n)[2])
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(pm.hook.ask, n=5)
        assert asked.wait(WAIT_S)
        app.close()
        closed.set()
        assert answer.result(WAIT_S) == [5]
    assert children() == set()
    assert pm.hook.echo(value=1) == [1]


def test_workers_of_a_revision_that_another_host_has_replaced_end(app, children, busy_store, session_repository):
    pm = attach(app, "one")
    (before,) = pm.hook.process()
    with plughost.Host("busy", store=busy_store) as other:
        assert other.add(session_repository("busy"), name="one", force=True).changed
    (after,) = pm.hook.process()
    assert children() == {str(after)} != {str(before)}


def test_a_thread_beside_a_wrapper_has_a_process_of_its_own(app):
    pm = attach(app, "one")

    class Local:
        @hookimpl
        def around(self):
            with ThreadPoolExecutor(1) as thread:
                return [*thread.submit(pm.hook.process).result(WAIT_S), *pm.hook.process()]

    pm.register(Local())
    wrapped = pm.hook.around(value=1)
    ((aside, within),) = wrapped["inner"]
    assert aside != within == wrapped["process"]


def test_large_arguments_to_all_at_once_and_floods_of_output_hold_nobody_up(app):
    pm = attach(app, *PLUGINS)
    large = os.urandom(20_000_000)
    assert app.call_hook(pm, "echo", value=large) == [large] * 3
    assert asyncio.run(as_list(app.acall_hook(pm, "echo", value=large))) == [True, 3]
    assert app.call_hook(pm, "flood", count=100) == [100] * 3


async def as_list(call: Awaitable[list[object]]) -> list[object]:
    """Short, since Python 3.11 prints the result of what `asyncio.run` ran, to itself, which takes seconds for megabytes."""
    values = await call
    return [all(value == values[0] for value in values), len(values)]


# Event loops.


def test_many_calls_at_once_need_no_thread(app):
    pm = attach(app, *PLUGINS)
    free = threading.Event()

    async def run() -> list[object]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        occupied = loop.run_in_executor(None, free.wait, WAIT_S)
        try:
            return await asyncio.gather(*(app.acall_hook(pm, "echo", value=number) for number in range(6)))
        finally:
            free.set()
            await occupied

    assert asyncio.run(run()) == [[number] * 3 for number in range(6)]


def test_loops_in_several_threads_call_side_by_side(app):
    pm = attach(app, "one", "two")
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(lambda n=n: asyncio.run(app.acall_hook(pm, "echo", value=n))) for n in range(9)]
        assert [call.result(WAIT_S) for call in calls] == [[number, number] for number in range(9)]


@pytest.mark.parametrize("hook", ["rest", "rest_first"])
def test_a_cancelled_call_ends_at_once_and_so_do_its_processes(hook, app, children):
    pm = attach(app, "one", "two")

    async def run() -> None:
        resting = asyncio.Event()
        loop = asyncio.get_running_loop()
        with Resting(lambda: loop.call_soon_threadsafe(resting.set)):
            call = asyncio.ensure_future(app.acall_hook(pm, hook, seconds=600))
            await resting.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(run())
    assert children() == set()
    assert pm.hook.echo(value=1) == [1, 1]


@pytest.mark.parametrize("hook", ["rest", "rest_first"])
def test_time_limits_hold_in_an_event_loop(hook, app):
    pm = attach(app, "one", timeout_s=0.2)
    with pytest.raises(plughost.CallTimeout):
        asyncio.run(app.acall_hook(pm, hook, seconds=600))


def test_a_local_coroutine_function_gives_its_value_among_the_others(app):
    pm = attach(app, "one")

    class Local:
        @hookimpl
        async def echo(self):
            await asyncio.sleep(0)
            return "local"

        @hookimpl(specname="rest_first", tryfirst=True)
        async def rest(self):
            return "first"

    pm.register(Local())
    assert asyncio.run(app.acall_hook(pm, "echo", value=1)) == ["local", 1]
    assert asyncio.run(app.acall_hook(pm, "rest_first", seconds=0)) == "first"


# Callbacks.


def test_callbacks_lead_to_further_calls_of_all_plugins(app):
    pm = attach(app, "one", "two")
    app.offer("further", lambda n: app.call_hook(pm, "ask", n=n - 1) if n else pm.hook.process())
    for nested in (app.call_hook(pm, "ask", n=2), asyncio.run(app.acall_hook(pm, "ask", n=2))):
        assert [[len(each), len(each[0]), len(each[0][0])] for each in nested] == [[2, 2, 2]] * 2
        two, one = nested  # within the call of a plugin, its own process answers
        assert two[0][0][0] == two[0][1][0]
        assert one[1][1][1] == one[0][1][1]


@pytest.mark.parametrize("hook", ["ask", "ask_later"])
def test_two_plugins_call_each_other_by_way_of_the_app(hook, app):
    one, two = attach(app, "one"), attach(app, "two")
    app.offer("further", lambda n: getattr((one, two)[n % 2].hook, hook)(n=n - 1)[0] if n else "end")
    assert getattr(two.hook, hook)(n=10) == ["end"]


def test_a_callback_from_another_thread_of_the_plugin_is_an_error_that_says_so(app):
    app.offer("further", lambda n: n)
    told = "a function of the app's can be called only while the app calls the plugin, and in the same thread"
    assert attach(app, "one").hook.ask_aside(n=1) == [[told]]


def test_items_that_a_callback_leaves_untaken_hold_up_nothing(app):
    pm = attach(app, "one")
    kept = []

    def further(n):
        kept.extend(pm.hook.count(n=n))
        return next(kept[0])

    app.offer("further", further)
    assert pm.hook.ask(n=100_000) == [0]
    assert pm.hook.echo(value=1) == [1]
    assert next(kept[0]) == 1
    kept.pop().close()


def test_a_callback_that_kills_its_plugin_leads_to_a_crash_and_not_further(app):
    pm = attach(app, "one")
    app.offer("further", lambda _n: os.kill(pm.hook.process()[0], signal.SIGKILL))
    with pytest.raises(plughost.PluginCrashed, match="`one:ask` crashed: its process was killed by SIGKILL"):
        pm.hook.ask(n=1)
    assert pm.hook.echo(value=1) == [1]


def test_a_callback_may_close_the_host(app):
    pm = attach(app, "one", "two")
    app.offer("further", lambda n: app.close() or n)
    assert pm.hook.ask(n=1) == [1, 1]
