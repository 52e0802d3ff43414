"""The plain projection of a payload, and what must be told beside it. The rules are the table in `wire`.

Above it: `wire`, which sends the result; below it: the rules for arrays and tables. It imports no module for the sake of a
type: of a class whose module nobody has imported, there is no instance to meet.
"""

from __future__ import annotations

import sys

from . import _arrays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from _typeshed import SupportsRichComparison

    from ._arrays import Buffer

__all__ = ["NoWireForm", "Projection"]

_MAX_DEPTH = 1000  # about what CPython's JSON reads and writes; a plugin may have raised the interpreter's own limit
_MAX_DIGITS = 4300  # CPython's default limit (CVE-2020-10735): what one end writes, the other has to read
_DIGITS_THRESHOLD = 640  # the lowest limit that an interpreter can be given
_EXACT_S = 1 << 33  # 270 years; a float of more seconds has no room for microseconds, and timedelta.max would be rounded up

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

#: Module, class, its type on the wire, and the class's method that projects. The first that fits counts.
_RULES = (
    ("datetime", "datetime", "datetime", "isoformat"),
    ("datetime", "date", "date", "isoformat"),
    ("datetime", "time", "time", "isoformat"),
    ("datetime", "timedelta", "timedelta", "total_seconds"),
    ("decimal", "Decimal", "decimal", "__str__"),
    ("uuid", "UUID", "uuid", "__str__"),
    ("pathlib", "Path", "path", "__str__"),
    ("pathlib", "PurePosixPath", "posix-path", "__str__"),
    ("pathlib", "PureWindowsPath", "windows-path", "__str__"),
    ("builtins", "complex", "complex", "__repr__"),
)


