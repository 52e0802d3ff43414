"""The runner's end of the pipes: messages from the host, and to it.

Above it: the loop; below it: `wire` and `framing`. What is needed here is imported, and bound to names of our own, before the
plugin is: a plugin may replace functions, import hooks and built-ins, clear `sys.path`, change its root folder, or use up its
descriptors.
"""

from __future__ import annotations

import _thread
import os
import sys
from _thread import get_ident as _get_ident
from os import getpid as _getpid
from os import read as _read
from os import write as _write

from . import _bulk, _leaves, _projection, _restoration, framing, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Connection", "Ended", "Interrupted"]

_NEEDED_LATER = (_leaves, _projection, _restoration)  # by `wire`, which imports them only where a value asks for it

_signal = __import__("_signal")  # `signal`, without the enumerations of its constants; the type stubs don't know it

_PARSE_ERROR = -32700
_READ_BYTES = 1 << 16
#: So few are to be had when the plugin has all the rest: from what has been given back of small objects.
_SCANT_BYTES = 1 << 8
#: How the process ends when it can't be of use any more: EX_SOFTWARE of sysexits.h.
_USELESS = 70


class Ended(BaseException):
    """The host has no more to ask. Not an Exception, so that no plugin's `except Exception` swallows it."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came while a message was written; all of it was."""


