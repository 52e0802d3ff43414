"""A tool's JSON Schema, as far as people are concerned: where a reference leads, and a type in a few words.

Above it: the check of arguments, and the command line, which reads and shows them; below it: nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, object]

__all__ = ["resolved", "type_text"]

_MOST_HOPS = 20  # of references from schema to schema; a circle has no end
_MOST_LEVELS = 4  # of arrays in arrays that anybody wants to read
#: How a number that JSON can't write is written: part of every number, and not worth a word.
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})


def resolved(schema: Schema, root: Schema) -> Schema:
    """The schema that a reference leads to by the definitions of `root`; an empty one where it leads nowhere."""
    for _ in range(_MOST_HOPS):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        definitions = root.get("$defs")
        found = definitions.get(reference.removeprefix("#/$defs/")) if isinstance(definitions, dict) else None
        if not isinstance(found, dict):
            break
        schema = found
    return {}


def type_text(schema: Schema, root: Schema | None = None) -> str:
    """A schema's type in a few words; `root` has the definitions, if not the schema itself."""
    return _text(schema, root or schema, _MOST_LEVELS)


def _text(schema: Schema, root: Schema, levels: int) -> str:
    schema = resolved(schema, root)
    members = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(members, list):
        return ("one of " if len(members) > 1 else "") + ", ".join(f"`{member}`" for member in members)
    options = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(options, list):
        return _alternatives([option for option in options if isinstance(option, dict)], root, levels)
    kinds = schema.get("type", "anything")
    return " or ".join(_of_kind(str(kind), schema, root, levels) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _of_kind(kind: str, schema: Schema, root: Schema, levels: int) -> str:
    if kind in {"array", "object"}:
        return (_array if kind == "array" else _object)(schema, root, levels) if levels else kind
    detail = schema.get("format") or schema.get("contentEncoding")
    return f"{kind} ({detail})" if detail and kind == "string" else kind


def _alternatives(options: list[Schema], root: Schema, levels: int) -> str:
    return " or ".join(dict.fromkeys(_text(option, root, levels) for option in options if not _is_not_finite(option)))


def _is_not_finite(schema: Schema) -> bool:
    members = schema.get("enum")
    return isinstance(members, list) and _NOT_FINITE.issuperset(map(str, members))


def _array(schema: Schema, root: Schema, levels: int) -> str:
    if isinstance(places := schema.get("prefixItems"), list):
        return "array of " + ", ".join(_text(place, root, levels - 1) for place in places if isinstance(place, dict))
    items = schema.get("items")
    return f"array of {_text(items, root, levels - 1)}" if isinstance(items, dict) and items else "array"


def _object(schema: Schema, root: Schema, levels: int) -> str:
    if isinstance(properties := schema.get("properties"), dict) and properties:
        return "object with " + ", ".join(f"`{name}`" for name in properties)
    values = schema.get("additionalProperties")
    return f"object of {_text(values, root, levels - 1)}" if isinstance(values, dict) and values else "object"
