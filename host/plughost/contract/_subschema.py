"""Whether one JSON Schema takes every value that another takes, as far as the runner writes schemas.

Above it: the changes of a contract; below it: nothing. Where it can't be told, the answer is no.
"""

from __future__ import annotations

from plughost._values import mapping, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, object]

__all__ = ["gives_all", "plain", "takes_all"]

#: Keywords that say nothing of which values are valid.
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated", "$comment", "$defs"})
#: Those whose number may only fall, or only rise, for every value to stay valid.
_LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER_BOUNDS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
#: Those that must stay as they are. An array for a set may have an item twice, so `uniqueItems` refuses nothing.
_EXACT = frozenset({"format", "pattern", "multipleOf", "contentEncoding"})
#: Formats by which every value of these types is valid.
_TAKE_ANY = {"path": {"string"}, "decimal": {"integer", "number"}, "seconds": {"integer", "number"}}
#: What the runner writes as text, numbers or arrays with a note, and callers get as other types.
_OTHER_TYPES = frozenset({"date", "date-time", "time", "seconds", "decimal", "uuid", "path", "base64", "set"})
#: How many references may lead to one another.
_LONGEST_CHAIN = 20


def takes_all(old: Schema, new: Schema, old_root: Schema, new_root: Schema) -> bool:
    """Whether every value that is valid by `old` is valid by `new`; false where that can't be told."""
    try:
        if old == new and old_root.get("$defs") == new_root.get("$defs"):
            return True
        return _Comparison(old_root, new_root).holds(old, new)
    except RecursionError:
        return False


def gives_all(old: Schema, new: Schema) -> bool:
    """Whether who reads results by `old` can read all that are by `new`."""
    try:
        seen_before, seen_now = _as_seen(old), _as_seen(new)
    except RecursionError:
        return False
    return takes_all(seen_now, seen_before, seen_now, seen_before)


def _as_seen(schema: Schema) -> Schema:
    """The schema of a result as its callers see it: a path is no text, a set no list, and a record has all its fields.

    What else a record may have is no matter to them, so that one with a further field gives all that it gave.
    """
    seen = {key: _inside_as_seen(key, part) for key, part in schema.items()}
    kind = schema.get("format") or schema.get("contentEncoding") or ("set" if schema.get("uniqueItems") is True else None)
    if kind in _OTHER_TYPES:
        seen["type"] = kind
    if schema.get("additionalProperties") is False and "properties" in schema:
        del seen["additionalProperties"]
        seen["required"] = list(mapping(schema["properties"]))
    return seen


def _inside_as_seen(key: str, part: object) -> object:
    if key in {"properties", "$defs", "definitions"}:
        return {name: _as_seen(mapping(each)) for name, each in mapping(part).items()}
    if key in {"anyOf", "oneOf", "prefixItems"}:
        return [_as_seen(mapping(each)) for each in _listed(part)]
    if key in {"items", "additionalProperties"} and isinstance(part, dict):
        return _as_seen(part)
    return part


