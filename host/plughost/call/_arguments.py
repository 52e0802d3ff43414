"""Arguments against a tool's schema, before the child is asked.

The verdict is the JSON Schema library's. What is plainly valid is let through without it: importing it takes as long as the
plugin's process takes to start.
"""

from __future__ import annotations

from plughost.errors import UsageError
from plughost.runner.wire import WireError, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["bind", "check"]

_PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
#: Keywords that say nothing about what is valid.
_ANNOTATIONS = frozenset({"type", "title", "description", "default", "examples", "contentEncoding"})


def check(plugin: str, tool: Mapping[str, object], args: Sequence[object], kwargs: Mapping[str, object]) -> None:
    """Raises: UsageError: an argument is missing, unknown, given twice or doesn't fit; it names the first one that is wrong."""
    label = f"{plugin}:{tool['name']}"
    schema = tool["parameters"]
    assert isinstance(schema, dict)
    named = bind(label, tool, args, kwargs)
    properties = schema.get("properties", {})
    missing = [name for name in schema.get("required", ()) if name not in named]
    if missing:
        wanted = ", ".join(f"`{name}`" for name in missing)
        raise _error(
            f"`{label}` needs {wanted}, which {'was' if len(missing) == 1 else 'were'} not given",
            [_expectation(name, properties.get(name, {})) for name in missing],
            plugin,
        )
    for name, value in named.items():
        if name in properties:
            _check_value(plugin, label, name, properties[name], value, schema)
        elif schema.get("additionalProperties", True) is False:
            raise _error(f"`{label}` has no argument `{name}`", [f"Its arguments are {_listing(properties)}"], plugin)


def bind(label: str, tool: Mapping[str, object], args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """The arguments by name; positional ones beyond the named parameters are left out, and belong to `*args`."""
    names = tool.get("positional")
    names = names if isinstance(names, list) else []
    if len(args) > len(names) and not tool.get("variadic"):
        raise _error(
            f"`{label}` takes {len(names)} positional arguments, and {len(args)} were given",
            [f"They are {_listing(names)}"] if names else [],
            label.partition(":")[0],
        )
    named: dict[str, object] = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name in named:
            raise _error(f"`{label}` was given `{name}` twice, by position and by name", [], label.partition(":")[0])
        named[name] = value
    return named


def _check_value(plugin: str, label: str, name: str, schema: object, value: object, root: Mapping[str, object]) -> None:
    if schema is True or not isinstance(schema, dict) or _plainly_valid(schema, value):
        return
    if schema.get("contentEncoding") == "base64" and isinstance(value, bytes | bytearray | memoryview):
        return  # it travels as it is, not as the text that the schema describes
    try:
        shown = plain(value)
    except WireError as error:
        raise UsageError(
            f"The argument `{name}` of `{label}` can't be sent",
            reference="value-unsupported",
            causes=[str(error)],
            hint="docs/reference/values.md lists what can be",
        ) from error
    fault = _verdict({**schema, "$defs": root.get("$defs", {})}, shown)
    if fault is not None:
        where, expected = fault
        raise _error(
            f"The argument `{name}` of `{label}` is {_shown(shown)}, which is not what it takes",
            [f"at `{name}{where}`: {expected}" if where else expected, f"It takes {_expectation(name, schema)}"],
            plugin,
        )


def _plainly_valid(schema: Mapping[str, object], value: object) -> bool:
    """True only if `value` certainly fits; false says nothing."""
    kind = schema.get("type")
    if not schema:
        return isinstance(value, str | int | type(None))
    if isinstance(kind, str) and _ANNOTATIONS.issuperset(schema) and kind not in {"array", "object"}:
        types = _PLAIN_TYPES.get(kind, ())
        return type(value) in types
    options = schema.get("anyOf")
    if isinstance(options, list) and (_ANNOTATIONS | {"anyOf"}).issuperset(schema) and "type" not in schema:
        return any(isinstance(option, dict) and _plainly_valid(option, value) for option in options)
    return False


def _verdict(schema: dict[str, object], value: object) -> tuple[str, str] | None:
    """Where in `value` and what is wrong; None if nothing is."""
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(schema)
    except ValueError:
        return None  # a schema of the plugin's own that is none: the plugin will judge its argument itself
    for error in validator.iter_errors(value):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        return where, error.message
    return None


def _expectation(name: str, schema: object) -> str:
    """What an argument takes, for people: `days` (integer): how many."""
    if not isinstance(schema, dict):
        return f"`{name}`"
    described = f": {schema['description']}" if schema.get("description") else ""
    return f"`{name}` ({type_text(schema)}){described}"


def type_text(schema: Mapping[str, object]) -> str:
    """A schema's type in a few words."""
    if "enum" in schema and isinstance(schema["enum"], list):
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    options = schema.get("anyOf")
    if isinstance(options, list):
        return " or ".join(dict.fromkeys(type_text(option) for option in options if isinstance(option, dict)))
    kind = schema.get("type", "anything")
    text = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    items = schema.get("items")
    if text == "array" and isinstance(items, dict) and items:
        return f"array of {type_text(items)}"
    return f"{text}, {schema['format']}" if schema.get("format") else text


def _listing(names: object) -> str:
    listed = list(names) if isinstance(names, dict | list) else []
    return ", ".join(f"`{name}`" for name in listed) or "none"


def _shown(value: object) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= 80 else text[:77] + '…'}`"  # noqa: PLR2004 - what fits on a line


def _error(message: str, causes: list[str], plugin: str) -> UsageError:
    return UsageError(
        message,
        reference="arguments-invalid",
        causes=causes,
        hint=f"`plughost info {plugin}` shows its tools and their arguments",
    )
