"""What large values of one connection travel by: memory that both ends share, once they do, and the stream before.

Above it: the runner's `_bulk` and the host's `worker/_bulk`, each with its end's way to come to share it; `framing`, which has
any message use it; the quick ways of a call, whose lines with large values are written and read here. Below it: the arena.

Most large values are bytes or texts, and come alone: as the only argument, or as the result. Such a line is always the same text
but for the size, and so it is written and read:

    "args":[null]},"types":{"bytes":[["args",0]]},"frames":[[4096,65536]]}
    "result":null,"types":{"bytes":[[]]},"frames":[[1073741824,65536]]}
"""

from __future__ import annotations

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._arrays import Leaf
    from .arena import Arena

__all__ = ["MAX_MESSAGE_BYTES", "Carrier"]

#: The most that one message with its frames may hold. A child that sends more is broken or hostile.
MAX_MESSAGE_BYTES = 1 << 30

_ARGS = len('{"args":')
_MEMBERS = len(("types", "frames"))
#: Behind the size of the only value of a line.
_END = "]]}\n"


class Form:
    """How the line of a value alone reads: what is left of it, its path, and what comes next; where it is laid, and found."""

    __slots__ = ("bytes_at", "bytes_before", "closed", "left", "path", "text_at", "text_before")

    def __init__(self, left: str, path: str, closed: str, *, laid_at: int = 0, found_at: int = 0) -> None:
        self.left, self.path, self.closed = left, path, closed
        #: Up to the size, as they are written; and, from the types up to the comma before the size, as they are read.
        self.bytes_before = f"{left}{closed}{_members('bytes', path)}{laid_at},"
        self.text_before = f"{left}{closed}{_members('str', path)}{laid_at},"
        self.bytes_at = f"{_members('bytes', path)}{found_at}"
        self.text_at = f"{_members('str', path)}{found_at}"


