"""What a plugin offers to a project: its tools with their schemas, and its hook implementations. The answer is the manifest.

Above it: the loop, once, when the plugin is added; below it: the plugin's entry points.
"""

from __future__ import annotations

import inspect
import sys
import types

from . import _annotations, _docs, _forkable, _hooks, _load, _schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Record = dict[str, object]

__all__ = ["EntryPointError", "describe"]


class EntryPointError(Exception):
    """An entry point that can't be loaded, or that is nothing an entry point may be."""

    def __init__(self, name: str, target: str, message: str = "can't be loaded") -> None:
        super().__init__(f"the entry point `{name} = {target}` {message}")
        self.entry_point = name
        self.target = target


def describe(project: str, entry_points: Mapping[str, str]) -> Record:
    """The manifest of the entry points, which are given as name and `module:object`.

    `fork` says why a process with the plugin can't be forked, if there is a reason.

    Raises: EntryPointError: one of them is of no use; what the plugin raised is its cause.
    """
    tools: list[Record] = []
    hooks: list[Record] = []
    for name, target in entry_points.items():
        try:
            new_tools, new_hooks = _offer(project, name, _load.without_extras(target))
        except EntryPointError:
            raise
        except BaseException as error:
            raise EntryPointError(name, target) from error
        for tool in new_tools:
            if any(tool["name"] == other["name"] for other in tools):
                raise EntryPointError(name, target, f"offers a tool `{tool['name']}`, and so does another entry point")
            tools.append(tool)
        hooks += new_hooks
    manifest: Record = {"python": "{}.{}.{}".format(*sys.version_info), "tools": tools, "hooks": hooks}
    if reason := _forkable.why_unsafe():
        manifest["fork"] = reason
    return manifest


def _offer(project: str, name: str, target: str) -> tuple[list[Record], list[Record]]:
    found = _load.load(target)
    hooks = _hooks.find_hooks(project, name, target, found)
    offered = _load.offered(found)
    if offered is not None:
        return [_tool(tool, f"{target}#{tool}", function) for tool, function in offered.items()], hooks
    if hooks:
        return [], hooks
    if not callable(found):
        kind = "a module" if isinstance(found, types.ModuleType) else f"a `{type(found).__qualname__}`"
        allowed = f"a callable, something with hook implementations of `{project}`, or something with `plughost_tools`"
        raise EntryPointError(name, target, f"is {kind}; it may be {allowed}")
    return [_tool(name, target, found)], []


# Tools.


def _tool(name: str, target: str, function: object) -> Record:
    kind = _kind(function)
    docs = _documented(function)
    arguments = _schema.describe_arguments(function, docs.parameters)
    returns = _schema.describe_result(function, streams="generator" in kind)
    if returns is not None and docs.returns:
        returns.setdefault("description", docs.returns)
    return {"name": name, "target": target, "kind": kind, "description": docs.description, "returns": returns, **arguments}


def _kind(function: object) -> str:
    """The first of the wrapper and what it wraps that is more than a function."""
    layer = function
    while layer is not None:
        kind = _hooks.kind_of(layer)
        if kind != "function":
            return kind
        layer = _annotations.inner(layer)
    return "function"


def _documented(function: object) -> _docs.Docs:
    """The docstring of what is called; a class and its `__init__`, an instance and its `__call__` share theirs."""
    owner = _annotations.underlying(function)
    docs = _docs.parse(owner.__doc__)
    other: object = None
    if isinstance(owner, type):
        other = vars(owner).get("__init__")
        if docs.description.startswith(owner.__name__ + "("):  # the signature that a dataclass has for want of a docstring
            docs.description = ""
    elif not inspect.isroutine(function) and not hasattr(function, "func"):
        other = type(function)
    if inspect.isfunction(other) or isinstance(other, type):
        more = _docs.parse(other.__doc__)
        docs.description = docs.description or more.description
        docs.parameters = {**more.parameters, **docs.parameters}
    return docs