class NoWireForm(Exception):
    """A value that can't travel: where it is, and what is said of it."""

    def __init__(self, path: list[object], message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class Projection:
    """One walk over a payload. `root` is what the paths in its errors start with; `inline` bytes become text, and arrays lists.

    Texts of `longest` characters or more travel as bytes, too.
    """

    __slots__ = ("_inline", "_longest", "_open", "_path", "_root", "frames", "types")

    def __init__(self, root: list[object], *, inline: bool = False, longest: int = sys.maxsize) -> None:
        self.frames: dict[str, list[Buffer]] = {}
        self.types: dict[str, list[list[object]]] = {}
        self._inline = inline
        self._longest = longest
        self._root = root
        self._path: list[object] = []
        self._open: set[int] = set()  # the containers that we are inside of

    def of(self, payload: object) -> object:
        """The projection of all of `payload`.

        Raises: NoWireForm: something in it can't travel.
        """
        try:
            return self._of(payload)
        except (NoWireForm, MemoryError):
            raise
        except RecursionError:
            raise self._error("is nested too deeply") from None
        except Exception as error:  # a property or an `items` of the plugin's own
            raise self._error(f"can't be read: {type(error).__name__}: {error}") from error

    def _of(self, value: object) -> object:  # noqa: PLR0911 - one line a rule
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return self._float(value)
        if isinstance(value, dict):
            return self._object(value, value.items())
        if isinstance(value, (list, tuple)):
            return self._array(value)
        if isinstance(value, (set, frozenset)):
            return self._set(value)
        leaf = _arrays.leaf_of(value)
        return self._other(value) if leaf is None else self._leaf(value, *leaf)

    def _text(self, value: str) -> object:
        if len(value) >= self._longest:
            try:
                return self._leaf(value, "str", None, value.encode())
            except UnicodeEncodeError:  # lone surrogates, which JSON can escape
                pass
        return value

    def _integer(self, value: int) -> int:
        if int.bit_length(value) > _DIGITS_THRESHOLD * 3:  # ten takes a little more than three bits
            own = getattr(sys, "get_int_max_str_digits", int)()
            most = min(own or _MAX_DIGITS, _MAX_DIGITS)
            if int.__abs__(value) >= 10**most:
                raise self._error(f"is an integer of more than {most} digits, which has no wire form")
        return int.__int__(value)

    def _float(self, value: float) -> object:
        text = _NOT_FINITE.get(float.__repr__(value))
        if text is None:
            return float.__float__(value)
        self._note("float")
        return text

    def _leaf(self, value: object, kind: str, projected: object, buffer: Buffer) -> object:
        if self._inline:
            if kind not in {"bytes", "bytearray"}:
                return self._of(_arrays.items_of(value))
            from binascii import b2a_base64

            return b2a_base64(buffer, newline=False).decode()
        self._note(kind)
        self.frames.setdefault(kind, []).append(buffer)
        return projected

    def _array(self, container: Iterable[object]) -> list[object]:
        self._enter(container)
        projected = []
        for index, item in enumerate(container):
            self._path.append(index)
            projected.append(self._of(item))
            self._path.pop()
        self._leave(container)
        return projected

    def _set(self, value: AbstractSet[SupportsRichComparison]) -> list[object]:
        projected = self._array(_sorted(value))
        if not _holds_object(projected):
            self._note("frozenset" if isinstance(value, frozenset) else "set")
        return projected

    def _object(self, container: object, items: Iterable[tuple[object, object]]) -> dict[str, object]:
        self._enter(container)
        projected = {}
        for key, item in items:
            name = self._key(key)
            self._path.append(name)
            projected[name] = self._of(item)
            self._path.pop()
        self._leave(container)
        return projected

    def _other(self, value: object) -> object:
        enum = sys.modules.get("enum")
        if enum is not None and isinstance(value, enum.Enum):
            return self._of(value.value)
        for module, name, kind, method in _RULES:
            base = getattr(sys.modules.get(module), name, None)
            # pandas.NaT is an instance of datetime, and is none.
            if base is not None and isinstance(value, base) and type(value).__name__ != "NaTType":
                self._note(kind)
                projected = getattr(base, method)(value)
                return value // base(seconds=1) if kind == "timedelta" and abs(projected) > _EXACT_S else projected
        if "numpy" in sys.modules or "pyarrow" in sys.modules:
            found = self._of_library(value)
            if found is not None:
                return found[0]
        names = _field_names(value)
        if names is None:
            raise self._error(f"is a `{_type_name(value)}`, which has no wire form")
        return self._object(value, ((name, getattr(value, name)) for name in names))

    def _of_library(self, value: object) -> tuple[object] | None:
        """The projection of a value of numpy's, pandas' or pyarrow's, in a tuple of one; None of anything else."""
        from . import _arrow, _frames

        plainly = self._inline or _arrays.MANNER.plainly
        simple = _arrays.scalar_of(value) or _arrow.plain_of(value, scalars_only=not plainly)
        if simple is None and plainly:
            simple = _frames.plain_of(value)
        if simple is not None:
            return (self._of(simple[0]),)
        leaf = _arrow.leaf_of(value)
        if leaf is not None:
            return (self._leaf(value, *leaf),)
        objects = _arrays.objects_in(value)
        if plainly and objects is None and _arrays.is_array(value):
            return (self._of(_arrays.items_of(value)),)
        try:
            parts = _frames.parts_of(value) if objects is None else ("objects", objects)
        except _frames.NoForm as error:
            raise self._error(str(error)) from None
        if parts is None:
            return None
        if plainly:
            return (self._of(parts[1]["items"]),)
        self._note(parts[0])
        return (self._object(value, parts[1].items()),)

    def _key(self, key: object) -> str:
        if isinstance(key, str):
            return str.__str__(key)
        if key is None or isinstance(key, bool):
            return "null" if key is None else "true" if key else "false"
        if isinstance(key, int):
            return int.__repr__(self._integer(key))
        if isinstance(key, float):
            text = float.__repr__(key)
            return _NOT_FINITE.get(text, text)
        enum = sys.modules.get("enum")
        if enum is not None and isinstance(key, enum.Enum):
            return self._key(key.value)
        scalar = _arrays.scalar_of(key)
        if scalar is not None:
            return self._key(scalar[0])
        raise self._error(f"has a key of type `{_type_name(key)}`, which has no wire form")

    def _enter(self, container: object) -> None:
        if id(container) in self._open:
            raise self._error("contains itself")
        if len(self._path) >= _MAX_DEPTH:
            raise RecursionError
        self._open.add(id(container))

    def _leave(self, container: object) -> None:
        self._open.discard(id(container))

    def _note(self, kind: str) -> None:
        if not self._inline:
            self.types.setdefault(kind, []).append(self._path.copy())

    def _error(self, message: str) -> NoWireForm:
        return NoWireForm(self._root + self._path, message)


def _sorted(items: AbstractSet[SupportsRichComparison]) -> list[SupportsRichComparison]:
    unsorted = list(items)
    try:
        return sorted(unsorted)
    except Exception:  # noqa: BLE001 - there is no order among them, and any order will do
        return unsorted


def _holds_object(items: list[object]) -> bool:
    return any(isinstance(item, dict) or (isinstance(item, list) and _holds_object(item)) for item in items)


def _field_names(value: object) -> list[str] | None:
    """The fields of a dataclass, a msgspec Struct or a pydantic model; None of anything else."""
    kind = type(value)
    if hasattr(kind, "__dataclass_fields__"):
        return [field.name for field in sys.modules["dataclasses"].fields(kind)]
    for attribute in ("__struct_fields__", "model_fields", "__fields__"):
        names = getattr(kind, attribute, None)
        if isinstance(names, (tuple, dict)):
            return list(names)
    return None


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
