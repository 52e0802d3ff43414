"""A call's arguments as they are kept, if somebody asks for that: their wire form, so that they can be given again.

Above it: the journal and its readers; below it: the wire. They may hold secrets: what has them is readable by its owner alone.
"""

from __future__ import annotations

from plughost.runner.wire import WireError, pack, plain, restore, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LARGEST_BYTES", "Arguments", "digest", "kept_arguments"]

#: The most that the arguments of one call may take; of larger ones the record says only that.
LARGEST_BYTES = 1 << 20


class Arguments:
    """By position and by name; and what the caller said of the plugin's policy, as a table.

    `policy` is the most that it was to have, `leave` what it was to have besides, `waived` the limits that might go unenforced.
    They are empty where nothing was said.
    """

    __slots__ = ("args", "kwargs", "leave", "policy", "waived")

    def __init__(
        self,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        policy: Mapping[str, object] | None = None,
        leave: Mapping[str, object] | None = None,
        waived: Sequence[object] = (),
    ) -> None:
        self.args = list(args)
        self.kwargs = dict(kwargs)
        self.policy = dict(policy or {})
        self.leave = dict(leave or {})
        self.waived = tuple(map(str, waived))

    @classmethod
    def restored(cls, message: str, frames: bytes) -> Arguments:
        """From `message`, a line as the wire has it, and the frames that it announces.

        Raises: WireError: they are none.
        """
        record = unpack(message.encode())
        sizes = record.get("frames", [])
        cut, start = [], 0
        for size in sizes if isinstance(sizes, list) else []:
            cut.append(frames[start : start + size])
            start += size
        if "types" in record or cut:
            restore(record, cut)
        params = record.get("params")
        args, kwargs = (params.get("args"), params.get("kwargs")) if isinstance(params, dict) else (None, None)
        if not (isinstance(args, list) and isinstance(kwargs, dict)):
            raise WireError("it holds no arguments")
        policy, leave, waived = record.get("policy", {}), record.get("leave", {}), record.get("waived", [])
        if not (isinstance(policy, dict) and isinstance(leave, dict) and isinstance(waived, list)):
            raise WireError("it holds no policy")
        return cls(args, kwargs, policy=policy, leave=leave, waived=waived)

    def record(self) -> dict[str, object]:
        """As plain JSON values, with bytes as base64 text."""
        value = plain({"args": self.args, "kwargs": self.kwargs})
        assert isinstance(value, dict)
        return value


def kept_arguments(args: Sequence[object], kwargs: Mapping[str, object], said: Mapping[str, object] | None = None) -> bytes:
    """The fields of a record, as JSON with a comma before each: the arguments, or why they are not there.

    `said` are the `policy`, the `leave` and the `waived` of the `Arguments`, if there are some.
    """
    try:
        line, *frames = pack({"params": {"args": list(args), "kwargs": dict(kwargs)}, **(said or {})})
    except WireError as error:
        return b"," + fields({"arguments_lost": str(error)[:200]})
    size = len(line) + sum(map(len, frames))
    if size > LARGEST_BYTES:
        return b"," + fields({"arguments_lost": f"They take {size} bytes, and {LARGEST_BYTES} is the most"})
    record = {"arguments": line.decode()}
    if frames:
        from binascii import b2a_base64

        record["bulk"] = b2a_base64(b"".join(frames), newline=False).decode()
    return b"," + fields(record)


def digest(value: object) -> str:
    """What tells one result from another; "" of one that has no wire form."""
    from hashlib import sha256

    try:
        return sha256(b"".join(pack({"result": plain(value)}))).hexdigest()
    except WireError:
        return ""


def fields(record: Mapping[str, object]) -> bytes:
    """The inside of a JSON object.

    Raises: WireError: a value in it is none of JSON's.
    """
    return pack(record)[0][1:-2]
