"""The hook implementations among a plugin's functions: those that bear the mark of the project.

Above it: the description; below it: the plugin's objects. It needs no pluggy: a mark is an attribute, and the rules for reading
it are pluggy's.
"""

from __future__ import annotations

import inspect
import types

from . import _annotations, _load

TYPE_CHECKING = False
if TYPE_CHECKING:
    Record = dict[str, object]

__all__ = ["find_hooks", "kind_of"]

#: What pluggy's HookimplMarker sets on a function.
_OPTIONS: Record = {
    "wrapper": False,
    "hookwrapper": False,
    "optionalhook": False,
    "tryfirst": False,
    "trylast": False,
    "specname": None,
}
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def find_hooks(project: str, entry_point: str, target: str, found: object) -> list[Record]:
    """The manifest's records of the implementations in what the entry point names: a module, an object, a class, a function.

    A marked function counts as its owner's. Of a class whose marked functions want a `self`, an instance is made.

    Source: pluggy's PluginManager.parse_hookimpl_opts and varnames.
    """
    mark = project + "_impl"
    options = _marked(found, mark)
    if inspect.isroutine(found) and options is not None:
        owner, _, function = target.rpartition("." if "." in target.partition(":")[2] else ":")
        return [_record(owner, function, found, entry_point, options)]
    methods = _methods(found, mark)
    if isinstance(found, type) and any(inspect.isfunction(inspect.getattr_static(found, name)) for name in methods):
        target += "()"
        methods = _methods(_load.load(target), mark)
    return [_record(target, name, method, entry_point, options) for name, (method, options) in methods.items()]


def kind_of(function: object) -> str:
    """How a function gives what it gives, as the manifest has it."""
    bare = function.__func__ if inspect.ismethod(function) else function
    if inspect.isasyncgenfunction(bare):
        return "async-generator"
    if inspect.iscoroutinefunction(bare):
        return "coroutine"
    return "generator" if inspect.isgeneratorfunction(bare) else "function"


def _methods(owner: object, mark: str) -> dict[str, tuple[object, Record]]:
    """The marked methods by name, each with what its mark says. No property is asked for its value.

    Source: pluggy's PluginManager.parse_hookimpl_opts, of 1.7 for the mark of a classmethod or staticmethod.
    """
    found: dict[str, tuple[object, Record]] = {}
    for name in dir(owner):
        static = inspect.getattr_static(owner, name, None)
        if static is None or _is_method(static):
            method = _attribute(owner, name)
            options = _marked(method, mark)
            if options is None:
                options = _marked(static, mark)
            if inspect.isroutine(method) and options is not None and name != "plughost_tools":
                found[name] = method, options
    return found


def _is_method(static: object) -> bool:
    """Whether what stands in an object's class or module may be a method; in a slot anything may be."""
    if isinstance(static, (staticmethod, classmethod, types.MemberDescriptorType)):
        return True
    return inspect.isroutine(static) and callable(static)


def _record(owner: str, name: str, method: object, entry_point: str, options: Record) -> Record:
    needed, optional = _parameters(method)
    bare = method.__func__ if inspect.ismethod(method) else method
    return {
        "name": options.get("specname") or name,
        "function": name,
        "target": owner + ("." if ":" in owner else ":") + name,
        "entry_point": entry_point,
        "parameters": needed,
        "optional": optional,
        "kind": kind_of(method),
        "line": getattr(getattr(bare, "__code__", None), "co_firstlineno", 1),
        "options": {**_OPTIONS, **{key: value for key, value in options.items() if key in _OPTIONS}},
    }


def _marked(method: object, mark: str) -> Record | None:
    options = _attribute(method, mark)
    return options if isinstance(options, dict) else None


def _attribute(owner: object, name: str) -> object:
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a property that raises is no hook implementation
        return None


def _parameters(method: object) -> tuple[list[str], list[str]]:
    """The names by which the hook's arguments are passed, without `self`: those without a default, and those with one."""
    function = method.__func__ if inspect.ismethod(method) else method
    signature = _annotations.signature(function)
    if signature is None:
        return [], []
    found = [parameter for parameter in signature.parameters.values() if parameter.kind in _BY_POSITION]
    in_class = "." in getattr(function, "__qualname__", "").rpartition("<locals>.")[2]
    if found and (inspect.ismethod(method) or (in_class and found[0].name == "self")):
        del found[0]
    needed = [parameter.name for parameter in found if parameter.default is parameter.empty]
    return needed, [parameter.name for parameter in found if parameter.default is not parameter.empty]
