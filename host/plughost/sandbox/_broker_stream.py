"""One end of a connection: bytes, lines and heads from a socket, and what is sent to it, never more in memory than a chunk.

Above it: what speaks HTTP and SOCKS; below it: the loop. Whoever sends waits until the other end has taken it, and meanwhile
reads nothing: so a slow reader slows down the one who sends, and fills no memory.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time

from plughost.sandbox._broker_loop import READ, WRITE, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.sandbox._broker_loop import Loop

__all__ = ["IDLE_S", "EndOfStream", "Stream", "TooLong", "connect", "tunnel"]

CHUNK_BYTES = 1 << 16
#: How long nothing may move, in either direction.
IDLE_S = 900.0
#: What the kernel keeps where nobody reads: what is not sent yet, and what has come. Else it would be several MB of each.
_KEPT_BYTES = (("TCP_NOTSENT_LOWAT", 1 << 17), ("TCP_WINDOW_CLAMP", 1 << 20))
#: The host app may have given SIGPIPE back its meaning.
_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)


class EndOfStream(OSError):
    """The other end has closed in the middle of something."""


class TooLong(Exception):
    """What may be so long, and no longer, is."""


class Stream:
    """A connected socket that doesn't block, and what was read ahead of it."""

    __slots__ = ("_ahead", "_loop", "_socket", "moved_at")

    def __init__(self, connected: socket.socket, loop: Loop) -> None:
        connected.setblocking(False)  # noqa: FBT003
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, most in _KEPT_BYTES:
            if hasattr(socket, name):
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), most)
        loop.sockets.add(connected)
        self._socket = connected
        self._loop = loop
        self._ahead = b""
        #: When something last came or went.
        self.moved_at = time.monotonic()

    @property
    def loop(self) -> Loop:
        return self._loop

    async def receive(self, until: float, most: int = CHUNK_BYTES) -> bytes:
        """What has come, at most so much of it; nothing at the end of the stream."""
        if not self._ahead:
            self._ahead = await self._read(until)
        received, self._ahead = self._ahead[:most], self._ahead[most:]
        return received

    async def exactly(self, size: int, until: float) -> bytes:
        received = b""
        while len(received) < size:
            more = await self.receive(until, size - len(received))
            if not more:
                raise EndOfStream(errno.ECONNRESET, "the connection was closed")
            received += more
        return received

    async def up_to(self, mark: bytes, most: int, until: float) -> bytes:
        """Everything through `mark`; nothing if the stream ends before any of it.

        Raises: TooLong: there is none within the first `most` bytes. EndOfStream: the stream ends without it.
        """
        received, looked_at = self._ahead, 0
        while (at := received.find(mark, looked_at)) < 0:
            if len(received) > most:
                raise TooLong
            looked_at = max(0, len(received) - len(mark) + 1)
            more = await self._read(until)
            if not more and received:
                raise EndOfStream(errno.ECONNRESET, "the connection was closed")
            if not more:
                return b""
            received += more
        end = at + len(mark)
        if end > most:
            raise TooLong
        self._ahead = received[end:]
        return received[:end]

    async def peek(self, until: float) -> bytes:
        """The first byte to come; nothing at the end of the stream."""
        if not self._ahead:
            self._ahead = await self._read(until)
        return self._ahead[:1]

    async def send(self, content: bytes, until: float) -> None:
        left = memoryview(content)
        while left:
            try:
                left = left[self._socket.send(left, _NO_SIGNAL) :]
                self.moved_at = time.monotonic()
            except BlockingIOError:
                await Wait(self._socket.fileno(), WRITE, until=until)

    async def _read(self, until: float) -> bytes:
        while True:
            # Also where something has come already: in between, all others have their turn.
            await Wait(self._socket.fileno(), READ, until=until)
            try:
                received = self._socket.recv(CHUNK_BYTES)
            except BlockingIOError:
                continue
            self.moved_at = time.monotonic()
            return received

    def finish(self) -> None:
        """Nothing more is sent. The other end may go on."""
        _shut(self._socket, socket.SHUT_WR)

    def abort(self) -> None:
        """Whoever waits for this stream finds that it has ended."""
        _shut(self._socket, socket.SHUT_RDWR)

    def reset(self) -> None:
        """Have the next `close` be no end for the other side, but an error."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        """Nobody may be waiting for it."""
        self._loop.sockets.discard(self._socket)
        self._socket.close()


async def connect(address: str, port: int, loop: Loop, until: float) -> Stream:
    """Raises: OSError."""
    connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    loop.sockets.add(connecting)
    try:
        await _finish_connecting(connecting, (address, port), until)
        return Stream(connecting, loop)
    except BaseException:
        loop.sockets.discard(connecting)
        connecting.close()
        raise


async def _finish_connecting(connecting: socket.socket, there: tuple[str, int], until: float) -> None:
    connecting.setblocking(False)  # noqa: FBT003
    failure = connecting.connect_ex(there)
    if failure == errno.EINPROGRESS:
        await Wait(connecting.fileno(), WRITE, until=until)
        failure = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))


async def tunnel(one: Stream, other: Stream) -> None:
    """Until both have ended, or nothing has moved between them for too long."""
    there = one.loop.start(_pass_on(one, other))
    try:
        await _pass_on(other, one)
        await there.ended(time.monotonic() + 2 * IDLE_S)
    finally:
        there.cancel()


async def _pass_on(source: Stream, sink: Stream) -> None:
    try:
        while True:
            try:
                received = await source.receive(time.monotonic() + IDLE_S)
            except TimeoutError:
                if time.monotonic() - max(source.moved_at, sink.moved_at) < IDLE_S:  # the other direction is in use
                    continue
                raise
            if not received:
                sink.finish()
                return
            await sink.send(received, time.monotonic() + IDLE_S)
    except OSError:  # also for too long a time
        source.abort()
        sink.abort()


def _shut(connected: socket.socket, how: int) -> None:
    try:
        connected.shutdown(how)
    except OSError:  # the other end has gone first
        pass
