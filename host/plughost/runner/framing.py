"""Messages out of a stream of bytes, and into it, for both ends of the wire.

Above it: the runner's loop and the host's channel; below it: `wire`, which knows what is in a message.
"""

from __future__ import annotations

from . import wire
from .carrier import MAX_MESSAGE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .carrier import Carrier

__all__ = ["Assembler", "gathered"]

_WORTH_A_CALL = 1 << 16  # bytes; to copy fewer takes less time than a system call of their own
_WORTH_WEIGHING = 1 << 20  # bytes of a line; of fewer nothing large can be made
#: What takes up least in Python: a list or dict without anything in it, a place in one, and what a frame is until it is copied.
_CONTAINER_BYTES, _PLACE_BYTES, _FRAME_BYTES = 56, 8, 256


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
    """Takes bytes as they come, gives messages as they are whole. Not for several threads.

    `carrier` is what large values come by; without one they are all in the stream.
    """

    __slots__ = ("_buffer", "_carrier", "_message", "_needed", "_places", "_scanned", "message_bytes")

    def __init__(self, carrier: Carrier | None = None) -> None:
        self._buffer = bytearray()
        self._carrier = carrier
        self._scanned = 0  # how much of the buffer is known to hold no newline
        self._message: dict[str, object] | None = None  # whose frames are waited for
        self._places: list[tuple[int, int]] = []
        self._needed = 0  # bytes of frames
        #: How large the last message was, with all that belongs to it.
        self.message_bytes = 0

    @property
    def _most_bytes(self) -> int:
        return MAX_MESSAGE_BYTES if self._carrier is None else self._carrier.most_bytes

    @property
    def pending_bytes(self) -> int:
        """What has come and is no whole message yet, or none that anybody has asked for."""
        return len(self._buffer)

    @property
    def is_amid(self) -> bool:
        """Whether a part of a message has come."""
        return self._message is not None or bool(self._buffer)

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
            return self._begun(wire.unpack(chunk), check)
        self.feed(chunk)
        return self.next(check)

    def next(self, check: Callable[[dict[str, object]], None] | None = None) -> dict[str, object] | None:
        """The next whole message with its values restored, or None while there is none.

        `check` sees a message before its values are restored and its frames waited for, which may never come.

        Raises: wire.WireError: the bytes are no message. wire.Unmade: they are one, and taken. Whatever `check` raises.
        """
        while self._message is None:
            end = self._buffer.find(b"\n", self._scanned)
            size = len(self._buffer) if end < 0 else end
            if size > self._most_bytes:
                raise wire.TooLarge(size)
            if end < 0:
                self._scanned = len(self._buffer)
                return None
            if size > _WORTH_WEIGHING:
                self._refuse_if_heavy(weight_of(self._buffer, end))
            with memoryview(self._buffer) as whole, whole[:end] as line:
                message: dict[str, object] = wire.unpack(line)
            del self._buffer[: end + 1]
            self._scanned = 0
            self.message_bytes = size
            whole_message = self._begun(message, check)
            if whole_message is not None:
                return whole_message
        return self._completed()

    def _begun(self, message: dict[str, object], check: Callable[[dict[str, object]], None] | None) -> dict[str, object] | None:
        """The message whose line this was, or None: it was not one for anybody, or its frames are waited for."""
        if "frames" in message and "method" in message and message["method"] == "memory":
            if self._carrier is not None:
                self._carrier.heard(message.get("memory"))
            return None
        if check is not None:
            check(message)
        if "types" not in message and "frames" not in message:
            return message
        if "memory" in message and self._carrier is not None:
            self._carrier.heard(message.pop("memory"))
        self._places = _places_in(message)
        self._refuse_if_heavy(len(self._places) * _FRAME_BYTES)
        self._needed = sum(size for offset, size in self._places if offset < 0)
        whole_bytes = sum(size for _, size in self._places)
        if whole_bytes > self._most_bytes:
            raise wire.TooLarge(whole_bytes)
        self.message_bytes += whole_bytes
        self._message = message
        return self._completed()

    def _refuse_if_heavy(self, held_bytes: int) -> None:
        """Raises: wire.WireError: a few bytes would become more than the other end can have had in its own memory."""
        most = None if self._carrier is None else self._carrier.most_held_bytes
        if most is not None and held_bytes > most:
            raise wire.WireError("a message that takes {} bytes of memory or more".format(held_bytes))

    def _completed(self) -> dict[str, object] | None:
        """The message that has begun, once its frames have come."""
        message = self._message
        if message is None or len(self._buffer) < self._needed:
            return None
        self._message = None
        frames: list[memoryview] = []
        try:
            self._open(frames)
            wire.restore(message, frames)
        finally:
            self._drop(frames)
        return message

    def _open(self, frames: list[memoryview]) -> None:
        """Add a view of each frame to `frames`."""
        carrier = self._carrier
        start = 0
        for offset, size in self._places:
            if offset < 0:
                if size >= wire.BULK_BYTES and carrier is not None:
                    carrier.outgrown()
                frames.append(memoryview(self._buffer)[start : start + size])
                start += size
            elif carrier is None or carrier.receiving is None:
                raise wire.WireError("a frame in memory that nobody shares")
            else:
                frames.append(carrier.receiving.view(offset, size))

    def _drop(self, frames: list[memoryview]) -> None:
        """The frames have been copied, or are of no use."""
        for frame in frames:
            try:
                frame.release()
            except BufferError:  # the traceback of an error has a hold on it
                pass
        receiving = None if self._carrier is None else self._carrier.receiving
        if receiving is not None:
            receiving.took(receiving.count(self._places))
        if self._needed:
            try:
                del self._buffer[: self._needed]
            except BufferError:
                self._buffer = self._buffer[self._needed :]


def weight_of(buffer: bytearray, end: int) -> int:
    """How much memory the line in the buffer up to `end` takes at least once it is read: `[],` is 64 bytes of it."""
    containers = buffer.count(b"[", 0, end) + buffer.count(b"{", 0, end)
    return containers * _CONTAINER_BYTES + buffer.count(b",", 0, end) * _PLACE_BYTES


def _places_in(message: dict[str, object]) -> list[tuple[int, int]]:
    """Offset and size of each frame; an offset below 0 where it follows the line."""
    listed = message.get("frames", [])
    places = [_place(each) for each in listed] if isinstance(listed, list) else [(0, -1)]
    sizes = [size for _, size in places]
    if min(sizes, default=0) < 0:
        raise wire.WireError("`frames` is not a list of sizes and places")
    if sum(sizes) > MAX_MESSAGE_BYTES:
        raise wire.WireError("a message of more than {} bytes".format(MAX_MESSAGE_BYTES))
    return places


def _place(listed: object) -> tuple[int, int]:
    if type(listed) is int:
        return -1, listed
    if isinstance(listed, list) and len(listed) == 2 and all(type(number) is int and number >= 0 for number in listed):  # noqa: PLR2004
        return listed[0], listed[1]
    return 0, -1
