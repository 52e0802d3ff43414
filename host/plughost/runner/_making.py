"""A value as an annotation asks for it, with all that is inside it.

Above it: `_convert`; below it: what annotations mean, and the values without parts. What needs no change is given back as the
object that it is, containers included; that is also how a union knows its member.
"""

from __future__ import annotations

import collections
import inspect
import operator
import sys

from . import _annotations, _columns, _scalars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._annotations import Meaning

    Path = tuple[object, ...]

__all__ = ["Misfit", "is_made", "make"]

_MOST_SHOWN = 80  # characters of a value that a message shows


class Misfit(Exception):
    """A value that doesn't fit its annotation: where, and why not."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def make(annotation: object, value: object, path: Path = ()) -> object:
    """`value`, which stands at `path` in the argument, as the annotated type.

    Raises: Misfit: it can't be that.
    """
    meaning = _annotations.Meaning(annotation)
    try:
        if meaning.kind in _scalars.MAKERS:
            return _scalars.MAKERS[meaning.kind](meaning, value)
        if meaning.kind in _MAKERS:
            return _MAKERS[meaning.kind](meaning, value, path)
        if meaning.kind in _columns.MAKERS:
            return value if isinstance(value, meaning.type) else _columns.MAKERS[meaning.kind](meaning, value)
    except Misfit:
        raise
    except _scalars.Unlisted as error:
        raise _misfit(value, path, str(error)) from None
    except Exception as error:  # each type has errors of its own, and so has each class of the plugin's
        if meaning.kind in _scalars.EXPECTED:
            raise _misfit(value, path, _scalars.EXPECTED[meaning.kind]) from None
        raise Misfit(path, f"can't be made a `{meaning.type.__name__}`: {type(error).__name__}: {error}") from error
    return value


def is_made(kind: type) -> bool:
    """Whether an annotation with this class wants one of its own, rather than any list or dict."""
    return kind not in {list, dict} and not inspect.isabstract(kind)


def _misfit(value: object, path: Path, expected: str) -> Misfit:
    shown = repr(value)
    shown = shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + "…"
    return Misfit(path, f"is {shown}, and should be {expected}")


def _union(meaning: Meaning, value: object, path: Path) -> object:
    """The member that takes the value as it is, else the first that it can be made."""
    made: list[object] = []
    misfits: list[Misfit] = []
    for member in meaning.inside:
        try:
            made.append(make(member, value, path))
        except Misfit as misfit:
            misfits.append(misfit)
    if made:
        return value if any(option is value for option in made) else made[0]
    raise max(misfits, key=lambda misfit: len(misfit.path))  # the member that went furthest is the one that was meant


# Containers.


def _list(meaning: Meaning, value: object, path: Path) -> object:
    given = _items(value)
    items = [make(item, part, (*path, index)) for item in meaning.inside[:1] for index, part in enumerate(given)] or given
    if isinstance(value, meaning.type) and _same(items, given):
        return value
    return meaning.type(items) if is_made(meaning.type) else items


def _set(meaning: Meaning, value: object, path: Path) -> object:
    given = _items(value)
    items = [make(item, part, (*path, index)) for item in meaning.inside[:1] for index, part in enumerate(given)] or given
    if isinstance(value, meaning.type) and _same(items, given):
        return value
    return frozenset(items) if issubclass(frozenset, meaning.type) else set(items)


def _tuple(meaning: Meaning, value: object, path: Path) -> object:
    given = _items(value)
    inside: list[object] = [] if meaning.inside == ((),) else list(meaning.inside)
    if not meaning.inside:
        inside = [object] * len(given)
    elif inside and inside[-1] is Ellipsis:
        inside = inside[:1] * len(given)
    if len(inside) != len(given):
        raise _misfit(value, path, f"an array of {len(inside)} items")
    made = tuple(make(inside[index], part, (*path, index)) for index, part in enumerate(given))
    return value if isinstance(value, tuple) and _same(made, given) else made


def _mapping(meaning: Meaning, value: object, path: Path) -> object:
    if not isinstance(value, dict):
        raise TypeError
    made = value
    if len(meaning.inside) > 1:
        keys, items = meaning.inside[0], meaning.inside[1]
        made = {_key(keys, key, (*path, key)): make(items, part, (*path, key)) for key, part in value.items()}
        if _same(made, value) and _same(made.values(), value.values()):
            made = value
    if isinstance(made, meaning.type) or not is_made(meaning.type):
        return made
    if meaning.type is collections.defaultdict:  # the type of its values is the best that is known of its factory
        return collections.defaultdict(_annotations.Meaning(meaning.inside[-1]).type if meaning.inside else None, made)
    return meaning.type(made)


def _key(annotation: object, key: object, path: Path) -> object:
    """A key, which is always text in JSON."""
    meaning = _annotations.Meaning(annotation)
    kind = meaning.kind
    if kind == "union":
        return _first_of(lambda member: _key(member, key, path), meaning.inside)
    words = _scalars.keys(meaning) if kind == "enum" else _KEYS.get(kind, {})
    if key in words:
        return words[key]
    if isinstance(key, str) and kind in {"integer", "number"}:
        try:
            return int(key) if kind == "integer" else float(key)
        except ValueError:
            raise _misfit(key, path, _scalars.EXPECTED[kind]) from None
    return make(annotation, key, path)


_KEYS: dict[str, dict[object, object]] = {"boolean": {"true": True, "false": False}, "none": {"null": None}}


def _first_of(make_one: Callable[[object], object], members: Iterable[object]) -> object:
    """Of the first member that can be made."""
    misfits: list[Misfit] = []
    for member in members:
        try:
            return make_one(member)
        except Misfit as misfit:
            misfits.append(misfit)
    raise misfits[0]


def _items(value: object) -> list[object]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    tolist: Callable[[], object] | None = getattr(value, "tolist", None)  # of arrays, also numpy's
    items = tolist() if tolist is not None else None
    return items if isinstance(items, list) else _refuse()


def _refuse() -> list[object]:
    raise TypeError


def _same(made: Iterable[object], given: Iterable[object]) -> bool:
    return all(map(operator.is_, made, given))


# Classes with named fields.


def _record(meaning: Meaning, value: object, path: Path) -> dict[str, object]:
    """The fields of an object, each made; what is absent stays the class's own affair."""
    if not isinstance(value, dict):
        raise _misfit(value, path, "an object")
    fields = {field.name: field for field in _annotations.fields(meaning.type, meaning.inside)}
    for field in fields.values():
        if field.required and field.name not in value:
            raise Misfit(path, f"lacks `{field.name}`")
    made: dict[str, object] = {}
    for name, part in value.items():
        if name in fields:
            field = fields[name]
            made[name] = part if part is None and field.default is None else make(field.annotation, part, (*path, name))
        elif meaning.kind == "typeddict":
            made[name] = part
        else:
            raise Misfit(path, f"has no field `{name}`")
    return made


