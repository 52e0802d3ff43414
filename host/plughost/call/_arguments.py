"""Arguments against a tool's schema, before the child is asked.

The verdict is the JSON Schema library's. What is plainly valid is let through without it: importing it takes as long as the
plugin's process takes to start.
"""

from __future__ import annotations

from plughost.call._schema import type_text
from plughost.errors import UsageError
from plughost.runner.wire import WireError, path_text, plain
from plughost.worker import is_async_iterator, is_iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["argument_not_sendable", "bind", "check", "not_sendable"]

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
#: What has arrays and tables that travel as they are.
_LIBRARIES = frozenset({"array", "numpy", "pandas", "pyarrow"})
#: Keywords by which a value is wrong as a whole.
_OF_TYPE = frozenset({"type", "enum", "const", "anyOf", "oneOf"})


def check(plugin: str, tool: Mapping[str, object], args: Sequence[object], kwargs: Mapping[str, object]) -> None:
    """Raises: UsageError: an argument is unknown, missing, given twice or doesn't fit; it names the first one that is wrong."""
    label = f"{plugin}:{tool['name']}"
    schema = tool["parameters"]
    assert isinstance(schema, dict)
    named = bind(label, tool, args, kwargs)
    properties = schema.get("properties", {})
    further = schema.get("additionalProperties", True)
    if further is False:
        for name in named:
            if name not in properties:
                raise _unknown(label, name, properties, variadic=bool(tool.get("variadic")))
    missing = [name for name in schema.get("required", ()) if name not in named]
    if missing:
        raise _error(
            f"`{label}` needs {_listing(missing)}, which {'was' if len(missing) == 1 else 'were'} not given",
            [_expectation(name, properties.get(name, {}), schema) for name in missing],
            label,
        )
    iterated = tool.get("iterated", ())
    assert isinstance(iterated, list | tuple)
    for name, value in named.items():
        if (is_iterator(value) or is_async_iterator(value)) and (
            name in iterated or _is_of_any_kind(properties.get(name, further))
        ):
            continue
        _check_value(label, name, properties.get(name, further), value, schema)