class _Comparison:
    """Two schemas held against each other, each pair of records once: one may hold itself."""

    def __init__(self, old_root: Schema, new_root: Schema) -> None:
        self._old_root = old_root
        self._new_root = new_root
        self._known: dict[tuple[object, object], bool] = {}

    def holds(self, old: Schema, new: Schema) -> bool:
        pair = old.get("$ref"), new.get("$ref")
        if pair == (None, None):
            return self._holds(old, new)
        pair = pair[0] or str(old), pair[1] or str(new)
        if pair not in self._known:
            self._known[pair] = True  # so far: within itself it is taken for granted
            self._known[pair] = self._holds(_resolved(old, self._old_root), _resolved(new, self._new_root))
        return self._known[pair]

    def _holds(self, old: Schema, new: Schema) -> bool:
        were, allowed = _members(old), _members(new)
        if plain(new) == {} or (were is not None and allowed is not None):
            return allowed is None or all(value in allowed for value in were or ())
        old_choices, new_choices = _choices(old), _choices(new)
        if len(old_choices) > 1 or len(new_choices) > 1:
            return all(any(self.holds(one, other) for other in new_choices) for one in old_choices)
        if were is not None:
            return "type" in new and all(_type_of(value) in _types(new) for value in were)
        if allowed is not None or ("type" in new and not ("type" in old and _types(old) <= _types(new))):
            return False
        return _bounds_hold(old, new) and self._items_hold(old, new) and self._members_hold(old, new)

    def _items_hold(self, old: Schema, new: Schema) -> bool:
        before, after = _listed(old.get("prefixItems")), _listed(new.get("prefixItems"))
        if len(after) > len(before):
            return False
        places = [*after, *[new.get("items")] * (len(before) - len(after))]
        if not all(self.holds(mapping(item), mapping(place)) for item, place in zip(before, places, strict=True)):
            return False
        has_no_others = bool(before) and len(before) == old.get("maxItems")
        return has_no_others or self._inner_holds(old, new, "items")

    def _members_hold(self, old: Schema, new: Schema) -> bool:
        if old.get("propertyNames") != new.get("propertyNames"):
            return False
        members, before, others = mapping(new.get("properties")), mapping(old.get("properties")), old.get("additionalProperties")
        if not set(texts(new.get("required"))) <= set(texts(old.get("required"))):
            return False
        if new.get("additionalProperties") is False and not before.keys() <= members.keys():
            return False
        if not self._inner_holds(old, new, "additionalProperties"):
            return False
        # Of a record it is its own fields that callers give, also where others were let through.
        is_record = "properties" in old and not isinstance(others, dict)
        return all(
            self.holds(mapping(before.get(name, others)), mapping(place))
            for name, place in members.items()
            if name in before or not (is_record or others is False)
        )

    def _inner_holds(self, old: Schema, new: Schema, key: str) -> bool:
        inner, outer = old.get(key, True), new.get(key, True)
        if outer is True or inner is False:
            return True
        return outer is not False and self.holds(mapping(inner), mapping(outer))


def _bounds_hold(old: Schema, new: Schema) -> bool:
    for key, bound in plain(new).items():
        had = old.get(key)
        if key in _LOWER_BOUNDS | _UPPER_BOUNDS and had != bound:
            if not (isinstance(had, int | float) and isinstance(bound, int | float)):
                return False
            if (had < bound) if key in _LOWER_BOUNDS else (had > bound):
                return False
        if key in _EXACT and had != bound and not (key == "format" and _types(old) <= _TAKE_ANY.get(str(bound), set())):
            return False
    return True


def _resolved(schema: Schema, root: Schema) -> Schema:
    """What its reference leads to, `#/$defs/…`, if it is one; a schema of a library's has definitions of its own within."""
    for _ in range(_LONGEST_CHAIN):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            break
        found: object = root
        for step in reference.split("/")[1:]:
            found = mapping(found).get(step)
        schema = mapping(found)
    return schema


def _choices(schema: Schema) -> list[Schema]:
    """Each of what it may be; of a value out of several, each by itself."""
    for key in ("anyOf", "oneOf"):
        options = schema.get(key)
        if isinstance(options, list):
            return [mapping(option) for option in options]
    members = _members(schema)
    return [{"const": value} for value in members] if members else [schema]


def _members(schema: Schema) -> list[object] | None:
    """The values out of which it is; None where it isn't said by values."""
    if schema.get("type") == "null":
        return [None]
    members = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return members if isinstance(members, list) else None


def _types(schema: Schema) -> set[str]:
    """The types; a number may also be an integer."""
    kinds = schema.get("type", [])
    names = {str(kind) for kind in kinds} if isinstance(kinds, list) else {str(kinds)}
    return names | ({"integer"} if "number" in names else set())


def _type_of(value: object) -> str:
    names = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def plain(schema: object) -> dict[str, object]:
    """The schema without what is for people."""
    return {key: value for key, value in mapping(schema).items() if key not in _ANNOTATIONS}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
