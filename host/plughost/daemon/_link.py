"""The socket between a command and the daemon: where it is, who is at its other end, and the frames that go through it.

Above it: both ends; below it: the C half of `socket`, because `socket` itself takes longer to import than a call takes.

A frame is a kind, which is one byte, the length of what follows in four, and that. From the command:

    q  a run: fields, separated by NUL (`_client` writes them, `_run` reads them)     once, first
    k  likewise a command that only the daemon can do, since it keeps what that is about
    c  `status`, `end` or `drain`, with the sender's identity before it               once, instead of `q`
    i  a part of the standard input, and at its end an empty one                      the answer to `r`
    x  SIGINT or SIGTERM came, and its number

From the daemon:

    n  this is for the command to run itself; nothing has begun
    b  from here on the plugin may have been called
    o  to be written to the standard output      e  to the standard error
    r  the standard input, please
    d  done, with this exit code
    s  the answer to `c`: JSON
"""

from __future__ import annotations

import os
import sys
from _socket import AF_UNIX, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, socket

from plughost import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Peer", "connect", "frame", "frames", "identity", "parts", "peer_of", "reachable"]

REQUEST, ONLY_HERE, CONTROL, INPUT, SIGNAL = b"q", b"k", b"c", b"i", b"x"
DECLINED, BEGUN, OUT, ERR, READ, DONE, STATUS = b"n", b"b", b"o", b"e", b"r", b"d", b"s"

#: What `sun_path` holds, its NUL included (unix(7)).
_LONGEST_PATH = 108
_HEADER_BYTES = 5
_PART_BYTES = 1 << 20
#: A daemon that hasn't answered by then, or can't be connected to, hangs. Its answer takes no call: that comes later.
_ANSWERS_WITHIN_S = 2.0


class Peer:
    """Who is at the other end, as the kernel has it."""

    __slots__ = ("pid", "uid")

    def __init__(self, pid: int, uid: int) -> None:
        self.pid = pid
        self.uid = uid


def identity() -> str:
    """What two processes must have in common to be one program: the code, where it is, and its Python."""
    code = os.path.join(os.path.dirname(os.path.dirname(__file__)), "__init__.py")
    stat = os.stat(code)
    return "|".join((__version__, code, f"{stat.st_mtime_ns}.{stat.st_ino}", sys.version))


class reachable:  # noqa: N801 - reads as the context manager it is: `with reachable(path) as short:`
    """A name for the socket at `path` that is short enough to connect to it, or to bind it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._folder = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) < _LONGEST_PATH:
            return self._path
        folder, name = os.path.split(self._path)
        self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._folder}/{name}"

    def __exit__(self, *_: object) -> None:
        if self._folder >= 0:
            os.close(self._folder)


def connect(path: str) -> socket | None:
    """A connection to the daemon that listens at `path`; None if there is none, or if it is somebody else's.

    What is done with it is given a moment, until its timeout is changed.
    """
    link = socket(AF_UNIX, SOCK_STREAM)
    link.settimeout(_ANSWERS_WITHIN_S)
    try:
        with reachable(path) as short:
            link.connect(short)
        if peer_of(link).uid == os.geteuid():
            return link
    except OSError:
        pass
    link.close()
    return None


def peer_of(link: socket) -> Peer:
    """Of the listening end: who was it when it began to listen. Of the other: who was it when it connected."""
    pid, uid, _gid = memoryview(link.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)).cast("i")
    return Peer(pid, uid)


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + len(payload).to_bytes(4) + payload


def parts(data: bytes) -> Iterator[bytes]:
    """The data in as many parts as it takes for none to be too long for a frame, or to be copied often."""
    for start in range(0, len(data), _PART_BYTES):
        yield data[start : start + _PART_BYTES]


def frames(received: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """The whole frames that `received` begins with; they are taken out of it."""
    while len(received) >= _HEADER_BYTES:
        end = _HEADER_BYTES + int.from_bytes(received[1:_HEADER_BYTES])
        if len(received) < end:
            return
        kind, payload = bytes(received[:1]), bytes(received[_HEADER_BYTES:end])
        del received[:end]
        yield kind, payload
