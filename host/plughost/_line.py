"""What an event loop waits by for the answers of workers, and for workers themselves.

Above it: `_async`; below it: descriptors and the loop.
"""

from __future__ import annotations

import _thread
import asyncio
import select
from os import read as _read
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.worker import Worker

__all__ = ["Free", "Line", "let_go"]

#: How long another thread's loop may take to let go of a descriptor that is about to be closed.
_LET_GO_WITHIN_S = 1.0


class Line:
    """A worker's end of the pipe, as the loop watches it."""

    __slots__ = ("_is_read", "_lines", "_loop", "_thread", "answer", "fd", "has_come", "worker")

    def __init__(self, loop: asyncio.AbstractEventLoop, worker: Worker, lines: dict[Worker, Line]) -> None:
        self._loop = loop
        self._lines = lines
        self._thread = _thread.get_ident()
        self.fd = worker.channel.out_fd
        self._is_read = False
        self.worker = worker
        #: Whether there is something to read, within so many milliseconds.
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        self.has_come = poller.poll
        #: Gets what is read first.
        self.answer: asyncio.Future[bytes] | None = None
        self.go_on()

    def go_on(self) -> None:
        if not self._is_read:
            self._is_read = True
            self._loop.add_reader(self.fd, self._read)

    def pause(self) -> None:
        """Somebody else reads, until `go_on`."""
        if self._is_read:
            self._is_read = False
            self._loop.remove_reader(self.fd)

    def _read(self) -> None:
        answer, self.answer = self.answer, None
        if answer is None or answer.done():  # it speaks unasked, or has ended: whoever takes it next will see
            self.pause()
        else:
            answer.set_result(_read(self.fd, self.worker.channel.read_bytes))

    def close(self) -> None:
        """From any thread: the descriptor is about to be closed."""
        self._lines.pop(self.worker, None)
        if self._is_read:
            let_go(self._loop, self._thread, self.pause)


def let_go(loop: asyncio.AbstractEventLoop, thread: int, action: Callable[[], None]) -> None:
    """From any thread, before a descriptor is closed: call `action` in the thread of its loop, unless the loop is closed."""
    if loop.is_closed():
        return
    if thread == _thread.get_ident():
        action()
        return
    done = _thread.allocate_lock()
    done.acquire()

    def act() -> None:
        action()
        done.release()

    try:
        loop.call_soon_threadsafe(act)
    except RuntimeError:  # it has just been closed
        return
    done.acquire(timeout=_LET_GO_WITHIN_S)


class Free:
    """What waits for a worker, in the pool's eyes."""

    __slots__ = ("_event", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def release(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    async def wait(self) -> None:
        await self._event.wait()
