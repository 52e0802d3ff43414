"""Whether one JSON Schema takes every value that another takes, as far as the runner writes schemas.

Above it: the changes of a contract; below it: nothing. Where it can't be told, the answer is no.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, object]

__all__ = ["mapping", "names", "plain", "takes_all"]

#: Keywords that say nothing of which values are valid.
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated", "$comment", "$defs"})
#: Those whose number may only fall, or only rise, for every value to stay valid.
_LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER_BOUNDS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
#: Those that must stay as they are.
_EXACT = frozenset({"format", "pattern", "multipleOf", "contentEncoding", "uniqueItems"})
#: How deep a schema may hold others; one that holds itself goes on for ever.
_DEEPEST = 20


def takes_all(old: Schema, new: Schema, old_root: Schema, new_root: Schema, depth: int = 0) -> bool:
    """Whether every value that is valid by `old` is valid by `new`; false where that can't be told."""
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if plain(new) == {} or depth > _DEEPEST:
        return plain(new) == {} or plain(old) == plain(new)
    old_choices, new_choices = _choices(old), _choices(new)
    if len(old_choices) > 1 or len(new_choices) > 1:
        return all(any(takes_all(one, other, old_root, new_root, depth + 1) for other in new_choices) for one in old_choices)
    if "enum" in new or "const" in new:
        allowed, were = _members(new), _members(old)
        return were is not None and allowed is not None and all(value in allowed for value in were)
    if (were := _members(old)) is not None:
        return "type" in new and all(_type_of(value) in _types(new) for value in were)
    if "type" in new and not ("type" in old and _types(old) <= _types(new)):
        return False
    return _bounds_hold(old, new) and _insides_hold(old, new, old_root, new_root, depth)


def _bounds_hold(old: Schema, new: Schema) -> bool:
    for key, bound in plain(new).items():
        if key in _LOWER_BOUNDS and not (_is_number(old.get(key)) and float(str(old[key])) >= float(str(bound))):
            return False
        if key in _UPPER_BOUNDS and not (_is_number(old.get(key)) and float(str(old[key])) <= float(str(bound))):
            return False
        if key in _EXACT and old.get(key) != bound:
            return False
    return True


def _insides_hold(old: Schema, new: Schema, old_root: Schema, new_root: Schema, depth: int) -> bool:
    """The same of items and of members by name."""
    if any(old.get(key) != new.get(key) for key in ("prefixItems", "propertyNames") if key in old or key in new):
        return False
    for key in ("items", "additionalProperties"):
        inner, outer = old.get(key, True), new.get(key, True)
        if outer is True or inner is False:
            continue
        if outer is False or not takes_all(mapping(inner), mapping(outer), old_root, new_root, depth + 1):
            return False
    members, before = mapping(new.get("properties")), mapping(old.get("properties"))
    if not set(names(new.get("required"))) <= set(names(old.get("required"))):
        return False
    return all(
        takes_all(mapping(before.get(name, {})), mapping(place), old_root, new_root, depth + 1)
        for name, place in members.items()
        if name in before or old.get("additionalProperties", True) is not False
    )


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    return mapping(mapping(root.get("$defs")).get(reference.rpartition("/")[2]))


def _choices(schema: Schema) -> list[Schema]:
    for key in ("anyOf", "oneOf"):
        options = schema.get(key)
        if isinstance(options, list):
            return [mapping(option) for option in options]
    return [schema]


def _members(schema: Schema) -> list[object] | None:
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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def plain(schema: object) -> dict[str, object]:
    """The schema without what is for people."""
    return {key: value for key, value in mapping(schema).items() if key not in _ANNOTATIONS}


def mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []
