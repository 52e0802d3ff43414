"""What the manifest says of a plugin's tools, and what it should say.

Above it: the check; below it: the findings.
"""

from __future__ import annotations

from plughost.authoring._findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_tool"]

#: Of a parameter's schema, what says nothing of its type.
_NO_TYPE = frozenset({"default", "description", "title", "examples", "deprecated"})


def check_tool(tool: Mapping[str, object]) -> Iterator[Finding]:
    name = str(tool["name"])
    if not str(tool.get("description") or "").strip():
        yield Finding(reference="tool-undocumented", where=name, message="Nobody sees what it does")
    parameters = tool.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    for parameter, schema in (properties if isinstance(properties, dict) else {}).items():
        where = f"{name}({parameter})"
        if not isinstance(schema, dict) or not set(schema) - _NO_TYPE:
            yield Finding(reference="parameter-untyped", where=where, message="It takes any value")
        if not isinstance(schema, dict) or not schema.get("description"):
            yield Finding(reference="parameter-undocumented", where=where, message="Nobody sees what to give")
    returns = tool.get("returns")
    if not isinstance(returns, dict) or not set(returns) - _NO_TYPE:
        yield Finding(reference="result-untyped", where=name, message="Nobody sees what it gives")
