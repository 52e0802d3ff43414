"""How a message and the values in it travel. Both ends of the pipe import this file, so that the rules can't drift.

Above it: the framing, the runner's loop, the host; below it: the C half of the `json` module. It knows nothing of methods, tools
and processes. It is on the way of every call: it imports next to nothing, and a plain message costs what its JSON costs. What
other values need (`_projection`, `_restoration`) is imported when the first of them is met.

A message is one line of UTF-8 JSON, an object, and then the raw frames that it announces. Its payload is `result`, `params` or
`error`. A payload with values that JSON has not is sent as its *plain projection*, which anybody can read, and beside it stand

    "types":  {type: [path, ...]}   which places hold a projection of which type; a path is a list of keys and indices
    "frames": [place, ...]          the bytes of those types that have any, in the order in which the paths stand there

A place is a size, of bytes that follow the line, or `[offset, size]` of such as lie in memory that both ends share (`arena`).

| Python value                         | in the JSON                            | type                 | arrives as          |
|--------------------------------------|----------------------------------------|----------------------|---------------------|
| None, bool, str, float, int          | itself (an int of up to 4300 digits)   | -                    | itself              |
| list, dict                           | array, object                          | -                    | list, dict          |
| a subclass of any of these           | as its base                            | -                    | the base            |
| tuple, namedtuple                    | array                                  | -                    | list                |
| dataclass, pydantic model, Struct    | object of its fields                   | -                    | dict                |
| Enum member                          | its value                              | -                    | the value           |
| set, frozenset                       | array, sorted if the items can be      | set, frozenset       | the same (*)        |
| bytes, memoryview of bytes           | null, and a frame                      | bytes                | bytes               |
| bytearray                            | null, and a frame                      | bytearray            | bytearray           |
| str of 16 KiB or more, between ends  | null, and a frame of UTF-8             | str                  | itself              |
| array                                | its type code, and a frame             | array                | array               |
| memoryview of anything else          | its format and shape, and a frame      | memoryview           | memoryview          |
| numpy.ndarray                        | dtype, shape and order, and a frame    | ndarray              | numpy.ndarray       |
| numpy.ndarray of objects             | shape and items                        | objects              | numpy.ndarray       |
| pandas.DataFrame, Series, Index      | object of its parts                    | frame, series, index | the same            |
| pyarrow.Table, RecordBatch           | null, and a frame in Arrow's format    | arrow-table, -batch  | the same            |
| pyarrow.Array, ChunkedArray          | null, and a frame in Arrow's format    | arrow-array, -chunks | the same            |
| a scalar of numpy's or pyarrow's     | as what it is in Python                | -                    | that                |
| complex                              | text                                   | complex              | complex             |
| float NaN, Infinity, -Infinity       | "NaN", "Infinity", "-Infinity"         | float                | float               |
| date, datetime, time                 | ISO 8601 text                          | date, datetime, time | the same            |
| timedelta                            | seconds, a number (**)                 | timedelta            | timedelta           |
| Decimal, UUID                        | text                                   | decimal, uuid        | the same            |
| Path                                 | text                                   | path                 | Path                |
| PurePosixPath, PureWindowsPath       | text                                   | posix-path, ...      | the same            |
| a key: str                           | itself                                 | -                    | str                 |
| a key: None, bool, int, float        | text, as `json` writes it              | -                    | str                 |
| a key: Enum member                   | its value, by the lines above          | -                    | str                 |
| anything else; what contains itself  | `WireError` names the place            |                      |                     |

(*) Arrays in a set arrive as tuples. A set that holds objects arrives as a list, because no set can hold a dict.

(**) To the microsecond up to 270 years, to the second beyond.

Where a value is printed or kept rather than sent (`plain`), bytes are base64 text, arrays lists, and tables lists of records.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Protocol

    from ._leaves import Leaves
    from ._projection import Projection

    Buffer = bytes | memoryview

    class Carrier(Protocol):
        """What large values travel by: memory that both ends share, or the stream itself."""

        news: object  # what the next message is to tell the other end of the memory

        def place(self, buffers: list[Buffer]) -> tuple[Sequence[object], list[Buffer]]:
            """Where each lies in the memory, or else its size; and those that are left to be sent as frames."""

    _encode: Callable[[object, int], Iterable[str]]
    _quote: Callable[[str], str]
    _quote_ascii: Callable[[str], str]
    _encode_ascii: Callable[[object, int], Iterable[str]]
    scan: Callable[[str, int], tuple[object, int]]

__all__ = [
    "BULK_BYTES",
    "SHARED_BYTES",
    "TooDeep",
    "TooLarge",
    "Unmade",
    "WireError",
    "encode",
    "has_bulk",
    "leaves_of",
    "pack",
    "path_text",
    "plain",
    "quoted",
    "restore",
    "scan",
    "unpack",
    "unsent",
]

_PAYLOADS = ("result", "params", "error")
_SPACE = " \t\r\n"
_PLUGIN_ERROR = -32000
#: What is as long as this had better travel beside the line than in it.
BULK_BYTES = 1 << 14
#: The size of the memory that it may travel through: two halves, each of which takes the largest message that there may be.
SHARED_BYTES = 1 << 31
_MOST_LOOKED_AT = 64  # values that one may hold before it costs more to look at them than to send them
_LEVELS = 3  # of a call's parameters: the arguments, an argument, and what it directly holds
_SCALARS = frozenset({type(None), bool, int, float})
_SAFE_RECURSION = 5000  # levels for which the C encoder has stack enough; a plugin may have allowed itself more
_MAX_DIGITS = 4300  # CPython's default limit (CVE-2020-10735): what one end writes, the other has to read
_MOST_STEPS = 20  # of a path that a message shows
_MOST_KEY = 40  # characters of a key that a message shows


class WireError(ValueError):
    """A value that has no wire form, or bytes that are no message.

    `path` leads to the value, from the payload's name on; `reason` is the message without the place.
    """

    def __init__(self, message: str, path: Iterable[object] = (), reason: str = "") -> None:
        super().__init__(message)
        self.path = list(path)
        self.reason = reason or message


class TooLarge(WireError):
    """A message of more bytes than the other end may send; `size` is what it has come to."""

    def __init__(self, size: int) -> None:
        super().__init__("a message of more than {} bytes".format(size))
        self.size = size


class TooDeep(WireError):
    """A line that is nested deeper than this Python reads; the other end's may read and write more."""


