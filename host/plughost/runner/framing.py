"""Messages out of a stream of bytes, and into it, for both ends of the wire.

Above it: the runner's loop and the host's channel; below it: `wire`, which knows what is in a message.
"""

from __future__ import annotations

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_MESSAGE_BYTES", "Assembler", "gathered"]

#: The most that one message with its frames may hold. A child that sends more is broken or hostile.
MAX_MESSAGE_BYTES = 1 << 30

_WORTH_A_CALL = 1 << 16  # bytes; to copy fewer takes less time than a system call of their own


def gathered(buffers: list[bytes]) -> list[bytes]:
    """The buffers with small ones put together: a message may have a frame for each of a million values."""
    if len(buffers) == 1:
        return buffers
    whole: list[bytes] = []
    small: list[bytes] = []
    size = 0
    for buffer in buffers:
        small.append(buffer)
        size += len(buffer)
        if size >= _WORTH_A_CALL:
            if len(buffer) >= _WORTH_A_CALL:  # too much to copy for the sake of the few before it
                whole.append(b"".join(small[:-1]))
                small = [buffer]
            whole.append(b"".join(small))
            small, size = [], 0
    return [buffer for buffer in (*whole, b"".join(small)) if buffer]


class Assembler:
    """Takes bytes as they come, gives messages as they are whole. Not for several threads."""

    __slots__ = ("_buffer", "_frames_left", "_message", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # how much of the buffer is known to hold no newline
        self._message: dict[str, object] | None = None
        self._frames_left = 0

    @property
    def pending_bytes(self) -> int:
        """What has come and is no whole message yet, or none that anybody has asked for."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> None:
        """Add what was read.

        Raises: wire.WireError: no message may be as large as what has come.
        """
        self._buffer += chunk
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            raise wire.WireError("a message of more than {} bytes".format(MAX_MESSAGE_BYTES))

    def take(self, chunk: bytes, check: Callable[[dict[str, object]], None] | None = None) -> dict[str, object] | None:
        """As `feed` and then `next`, in fewer steps where what was read is one plain message, as it mostly is."""
        if not self._buffer and self._message is None and chunk.find(b"\n") == len(chunk) - 1:
            message: dict[str, object] = wire.unpack(chunk)
            if "types" not in message and "frames" not in message:
                if check is not None:
                    check(message)
                return message
        self.feed(chunk)
        return self.next(check)

    def next(self, check: Callable[[dict[str, object]], None] | None = None) -> dict[str, object] | None:
        """The next whole message with its values restored, or None while there is none.

        `check` sees a message before its values are restored and its frames waited for, which may never come.

        Raises: wire.WireError: the bytes are no message. Whatever `check` raises.
        """
        if self._message is None:
            end = self._buffer.find(b"\n", self._scanned)
            if end < 0:
                self._scanned = len(self._buffer)
                return None
            line = bytes(memoryview(self._buffer)[:end])
            del self._buffer[: end + 1]
            self._scanned = 0
            message: dict[str, object] = wire.unpack(line)
            if check is not None:
                check(message)
            if "types" not in message and "frames" not in message:
                return message
            self._frames_left = sum(_sizes(message))
            self._message = message
        if len(self._buffer) < self._frames_left:
            return None
        message, self._message = self._message, None
        frames = []
        start = 0
        with memoryview(self._buffer) as view:
            for size in _sizes(message):
                frames.append(bytes(view[start : start + size]))
                start += size
        del self._buffer[:start]
        wire.restore(message, frames)
        return message


def _sizes(message: dict[str, object]) -> list[int]:
    sizes = message.get("frames", [])
    if not isinstance(sizes, list) or not all(type(size) is int and 0 <= size <= MAX_MESSAGE_BYTES for size in sizes):
        raise wire.WireError("`frames` is not a list of sizes")
    if sum(sizes) > MAX_MESSAGE_BYTES:
        raise wire.WireError("a message of more than {} bytes".format(MAX_MESSAGE_BYTES))
    return sizes
