"""The typed values of a message, put in place of their projections. The rules are the table in `wire`.

Above it: `wire`, and the conversion of arguments, which knows the same texts; below it: the rules for arrays and tables. A
message may come from a hostile plugin: nothing is made but the types listed here, whatever it says, and each fault in it is a
`Misplaced`.
"""

from __future__ import annotations

from . import _arrays

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime as dt
    import decimal
    import pathlib
    import uuid
    from collections.abc import Callable, Sequence

    from ._arrays import Buffer

__all__ = ["Misplaced", "NotMade", "make", "put_back"]

_ARROW = {
    "arrow-array": "pyarrow.Array",
    "arrow-batch": "pyarrow.RecordBatch",
    "arrow-chunks": "pyarrow.ChunkedArray",
    "arrow-table": "pyarrow.Table",
}
_PANDAS = {"frame": "pandas.DataFrame", "index": "pandas.Index", "series": "pandas.Series"}
#: Types that need a library, as people call them.
_OF_LIBRARIES = {"ndarray": "numpy.ndarray", "objects": "numpy.ndarray", **_ARROW, **_PANDAS}
_MAX_COLLISIONS = 1000
_MICROSECOND_DIGITS = 6


class Misplaced(Exception):
    """A table of types that doesn't describe its payload; `path` leads to the first place where it is wrong."""

    def __init__(self, message: str, path: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.path = list(path)


class NotMade(Misplaced):
    """A value that this end can't make, for want of its library, or of a version of it that could."""


def put_back(message: dict[str, object], payload: str, types: object, frames: Sequence[Buffer]) -> None:
    """Replace the projections in `message[payload]` at the paths in `types`.

    Raises: Misplaced: `types` and `frames` don't describe this payload. NotMade: they may, and a value can't be made of them.
    """
    for path, kind, frame in _entries(types, frames):
        try:
            _replace(message, [payload, *path], kind, frame)
        except _arrays.NoLibrary as error:
            raise NotMade(str(error), [payload, *path]) from None
        except Exception as error:  # noqa: BLE001 - each type has errors of its own for what is none of it
            if kind in _OF_LIBRARIES:
                raise NotMade(f"is a `{_OF_LIBRARIES[kind]}` that can't be made here: {error}", [payload, *path]) from None
            raise Misplaced(f"is no `{kind}`", [payload, *path]) from None


def make(kind: str, value: object) -> object:
    """The value whose projection as `kind` is `value`.

    Raises: Exception: it is no such projection.
    """
    return _RULES[kind](value)


def _entries(types: object, frames: Sequence[Buffer]) -> list[tuple[list[object], str, Buffer]]:
    """Path, type and frame of each typed value, the innermost first: what is in a set comes before the set."""
    entries = []
    left = list(reversed(frames))
    if not isinstance(types, dict):
        raise Misplaced("`types` is not a table of paths")
    for kind, paths in types.items():
        has_frame = kind in _arrays.MADE or kind in _ARROW
        if not has_frame and kind not in _RULES and kind not in _OF_LIBRARIES:
            raise Misplaced(f"there is no type `{kind}`")
        for path in paths if isinstance(paths, list) else [None]:
            if not isinstance(path, list) or (has_frame and not left):
                raise Misplaced(f"`types.{kind}` is not a list of paths, one for each frame")
            entries.append((path, kind, left.pop() if has_frame else b""))
    if left:
        raise Misplaced("there are more frames than paths")
    if len(entries) > 1:
        entries.sort(key=lambda entry: len(entry[0]), reverse=True)
    return entries


def _made(kind: str, projected: object, frame: Buffer) -> object:
    if kind in _arrays.MADE:
        return _arrays.MADE[kind](projected, frame)
    if kind in _RULES:
        return _RULES[kind](projected)
    if kind in _ARROW:
        from . import _arrow

        return _arrow.MADE[kind](frame)
    from . import _frames

    if not isinstance(projected, dict):
        raise TypeError
    return _frames.MADE[kind](projected)


def _replace(message: dict[str, object], path: list[object], kind: str, frame: Buffer) -> None:
    container: object = None
    found: object = message
    for step in path:
        container = found
        found = _entered(container, step)
    value = _made(kind, found, frame)
    step = path[-1]
    if isinstance(container, dict):
        container[step] = value
    if isinstance(container, list) and isinstance(step, int):
        container[step] = value


def _entered(container: object, step: object) -> object:
    if isinstance(container, dict) and isinstance(step, str):
        return container[step]
    if isinstance(container, list) and isinstance(step, int) and not isinstance(step, bool) and step >= 0:
        return container[step]
    raise LookupError


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def _iso(value: object) -> str:
    """ISO 8601 text for any Python: before 3.11 `fromisoformat` takes no `Z`, and 3 or 6 digits of a second alone."""
    text = _text(value)
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    head, point, rest = text.partition(".")
    if not point:
        return text
    zone = rest.lstrip("0123456789")
    digits = rest[: len(rest) - len(zone)]
    return head + "." + digits[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0") + zone


def _date(value: object) -> dt.date:
    import datetime as dt

    return dt.date.fromisoformat(_text(value))


def _datetime(value: object) -> dt.datetime:
    import datetime as dt

    return dt.datetime.fromisoformat(_iso(value))


def _time(value: object) -> dt.time:
    import datetime as dt

    return dt.time.fromisoformat(_iso(value))


def _timedelta(value: object) -> dt.timedelta:
    import datetime as dt

    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return dt.timedelta(seconds=value)
    raise TypeError


def _decimal(value: object) -> decimal.Decimal:
    import decimal

    return decimal.Decimal(_text(value))


def _uuid(value: object) -> uuid.UUID:
    import uuid

    return uuid.UUID(_text(value))


def _path(value: object) -> pathlib.Path:
    import pathlib

    return pathlib.Path(_text(value))


def _posix_path(value: object) -> pathlib.PurePosixPath:
    import pathlib

    return pathlib.PurePosixPath(_text(value))


def _windows_path(value: object) -> pathlib.PureWindowsPath:
    import pathlib

    return pathlib.PureWindowsPath(_text(value))


def _complex(value: object) -> complex:
    return complex(_text(value))


def _float(value: object) -> float:
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(_text(value))
    raise ValueError


def _set(value: object) -> set[object]:
    return set(_members(value))


def _frozenset(value: object) -> frozenset[object]:
    return frozenset(_members(value))


def _members(value: object) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise TypeError
    members = _tuple(value)
    # Numbers chosen to have one hash make a set take a time that is the square of its size: a hang of the host.
    if len(members) - len({hash(member) for member in members}) > _MAX_COLLISIONS:
        raise ValueError
    return members


def _tuple(items: list[object]) -> tuple[object, ...]:
    return tuple(_tuple(item) if isinstance(item, list) else item for item in items)


_RULES: dict[str, Callable[[object], object]] = {
    "complex": _complex,
    "date": _date,
    "datetime": _datetime,
    "decimal": _decimal,
    "float": _float,
    "frozenset": _frozenset,
    "objects": _arrays.objects_made,
    "path": _path,
    "posix-path": _posix_path,
    "set": _set,
    "time": _time,
    "timedelta": _timedelta,
    "uuid": _uuid,
    "windows-path": _windows_path,
}
