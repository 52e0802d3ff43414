"""Messages out of a stream of bytes, and into it, for both ends of the wire.

Above it: the runner's loop and the host's channel; below it: `wire`, which knows what is in a message.
"""

from __future__ import annotations

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._arrays import Leaf
    from .arena import Arena

__all__ = ["MAX_MESSAGE_BYTES", "Assembler", "Carrier", "gathered"]

#: The most that one message with its frames may hold. A child that sends more is broken or hostile.
MAX_MESSAGE_BYTES = 1 << 30

_ARGS = len('{"args":')
_MEMBERS = len(("types", "frames"))
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


class Carrier:
    """What large values of one connection travel by: memory that both ends share, once they do, and the stream before.

    Each end has a class of its own, for how they come to share it. `news` is what the next message says of that.
    """

    __slots__ = ("_leaf_of", "_makers", "most_bytes", "news", "receiving", "sending")

    def __init__(self) -> None:
        self.news: object = None
        #: The most that one message of the other end's may hold, with all that belongs to it.
        self.most_bytes = MAX_MESSAGE_BYTES
        self.receiving: Arena | None = None
        #: Set once the other end has it, too.
        self.sending: Arena | None = None
        self._leaf_of: Callable[[object], Leaf | None] = _no_leaf
        self._makers: Mapping[str, Callable[[object, wire.Buffer], object]] = {}

    def outgrown(self) -> None:
        """A large value goes by the stream."""

    def heard(self, news: object) -> None:
        """The other end tells of the memory."""

    def place(self, buffers: list[wire.Buffer]) -> tuple[Sequence[object], list[wire.Buffer]]:
        """Where each buffer lies in the memory, or else its size; and the buffers that are left for the stream."""
        sizes = [len(buffer) for buffer in buffers]
        if self.sending is None and max(sizes, default=0) >= wire.BULK_BYTES:
            self.outgrown()
        found = self.sending.put_all(buffers) if buffers and self.sending is not None else None
        return (sizes, buffers) if found is None else (found, [])

    def share(self, arena: Arena) -> None:
        """From now on large values go by it."""
        from . import _arrays

        self.sending, self._leaf_of, self._makers = arena, _arrays.leaf_of, _arrays.MADE

    def enclose(self, value: object, path: str = "[]") -> tuple[str, str] | None:
        """The JSON text of what stands for a large value, and the members of its line that tell where it lies in the memory.

        None where it is none, or has no room there. Raises: Exception: it can't be read.
        """
        sending = self.sending
        if sending is None:
            return None
        text, kind = "null", "bytes"
        if type(value) is bytes:
            buffer: wire.Buffer = value
        elif isinstance(value, str):
            buffer, kind = value.encode(), "str"
        else:
            leaf = self._leaf_of(value)
            if leaf is None:
                return self._enclose_all(value) if path == "[]" else None
            kind, left, buffer = leaf
            text = wire.encode(left)
        offset = sending.put(buffer)
        return None if offset < 0 else (text, f',"types":{{"{kind}":[{path}]}},"frames":[[{offset},{len(buffer)}]]')

    def enclose_call(self, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[str, str]:
        """As `enclose`, of arguments, as they stand in a call. Raises: Exception: they aren't for this, or can't be read."""
        found = self.enclose(args[0], '["args",0]') if len(args) == 1 and not kwargs else None
        if found is not None:
            return f"[{found[0]}]", found[1]
        found = self._enclose_all({"args": args, "kwargs": kwargs} if kwargs else {"args": args})
        if found is None:
            raise wire.WireError("no large values, or no room for them")
        return found[0][_ARGS:-1], found[1]

    def _enclose_all(self, payload: object) -> tuple[str, str] | None:
        """As `enclose`, of what holds large values."""
        leaves = wire.leaves_of(payload)
        if not leaves.types or self.sending is None:
            return None
        text, types = wire.encode(leaves.value), wire.encode(leaves.types)
        places = self.sending.put_all(leaves.buffers)
        return None if places is None else (text, f',"types":{types},"frames":{places}')

    def disclose(self, payload: object, members: str) -> object:
        """`payload` with the large values that the `members` tell of, up to the end of the line.

        Raises: wire.WireError: that can't be done, or not in so few steps. Nothing is counted as taken then.
        """
        receiving = self.receiving
        try:
            found, end = wire.scan("{" + members[1:], 0)
            if receiving is None or not isinstance(found, dict) or len(found) != _MEMBERS or end != len(members) - 1:
                raise ValueError  # noqa: TRY301 - as what comes next may raise
            types, frames = found["types"], found["frames"]
            if len(frames) != 1 or len(types) != 1 or frames[0][1] > self.most_bytes:
                return self._disclose_all(payload, types, frames)
            ((kind, (path,)),) = types.items()
            view = receiving.view(*frames[0])
            if path:
                part, place = path
                held = payload[part] if isinstance(payload, dict) else None
                assert isinstance(held, list)
                held[place] = self._makers[kind](held[place], view)
            else:
                payload = self._makers[kind](payload, view)
            view.release()
        except Exception as error:  # noqa: BLE001 - each maker has errors of its own
            raise wire.WireError(f"not a line of this kind: {error}") from None
        receiving.took(1)
        return payload

    def _disclose_all(self, payload: object, types: object, frames: Sequence[Sequence[int]]) -> object:
        assert self.receiving is not None
        if sum(size for _, size in frames) > self.most_bytes:
            raise ValueError  # for the other way, which has the words
        message = {"result": payload, "types": types}
        views = [self.receiving.view(*frame) for frame in frames]
        wire.restore(message, views)
        for view in views:
            view.release()
        self.receiving.took(len(views))
        return message["result"]

    def due_s(self) -> float | None:
        """In how many seconds `trim` has something to do, if nothing large is sent until then; None: it has not."""
        return None if self.sending is None else self.sending.due_s()

    def trim(self) -> None:
        """Give memory back that was not needed for a while. From any thread."""
        arena = self.sending
        if arena is not None:
            try:
                arena.trim()
            except ValueError:  # closed meanwhile
                pass

    def close(self) -> None:
        for arena in (self.sending, self.receiving):
            if arena is not None:
                arena.close()
        self.sending = self.receiving = None


def _no_leaf(_value: object) -> Leaf | None:
    return None


class Assembler:
    """Takes bytes as they come, gives messages as they are whole. Not for several threads.

    `carrier` is what large values come by; without one they are all in the stream.
    """

    __slots__ = ("_buffer", "_carrier", "_message", "_needed", "_places", "_scanned")

    def __init__(self, carrier: Carrier | None = None) -> None:
        self._buffer = bytearray()
        self._carrier = carrier
        self._scanned = 0  # how much of the buffer is known to hold no newline
        self._message: dict[str, object] | None = None  # whose frames are waited for
        self._places: list[tuple[int, int]] = []
        self._needed = 0  # bytes of frames

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
            with memoryview(self._buffer) as whole, whole[:end] as line:
                message: dict[str, object] = wire.unpack(line)
            del self._buffer[: end + 1]
            self._scanned = 0
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
        self._needed = sum(size for offset, size in self._places if offset < 0)
        whole_bytes = sum(size for _, size in self._places)
        if whole_bytes > self._most_bytes:
            raise wire.TooLarge(whole_bytes)
        self._message = message
        return self._completed()

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
        shared = sum(offset >= 0 for offset, _ in self._places)
        if shared and self._carrier is not None and self._carrier.receiving is not None:
            self._carrier.receiving.took(shared)
        if self._needed:
            try:
                del self._buffer[: self._needed]
            except BufferError:
                self._buffer = self._buffer[self._needed :]


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
