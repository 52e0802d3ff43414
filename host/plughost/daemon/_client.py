"""A command's end of the socket: hands a `run` over, and is its streams, its signals and its exit code.

Above it: `__main__`; below it: `_link`. It imports next to nothing, reads of the command line only whether this may be a `run`,
and on which store: the daemon reads it properly, and declines what it is not sure of.
"""

from __future__ import annotations

import os
import sys
from _socket import SHUT_RDWR

from plughost.daemon._link import (
    BEGUN,
    DECLINED,
    DONE,
    ERR,
    INPUT,
    OUT,
    READ,
    REQUEST,
    SIGNAL,
    connect,
    frame,
    frames,
    identity,
    parts,
)
from plughost.paths import Store, default_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import TextIO

__all__ = ["Lost", "deliver", "hand_over"]

_READ_BYTES = 1 << 16
_SIGINT, _SIGTERM = 2, 15
_INTERRUPTED = 130
_NOT_HANDED_OVER = ("--no-daemon", "--help", "-h")


class Lost(Exception):
    """The daemon went away, and the plugin may have been called. Its text is a message for the user."""


def hand_over(argv: Sequence[str], project: str) -> int | None:
    """The exit code of the run that `argv` may be; None if it is for this process to do, and nothing has happened.

    Raises: Lost. OSError: the standard output can't be written; BrokenPipeError: nobody reads it any more.
    """
    chosen = _store_of(argv)
    if chosen is None or sys.getfilesystemencoding() != "utf-8":
        return None
    root = os.path.abspath(os.path.expanduser(chosen)) if chosen else default_store(project)
    path = Store(root, project).daemon_socket
    return deliver(path, argv, chosen)


def deliver(path: str, argv: Sequence[str], chosen: str, *, kind: bytes = REQUEST) -> int | None:
    """The exit code of what the daemon at `path` does; None if it doesn't, and nothing has happened.

    Raises: as `hand_over`.
    """
    if not os.path.exists(path) or (link := connect(path)) is None:
        return None
    try:
        return _Follower(link).follow() if _ask(link, argv, chosen, kind) else None
    finally:
        link.close()


def _ask(link: socket, argv: Sequence[str], chosen: str, kind: bytes) -> bool:
    try:
        link.sendall(frame(kind, b"\0".join(_fields(argv, chosen))))
    except OSError:  # it went away before it had all of that; or the working folder is gone
        return False
    return True


def _store_of(argv: Sequence[str]) -> str | None:
    """The store that is named on the command line of a `run`, "" if none is; None for any other command line."""
    chosen, is_run = "", False
    words = iter(argv)
    for word in words:
        if word == "--":
            break
        if word == "--store":
            chosen = next(words, "")
        elif word.startswith("--store="):
            chosen = word.removeprefix("--store=")
        elif word in _NOT_HANDED_OVER or (not is_run and word[:1] != "-" and word != "run"):
            return None
        elif word == "run":
            is_run = True
    return chosen if is_run else None


def _fields(argv: Sequence[str], chosen: str) -> Iterator[bytes]:
    """What `_run.Request` reads. Nothing in them can have a NUL: all of it came in as C strings."""
    columns = os.get_terminal_size(1).columns if sys.stdout is not None and sys.stdout.isatty() else 0
    described = (chosen, "" if sys.stdin is None else "open", _described(sys.stdout), _described(sys.stderr), columns, len(argv))
    yield identity().encode()
    yield os.getcwdb()
    yield from map(os.fsencode, map(str, described))
    yield from map(os.fsencode, argv)
    for name, value in os.environb.items():
        yield b"%b=%b" % (name, value)


def _described(stream: TextIO | None) -> str:
    return "" if stream is None else f"{'terminal' if stream.isatty() else 'file'} {stream.encoding}"


class _Follower:
    """Does what the daemon says until the run is done."""

    def __init__(self, link: socket) -> None:
        self._link = link
        self._usual: dict[int, Callable[[int, FrameType | None], object]] = {}
        #: In the middle of what a signal must break off: nobody reads what is written, or nobody types.
        self._is_busy = False
        self._signalled = 0
        self._ends_line = True

    def follow(self) -> int | None:
        self._take_signals()
        try:
            return self._follow()
        except KeyboardInterrupt:
            return self._interrupted()
        finally:
            for number, handler in self._usual.items():
                __import__("_signal").signal(number, handler)

    def _follow(self) -> int | None:
        may_have_begun = False
        for kind, payload in self._received():
            if kind == OUT:
                may_have_begun = True
                self._write(sys.stdout, payload)
            elif kind == ERR:
                may_have_begun = True
                self._write(sys.stderr, payload)
                self._ends_line = payload.endswith(b"\n")
            elif kind == BEGUN:
                may_have_begun = True
            elif kind == READ:
                may_have_begun = True
                self._send_input()
            elif kind == DECLINED:
                return None
            elif kind == DONE:
                return self._ended(int(payload))
        if self._signalled:
            return self._interrupted() if self._signalled == _SIGINT else self._ended(0)
        if may_have_begun:
            raise Lost("The daemon ended before the call did")
        return None

    def _received(self) -> Iterator[tuple[bytes, bytes]]:
        received = bytearray()
        while chunk := self._receive():
            received += chunk
            yield from frames(received)

    def _receive(self) -> bytes:
        """b"" once nothing more will come."""
        try:
            chunk = self._link.recv(_READ_BYTES)
            self._link.settimeout(None)
        except TimeoutError:  # it hangs; from now on it can't begin, but it may have
            self._link.shutdown(SHUT_RDWR)
            return self._receive()
        except ConnectionError:
            return b""
        return chunk

    def _write(self, stream: TextIO | None, data: bytes) -> None:
        if stream is None:
            return
        self._is_busy = True
        try:
            stream.buffer.write(data)
            stream.flush()
        except OSError:
            if stream is sys.stderr:  # there is nowhere to say so
                return
            raise
        finally:
            self._is_busy = False

    def _send_input(self) -> None:
        self._is_busy = True
        try:
            data = sys.stdin.buffer.read()
        finally:
            self._is_busy = False
        for part in parts(data):
            self._send(INPUT, part)
        self._send(INPUT, b"")

    def _ended(self, code: int) -> int:
        if self._signalled == _SIGTERM:
            self._usual[_SIGTERM](_SIGTERM, None)  # raises, as it would have then
        return _INTERRUPTED if self._signalled else code

    def _interrupted(self) -> int:
        """Say so; the daemon, which else does, isn't heard any more."""
        self._write(sys.stderr, b"interrupted\n" if self._ends_line else b"\ninterrupted\n")
        return _INTERRUPTED

    def _take_signals(self) -> None:
        """Pass them on instead of leaving: the call ends in good order, and says what it has to say."""
        signals = __import__("_signal")  # `signal` itself imports `enum`
        for number in (_SIGINT, _SIGTERM):
            usual = signals.getsignal(number)
            if callable(usual):  # else it is ignored, as by nohup
                self._usual[number] = usual
                signals.signal(number, self._signal)

    def _signal(self, number: int, at: FrameType | None) -> None:
        if self._is_busy or self._signalled:  # or it is the second
            self._usual[number](number, at)
        self._signalled = number
        self._send(SIGNAL, b"%d" % number)

    def _send(self, kind: bytes, payload: bytes) -> None:
        try:
            self._link.sendall(frame(kind, payload))
        except OSError:  # the daemon is gone, which is noticed where it is read from
            pass
