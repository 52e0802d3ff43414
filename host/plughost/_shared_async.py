"""Calls that share workers, in an event loop. It reads for all of them, and writes in one what they say in one turn of it.

Above it: `_async`; below it: places in workers, which are this loop's alone, and the lanes of calls.
"""

from __future__ import annotations

import _thread
import time
from typing import TYPE_CHECKING

from plughost._line import let_go
from plughost._route import NOT_PLAIN
from plughost._shared_route import SharedCall

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from plughost._route import Stop
    from plughost._workers import Workers
    from plughost.worker import Exchange, Seat, Shared

    AsyncRoute = Callable[[Sequence[object], Mapping[str, object]], Coroutine[None, None, object]]

__all__ = ["Reading", "open_shared_route"]


def open_shared_route(
    workers: Workers,
    stop: Stop,
    *,
    loop: asyncio.AbstractEventLoop,
    lane: str,
    enter: Callable[[], Awaitable[Shared]],
    reopen: AsyncRoute,
    slowly: AsyncRoute,
    conclude: Callable[[Exchange, Seat], Awaitable[object]],
) -> AsyncRoute:
    """A function that calls what is at the `stop`; `enter` gives a place in a worker, once there is one."""
    common = SharedCall(workers, stop, lane=lane)
    compose, now_ns, enter_nowait, leave = common.compose, time.perf_counter_ns, common.seats.enter_nowait, common.seats.leave

    async def call(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        began_ns = now_ns()
        if not common.is_open(began_ns):
            return await reopen(args, kwargs)
        request = compose(args, kwargs)
        if not request or common.is_special():
            return await slowly(args, kwargs)
        shared = enter_nowait() or await enter()
        opened = shared.open_lane()
        answered = loop.create_future()
        try:
            size = common.ask(opened, request)
            if opened.wait_by(_Ring(answered)):
                await answered
        except UnicodeEncodeError:
            leave(shared)
            return await slowly(args, kwargs)
        except BaseException as error:
            common.call_off(opened, began_ns, error)
            raise
        line = opened.line_nowait()
        result = common.result(opened, line, began_ns, size)
        return await common.afollow(opened, line, began_ns, conclude) if result is NOT_PLAIN else result

    return call


class _Ring:
    """What a call waits by."""

    __slots__ = ("_answered",)

    def __init__(self, answered: asyncio.Future[None]) -> None:
        self._answered = answered

    def release(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)


class Reading:
    """What the loop does for one worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, shared: Shared) -> None:
        self._loop = loop
        self._thread = _thread.get_ident()
        self._shared = shared
        self._out_fd, self._in_fd = shared.worker.channel.out_fd, shared.worker.channel.in_fd
        self._is_due = self._is_full = False
        self._is_over = False
        shared.flush_soon, shared.loop_thread = self._flush_soon, self._thread
        before = shared.worker.on_close

        def close() -> None:
            self.close()
            if before is not None:
                before()

        shared.worker.on_close = close
        loop.add_reader(self._out_fd, self._read)

    def _read(self) -> None:
        if self._shared.was_read:
            self._shared.was_read = False
            if not self._shared.worker.channel.is_readable(0):
                return
        self._shared.take_what_is_there()
        if self._shared.failure is not None:
            self._stop()

    def _flush_soon(self) -> None:
        if self._thread == _thread.get_ident():
            if not self._is_due:
                self._is_due = True
                self._loop.call_soon(self._flush)
        else:
            try:
                self._loop.call_soon_threadsafe(self._flush)
            except RuntimeError:  # the loop is closed, and nobody waits any more
                pass

    def _flush(self) -> None:
        self._is_due = False
        if self._is_over:
            return
        is_full = self._shared.drain_nowait()
        if is_full and not self._is_full:
            self._loop.add_writer(self._in_fd, self._flush)
        elif self._is_full and not is_full:
            self._loop.remove_writer(self._in_fd)
        self._is_full = is_full

    def _stop(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._loop.remove_reader(self._out_fd)
            if self._is_full:
                self._loop.remove_writer(self._in_fd)

    def close(self) -> None:
        """From any thread: the descriptors are about to be closed."""
        if not self._is_over:
            let_go(self._loop, self._thread, self._stop)
