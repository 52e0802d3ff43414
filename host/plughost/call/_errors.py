"""A response's error object → the exception that the caller gets."""

from __future__ import annotations

import builtins

from plughost.errors import PlughostError, PluginCrashed, PluginError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["error_from"]

#: Built-in exceptions that PluginError can't be combined with: those that are no Exception end the host's program, a
#: StopIteration ends its loops, and a group wants its members.
_NOT_COMBINED = frozenset({"StopIteration", "StopAsyncIteration", "ExceptionGroup", "BaseExceptionGroup"})


def error_from(error: Mapping[str, object], *, what: str) -> PlughostError:
    """The exception for a JSON-RPC error object. No class is looked up by a name that is not a built-in exception's."""
    data = error.get("data")
    if not isinstance(data, dict):
        return PluginCrashed(
            f"{what} was refused by its runner",
            reference="protocol-violated",
            causes=[str(error.get("message"))],
        )
    stage, kind, message = (str(data.get(key) or "") for key in ("stage", "type", "message"))
    if stage == "arguments":
        return UsageError(
            f"An argument of {what} is not of the type it takes",
            reference="arguments-invalid",
            causes=[message],
        )
    raised: PluginError = _class_for(data.get("builtin"))(
        _summary(what, stage, kind, message, data),
        reference="result-unsupported" if stage == "result" else "plugin-raised",
        causes=[_line(cause.get("type"), cause.get("message")) for cause in _mappings(data.get("causes"))],
        hint=_HINTS.get(stage, ""),
    )
    raised.type_name = kind
    raised.remote_traceback = str(data.get("traceback") or "")
    return raised


_HINTS = {
    "import": "Add it again with `--force`, or tell its author",
    "result": "It may return text, numbers, bytes, dates, paths, dataclasses, and lists, sets and dicts of these",
}


def _summary(what: str, stage: str, kind: str, message: str, data: Mapping[str, object]) -> str:
    if stage == "result":
        return f"{what} returned a value that can't be sent: {message}"
    if kind == "SystemExit":
        return f"{what} called `sys.exit({data.get('code')!r})`"
    raised = _line(kind, message)
    return f"{what} can't be imported: {raised}" if stage == "import" else f"{what} raised {raised}"


def _line(kind: object, message: object) -> str:
    return f"{kind}: {message}" if message else str(kind)


def _mappings(items: object) -> list[dict[str, object]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _class_for(name: object) -> type[PluginError]:
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    if not (isinstance(kind, type) and issubclass(kind, Exception)) or name in _NOT_COMBINED or kind is Exception:
        return PluginError
    return type(f"Plugin{name}", (PluginError, kind), {"__module__": "plughost.errors", "__str__": PlughostError.__str__})
