"""`hooks`: an app's hook specifications, and who implements them. For `check`: what of the installed plugins doesn't fit."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

from pluggy import HookCaller, PluginManager

from plughost.cli._printer import visible
from plughost.contract import Fault, find_faults, manager_with, read_hooks
from plughost.errors import ContractError, PlughostError, UsageError
from plughost.host import Host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pluggy import HookImpl

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["Installed", "app_manager", "check_installed", "hooks"]

_MARKS = ("wrapper", "hookwrapper", "tryfirst", "trylast", "optionalhook")


def hooks(context: Context, values: Values) -> int:
    """Every hook of the app, with its implementations in the order in which they are called."""
    manager = app_manager(context, values)
    with _host(context, manager) as host:
        attached = host.attach(manager, on_error="warn" if not values.flag("json") else "skip")
        names = {plugin.__name__ for plugin in attached}
        callers = [getattr(manager.hook, name) for name in sorted(vars(manager.hook)) if not name.startswith("_")]
        if values.flag("json"):
            context.printer.json([_record(caller, names) for caller in callers])
            return 0
        for caller in callers:
            _show(context, caller, names)
    return 0


def check_installed(context: Context, manager: PluginManager, names: Sequence[str], *, as_json: bool) -> Installed:
    """Hold the manifests of what is installed against the specifications; of all where no names are given. Starts nothing."""
    printer, out = context.printer, context.printer.out
    faults: list[Fault] = []
    broken: list[PlughostError] = []
    with _host(context, manager) as host:
        wanted = list(dict.fromkeys(names)) or [plugin.name for plugin in host.plugins()]
        for name in wanted:
            try:
                found = find_faults(read_hooks(name, host.manifest(name)), manager, unknown=True)
            except PlughostError as error:
                broken.append(error)
                continue
            faults += found
            if not (as_json or found):
                printer.message(f"{out.highlight(f'`{name}`')} fits the hooks of {out.highlight(f'`{manager.project_name}`')}")
    return Installed(project=manager.project_name, names=wanted, faults=faults, broken=broken)


class Installed:
    """What was found in plugins that are installed: hook implementations that don't fit, and plugins that can't be read."""

    def __init__(self, *, project: str, names: list[str], faults: list[Fault], broken: list[PlughostError]) -> None:
        self.project = project
        self.names = names
        self.faults = faults
        self.broken = broken

    @property
    def exit_code(self) -> int:
        return ContractError.exit_code if self.faults else self.broken[0].exit_code if self.broken else 0

    def error(self) -> ContractError | None:
        if not self.faults:
            return None
        count = len({fault.plugin for fault in self.faults})
        return ContractError(
            f"{count} of {len(self.names)} plugins don't fit the hooks of `{self.project}`",
            causes=[fault.message for fault in self.faults],
            hint="Their authors can correct them by the app's hook specifications",
        )


def app_manager(context: Context, values: Values) -> PluginManager:
    """The app's own PluginManager where it is named, else one with the specifications that the app gave its commands."""
    target = values.text("app")
    if not target:
        if not context.hookspecs:
            raise UsageError(
                "Whose hooks?", reference="usage", hint="Name the app's PluginManager: `--app myapp.plugins:manager`"
            )
        return manager_with(context.project, context.hookspecs)
    module, _, path = target.partition(":")
    sys.path.insert(0, os.getcwd())  # as `python -m` has it: an app need not be installed
    try:
        found: object = importlib.import_module(module)
        for name in filter(None, path.split(".")):
            found = getattr(found, name)
        manager = found() if callable(found) and not isinstance(found, PluginManager) else found
    except Exception as error:
        raise UsageError(
            f"`--app {target}` can't be loaded",
            reference="usage",
            causes=[f"{type(error).__name__}: {error}"],
            hint="Give `MODULE:NAME` of a PluginManager, or of a function that makes one",
        ) from error
    if not isinstance(manager, PluginManager):
        raise UsageError(
            f"`--app {target}` is a `{type(manager).__name__}`, and no PluginManager",
            reference="usage",
            hint="Give `MODULE:NAME` of a PluginManager, or of a function that makes one",
        )
    return manager


def _host(context: Context, manager: PluginManager) -> Host:
    return Host(manager.project_name, store=context.store)


def _record(caller: HookCaller, isolated: set[str]) -> dict[str, object]:
    spec = caller.spec
    return {
        "name": caller.name,
        "specified": caller.has_spec(),
        "parameters": [*spec.argnames, *spec.kwargnames] if spec else [],
        "firstresult": bool(spec and spec.opts["firstresult"]),
        "historic": bool(spec and spec.opts["historic"]),
        "implementations": [_implementation(each, isolated) for each in _in_order(caller)],
    }


def _implementation(each: HookImpl, isolated: set[str]) -> dict[str, object]:
    return {
        "plugin": each.plugin_name,
        "isolated": each.plugin_name in isolated,
        "function": each.function.__name__,
        "parameters": [*each.argnames, *each.kwargnames],
        "options": [mark for mark in _MARKS if getattr(each, mark)],
    }


def _in_order(caller: HookCaller) -> list[HookImpl]:
    """As they are called: pluggy keeps them the other way round."""
    return list(reversed(caller.get_hookimpls()))


def _show(context: Context, caller: HookCaller, isolated: set[str]) -> None:
    printer, out = context.printer, context.printer.out
    record = _record(caller, isolated)
    marks = [mark for mark in ("firstresult", "historic") if record[mark]] + ([] if caller.has_spec() else ["not specified"])
    spec = caller.spec
    parameters = ", ".join((*spec.argnames, *spec.kwargnames)) if spec else ""
    printer.line(
        f"{out.paint('bold', visible(caller.name))}({visible(parameters)})  {out.paint('dim', ', '.join(marks))}".rstrip()
    )
    for each in _in_order(caller):
        where = "isolated" if each.plugin_name in isolated else "local"
        notes = ", ".join([where, *(mark for mark in _MARKS if getattr(each, mark))])
        printer.line(f"  {visible(each.plugin_name)}  {out.paint('dim', notes)}")
    if not caller.get_hookimpls():
        printer.line(out.paint("dim", "  nobody implements it"))
