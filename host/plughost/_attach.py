"""Installed plugins as pluggy's plugins: registered with an app's PluginManager, called in their own processes.

Above it: `Host`; below it: the contract, the proxies and the workers. Attaching starts nothing and imports nothing of a plugin.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pluggy import PluginValidationError

from plughost import registry
from plughost._door import Door
from plughost.call import IsolatedPlugin, make_plugin
from plughost.contract import find_faults, manager_with, read_hooks
from plughost.errors import ContractError, PlughostError, PluginDisabled, UsageError
from plughost.worker import time_given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType
    from typing import Literal

    from pluggy import PluginManager

    from plughost._workers import Workers
    from plughost.contract import Fault, HookImplementation

    OnError = Literal["raise", "warn", "skip"]

__all__ = ["PluginNotAttached", "attach", "check_fit"]


class PluginNotAttached(UserWarning):
    """A plugin that `attach` left out, and why."""


class AttachError(ContractError, PluginValidationError):
    """Hook implementations that don't fit their specifications. Also pluggy's own error, for apps that catch that.

    `plugin` is the one at fault, as it would have been registered.
    """

    plugin: object = None


def attach(
    workers: Workers,
    manager: PluginManager,
    plugins: Iterable[str] | None,
    *,
    on_error: OnError,
    timeout_s: float | None,
    timeouts: Mapping[str, float],
    versions: Mapping[str, str],
) -> list[IsolatedPlugin]:
    """Register each plugin that isn't; those that can't be are told of as `on_error` says, after all others are registered."""
    if on_error not in {"raise", "warn", "skip"}:
        raise UsageError(f"`{on_error}` is no way to treat errors", hint="`on_error` is `raise`, `warn` or `skip`")
    if manager.project_name != workers.project:
        raise UsageError(
            f"The PluginManager is of the project `{manager.project_name}`, and the host of `{workers.project}`",
            hint=f'Make the host with its name: `Host("{manager.project_name}")`',
        )
    timeout_s = time_given(timeout_s)
    limits_s = {registry.normalize_name(name): time_given(limit_s, f"timeouts[{name!r}]") for name, limit_s in timeouts.items()}
    wanted = {registry.normalize_name(name): version for name, version in versions.items()}
    names = list(dict.fromkeys([*workers.names(), *wanted])) if plugins is None else list(plugins)
    attached: list[IsolatedPlugin] = []
    failures: list[Exception] = []
    for given in names:
        bare, at, version = given.partition("@")
        name = registry.normalize_name(bare)
        registered = f"{name}{at}{version}"
        found_by = f"{name}@{wanted[name]}" if name in wanted and not at else registered
        try:
            attached += _attach_one(workers, manager, registered, limits_s.get(name, timeout_s), found_by=found_by)
        except (PlughostError, PluginValidationError) as error:
            if plugins is not None or not isinstance(error, PluginDisabled):
                failures.append(error)
    if failures and on_error == "raise":
        raise failures[0] if len(failures) == 1 else _joined(failures)
    if on_error == "warn":
        for failure in failures:
            warnings.warn(str(failure), PluginNotAttached, stacklevel=3)
    return attached


def _attach_one(
    workers: Workers, manager: PluginManager, name: str, timeout_s: float | None, *, found_by: str
) -> list[IsolatedPlugin]:
    if manager.is_blocked(name):
        return []
    installed = workers.find(found_by)
    implementations = read_hooks(name, installed.manifest)
    plugins = {}
    for plugin_name, group in _by_entry_point(name, implementations).items():
        door = Door(workers, installed, group, timeout_s, found_by=found_by)
        version = str(installed.manifest.get("version"))
        plugins[plugin_name] = make_plugin(plugin_name, version, group, project=manager.project_name, door=door)
    _refuse(name, manager, find_faults(implementations, manager, unknown=False), plugins.values())
    return [plugin for plugin_name, plugin in plugins.items() if _register(manager, plugin, plugin_name)]


def check_fit(name: str, manifest: Mapping[str, object], *, project: str, specifications: Sequence[ModuleType | type]) -> None:
    """Hold a manifest against specifications alone; a hook that they don't have is a fault, if it isn't marked as optional.

    Raises: ContractError: it doesn't fit. DescribeError: it is no manifest of hooks.
    """
    manager = manager_with(project, specifications)
    _refuse(name, manager, find_faults(read_hooks(name, manifest), manager, unknown=True))


def _refuse(name: str, manager: PluginManager, faults: Sequence[Fault], plugins: Iterable[IsolatedPlugin] = ()) -> None:
    if faults:
        error = AttachError(
            f"`{name}` doesn't fit the hooks of `{manager.project_name}`",
            causes=[fault.message for fault in faults],
            hint="Its author can correct it by the app's hook specifications",
        )
        error.plugin = next((plugin for plugin in plugins if hasattr(plugin, faults[0].function)), None)
        raise error


def _by_entry_point(name: str, implementations: Sequence[HookImplementation]) -> dict[str, list[HookImplementation]]:
    """An entry point is a plugin of its own, as pluggy has it: named as the package, `PACKAGE:ENTRY` where there are several."""
    groups: dict[str, list[HookImplementation]] = {}
    for implementation in implementations:
        groups.setdefault(implementation.entry_point, []).append(implementation)
    return {name if len(groups) == 1 else f"{name}:{point}": group for point, group in groups.items()}


def _register(manager: PluginManager, plugin: IsolatedPlugin, name: str) -> bool:
    """Whether it is registered now, and was not: the manager may also have a rule of its own."""
    if manager.has_plugin(name) or manager.is_blocked(name):
        return False
    try:
        return manager.register(plugin, name=name) is not None
    except BaseException:  # a historic hook raised, or pluggy has a rule that we have not
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        raise


def _joined(failures: Sequence[Exception]) -> AttachError:
    causes = [cause for failure in failures for cause in (getattr(failure, "causes", None) or [str(failure)])]
    return AttachError(
        f"{len(failures)} plugins can't be attached; all others are",
        causes=causes,
        hint='`attach(…, on_error="warn")` goes on without them',
    )
