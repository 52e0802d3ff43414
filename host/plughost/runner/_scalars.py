"""Values without parts, each as its annotation asks for it: text as a date, a number as a Decimal, a name as an enum's member.

Above it: `_making`, which adds the containers; below it: the texts of the wire. A value that has its type already is given back
as the object that it is. A value that doesn't fit raises whatever its type raises; `_making` has the words for that.
"""

from __future__ import annotations

import base64
import os
import pathlib

from . import _restoration
from .wire import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._annotations import Meaning

__all__ = ["EXPECTED", "MAKERS", "Unlisted", "keys"]

#: What each kind of value may be, in the words of an error message.
EXPECTED = {
    "boolean": "true or false",
    "bytes": "bytes, or base64 text",
    "date": "a date such as 2024-02-29",
    "datetime": "a date and time such as 2024-02-29T12:30:00+01:00",
    "decimal": "a decimal number",
    "integer": "an integer",
    "list": "an array",
    "mapping": "an object",
    "none": "null",
    "number": "a number",
    "path": "a path",
    "set": "an array of different items",
    "text": "text",
    "time": "a time such as 12:30:00",
    "timedelta": "a number of seconds",
    "tuple": "an array",
    "uuid": "a UUID",
}


class Unlisted(ValueError):
    """A value that is none of those that an enum or a literal lists."""

    def __init__(self, allowed: Iterable[object]) -> None:
        super().__init__("one of " + ", ".join(map(repr, allowed)))


def _none(_meaning: Meaning, value: object) -> object:
    return value if value is None else _refuse()


def _boolean(_meaning: Meaning, value: object) -> object:
    return value if isinstance(value, bool) else _refuse()


def _text(_meaning: Meaning, value: object) -> object:
    return value if isinstance(value, str) else _refuse()


def _integer(_meaning: Meaning, value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # 3.0 is an integer to JSON Schema.
    return int(value) if isinstance(value, float) and value.is_integer() else _refuse()


def _number(_meaning: Meaning, value: object) -> object:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _restoration.make("float", value)


def _bytes(meaning: Meaning, value: object) -> object:
    data = base64.b64decode(value, validate=True) if isinstance(value, str) else value
    if isinstance(data, meaning.type):
        return data
    return meaning.type(data) if isinstance(data, (bytes, bytearray, memoryview)) else _refuse()


def _by_text(meaning: Meaning, value: object) -> object:
    return value if isinstance(value, meaning.type) else _restoration.make(meaning.kind, value)


def _decimal(meaning: Meaning, value: object) -> object:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return _by_text(meaning, repr(value) if number else value)


def _path(meaning: Meaning, value: object) -> object:
    kind = pathlib.Path if meaning.type is os.PathLike else meaning.type
    if isinstance(value, kind):
        return value
    return kind(value) if isinstance(value, (str, pathlib.PurePath)) else _refuse()


def _enum(meaning: Meaning, value: object) -> object:
    """By value: as Python compares them, then as JSON shows them; then by name."""
    if isinstance(value, meaning.type):
        return value
    members = getattr(meaning.type, "__members__", {})
    try:
        return meaning.type(value)
    except Exception:  # noqa: BLE001, S110 - an enum may look its values up in its own way
        pass
    for member in members.values():
        if _looks_like(member.value, value):
            return member
    if isinstance(value, str) and value in members:
        return members[value]
    raise Unlisted(member.value for member in members.values())


def keys(meaning: Meaning) -> dict[object, object]:
    """An enum's members by what they are as the keys of an object."""
    found: dict[object, object] = {}
    for member in getattr(meaning.type, "__members__", {}).values():
        try:
            shown = plain({member: None})
        except ValueError:  # such a member is no key
            continue
        found.update((key, member) for key in (shown if isinstance(shown, dict) else ()))
    return found


def _literal(meaning: Meaning, value: object) -> object:
    for option in meaning.inside:
        if type(option) is type(value) and option == value:
            return value
    for option in meaning.inside:
        if _looks_like(option, value):
            return option
    raise Unlisted(meaning.inside)


def _looks_like(option: object, value: object) -> bool:
    try:
        shown = plain(option)
    except ValueError:  # no JSON value can mean it
        return False
    return type(shown) is type(value) and shown == value


def _refuse() -> object:
    raise TypeError


MAKERS: dict[str, Callable[[Meaning, object], object]] = {
    "boolean": _boolean,
    "bytes": _bytes,
    "date": _by_text,
    "datetime": _by_text,
    "decimal": _decimal,
    "enum": _enum,
    "integer": _integer,
    "literal": _literal,
    "none": _none,
    "number": _number,
    "path": _path,
    "text": _text,
    "time": _by_text,
    "timedelta": _by_text,
    "uuid": _by_text,
}