class Connection:
    """Two descriptors, and the process that may use them: `leave` is what a forked copy does instead of answering."""

    def __init__(self, requests: int, replies: int, leave: Callable[[dict[str, object]], None]) -> None:
        self.requests = requests
        self.replies = replies
        self._leave = leave
        self._pid = _getpid()
        self.bulk = _bulk.Offer()
        self._assembler = framing.Assembler(self.bulk)
        self._lock = _thread.RLock()  # the plugin's threads log
        self._writer = 0  # the thread that is writing
        self._is_interrupted = False
        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
            _signal.signal(_signal.SIGINT, self._interrupt)
        #: Has what waits to be sent go before what `send_aside` sends.
        self.before_aside: Callable[[], None] | None = None
        os.register_at_fork(after_in_child=self._let_go)

    def has_more(self) -> bool:
        """Whether more has been read than was received."""
        return self._assembler.pending_bytes > 0

    def receive(self, chunk: bytes = b"") -> dict[str, object]:
        """The next message; `chunk` has been read already.

        Raises: Ended: there is none.
        """
        chunk = chunk or (b"" if self._assembler.pending_bytes else self.read())
        while True:
            message = self._taken(chunk)
            if message is not None:
                return message
            chunk = self.read()

    def receive_nowait(self) -> dict[str, object] | None:
        """As `receive`, but None where no message is whole yet."""
        if self._assembler.pending_bytes and (message := self._taken(b"")) is not None:
            return message
        os.set_blocking(self.requests, False)
        try:
            chunk = _read(self.requests, _READ_BYTES)
        except OSError:
            return None
        finally:
            os.set_blocking(self.requests, True)
        if not chunk:
            raise Ended
        return self._taken(chunk)

    def taken(self, chunk: bytes) -> list[dict[str, object]]:
        """The messages that are whole now; `chunk` has been read already."""
        messages = []
        if chunk or self._assembler.pending_bytes:
            message = self._taken(chunk)
            while message is not None:
                messages.append(message)
                message = self._taken(b"") if self._assembler.pending_bytes else None
        return messages

    def is_amid(self) -> bool:
        """Whether a part of a message has been read."""
        return self._assembler.is_amid

    def _taken(self, chunk: bytes) -> dict[str, object] | None:
        try:
            return self._assembler.take(chunk)
        except wire.Unmade as error:
            self.send({"jsonrpc": "2.0", "id": error.number, "error": wire.unsent(str(error), "arguments")})
            return self._assembler.next()
        except wire.WireError as error:  # nested deeper than this Python reads, or with a longer integer
            # Where the next message begins can't be known any more.
            self.send({"jsonrpc": "2.0", "id": None, "error": {"code": _PARSE_ERROR, "message": str(error)}})
            raise Ended from None

    def send(self, message: dict[str, object]) -> None:
        """Write all of it.

        Raises: WireError: a value in it has no wire form. Whatever a value's own methods raise; nothing was written then.
        """
        if _getpid() != self._pid:
            self._leave(message)
        self._write(framing.gathered(wire.pack(message, self.bulk)))

    def send_aside(self, message: dict[str, object], is_welcome: Callable[[], object]) -> bool:
        """From any thread: `send`, unless it is not welcome by then, or comes up while another is written; whether it was."""
        if _getpid() != self._pid:
            return False
        if self.before_aside is not None and not self._writer:
            self.before_aside()
        buffers = framing.gathered(wire.pack(message))
        with self._lock:
            if self._writer or not is_welcome():
                return False
            self._write(buffers)
        return True

    def settle(self) -> None:
        """Wait until no other thread is writing. Once nothing is welcome any more, none will."""
        self._lock.acquire()
        self._lock.release()

    def _write(self, buffers: list[bytes]) -> None:
        with self._lock:
            self._writer = _get_ident()
            try:
                for buffer in buffers:
                    self._write_all(buffer)
            finally:
                self._writer = 0
        if self._is_interrupted:
            self._is_interrupted = False
            raise Interrupted

    def _interrupt(self, _number: int, _frame: object) -> None:
        """In the main thread, on Ctrl-C: it waits for the end of a message that is being written there."""
        if self._writer != _get_ident():
            raise KeyboardInterrupt
        self._is_interrupted = True

    def _write_all(self, buffer: bytes) -> None:
        view = memoryview(buffer)
        while view:
            try:
                view = view[_write(self.replies, view) :]
            except BlockingIOError:  # the setting belongs to the pipe, and the plugin has got at that
                os.set_blocking(self.replies, True)
            except OSError:  # the plugin closed our descriptors: the host sees the end of its pipe
                os._exit(_USELESS)
            except BaseException:  # noqa: BLE001 - of a signal handler of the plugin's: how much was written isn't known
                sys.excepthook(*sys.exc_info())
                os._exit(_USELESS)

    def send_line(self, line: bytes) -> None:
        """As `send`, a message that is a line already."""
        if _getpid() != self._pid:
            self._leave(wire.unpack(line))
        self._write([line])

    def read(self) -> bytes:
        """What comes next, as far as it has come.

        Raises: Ended: nothing will.
        """
        size = _READ_BYTES
        first, is_amid = b"", self._assembler.is_amid
        while True:
            try:
                arena = self.bulk.sending
                if arena is not None and arena.keeps_more:
                    self.bulk.rest(self.requests)
                # A process that is killed while it waits takes what has come meanwhile, and dies. The rest of a message tells the
                # host that it can't have begun with it. In the midst of one, there may be no more than its last byte.
                first = first or (b"" if is_amid else _read(self.requests, 1))
                chunk = first + _read(self.requests, size) if first or is_amid else b""
            except BlockingIOError:  # as in `send`
                os.set_blocking(self.requests, True)
            except OSError:
                os._exit(_USELESS)
            except MemoryError:  # the plugin has kept so much
                size = _scanter(size)
            except (SystemExit, KeyboardInterrupt):
                raise Ended from None
            except BaseException:  # noqa: BLE001 - of a signal handler of the plugin's, while nothing was asked of it
                sys.excepthook(*sys.exc_info())
            else:
                if not chunk:
                    raise Ended
                return chunk

    def move(self, requests: int, replies: int) -> None:
        """Speak over these two from now on, in a process that was forked for it."""
        self.requests, self.replies, self._pid = requests, replies, _getpid()

    def _let_go(self) -> None:
        """In a copy of the process that the plugin has forked: the conversation is the original's alone."""
        self.bulk.close()
        for descriptor in (self.requests, self.replies):
            try:
                os.close(descriptor)
            except OSError:  # the plugin was faster
                pass


def _scanter(size: int) -> int:
    """How much to read at once where there was no memory for `size`. Where that was least, the process ends."""
    if size == _SCANT_BYTES:
        os.write(2, b"plughost: no memory is left to read a request\n")
        os._exit(_USELESS)
    return _SCANT_BYTES
