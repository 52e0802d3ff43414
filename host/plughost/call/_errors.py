"""A response's error object → the exception that the caller gets; and, for a plugin that wraps a hook, the other way round."""

from __future__ import annotations

import builtins

from plughost._values import tables
from plughost.errors import DescribeError, PlughostError, PluginCrashed, PluginError, RemoteTraceback, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["describe_exception", "error_from"]

#: Built-in exceptions that PluginError can't be combined with: those that are no Exception end the host's program, a
#: StopIteration ends its loops, and a group wants its members.
_NOT_COMBINED = frozenset({"StopIteration", "StopAsyncIteration", "ExceptionGroup", "BaseExceptionGroup"})


def error_from(error: Mapping[str, object], *, what: str, types: Mapping[str, type[Exception]] | None = None) -> PlughostError:
    """The exception for a JSON-RPC error object, of the original's type where that is a built-in one or among `types`.

    `types` are by their qualified names. No class is looked up by any other name that came over the wire.
    """
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
    if stage == "import" and "entry_point" in data and not data.get("causes"):
        return DescribeError(
            f"{what} declares what can't be offered",
            reference="plugin-invalid",
            causes=[message],
            hint="Correct the entry point, or name another: `--entry-point NAME=MODULE:OBJECT`",
        )
    raised: PluginError = _class_for(kind, data.get("builtin"), types or {})(
        _summary(what, stage, kind, message, data),
        reference="result-unsupported" if stage == "result" else "plugin-raised",
        causes=[_line(cause.get("type"), cause.get("message")) for cause in tables(data.get("causes"))],
        hint=_hint(what, stage),
    )
    raised.type_name = kind
    raised.builtin_name = str(data.get("builtin") or "Exception")
    if isinstance(args := data.get("args"), list):
        raised.remote_args = tuple(args)
        _make_as_the_original(raised)
    if isinstance(name := data.get("filename"), str):
        if isinstance(raised, OSError):
            raised.filename = name
        else:
            vars(raised).update(filename=name, errno=data.get("errno"))
    raised.remote_message = message
    raised.remote_traceback = str(data.get("traceback") or "")
    if raised.remote_traceback:
        raised.__cause__ = RemoteTraceback(raised.remote_traceback)
    return raised


def _hint(what: str, stage: str) -> str:
    if stage == "import":
        plugin = what.strip("`").partition(":")[0]
        return f"`doctor {plugin}` tells whether its environment is whole; if it is, tell its author"
    if stage == "result":
        return "It may return text, numbers, bytes, dates, paths, dataclasses, and lists, sets and dicts of these"
    return ""


def _summary(what: str, stage: str, kind: str, message: str, data: Mapping[str, object]) -> str:
    if stage == "result":
        return f"{what} returned a value that can't be sent: {message}"
    if kind == "SystemExit":
        return f"{what} called `sys.exit({data.get('code')!r})`"
    if stage == "import":
        return f"{what} can't be imported: {message if 'entry_point' in data else _line(kind, message)}"
    return f"{what} raised {_line(kind, message)}"


def _line(kind: object, message: object) -> str:
    return f"{kind}: {message}" if message else str(kind)


def describe_exception(error: BaseException) -> dict[str, object]:
    """An exception for a plugin to handle: its type's qualified name, the nearest built-in type's, its message and arguments."""
    if isinstance(error, PluginError):  # of another plugin: as that one raised it
        told: dict[str, object] = {"type": error.type_name, "builtin": error.builtin_name, "message": error.remote_message}
        return told if error.remote_args is None else {**told, "args": list(error.remote_args)}
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    nearest = next(kind.__name__ for kind in kind.__mro__ if kind.__module__ == "builtins")
    record: dict[str, object] = {"type": name, "builtin": nearest, "message": str(error)}
    plain = all(isinstance(value, str | int | float | bool | None) for value in error.args)
    return {**record, "args": list(error.args)} if plain else record


def _make_as_the_original(raised: PluginError) -> None:
    """Give it what the built-in type makes of the arguments: `args`, the `errno` of an OSError, the `start` of a UnicodeError."""
    kind: object = getattr(builtins, raised.builtin_name, None)
    if isinstance(kind, type) and isinstance(raised, kind) and raised.remote_args is not None:
        try:
            vars(kind)["__init__"](raised, *raised.remote_args)
        except (TypeError, ValueError, OverflowError, KeyError):  # no arguments of its type
            pass


def _class_for(kind: str, builtin: object, types: Mapping[str, type[Exception]]) -> type[PluginError]:
    own = types.get(kind)
    if own is not None:
        return _combined(own)
    nearest = getattr(builtins, builtin, None) if isinstance(builtin, str) else None
    if not (isinstance(nearest, type) and issubclass(nearest, Exception)) or builtin in _NOT_COMBINED or nearest is Exception:
        return PluginError
    return _combined(nearest)


def _combined(kind: type[Exception]) -> type[PluginError]:
    return type(
        f"Plugin{kind.__name__}", (PluginError, kind), {"__module__": "plughost.errors", "__str__": PlughostError.__str__}
    )
