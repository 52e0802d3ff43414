"""How a message and the values in it travel. Both ends of the pipe import this file, so that the rules can't drift.

Above it: the framing, the runner's loop, the host; below it: the C half of the `json` module. It knows nothing of methods, tools
and processes. It is on the way of every call: it imports next to nothing, and a plain message costs what its JSON costs. What
other values need (`_projection`, `_restoration`) is imported when the first of them is met.

A message is one line of UTF-8 JSON, an object, and then the raw frames that it announces. Its payload is `result`, `params` or
`error`. A payload with values that JSON has not is sent as its *plain projection*, which anybody can read, and beside it stand

    "types":  {type: [path, ...]}   which places hold a projection of which type; a path is a list of keys and indices
    "frames": [size, ...]           the bytes that follow the line, in the order of the paths under the type `bytes`

| Python value                         | in the JSON                            | type                 | arrives as          |
|--------------------------------------|----------------------------------------|----------------------|---------------------|
| None, bool, str, float, int          | itself (an int of up to 4300 digits)   | -                    | itself              |
| list, dict                           | array, object                          | -                    | list, dict          |
| a subclass of any of these           | as its base                            | -                    | the base            |
| tuple, namedtuple                    | array                                  | -                    | list                |
| dataclass, pydantic model, Struct    | object of its fields                   | -                    | dict                |
| Enum member                          | its value                              | -                    | the value           |
| set, frozenset                       | array, sorted if the items can be      | set, frozenset       | the same (*)        |
| bytes, bytearray, memoryview         | null, and a frame                      | bytes                | bytes               |
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

Where a value is printed or kept rather than sent (`plain`), bytes are base64 text.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    _encode: Callable[[object, int], Iterable[str]]
    _encode_ascii: Callable[[object, int], Iterable[str]]
    scan: Callable[[str, int], tuple[object, int]]

__all__ = ["BULK_BYTES", "TooDeep", "WireError", "encode", "has_bulk", "pack", "path_text", "plain", "restore", "scan", "unpack"]

_PAYLOADS = ("result", "params", "error")
_SPACE = " \t\r\n"
#: What is as long as this had better travel beside the line than in it.
BULK_BYTES = 1 << 14
_MOST_LOOKED_AT = 64  # values that one may hold before it costs more to look at them than to send them
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


class TooDeep(WireError):
    """A line that is nested deeper than this Python reads; the other end's may read and write more."""


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
    scan = _json.make_scanner(_Strict)
except (ImportError, AttributeError, TypeError):  # another Python than CPython, or one whose C half has changed
    import json

    def _encoder(*, ensure_ascii: bool) -> Callable[[object, int], Iterable[str]]:
        encoder = json.JSONEncoder(
            check_circular=False, allow_nan=False, ensure_ascii=ensure_ascii, separators=(",", ":"), default=_refuse
        )
        return lambda value, _level: encoder.iterencode(value)

    _encode, _encode_ascii = _encoder(ensure_ascii=False), _encoder(ensure_ascii=True)
    scan = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode


_digits_limit = getattr(sys, "get_int_max_str_digits", lambda: _MAX_DIGITS)  # missing in the first releases of 3.8 to 3.11


def encode(value: object) -> str:
    """The JSON text of `value`; it may hold lone surrogates, for which UTF-8 has no form.

    Raises: Exception: JSON has no form for it, or this Python's limits are not the usual ones; `pack` has the rules then.
    """
    if sys.getrecursionlimit() > _SAFE_RECURSION or _digits_limit() != _MAX_DIGITS:
        raise ValueError("the limits of this Python are not the usual ones")
    return "".join(_encode(value, 0))


def has_bulk(value: object) -> bool:
    """Whether `value`, or what it directly holds, is a text that had better travel beside the line."""
    if isinstance(value, str):
        return len(value) >= BULK_BYTES
    if not isinstance(value, (dict, list, tuple)) or len(value) > _MOST_LOOKED_AT:
        return False
    return any(isinstance(each, str) and len(each) >= BULK_BYTES for each in (value.values() if isinstance(value, dict) else value))


def pack(message: Mapping[str, object]) -> list[bytes]:
    """The buffers to write: the line, then the frames.

    Raises: WireError: a value in the payload has no wire form.
    """
    try:
        return [(encode(message) + "\n").encode()]
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001, S110 - whatever the fast way trips over, the slow way has the rule or the words for it
        pass
    return _pack_typed(message)


def _pack_typed(message: Mapping[str, object]) -> list[bytes]:
    payload = _payload(message)
    line = {**message}
    frames: list[bytes] = []
    if payload:
        # People know a call's arguments by the names in `params`, and a result by the name `result`.
        line[payload], types, frames = _projected(message[payload], [] if payload == "params" else [payload])
        if types:
            line["types"] = types
        if frames:
            line["frames"] = [len(frame) for frame in frames]
    try:
        try:
            data = "".join(_encode(line, 0)).encode()
        except UnicodeEncodeError:  # lone surrogates: JSON can escape them, UTF-8 has no form for them
            data = "".join(_encode_ascii(line, 0)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"the message has no JSON form: {error}") from None
    return [data + b"\n", *frames]


def plain(value: object) -> object:
    """`value` as JSON values alone, by the same rules, with bytes as base64 text.

    Raises: WireError: something in it has no wire form; its path starts with `value`.
    """
    return _projected(value, ["value"], inline=True)[0]


def _projected(
    value: object, root: list[object], *, inline: bool = False
) -> tuple[object, dict[str, list[list[object]]], list[bytes]]:
    """The projection of `value`, its types and its frames."""
    from ._projection import NoWireForm, Projection

    projection = Projection(root, inline=inline)
    try:
        return projection.of(value), projection.types, projection.frames
    except NoWireForm as error:
        raise WireError(f"`{path_text(error.path)}` {error.message}", error.path, error.message) from error.__cause__


def unpack(line: bytes) -> dict[str, object]:
    """The message on a line; its typed values are projections still, see `restore`.

    Raises: WireError: the line is not one JSON object.
    """
    try:
        text = line.decode().strip(_SPACE)
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


def restore(message: dict[str, object], frames: Sequence[bytes]) -> None:
    """Put the typed values in place of their projections, and drop `types` and `frames` from the message.

    Raises: WireError: the table is none that `pack` makes; the message is then of no use.
    """
    from ._restoration import Misplaced, put_back

    try:
        put_back(message, _payload(message), message.pop("types", {}), frames)
    except Misplaced as error:
        raise WireError(f"`{path_text(error.path)}` {error}" if error.path else str(error), error.path) from None
    message.pop("frames", None)


def _payload(message: Mapping[str, object]) -> str:
    return next((name for name in _PAYLOADS if name in message), "")
