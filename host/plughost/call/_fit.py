"""Arguments that plainly fit a tool, told in as few steps as can be: what `check` has to look at only where this can't tell.

Above it: whoever calls a tool again and again; below it: the tool's schema alone, read once.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Fit"]

#: Keywords that say nothing about what is valid.
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "contentEncoding"})
_SCALARS: dict[str, frozenset[type]] = {
    "string": frozenset((str,)),
    "integer": frozenset((int,)),
    "number": frozenset((int, float)),
    "boolean": frozenset((bool,)),
    "null": frozenset((type(None),)),
}
_BYTES = frozenset((bytes, bytearray, memoryview))
_NONE_AT_ALL: frozenset[type] = frozenset()


class Place:
    """What a schema lets through without a further look: values of exactly these types, and what `holds` says of others."""

    __slots__ = ("holds", "types")

    def __init__(self, types: frozenset[type], holds: Callable[[object], bool] | None = None) -> None:
        self.types = types
        self.holds = holds


_NOWHERE = Place(_NONE_AT_ALL)


class Fit:
    """What arguments of a tool certainly fit. It looks no deeper than into a list or a dict of scalars."""

    __slots__ = ("_by_name", "_least", "_most", "_names", "_places", "_required")

    def __init__(self, tool: Mapping[str, object]) -> None:
        schema, names = tool["parameters"], tool.get("positional")
        assert isinstance(schema, dict)
        properties = schema.get("properties", {})
        self._names: list[str] = names if isinstance(names, list) else []
        self._by_name = {name: _place(each) for name, each in properties.items()}
        self._places = [self._by_name.get(name, Place(_NONE_AT_ALL)) for name in self._names]
        self._required = frozenset(schema.get("required", ()))
        self._most = len(self._names)
        #: So many by position have every required one among them; more than there are, where one goes by name alone.
        self._least = 0
        if self._required:
            at = {name: place + 1 for place, name in enumerate(self._names)}
            self._least = max(at.get(name, self._most + 1) for name in self._required)

    def holds(self, args: Sequence[object], kwargs: Mapping[str, object]) -> bool:
        """True only if they certainly fit; false says nothing."""
        if kwargs:
            return self._holds_by_name(args, kwargs)
        if not self._least <= len(args) <= self._most:
            return False
        at = 0
        for value in args:  # `zip` and `enumerate` take longer than all the rest
            place = self._places[at]
            if place is not None and type(value) not in place.types and (place.holds is None or not place.holds(value)):
                return False
            at += 1  # noqa: SIM113 - see above
        return True

    def _holds_by_name(self, args: Sequence[object], kwargs: Mapping[str, object]) -> bool:  # noqa: PLR0911 - in line
        if not args:
            if not self._required <= kwargs.keys():
                return False
            by_name = self._by_name
            for name, value in kwargs.items():
                place = by_name.get(name, _NOWHERE)
                if place is not None and type(value) not in place.types and (place.holds is None or not place.holds(value)):
                    return False
            return True
        if len(args) > self._most:
            return False
        given = dict(zip(self._names, args, strict=False))
        named = {**given, **kwargs}
        if len(named) < len(given) + len(kwargs) or not self._required <= named.keys():
            return False
        for name, value in named.items():
            if name not in self._by_name:
                return False
            place = self._by_name[name]
            if place is not None and type(value) not in place.types and (place.holds is None or not place.holds(value)):
                return False
        return True


def _place(schema: object) -> Place | None:
    """None where anything is valid: whether it can be sent is found when it is."""
    if not isinstance(schema, dict):
        return None if schema is True else Place(_NONE_AT_ALL)
    keywords = schema.keys() - _ANNOTATIONS
    options = schema.get("anyOf")
    if keywords == {"anyOf"} and isinstance(options, list):
        return _one_of([_place(option) for option in options])
    return _of_kind(schema, keywords) if keywords else None


def _of_kind(schema: Mapping[str, object], keywords: set[str]) -> Place:
    kind = schema.get("type")
    if kind == "array" and keywords <= {"type", "items"}:
        return _array_of(_place(schema.get("items", True)))
    if kind == "object" and keywords <= {"type", "additionalProperties"}:
        return _object_of(_place(schema.get("additionalProperties", True)))
    if not isinstance(kind, str) or keywords != {"type"}:
        return Place(_NONE_AT_ALL)
    types = _SCALARS.get(kind, _NONE_AT_ALL)
    return Place(types | _BYTES if schema.get("contentEncoding") == "base64" else types)


def _array_of(item: Place | None) -> Place:
    if item is None:
        return Place(frozenset((list,)))
    types = item.types
    return Place(_NONE_AT_ALL, lambda value: type(value) is list and types.issuperset(map(type, value)))


def _object_of(member: Place | None) -> Place:
    if member is None:
        return Place(frozenset((dict,)))
    types = member.types
    return Place(_NONE_AT_ALL, lambda value: type(value) is dict and types.issuperset(map(type, value.values())))


def _one_of(options: list[Place | None]) -> Place | None:
    places = [option for option in options if option is not None]
    if len(places) < len(options):
        return None
    looks = [place.holds for place in places if place.holds is not None]
    types = frozenset().union(*(place.types for place in places))
    return Place(types, (lambda value: any(look(value) for look in looks)) if looks else None)