class Carrier:
    """Each end has a class of its own, for how it comes to share the memory. `news` is what the next message says of that."""

    __slots__ = (
        "_argument",
        "_leaf_of",
        "_makers",
        "_result",
        "most_bytes",
        "most_held_bytes",
        "news",
        "receiving",
        "sending",
    )

    def __init__(self) -> None:
        self.news: object = None
        #: The most that one message of the other end's may hold, with all that belongs to it.
        self.most_bytes = MAX_MESSAGE_BYTES
        #: The least memory that is too much for what one message is in Python; None: that is not looked at.
        self.most_held_bytes: int | None = None
        self.receiving: Arena | None = None
        #: Set once the other end has it, too.
        self.sending: Arena | None = None
        self._leaf_of: Callable[[object], Leaf | None] = _no_leaf
        self._makers: Mapping[str, Callable[[object, wire.Buffer], object]] = {}
        self._argument, self._result = Form("[null]", '["args",0]', "}"), Form("null", "[]", "")

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
        self._argument = Form("[null]", '["args",0]', "}", laid_at=arena.laid_at, found_at=arena.found_at)
        self._result = Form("null", "[]", "", laid_at=arena.laid_at, found_at=arena.found_at)

    # While the connection has one call at a time: what was sent for one is read before anything is sent for the next.

    def enclose(self, result: object) -> str:
        """What is left of a line behind `"result":`; the large values that the result is, or holds, are in the memory.

        Raises: Exception: there are none, or they can't be read, or there is no room for them.
        """
        sending = self.sending
        if type(result) is bytes and sending is not None and (size := sending.lay(result)) >= 0:
            return f"{self._result.bytes_before}{size}{_END}"
        return self._enclosed(result, self._result) or self._enclosed_all(result)

    def enclose_call(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """As `enclose`, behind `"args":`."""
        if len(args) == 1 and not kwargs:
            sending, value = self.sending, args[0]
            if type(value) is bytes and sending is not None and (size := sending.lay(value)) >= 0:
                return f"{self._argument.bytes_before}{size}{_END}"
            line = self._enclosed(value, self._argument)
            if line:
                return line
        return self._enclosed_all({"args": args, "kwargs": kwargs} if kwargs else {"args": args})[_ARGS:]

    def _enclosed(self, value: object, form: Form) -> str:
        """As `enclose`, of one value; nothing, where it isn't large itself."""
        sending = self.sending
        leaf = ("str", None, value.encode()) if isinstance(value, str) else self._leaf_of(value)
        if leaf is None or sending is None:
            return ""
        kind, projected, buffer = leaf
        if kind == "str" and (size := sending.lay(buffer)) >= 0:
            return f"{form.text_before}{size}{_END}"
        left = form.left if projected is None else form.left.replace("null", wire.encode(projected))
        offset = sending.put(buffer)
        return f"{left}{form.closed}{_members(kind, form.path)}{offset},{len(buffer)}{_END}" if offset >= 0 else ""

    def _enclosed_all(self, payload: object) -> str:
        """As `enclose`, of what holds large values."""
        leaves = wire.leaves_of(payload)
        text, types = wire.encode(leaves.value), wire.encode(leaves.types)
        text.encode()  # meets lone surrogates before there is anything in the memory that nobody would take
        places = self.sending.put_all(leaves.buffers) if leaves.types and self.sending is not None else None
        if places is None:
            raise ValueError
        return f'{text},"types":{types},"frames":{places}}}\n'

    def disclose(self, result: object, members: str) -> object:
        """`result` with the large values that the `members` tell of, up to the end of the line.

        Raises: wire.WireError: that can't be done, or not in so few steps. Nothing is counted as taken then.
        """
        before, _, size = members.rpartition(",")
        try:
            if before == self._result.bytes_at and result is None:
                return self._found(size)
            if before == self._result.text_at and result is None:
                return str(self._found(size), "utf-8")
            return self._restored(result, members)
        except Exception as error:  # noqa: BLE001 - each maker has errors of its own
            raise wire.WireError(f"not a line of this kind: {error}") from None

    def disclose_call(self, args: object, kwargs: object, members: str) -> None:
        """As `disclose`, in the arguments of a call."""
        before, _, size = members.rpartition(",")
        try:
            if before == self._argument.bytes_at and type(args) is list:
                args[0] = self._found(size)
            elif before == self._argument.text_at and type(args) is list:
                args[0] = str(self._found(size), "utf-8")
            else:
                self._restored({"args": args, "kwargs": kwargs}, members)
        except Exception as error:  # noqa: BLE001 - as above
            raise wire.WireError(f"not a line of this kind: {error}") from None

    def _found(self, rest: str) -> bytes:
        """What was laid in the place for a value alone; its size begins the rest of the line."""
        size = int(rest[:-4])
        if rest[-4:] != _END or size > self.most_bytes or self.receiving is None:
            raise ValueError  # for the other way, which has the words
        return self.receiving.find(size)

    def _restored(self, payload: object, members: str) -> object:
        """The payload with values of any type and number in their places."""
        found, end = wire.scan("{" + members[1:], 0)
        receiving = self.receiving
        if receiving is None or not isinstance(found, dict) or len(found) != _MEMBERS or end != len(members) - 1:
            raise ValueError
        types, frames = found["types"], found["frames"]
        if sum(size for _, size in frames) > self.most_bytes:
            raise ValueError  # for the other way, which has the words
        views = [receiving.view(*frame) for frame in frames]
        if len(frames) == len(types) == 1:
            payload = self._made(payload, types, views[0])
        else:
            message = {"result": payload, "types": types}
            wire.restore(message, views)
            payload = message["result"]
        for view in views:
            view.release()
        receiving.took(receiving.count(frames))
        return payload

    def _made(self, payload: object, types: Mapping[str, Sequence[Sequence[str | int]]], view: memoryview) -> object:
        """As `_restored`, of the only large value that there is."""
        ((kind, (path,)),) = types.items()
        if not path:
            return self._makers[kind](payload, view)
        part, place = path
        assert isinstance(payload, dict)
        assert type(place) is int
        payload[part][place] = self._makers[kind](payload[part][place], view)
        return payload

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


def _members(kind: str, path: str) -> str:
    return f',"types":{{"{kind}":[{path}]}},"frames":[['
