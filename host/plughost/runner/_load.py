"""A target as the object that it names, ready to be called.

Above it: the loop, at each tool's first call, and the description; below it: the plugin. It imports nothing but the plugin, for
it is on the way of the first call.

A target is `module`, `module:object.attribute`, or either of them and `#tool`: one of the tools that the object's
`plughost_tools` gives, a mapping of names to callables or a list of callables. `Class()` is the one instance of a class.
"""

from __future__ import annotations

import sys

__all__ = ["load", "name_of", "offered", "without_extras"]

_instances: dict[type, object] = {}  # a class that is a tool is instantiated once in the life of a worker
_offers: dict[int, tuple[object, dict[str, object]]] = {}  # by the owner's id; kept with it, so that the id stays its own


def load(target: str) -> object:
    """The object that `target` names; a class that is called through its `__call__` as its one instance.

    Raises: Exception: whatever the plugin's import raises. LookupError: there is no such tool.
    """
    path, _, tool = target.partition("#")
    module, _, attributes = without_extras(path).partition(":")
    name = module.strip()
    __import__(name)  # not by `importlib`, whose own import takes a tenth of a start
    found: object = sys.modules[name]
    for attribute in filter(None, attributes.strip().split(".")):
        name, called, _ = attribute.partition("()")
        if isinstance(found, type) and _is_method(found, name) and _takes_nothing(found):
            found = _the_instance(found)
        found = getattr(found, name)
        if called and isinstance(found, type):
            found = _the_instance(found)
    found = _instance(found)
    if not tool:
        return found
    tools = offered(found) or {}
    if tool not in tools:
        raise LookupError(f"`{path}` offers no tool `{tool}`")
    return _instance(tools[tool])


def offered(owner: object) -> dict[str, object] | None:
    """What the owner's `plughost_tools` gives, by name; None if it has none. It is asked once.

    Raises: TypeError: that is neither a mapping of names to callables nor a list of callables.
    """
    if id(owner) in _offers:
        return _offers[id(owner)][1]
    give = getattr(owner, "plughost_tools", None)
    if not callable(give):
        return None
    given = give()
    tools = dict(given) if isinstance(given, dict) else {name_of(tool): tool for tool in given}
    for name, tool in tools.items():
        if not isinstance(name, str) or not callable(tool):
            raise TypeError(f"`plughost_tools` gives {name!r}, which names no callable")
    _offers[id(owner)] = (owner, tools)
    return tools


def name_of(tool: object) -> str:
    """The name by which a callable is known that was given none: its own, or that of what it wraps."""
    while hasattr(tool, "func") and not hasattr(tool, "__name__"):
        tool = tool.func  # functools.partial
    return str(getattr(tool, "__name__", type(tool).__name__))


def without_extras(target: str) -> str:
    """An entry point's value may end in `[extras]`, which the specification asks readers to ignore.

    Source: https://packaging.python.org/en/latest/specifications/entry-points/
    """
    return target.partition("[")[0].strip()


def _instance(found: object) -> object:
    """What is called for a target: the one instance of a class that is a tool, a function for a command-line program."""
    if "click" in sys.modules or "typer" in sys.modules:
        from . import _commands

        if _commands.is_command(found):
            return _commands.tool_of(found)
    return _the_instance(found) if isinstance(found, type) and _is_tool_class(found) else found


def _the_instance(kind: type) -> object:
    if kind not in _instances:
        _instances[kind] = kind()
    return _instances[kind]


def _is_tool_class(kind: type) -> bool:
    """Whether an instance of `kind` is what is called, or asked for its tools, and it takes nothing to make one."""
    own = {name for base in kind.__mro__ if base is not object for name in vars(base)}
    return not own.isdisjoint(("__call__", "plughost_tools")) and _takes_nothing(kind)


def _is_method(kind: type, name: str) -> bool:
    """Whether that name in the class is a function that wants an instance first."""
    found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return type(found) is type(_is_method)


def _takes_nothing(kind: type) -> bool:
    """Whether an instance can be made without arguments."""
    for name in ("__init__", "__new__"):
        maker = getattr(kind, name, None)
        code = getattr(maker, "__code__", None)  # none where it is not written in Python: then it is object's own
        if maker is not None and code is not None:
            positional = code.co_argcount - 1 - len(maker.__defaults__ or ())
            by_name = code.co_kwonlyargcount - len(maker.__kwdefaults__ or ())
            if positional > 0 or by_name > 0:
                return False
    return True
