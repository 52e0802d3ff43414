"""One command that the daemon performs for another process: what was asked, and the way back.

Above it: whoever performs it, in a thread of its own; below it: `_link`. The server's thread tells it what comes from its
process.
"""

from __future__ import annotations

import _thread
import os
import queue
import threading
from _socket import SHUT_WR
from contextlib import suppress

from plughost.daemon._link import BEGUN, DECLINED, DONE, READ, frame
from plughost.worker import CANCEL_GRACE_S, Custody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable

__all__ = ["Declined", "Request", "Run", "Terminated"]

_SIGINT = 2


class Declined(Exception):
    """This is for the command's own process to do."""


class Terminated(BaseException):
    """The command's process was told to end, or is gone. No Exception, as KeyboardInterrupt is none."""


class Request:
    """What a process hands over. `columns` is 0 where there is no terminal.

    `output` and `error` are "" for a stream that is closed, else `terminal` or `file`, and its encoding.
    """

    __slots__ = ("argv", "chosen_store", "columns", "environment", "error", "folder", "has_input", "identity", "output")

    def __init__(self, payload: bytes) -> None:
        """Raises: ValueError: it is none."""
        fields = list(map(os.fsdecode, payload.split(b"\0")))
        if len(fields) < 8:  # noqa: PLR2004 - those in the next line
            raise ValueError("not a request")
        self.identity, self.folder, self.chosen_store, has_input, self.output, self.error, columns, count = fields[:8]
        self.has_input = bool(has_input)
        self.columns = int(columns)
        self.argv = fields[8 : 8 + int(count)]
        self.environment = dict(field.partition("=")[::2] for field in fields[8 + int(count) :])


class Run:
    """A request that is being performed. `link` is written by any thread, and never read here."""

    def __init__(self, request: Request, link: socket, *, is_only_here: bool = False) -> None:
        self.request = request
        #: Whether it is a command that only the daemon can do.
        self.is_only_here = is_only_here
        self._link = link
        self._writing = _thread.allocate_lock()
        self._input: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._signal = 0
        self._is_gone = False
        self._killer: threading.Timer | None = None
        #: Has the workers that it uses.
        self.custody = Custody()

    # For the thread that performs it.

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Raises: BrokenPipeError: the process is gone."""
        with self._writing:
            try:
                self._link.sendall(frame(kind, payload))
            except OSError:
                raise BrokenPipeError from None

    def begin(self) -> None:
        """From here on, it can't be left to the command's own process any more."""
        self.send(BEGUN)

    def read_input(self) -> bytes:
        """All of the process's standard input. Raises: as `check` does."""
        self.send(READ)
        read = bytearray()
        while data := self._input.get():
            read += data
        self.check()
        return bytes(read)

    def check(self) -> None:
        """Raises: KeyboardInterrupt, Terminated: the process has had that signal, or is gone."""
        if self._signal == _SIGINT and not self._is_gone:
            raise KeyboardInterrupt
        if self._signal or self._is_gone:
            raise Terminated

    # For the server's thread.

    def feed(self, data: bytes) -> None:
        self._input.put(data)

    def signal(self, number: int) -> None:
        """The process has had a signal: the call ends as by Ctrl-C, and after the grace it is ended."""
        if not self._signal:
            self._signal = number
            self._input.put(b"")
            self.custody.cancel()
            self._killer = threading.Timer(CANCEL_GRACE_S, self.custody.end)
            self._killer.start()

    def leave(self) -> None:
        """The process is gone, or will not be answered any more."""
        self._is_gone = True
        self._input.put(b"")
        self.custody.end()

    # For whoever has it performed.

    def perform(self, perform: Callable[[Run], int]) -> None:
        """Have it done, and tell the process how it ended."""
        try:
            try:
                code = perform(self)
            except Declined:
                self.send(DECLINED)
            except Terminated:
                self.send(DONE, b"0")  # it knows better
            else:
                self.send(DONE, b"%d" % code)
        except BrokenPipeError:
            pass
        finally:
            if self._killer is not None:
                self._killer.cancel()
            with suppress(OSError):
                self._link.shutdown(SHUT_WR)  # whatever happened here, nobody waits for more
