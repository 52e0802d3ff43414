"""A call of a plugin that can be pasted into a shell, with a value of the right type for each argument it needs."""

from __future__ import annotations

import json
import shlex

from plughost.call import resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost._info import Plugin

__all__ = ["arguments", "example"]

_BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00",
    "time": "12:00:00",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "path": "./…",
}
_BY_TYPE = {"string": "…", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}, "null": None}
_MOST_LEVELS = 5  # of objects in objects


def example(plugin: Plugin) -> str:
    """What to put after `plughost run`: the plugin's first tool with the arguments that it needs."""
    tool = plugin.tools[0]
    name = plugin.name if len(plugin.tools) == 1 else f"{plugin.name}:{tool['name']}"
    parameters = tool.get("parameters")
    return " ".join([shlex.quote(name), *arguments(parameters if isinstance(parameters, dict) else {})])


def arguments(parameters: Mapping[str, object]) -> list[str]:
    """The arguments that a tool with this schema needs, as words of a shell.

    Where it requires none, it may need one of several: then the first, unless that has a value of its own.
    """
    properties, required = parameters.get("properties"), parameters.get("required")
    if not isinstance(properties, dict):
        return []
    needed = [name for name in properties if isinstance(required, list) and name in required]
    needed = needed or [name for name in list(properties)[:1] if _is_unset(properties[name])]
    return [f"{name}={shlex.quote(_text(_sample(properties[name], parameters)))}" for name in needed]


def _is_unset(schema: object) -> bool:
    """Whether an optional parameter stands, where it isn't given, for nothing."""
    return isinstance(schema, dict) and schema.get("default", "") is None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sample(schema: object, root: Mapping[str, object], levels: int = _MOST_LEVELS) -> object:
    """A value that the schema takes."""
    schema = resolved(schema, root) if isinstance(schema, dict) else {}
    for key in ("examples", "enum", "anyOf", "oneOf", "type"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            if key in {"anyOf", "oneOf"}:
                return _sample(choices[0], root, levels)
            schema = {**schema, "type": choices[0]} if key == "type" else {"const": choices[0]}
    if "const" in schema:
        return schema["const"]
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, dict) and isinstance(required, list) and levels:
        return {name: _sample(properties[name], root, levels - 1) for name in properties if name in required}
    return _BY_FORMAT.get(str(schema.get("format"))) or _BY_TYPE.get(str(schema.get("type")), "…")