class Unmade(WireError):
    """A parameter that came whole and can't be made here; `number` is the request's. The stream is in order."""

    def __init__(self, message: str, path: Iterable[object], reason: str, number: object) -> None:
        super().__init__(message, path, reason)
        self.number = number


def path_text(path: Sequence[object]) -> str:
    """A path as people write it: `result.items[3]["a key"]`."""
    text = ""
    for step in path[:_MOST_STEPS]:
        if isinstance(step, str):
            text += "." + step if step.isidentifier() else '["' + step[:_MOST_KEY] + '"]'
        else:
            text += f"[{step}]"
    return (text + ("…" if len(path) > _MOST_STEPS else "")).lstrip(".") or "value"


def _refuse(value: object) -> object:
    raise TypeError(type(value).__name__)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


try:
    # Not an import statement, because the type stubs allow less than the module does.
    _json = __import__("_json")

    class _Strict:
        """What the C scanner asks of its decoder."""

        strict = True
        object_hook = object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = staticmethod(_refuse_constant)

    # The arguments of json.encoder.c_make_encoder. No dict of markers: a cycle then ends in RecursionError, and nesting
    # costs a third less.
    _encode = _json.make_encoder(None, _refuse, _json.encode_basestring, None, ":", ",", False, False, False)  # noqa: FBT003
    _encode_ascii = _json.make_encoder(None, _refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, False)  # noqa: FBT003
    _quote, _quote_ascii = _json.encode_basestring, _json.encode_basestring_ascii
    scan = _json.make_scanner(_Strict)
