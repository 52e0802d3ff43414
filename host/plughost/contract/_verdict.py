"""Whether hook implementations fit their specifications: pluggy's rules, asked before anything runs.

Above it: `add`, `attach` and `check`; below it: a PluginManager's specifications, by its public face.
"""

from __future__ import annotations

from plughost._wording import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from pluggy import HookCaller, PluginManager

    from plughost.contract._implementation import HookImplementation

__all__ = ["Fault", "find_faults", "manager_with"]


class Fault:
    """One rule that one hook implementation breaks. `argument` is empty where the fault is not an argument's."""

    __slots__ = ("argument", "function", "hook", "message", "plugin")

    def __init__(self, implementation: HookImplementation, message: str, *, argument: str = "") -> None:
        self.plugin = implementation.plugin
        self.hook = implementation.name
        self.function = implementation.function
        self.argument = argument
        definition = implementation.definition()
        self.message = f"`{implementation.plugin}` implements `{implementation.name}` as `{definition}`: {message}"

    def record(self) -> dict[str, object]:
        """As plain JSON values."""
        return {"plugin": self.plugin, "hook": self.hook, "argument": self.argument or None, "message": self.message}


def find_faults(implementations: Iterable[HookImplementation], manager: PluginManager, *, unknown: bool) -> list[Fault]:
    """What pluggy would refuse of these implementations, all of it.

    A hook that has no specification is pluggy's `check_pending` to refuse, since its specification may still come. With
    `unknown` it is a fault here.
    """
    faults: list[Fault] = []
    for implementation in implementations:
        caller: HookCaller | None = getattr(manager.hook, implementation.name, None)
        if caller is not None and caller.has_spec():
            faults += _check(implementation, caller)
        elif unknown and not implementation.options["optionalhook"]:
            faults.append(Fault(implementation, f"there is no such hook{_near(implementation.name, manager)}"))
    return faults


def manager_with(project: str, specifications: Iterable[ModuleType | type]) -> PluginManager:
    """A PluginManager of the project that has these specifications (modules, classes) and no plugins.

    Raises: ValueError: one of them holds no specification of the project.
    """
    from pluggy import PluginManager

    manager = PluginManager(project)
    for namespace in specifications:
        manager.add_hookspecs(namespace)
    return manager


def _check(implementation: HookImplementation, caller: HookCaller) -> list[Fault]:
    """Source: pluggy's PluginManager._verify_hook, which stops at the first fault."""
    faults = []
    options = implementation.options
    if caller.is_historic() and implementation.is_wrapper:
        faults.append(Fault(implementation, "a historic hook takes no wrappers"))
    assert caller.spec is not None
    known = (*caller.spec.argnames, *caller.spec.kwargnames)
    for argument in implementation.parameters:
        if argument not in known:
            offered = f"it has {listed(known)}" if known else "it has none"
            faults.append(Fault(implementation, f"the specification has no argument `{argument}`; {offered}", argument=argument))
    if implementation.is_wrapper and implementation.kind != "generator":
        faults.append(Fault(implementation, "it is marked as a wrapper, but it is no generator function"))
    if options["wrapper"] and options["hookwrapper"]:
        faults.append(Fault(implementation, "`wrapper` and `hookwrapper` are mutually exclusive"))
    return faults


def _near(name: str, manager: PluginManager) -> str:
    callers = vars(manager.hook)
    specified = [known for known in callers if not known.startswith("_") and callers[known].has_spec()]
    import difflib

    near = difflib.get_close_matches(name, specified, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