def _dataclass(meaning: Meaning, value: object, path: Path) -> object:
    return value if isinstance(value, meaning.type) else meaning.type(**_record(meaning, value, path))


def _typeddict(meaning: Meaning, value: object, path: Path) -> object:
    made = _record(meaning, value, path)
    return value if isinstance(value, dict) and _same(made.values(), value.values()) else made


def _namedtuple(meaning: Meaning, value: object, path: Path) -> object:
    if isinstance(value, meaning.type):
        return value
    if isinstance(value, (list, tuple)):
        names = [field.name for field in _annotations.fields(meaning.type)]
        if len(value) > len(names):
            raise _misfit(value, path, f"an array of {len(names)} items")
        value = {names[index]: part for index, part in enumerate(value)}
    return meaning.type(**_record(meaning, value, path))


def _pydantic(meaning: Meaning, value: object, _path: Path) -> object:
    validate: Callable[[object], object] | None = getattr(meaning.type, "model_validate", None)
    validate = validate or getattr(meaning.type, "parse_obj", None)  # pydantic 1
    return validate(value) if validate is not None else value


def _msgspec(meaning: Meaning, value: object, _path: Path) -> object:
    made: object = sys.modules["msgspec"].convert(value, type=meaning.type)
    return made


_MAKERS: dict[str, Callable[[Meaning, object, Path], object]] = {
    "dataclass": _dataclass,
    "list": _list,
    "mapping": _mapping,
    "msgspec": _msgspec,
    "namedtuple": _namedtuple,
    "pydantic": _pydantic,
    "set": _set,
    "tuple": _tuple,
    "typeddict": _typeddict,
    "union": _union,
}