except (ImportError, AttributeError, TypeError):  # another Python than CPython, or one whose C half has changed
    import json

    def _encoder(*, ensure_ascii: bool) -> Callable[[object, int], Iterable[str]]:
        encoder = json.JSONEncoder(
            check_circular=False, allow_nan=False, ensure_ascii=ensure_ascii, separators=(",", ":"), default=_refuse
        )
        return lambda value, _level: encoder.iterencode(value)

    _encode, _encode_ascii = _encoder(ensure_ascii=False), _encoder(ensure_ascii=True)
    _quote, _quote_ascii = json.encoder.encode_basestring, json.encoder.encode_basestring_ascii
    scan = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode


_digits_limit = getattr(sys, "get_int_max_str_digits", lambda: _MAX_DIGITS)  # missing in the first releases of 3.8 to 3.11


def encode(value: object) -> str:
    """The JSON text of `value`; it may hold lone surrogates, for which UTF-8 has no form.

    Raises: Exception: JSON has no form for it, or this Python's limits are not the usual ones; `pack` has the rules then.
    """
    if sys.getrecursionlimit() > _SAFE_RECURSION or _digits_limit() != _MAX_DIGITS:
        raise ValueError("the limits of this Python are not the usual ones")
    return "".join(_encode(value, 0))


def quoted(text: str) -> str:
    """The JSON text of a text, as `encode` has it; of one in ASCII, which most are, in half the time."""
    return _quote_ascii(text) if text.isascii() else _quote(text)


def has_bulk(value: object) -> bool:
    """Whether `value`, or what it directly holds, is a text that had better travel beside the line."""
    if isinstance(value, str):
        return len(value) >= BULK_BYTES
    if not isinstance(value, (dict, list, tuple)) or len(value) > _MOST_LOOKED_AT:
        return False
    held = value.values() if isinstance(value, dict) else value
    return any(isinstance(each, str) and len(each) >= BULK_BYTES for each in held)


def pack(message: Mapping[str, object], carrier: Carrier | None = None) -> list[bytes]:
    """The buffers to write: the line, then the frames that `carrier` has no shared memory for.

    Raises: WireError: a value in the payload has no wire form.
    """
    payload = _payload(message)
    try:
        if payload and not _is_plain(message[payload], _LEVELS):
            leaves = leaves_of(message[payload], sys.maxsize if carrier is None else BULK_BYTES)
            if leaves.types:
                return _buffers({**message, payload: leaves.value}, leaves.types, leaves.buffers, carrier)
        if carrier is None or carrier.news is None:
            return [(encode(message) + "\n").encode()]
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001, S110 - whatever the fast way trips over, the slow way has the rule or the words for it
        pass
    return _pack_typed(message, payload, carrier)


