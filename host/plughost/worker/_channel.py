"""The host's end of a worker's pipes: one loop, no threads, every wait bounded.

Above it: `Worker`; below it: descriptors and the wire. It writes while it reads, so that neither side can block the other, and it
reads what the plugin prints at the same time, so that a flood there can't hold up an answer.
"""

from __future__ import annotations

import os
import select
import sys
import time
from os import read as _read
from os import write as _write

from plughost.runner.framing import Assembler, gathered
from plughost.runner.wire import pack
from plughost.worker._bulk import Bulk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Channel", "ChannelClosed", "Raised"]

#: By what whoever reads is woken: no message is empty.
_WAKING = b"\n"
#: What a message may have besides a result.
_ENVELOPE_BYTES = 256
_READ_BYTES = 1 << 16  # as much as a pipe holds; for more, each read takes ten times as long, however little there is
#: The kernel takes no more than 31 bits of milliseconds; whoever has more time waits again.
_LONGEST_POLL_MS = 1 << 30


class ChannelClosed(Exception):
    """The child closed its end, or ended."""


class Raised(Exception):
    """What a function of the caller's has raised that was told of something, whatever its type."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Channel:
    """Messages to and from one child. Owns its three descriptors. Not for several threads at once."""

    __slots__ = (
        "_asked_bytes",
        "_assembler",
        "_in",
        "_is_woken",
        "_listener",
        "_outgoing",
        "_poller",
        "bulk",
        "check",
        "exit_fd",
        "most_printed_bytes",
        "on_flood",
        "on_output",
        "on_silence",
        "out_fd",
        "printed_bytes",
        "printed_fd",
        "read_bytes",
        "received_bytes",
        "sent_bytes",
    )

    def __init__(self, *, stdin: int, stdout: int, stderr: int, exit_fd: int) -> None:
        self._in, self.out_fd, self.printed_fd, self.exit_fd = stdin, stdout, stderr, exit_fd
        #: What large values travel by.
        self.bulk = Bulk(self._queue)
        self._assembler = Assembler(self.bulk)
        self._outgoing: list[memoryview] = []
        #: How much has gone to the child, and come from it, since whoever counts has set them to 0.
        self.sent_bytes = self.received_bytes = self.printed_bytes = 0
        self.on_output: Callable[[bytes], None] | None = None
        #: Told, by whoever reads, when `printed_bytes` has come to more than that.
        self.on_flood: Callable[[], None] | None = None
        self.most_printed_bytes = 0
        #: How much of an answer a quick call reads: what is longer is left to whoever minds how long it may be.
        self.read_bytes = _READ_BYTES
        #: Told before the descriptor is closed by which nobody can print any more.
        self.on_silence: Callable[[int], None] | None = None
        #: Sees each message before its frames are waited for; raises WireError for one that nobody expects.
        self.check: Callable[[dict[str, object]], None] | None = None
        self._poller = select.poll()
        self._listener: select.poll | None = None  # for answers alone, once somebody waits for them with a time
        self._asked_bytes = 0
        self._is_woken = False
        for fd in (stdin, stderr):  # but for answers, which a quick call waits for by a read
            os.set_blocking(fd, False)
        for fd in (stdout, stderr, exit_fd):
            if fd >= 0:
                self._poller.register(fd, select.POLLIN)

    def send(self, message: dict[str, object]) -> None:
        """Queue `message`; it goes out as far as the pipe takes it, the rest while `receive` waits.

        Raises: WireError: a value in it has no wire form; nothing was sent.
        """
        self._queue(*gathered(pack(message, self.bulk)))

    def send_line(self, line: bytes) -> None:
        """As `send`, a message that is a line already."""
        self._queue(line)

    def _queue(self, *buffers: bytes) -> None:
        for buffer in buffers:
            self.sent_bytes += len(buffer)
            self._outgoing.append(memoryview(buffer))
        self._write()
        if self._outgoing:
            self._poller.register(self._in, select.POLLOUT)

    def ask(self, line: bytes) -> bytes:
        """Write a request while nothing else is under way, and wait for what is said first, unless it is more than a pipe takes.

        It is no more than what one read gives: mostly the answer, but maybe only a part of it, or something else before it;
        `take_in` has the rest understood. Nothing, where the child is gone, or the rest of the request is for `receive` to write.
        """
        self._asked_bytes = len(line)
        try:
            written = _write(self._in, line)
        except OSError:
            self._asked_bytes = 0
            return b""
        if written < len(line):
            self._put_off(line, written)
            return b""
        return _read(self.out_fd, self.read_bytes)

    def ask_within(self, line: bytes, timeout_s: float | None) -> bytes | None:
        """As `ask`; None where nothing was said by then."""
        if not self.tell(line):
            return b""
        if self._listener is None:
            self._listener = select.poll()
            self._listener.register(self.out_fd, select.POLLIN)
        if not self._listener.poll(None if timeout_s is None else min(timeout_s * 1000, _LONGEST_POLL_MS)):
            return None
        return _read(self.out_fd, self.read_bytes)

    def tell(self, line: bytes) -> bool:
        """As `ask`, without waiting; false where there is nothing to wait for."""
        self._asked_bytes = len(line)
        try:
            written = _write(self._in, line)
        except OSError:
            self._asked_bytes = 0
            return False
        if written < len(line):
            self._put_off(line, written)
        return written == len(line)

    def _put_off(self, line: bytes, written: int) -> None:
        self._outgoing.append(memoryview(line)[written:])
        self._poller.register(self._in, select.POLLOUT)

    def take_in(self, chunk: bytes) -> None:
        """What `ask` gave is for `receive` to understand."""
        if self._says_something(chunk):
            self.received_bytes += len(chunk)
            self._assembler.feed(chunk)

    def is_unheard(self, chunk: bytes) -> bool:
        """Whether the child is gone, as `chunk` says, that `ask` gave, and can't have begun with what it was asked.

        Its first byte may have been read all the same: by that the child is woken, which it is even to die.
        """
        return not (self._says_something(chunk) or self._outgoing) and self.unread_bytes() >= self._asked_bytes - 1

    def _says_something(self, chunk: bytes) -> bool:
        """Whether what was read is more than the end, or the newline that stands for that."""
        return bool(chunk) and not (self._is_woken and chunk == _WAKING)

    # For those who share the worker, and see to order themselves.

    @property
    def in_fd(self) -> int:
        return self._in

    def read(self) -> bytes:
        """Wait for what is said next.

        Raises: ChannelClosed: nothing will be.
        """
        chunk = os.read(self.out_fd, _READ_BYTES) if self.out_fd >= 0 else b""
        if not self._says_something(chunk):
            raise ChannelClosed
        return chunk

    def is_readable(self, timeout_s: float) -> bool:
        """Whether something is said, or nothing more will be, until then."""
        return any(fd != self.printed_fd for fd, _ in self._poller.poll(timeout_s * 1000))

    def write(self, data: bytes) -> int:
        """Write as much as there is room for; how much.

        Raises: ChannelClosed: nobody will read it.
        """
        try:
            return os.write(self._in, data)
        except BlockingIOError:
            return 0
        except OSError:
            raise ChannelClosed from None

    def has_room(self, timeout_ms: int | None) -> bool:
        """Wait for room to write, or, without a time, until something can be read; whether there is room."""
        poller = select.poll()
        in_fd = self._in
        for fd, events in ((in_fd, select.POLLOUT), (self.out_fd if timeout_ms is None else -1, select.POLLIN)):
            if fd >= 0:
                poller.register(fd, events)
        return in_fd < 0 or any(fd == in_fd for fd, _ in poller.poll(timeout_ms))

    def unread_bytes(self) -> int:
        """How much of what was written the child has not read."""
        import fcntl
        import termios

        if self._in < 0:
            return 0
        return int.from_bytes(fcntl.ioctl(self._in, termios.FIONREAD, bytes(4)), sys.byteorder)

    def has_something(self) -> bool:
        """From any thread: whether something is there to be read, or the end."""
        if self.out_fd < 0:
            return True
        poller = select.poll()
        poller.register(self.out_fd, select.POLLIN)
        return bool(poller.poll(0))

    def wake(self) -> None:
        """From another thread: the child has ended, and `ask` is not to wait any longer for whoever holds its end of the pipe."""
        if self.has_something():  # it doesn't wait: this is what the child has said last, or the end
            return
        self._is_woken = True
        try:
            fd = os.open(f"/proc/self/fd/{self.out_fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        try:
            os.write(fd, _WAKING)
        except OSError:  # it is full: there is something to read
            pass
        finally:
            os.close(fd)

    def receive(self, deadline: float | None) -> dict[str, object]:
        """The next message. `deadline` is a `time.monotonic()`.

        Raises: TimeoutError: it has passed. ChannelClosed: nothing more will come. WireError: what came is no message.
        """
        while True:
            message = self._assembler.next(self.check)
            if message is not None:
                return message
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                raise TimeoutError
            self._transfer(None if left_s is None else min(left_s * 1000, _LONGEST_POLL_MS))

    def limit_results(self, most_bytes: int) -> None:
        """Take no message for one that is longer than that, large values and all."""
        self.bulk.most_bytes = most_bytes + _ENVELOPE_BYTES
        self.read_bytes = min(_READ_BYTES, self.bulk.most_bytes)

    def take_printed(self) -> int:
        """How much was printed since this was asked last, or a call was noted."""
        printed, self.printed_bytes = self.printed_bytes, 0
        return printed

    def count_from_here(self) -> None:
        """What was sent, what was answered and what was printed until now counts for no call."""
        self.sent_bytes = self.printed_bytes = 0
        self.discount_received()

    def note_report(self) -> None:
        """The message that was received last is one of those that a plugin might as well have printed."""
        self.count_printed(self._assembler.message_bytes)

    def count_printed(self, size: int) -> None:
        """So much was printed, or reported."""
        self.printed_bytes += size
        if self.on_flood is not None and self.printed_bytes > self.most_printed_bytes:
            self.on_flood()

    def take_size(self) -> int:
        """How large the items were that were received last."""
        return self._assembler.message_bytes

    def discount_received(self) -> None:
        """The message that was received last was no answer to a call; what has come behind it may be one."""
        self.received_bytes = self._assembler.pending_bytes

    def advance(self) -> dict[str, object] | None:
        """As `receive`, without waiting: None where no message is whole yet."""
        message = self._assembler.next(self.check)
        if message is None:
            self._transfer(0)
            message = self._assembler.next(self.check)
        return message

    def descriptors(self) -> list[tuple[int, int]]:
        """What `receive` waits for: descriptors with their events, as for `select.poll`."""
        waiting = [(fd, select.POLLIN) for fd in (self.out_fd, self.printed_fd, self.exit_fd) if fd >= 0]
        return [*waiting, (self._in, select.POLLOUT)] if self._outgoing else waiting

    def has_ended(self) -> bool:
        """Whether the child has ended, or closed its end; what is left to read says no more than that."""
        return any(fd != self.printed_fd for fd, _ in self._poller.poll(0))

    def drain_output(self) -> None:
        """Take what the plugin has printed so far, without waiting; one pipe's worth, since a thread of it may never stop."""
        if self.printed_fd >= 0:
            self._read_printed()

    def close_input(self) -> None:
        """Tell the child that no more requests will come."""
        if self._in >= 0:
            if self._outgoing:
                self._outgoing.clear()
                self._poller.unregister(self._in)
            os.close(self._in)
            self._in = -1

    def close(self) -> None:
        self.close_input()
        self.bulk.close()
        for fd in (self.out_fd, self.printed_fd):
            if fd >= 0:
                os.close(fd)
        self.out_fd = self.printed_fd = -1

    def _transfer(self, timeout_ms: float | None) -> None:
        """Wait until something can be read or written, and do that."""
        ready = {fd for fd, _ in self._poller.poll(timeout_ms)}
        if self._in in ready:
            self._write()
            if not self._outgoing:
                self._poller.unregister(self._in)
        if self.printed_fd in ready:
            self._read_printed()
        if self.out_fd in ready:
            self._read_message_bytes()
        elif self.exit_fd in ready:
            raise ChannelClosed  # ended, and its pipe is empty: a grandchild may still hold the other end

    def _write(self) -> None:
        outgoing = self._outgoing
        try:
            while outgoing:
                written = os.write(self._in, outgoing[0])
                if written < len(outgoing[0]):
                    outgoing[0] = outgoing[0][written:]
                else:
                    outgoing.pop(0)
        except BlockingIOError:
            pass
        except BrokenPipeError:
            outgoing.clear()  # it doesn't listen any more; what it last said is still to be read

    def _read_message_bytes(self) -> None:
        chunk = os.read(self.out_fd, _READ_BYTES)
        if not self._says_something(chunk):
            raise ChannelClosed
        self.received_bytes += len(chunk)
        self._assembler.feed(chunk)

    def _read_printed(self) -> None:
        try:
            chunk = os.read(self.printed_fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            if self.on_silence is not None:
                self.on_silence(self.printed_fd)
            self._poller.unregister(self.printed_fd)
            os.close(self.printed_fd)
            self.printed_fd = -1
            return
        self.count_printed(len(chunk))
        if self.on_output is not None:
            self.on_output(chunk)
