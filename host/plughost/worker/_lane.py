"""What is said of one of several calls that share a worker.

Above it: whoever makes the call, to whom it stands in the place of the worker's channel; below it: `_shared`, which reads and
writes for all of them.
"""

from __future__ import annotations

import os
import select
from collections import deque

from plughost.runner.wire import TooDeep, WireError, unpack
from plughost.worker._channel import Channel, ChannelClosed
from plughost.worker._exchange import MOST_SHOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from plughost.worker._shared import Shared

    class Bell(Protocol):
        """What somebody waits by."""

        def release(self) -> None: ...


__all__ = ["Lane"]

_READ_BYTES = 64


class Lane(Channel):
    """What is said of one call, in both directions; in a channel's place."""

    __slots__ = (
        "_bell",
        "_come",
        "_is_cut",
        "_items_bytes",
        "_on_end",
        "_pipe",
        "ends_at",
        "is_over",
        "message",
        "move",
        "number",
        "on_printed",
        "shared",
    )

    def __init__(self, shared: Shared, number: int) -> None:
        self.shared = shared
        self.number = number
        self.bulk = shared.worker.channel.bulk
        self.sent_bytes = self.received_bytes = self.printed_bytes = 0
        #: What has come: lines that are responses, and messages.
        self._come: deque[bytes | dict[str, object]] = deque()
        self._items_bytes = 0
        self._bell: Bell | None = None
        #: Whether its response has come.
        self.is_over = False
        #: The request, for as long as the child may not have read it: up to where it ends, of all that was written.
        self.message: dict[str, object] | bytes | None = None
        self.ends_at = 0
        self.on_printed: Callable[[str], None] | None = None
        #: Sends the request to another worker, if that can be.
        self.move: Callable[[], bool] | None = None
        #: Readable when something has come; for those that wait for descriptors.
        self._pipe: tuple[int, int] | None = None
        #: Called when the response has come that nobody waits for.
        self._on_end: Callable[[], None] | None = None
        self._is_cut = False

    # What is heard.

    def put(self, what: bytes | dict[str, object], size: int = 0) -> None:
        """Whoever reads has read this, which is of that size."""
        if isinstance(what, dict) and what.get("method") == "items":
            self._items_bytes += size
        if self._on_end is None:
            self._come.append(what)
            self.ring()
        elif self.is_over:
            self._end()

    def ring(self) -> bool:
        """Wake whoever waits by a bell; whether somebody does."""
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.release()
        if self._pipe is not None:
            with self.shared.lock:
                if self._pipe is not None:
                    _fill(self._pipe[1])
        return bell is not None

    def cut(self) -> None:
        """From any thread: whoever waits shall wait no longer."""
        self._is_cut = True
        self.ring()

    def abandon(self, on_end: Callable[[], None]) -> None:
        """Nobody waits for the response; `on_end` is called when it comes, or when it is given up."""
        with self.shared.lock:
            self._on_end = on_end
            self._come.clear()
            is_over = self.is_over
        if is_over:
            self._end()

    def give_up(self) -> None:
        """The time is over within which the response was to come: the worker takes no more calls, and ends after those it has."""
        shared = self.shared
        shared.look()
        if not self.is_over and shared.failure is None:
            shared.is_open = False
            shared.hung += 1
        self._end()

    def _end(self) -> None:
        with self.shared.lock:
            on_end, self._on_end = self._on_end, _nothing
        if on_end is not None:
            on_end()

    def move_to(self, shared: Shared) -> None:
        """Be heard of by another worker. That one's descriptors may have the numbers of those that were waited for."""
        with self.shared.lock:
            before = self._pipe
            if before is not None:
                self._pipe = _open_pipe()  # while the first is open: by its numbers, whoever waits sees that all are others
        for fd in before or ():
            os.close(fd)
        self.shared = shared

    def close(self) -> None:
        """No descriptors are waited for any more."""
        with self.shared.lock:
            pipe, self._pipe = self._pipe, None
        for fd in pipe or ():
            os.close(fd)

    def has_come(self) -> bool:
        """Whether there is something to take, or nothing to wait for."""
        return bool(self._come) or self._is_cut

    def wait_by(self, bell: Bell) -> bool:
        """Have the bell rung once something has come; false: it has."""
        self._bell = bell
        if self._come or self._is_cut or self.shared.failure is not None:
            self._bell = None
            return False
        return True

    def receive(self, deadline: float | None) -> dict[str, object]:
        while True:
            message = self._next()
            if message is not None:
                return message
            self.shared.wait(self, deadline)

    def advance(self) -> dict[str, object] | None:
        if not self._come:
            self.shared.look()
        return self._next()

    def _next(self) -> dict[str, object] | None:
        while self._come:
            come = self._come.popleft()
            if isinstance(come, bytes):
                self.received_bytes += len(come)
                come = self._unpacked(come)
            if come.get("method") == "output":
                self._printed(come)
                continue
            return come
        if self.shared.failure is not None and not (self.may_move() and self.move is not None and self.move()):
            self.shared.raise_failure()
        if self._is_cut:
            raise ChannelClosed
        if self._pipe is not None:
            _empty(self._pipe[0])
        return None

    def may_move(self) -> bool:
        """Whether the worker, which is gone, can't have begun with it."""
        return self.message is not None and not self.shared.has_read(self)

    def line(self, deadline: float | None) -> bytes | None:
        """The response as it came, if that is what comes first, and it is a line; nothing is taken otherwise."""
        while not self._come:
            if self.shared.failure is not None:
                return None
            self.shared.wait(self, deadline)
        return self.line_nowait()

    def line_nowait(self) -> bytes | None:
        if not self._come or not isinstance(first := self._come[0], bytes):
            return None
        self._come.popleft()
        return first

    def take_in(self, chunk: bytes) -> None:
        self._come.appendleft(chunk)

    def _unpacked(self, line: bytes) -> dict[str, object]:
        try:
            return unpack(line)
        except TooDeep:
            raise
        except WireError as error:
            self.shared.fail(error)
            raise

    def _printed(self, message: dict[str, object]) -> None:
        params = message.get("params")
        text = params.get("text") if isinstance(params, dict) else None
        if not isinstance(text, str):
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")
        self.count_printed(len(text))
        if self.on_printed is not None:
            self.on_printed(text)

    def count_printed(self, size: int) -> None:
        self.printed_bytes += size
        self.shared.mind_printed(self.printed_bytes)

    # What is said.

    def send(self, message: dict[str, object]) -> None:
        self.sent_bytes += self.shared.send(message)

    def send_line(self, line: bytes) -> None:
        self.sent_bytes += len(line)
        self.shared.write(line)

    def drain_output(self) -> None:
        """The watcher's business, for all calls."""

    def discount_received(self) -> None: ...

    def note_report(self) -> None:
        """Whoever reads has counted it."""

    def take_size(self) -> int:
        size, self._items_bytes = self._items_bytes, 0
        return size

    def descriptors(self) -> list[tuple[int, int]]:
        with self.shared.lock:
            if self._pipe is None:
                self._pipe = _open_pipe()
            if self._come or self._is_cut or self.shared.failure is not None:
                _fill(self._pipe[1])
        return [(self._pipe[0], select.POLLIN), *self.shared.descriptors()]


def _nothing() -> None: ...


def _open_pipe() -> tuple[int, int]:
    pipe = os.pipe()
    for fd in pipe:
        os.set_blocking(fd, False)
    return pipe


def _fill(fd: int) -> None:
    try:
        os.write(fd, b"!")
    except BlockingIOError:
        pass


def _empty(fd: int) -> None:
    try:
        os.read(fd, _READ_BYTES)
    except BlockingIOError:
        pass