def _is_plain(value: object, levels: int) -> bool:
    """Whether nothing that is better taken out of the line is seen in `value` at a glance."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if isinstance(value, str):
        return kind is str and len(value) < BULK_BYTES
    if not (isinstance(value, (dict, list, tuple)) and levels and len(value) <= _MOST_LOOKED_AT):
        return isinstance(value, (dict, list, tuple))
    return all(_is_plain(each, levels - 1) for each in (value.values() if isinstance(value, dict) else value))


def leaves_of(payload: object, longest: int = BULK_BYTES) -> Leaves:
    """What is taken out of a payload at a glance, texts of `longest` characters and more included."""
    from ._leaves import Leaves

    return Leaves(payload, longest, levels=_LEVELS, most_looked_at=_MOST_LOOKED_AT)


def _pack_typed(message: Mapping[str, object], payload: str, carrier: Carrier | None) -> list[bytes]:
    if not payload:
        return _buffers(message, {}, [], carrier)
    # People know a call's arguments by the names in `params`, and a result by the name `result`.
    projection = _projection([] if payload == "params" else [payload], longest=sys.maxsize if carrier is None else BULK_BYTES)
    projected = _projected(projection, message[payload])
    buffers = [buffer for kind in projection.types for buffer in projection.frames.get(kind, ())]
    return _buffers({**message, payload: projected}, projection.types, buffers, carrier)


def _buffers(
    message: Mapping[str, object],
    types: dict[str, list[list[object]]],
    buffers: list[Buffer],
    carrier: Carrier | None,
) -> list[bytes]:
    """The line of what is left of a message, and the buffers that belong to it, in the order of their types."""
    line = {**message, "types": types} if types else message
    try:
        try:
            data = "".join(_encode(line, 0)).encode()
        except UnicodeEncodeError:  # lone surrogates: JSON can escape them, UTF-8 has no form for them
            data = "".join(_encode_ascii(line, 0)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"the message has no JSON form: {error}") from None
    members = {}
    if carrier is not None:
        places, buffers = carrier.place(buffers)
        if carrier.news is not None:
            members["memory"], carrier.news = carrier.news, None
    else:
        places = [len(buffer) for buffer in buffers]
    if places or members:
        members["frames"] = places
        data = data[:-1] + b"," + "".join(_encode(members, 0)).encode()[1:]
    return [data + b"\n", *[buffer if isinstance(buffer, bytes) else bytes(buffer) for buffer in buffers]]


def plain(value: object) -> object:
    """`value` as JSON values alone, by the same rules, with bytes as base64 text.

    Raises: WireError: something in it has no wire form; its path starts with `value`.
    """
    return _projected(_projection(["value"], inline=True), value)


def _projection(root: list[object], *, inline: bool = False, longest: int = sys.maxsize) -> Projection:
    from ._projection import Projection

    return Projection(root, inline=inline, longest=longest)


def _projected(projection: Projection, value: object) -> object:
    from ._projection import NoWireForm

    try:
        return projection.of(value)
    except NoWireForm as error:
        raise WireError(f"`{path_text(error.path)}` {error.message}", error.path, error.message) from error.__cause__


def unpack(line: bytes | memoryview) -> dict[str, object]:
    """The message on a line; its typed values are projections still, see `restore`.

    Raises: WireError: the line is not one JSON object.
    """
    try:
        text = str(line, "utf-8").strip(_SPACE)
        message, end = scan(text, 0)
    except (StopIteration, SystemError):  # the scanner's way of saying so while nobody has imported `json.decoder`
        raise WireError("the line is not JSON") from None
    except RecursionError:
        raise TooDeep("it is nested too deeply") from None
    except ValueError as error:
        raise WireError(f"the line is not JSON: {error}") from None
    if end != len(text) or not isinstance(message, dict):
        raise WireError("the line is not one JSON object")
    return message


def restore(message: dict[str, object], frames: Sequence[Buffer]) -> None:
    """Put the typed values in place of their projections, and drop `types` and `frames` from the message.

    The frames are copied. A result that can't be made here becomes the error that it is to whoever asked.

    Raises: WireError: the table is none that `pack` makes; the message is then of no use. Unmade: a parameter can't be made here.
    """
    from ._restoration import Misplaced, NotMade, put_back

    payload = _payload(message)
    types = message.pop("types", {})
    message.pop("frames", None)
    try:
        put_back(message, payload, types, frames)
    except NotMade as error:
        text = f"`{path_text(error.path[payload == 'params' :])}` {error}"
        if payload != "result":
            raise Unmade(text, error.path, str(error), message.get("id")) from None
        del message["result"]
        message["error"] = unsent(text, "result")
    except Misplaced as error:
        raise WireError(f"`{path_text(error.path)}` {error}" if error.path else str(error), error.path) from None


def unsent(text: str, stage: str) -> dict[str, object]:
    """The error object for a value that can't travel. What that is called in Python says nothing; its text names the place."""
    about: dict[str, object] = {
        "type": "plughost.WireError",
        "builtin": None,
        "message": text,
        "stage": stage,
        "traceback": "",
        "causes": [],
    }
    return {"code": _PLUGIN_ERROR, "message": text, "data": about}


def _payload(message: Mapping[str, object]) -> str:
    return next((name for name in _PAYLOADS if name in message), "")
