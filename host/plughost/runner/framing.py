"""Messages out of a stream of bytes: the reading half of the wire, for both ends of it.

Above it: the runner's loop and the host's channel; below it: `wire`, which knows what is in a message.
"""

from __future__ import annotations

from . import wire

__all__ = ["MAX_MESSAGE_BYTES", "Assembler"]

#: The most that one message with its frames may hold. A child that sends more is broken or hostile.
MAX_MESSAGE_BYTES = 1 << 30


class Assembler:
    """Takes bytes as they come, gives messages as they are whole. Not for several threads."""

    __slots__ = ("_buffer", "_frames_left", "_message", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # how much of the buffer is known to hold no newline
        self._message: dict[str, object] | None = None
        self._frames_left = 0

    def feed(self, chunk: bytes) -> None:
        """Add what was read.

        Raises: wire.WireError: no message may be as large as what has come.
        """
        self._buffer += chunk
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            raise wire.WireError("a message of more than {} bytes".format(MAX_MESSAGE_BYTES))

    def next(self) -> dict[str, object] | None:
        """The next whole message with its values restored, or None while there is none.

        Raises: wire.WireError: the bytes are no message.
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
