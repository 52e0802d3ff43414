"""Coroutines of several calls in one event loop, that of the main thread, which hears the host, too.

Above it: `_concurrent`; below it: asyncio. A coroutine of which nothing is special is a task from its beginning. One that needs
more, such as arguments to convert or items to give, has a thread besides, which waits for what is awaited here.
"""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import select
from types import CoroutineType

from . import _coroutines
from ._concurrent import Task
from ._connection import Ended
from ._loop import PLAIN
from ._spoken import CALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from ._concurrent import Call, Hub
    from ._serve import Tool

__all__ = ["Iterated", "result_of", "run"]


def run(hub: Hub) -> None:
    """As `Hub.run`.

    Raises: Ended: the host has no more to ask.
    """
    loop = hub.loop = _coroutines.new_loop()
    is_due = False

    def drain() -> None:
        nonlocal is_due
        is_due = False
        hub.drain()

    def drain_soon() -> None:
        nonlocal is_due
        if not is_due:
            is_due = True
            loop.call_soon(drain)

    def read() -> None:
        if hub.has_waited:
            hub.has_waited = False
            if not select.select([hub.link.requests], [], [], 0)[0]:
                return
        try:
            hub.pump()
        except Ended:
            loop.stop()

    def start_task(call: Call, tool: Tool, args: list[object], kwargs: dict[str, object]) -> None:
        call.task = loop.create_task(_answered(hub, call, tool, args, kwargs))

    hub.start_task, hub.drain_soon = start_task, drain_soon
    loop.add_reader(hub.link.requests, read)
    hub.take_waiting()
    loop.run_forever()
    loop.remove_reader(hub.link.requests)
    hub.start_task = hub.drain_soon = None
    _coroutines.close(loop)


async def _answered(hub: Hub, call: Call, tool: Tool, args: list[object], kwargs: dict[str, object]) -> None:
    CALL.set(call)
    try:
        coroutine = tool(*args, **kwargs)
        assert isinstance(coroutine, CoroutineType)
        value = await coroutine
    except Ended:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the plugin raises, also when the host has it cancelled
        hub.fail(call, error)
        return
    if type(value) in PLAIN:
        hub.answer(call, value)
    else:  # a generator, maybe
        hub.settle(call, value)


def result_of(hub: Hub, call: Call, awaitable: Awaitable[object]) -> object:
    """In a thread of its own: what is awaited in the event loop gives.

    Where that stands still, because a coroutine in it has called the app, which calls the plugin, it runs in a loop of its own.
    """
    if hub.waits and call.is_within:
        return asyncio.run(_wait(awaitable))
    waiting = _Waiting(loop_of(hub), _wait(awaitable))
    call.task = waiting
    if call.is_cancelled:
        waiting.cancel()
    try:
        return waiting.result()
    finally:
        call.task = None


def loop_of(hub: Hub) -> asyncio.AbstractEventLoop:
    """That of the main thread; where only functions return awaitables, and there are no coroutines, one in a thread."""
    if hub.loop is None:
        hub.loop = asyncio.new_event_loop()
        _thread.start_new_thread(hub.loop.run_forever, ())
    return hub.loop


async def _wait(awaitable: Awaitable[object]) -> object:
    return await awaitable


class _Waiting(Task):
    """A coroutine that a thread waits for. What it raises, the thread raises, whatever it is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, object]) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False
        self._value: object = None
        self._error: BaseException | None = None
        self._done = _thread.allocate_lock()
        self._done.acquire()
        context = contextvars.copy_context()
        loop.call_soon_threadsafe(self._begin, context=context)

    def cancel(self) -> None:
        self._is_cancelled = True
        self._loop.call_soon_threadsafe(self._cancel)

    def result(self) -> object:
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return self._value

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._finish)
        if self._is_cancelled:
            self._task.cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            self._value = await self._coroutine
        except BaseException as error:  # noqa: BLE001 - the thread's to answer
            self._error = error

    def _finish(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # before it began
            self._coroutine.close()
            self._error = asyncio.CancelledError()
        self._done.release()


class Iterated(_coroutines.Iterated):
    """An async generator, whose items a thread sends."""

    def __init__(self, hub: Hub, call: Call, generator: AsyncIterator[object]) -> None:
        super().__init__(loop_of(hub), generator)
        self._hub = hub
        self._call = call

    def fill(self, take: Callable[[object], bool]) -> bool:
        try:
            return bool(result_of(self._hub, self._call, self._filled(take)))
        except asyncio.CancelledError:
            if self._call.is_cancelled:
                return True  # it is said, and about to be heard
            raise

    def close(self) -> None:
        close = getattr(self._generator, "aclose", None)
        if close is not None:
            _Waiting(self._loop, _wait(close())).result()
