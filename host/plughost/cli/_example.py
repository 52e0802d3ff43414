"""A call of a plugin that can be pasted into a shell, with a value of the right type for each argument it needs."""

from __future__ import annotations

import json
import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost._info import Plugin

__all__ = ["example"]

_BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00",
    "time": "12:00:00",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "path": "./file",
}
_BY_TYPE = {"string": "…", "integer": "1", "number": "1.5", "boolean": "true", "array": "[]", "object": "{}", "null": "null"}


def example(plugin: Plugin) -> str:
    """What to put after `plughost run`: the plugin's first tool with its required arguments."""
    tool = plugin.tools[0]
    name = plugin.name if len(plugin.tools) == 1 else f"{plugin.name}:{tool['name']}"
    parameters = tool.get("parameters")
    return " ".join([shlex.quote(name), *_arguments(parameters if isinstance(parameters, dict) else {})])


def _arguments(parameters: Mapping[str, object]) -> list[str]:
    properties, required = parameters.get("properties"), parameters.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return []
    return [f"{name}={shlex.quote(_value(properties[name], parameters))}" for name in properties if name in required]


def _value(schema: object, root: Mapping[str, object]) -> str:
    if not isinstance(schema, dict):
        return "…"
    definitions = root.get("$defs")
    if "$ref" in schema and isinstance(definitions, dict):
        return _value(definitions.get(str(schema["$ref"]).removeprefix("#/$defs/")), {})
    for key in ("examples", "enum", "anyOf", "type"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            schema = {**schema, "type": choices[0]} if key == "type" else choices[0] if key == "anyOf" else {"const": choices[0]}
            break
    if "const" in schema:
        return schema["const"] if isinstance(schema["const"], str) else json.dumps(schema["const"], ensure_ascii=False)
    return _BY_FORMAT.get(str(schema.get("format")), _BY_TYPE.get(str(schema.get("type")), "…"))