def bind(label: str, tool: Mapping[str, object], args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """The arguments by name; positional ones beyond the named parameters are left out, and belong to `*args`."""
    names = tool.get("positional")
    names = names if isinstance(names, list) else []
    if len(args) > len(names) and not tool.get("variadic"):
        raise _error(
            f"`{label}` takes {_count(len(names))} by position, and {len(args)} {'was' if len(args) == 1 else 'were'} given",
            [f"By position it takes {_listing(names)}"] if names else [],
            label,
        )
    named: dict[str, object] = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name in named:
            raise _error(f"`{label}` was given `{name}` twice, by position and by name", [], label)
        named[name] = value
    return named


def _is_of_any_kind(schema: object) -> bool:
    """Whether the plugin doesn't say what the argument is."""
    return schema is True or (isinstance(schema, dict) and "type" not in schema and _ANNOTATIONS.issuperset(schema))


def _check_value(label: str, name: str, schema: object, value: object, root: Mapping[str, object]) -> None:
    if schema is True or not isinstance(schema, dict) or _plainly_valid(schema, value):
        return
    if _travels_as_it_is(schema, value):
        return
    try:
        shown = plain(value)
    except WireError as error:
        place = path_text([name, *error.path[1:]])
        raise not_sendable(f"The argument `{name}` of `{label}`", WireError(f"`{place}` {error.reason}")) from error
    fault = _verdict({**schema, "$defs": root.get("$defs", {})}, shown, name)
    if fault is not None:
        raise _error(
            f"The argument `{name}` of `{label}` is {_shown(shown)}, which is not what it takes",
            [*([fault] if fault else []), f"It takes {_expectation(name, schema, root)}"],
            label,
        )


def _travels_as_it_is(schema: Mapping[str, object], value: object) -> bool:
    """Whether it is bytes, an array or a table, where the schema describes the text or the list that JSON would have instead."""
    options = schema.get("anyOf")
    if isinstance(options, list):
        return any(isinstance(option, dict) and _travels_as_it_is(option, value) for option in options)
    if isinstance(value, bytes | bytearray | memoryview) and schema.get("contentEncoding") == "base64":
        return True
    library, form = type(value).__module__.partition(".")[0], schema.get("format")
    return library in _LIBRARIES and isinstance(form, str) and form.partition(".")[0] in _LIBRARIES


def _plainly_valid(schema: Mapping[str, object], value: object) -> bool:
    """True only if `value` certainly fits; false says nothing."""
    kind = schema.get("type")
    if kind is None and _ANNOTATIONS.issuperset(schema):  # anything is valid; whether it can be sent shows when it is
        return True
    if isinstance(kind, str) and _ANNOTATIONS.issuperset(schema) and kind not in {"array", "object"}:
        types = _PLAIN_TYPES.get(kind, ())
        return type(value) in types
    options = schema.get("anyOf")
    if isinstance(options, list) and (_ANNOTATIONS | {"anyOf"}).issuperset(schema) and "type" not in schema:
        return any(isinstance(option, dict) and _plainly_valid(option, value) for option in options)
    return False


def _verdict(schema: dict[str, object], value: object, name: str) -> str | None:
    """What is wrong and where; empty where the value as a whole is of another type, None where nothing is wrong."""
    import jsonschema_rs

    lenient = _without_uniqueness(schema)
    assert isinstance(lenient, dict)
    try:
        validator = jsonschema_rs.validator_for(lenient)
        try:
            errors = list(validator.iter_errors(value))
        except UnicodeEncodeError:  # Rust has no form for lone surrogates, which are text all the same
            errors = list(validator.iter_errors(_without_surrogates(value)))
    except ValueError:
        return None  # a schema that is none, or a value nested too deeply for it: the plugin will judge its argument itself
    if not errors:
        return None
    path = errors[0].instance_path
    expected = _at(lenient, errors[0].schema_path[:-1]) if errors[0].schema_path[-1] in _OF_TYPE else None
    where = f"`{name}{''.join(f'[{part}]' if isinstance(part, int) else f'.{part}' for part in path)}`"
    if not isinstance(expected, dict):
        return f"{where}: {errors[0].message}"
    return f"{where} is {_shown(_at(value, path))}, and should be {type_text(expected, lenient)}" if path else ""


def _at(value: object, path: Sequence[object]) -> object:
    """What the path leads to; None where it leads nowhere."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _without_uniqueness(schema: object) -> object:
    """The schema with `uniqueItems` taken out: of an array with duplicates a set can be made."""
    if isinstance(schema, list):
        return [_without_uniqueness(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_uniqueness(item) for key, item in schema.items() if not (key == "uniqueItems" and item is True)}


def _without_surrogates(value: object) -> object:
    import json

    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _expectation(name: str, schema: object, root: Mapping[str, object]) -> str:
    """What an argument takes, for people: `days` (integer): how many."""
    if not isinstance(schema, dict):
        return f"`{name}`"
    description = str(schema.get("description") or "").strip().removesuffix(".")
    return f"`{name}` ({type_text(schema, root)})" + (f": {description}" if description else "")


def not_sendable(what: str, error: WireError) -> UsageError:
    """The error for a value that has no wire form."""
    return UsageError(
        f"{what} can't be sent",
        reference="value-unsupported",
        causes=[str(error)],
        hint="Turn it into text, numbers, bytes, dates, paths, dataclasses, or lists, sets and dicts of these",
    )


def argument_not_sendable(label: str, tool: Mapping[str, object], error: WireError) -> UsageError:
    """As `not_sendable`, of the parameters of a call: the one that can't be sent, by its name."""
    part, step, *rest = [*error.path, "", ""][: max(2, len(error.path))]
    positional = tool.get("positional")
    if part == "args" and isinstance(step, int) and isinstance(positional, list) and step < len(positional):
        step = positional[step]
    if part not in {"args", "kwargs"} or not isinstance(step, str):
        return not_sendable(f"An argument of `{label}`", error)
    return not_sendable(f"The argument `{step}` of `{label}`", WireError(f"`{path_text([step, *rest])}` {error.reason}"))


def _unknown(label: str, name: str, properties: Mapping[str, object], *, variadic: bool) -> UsageError:
    from plughost._wording import did_you_mean

    hint = did_you_mean(name, properties, most=1)
    if properties:
        takes = f"Its arguments are {_listing(properties)}"
    elif variadic:
        takes, hint = "It takes arguments by position alone", f"`run {label} --args '[…]'` gives them"
    else:
        takes = "It takes no arguments"
    return _error(f"`{label}` has no argument `{name}`", [takes], label, hint)


def _count(number: int) -> str:
    from plughost._wording import counted

    return counted(number, "argument") if number else "no arguments"


def _listing(names: Iterable[object]) -> str:
    from plughost._wording import listed

    return listed(names)


def _shown(value: object) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= 80 else text[:77] + '…'}`"  # noqa: PLR2004 - what fits on a line


def _error(message: str, causes: list[str], label: str, hint: str = "") -> UsageError:
    plugin = label.partition(":")[0]
    hint = hint or f"`info {plugin}` shows its tools and their arguments"
    return UsageError(message, reference="arguments-invalid", causes=causes, hint=hint)
