"""Installed plugins as pluggy's plugins: registered with an app's PluginManager, called in their own processes.

Above it: `Host`; below it: the contract, the proxies and the workers. Attaching starts nothing and imports nothing of a plugin.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pluggy import PluginValidationError

from plughost import registry
from plughost._gather import taken_ahead
from plughost.call import Begun, HookCall, HookWrapping, IsolatedPlugin, Terms, make_plugin
from plughost.contract import find_faults, manager_with, read_hooks
from plughost.errors import ContractError, PlughostError, PluginCrashed, PluginDisabled, PluginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import Literal

    from pluggy import PluginManager

    from plughost._workers import Workers
    from plughost.contract import Fault, HookImplementation
    from plughost.journal import Recording
    from plughost.registry import Installed
    from plughost.worker import Worker

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
    limits_s = {registry.normalize_name(name): limit_s for name, limit_s in timeouts.items()}
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
        door = _Door(workers, installed, group, timeout_s, found_by=found_by)
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


class _Door:
    """How the proxies of one plugin reach it."""

    def __init__(
        self,
        workers: Workers,
        installed: Installed,
        implementations: Sequence[HookImplementation],
        timeout_s: float | None,
        *,
        found_by: str,
    ) -> None:
        self._workers = workers
        self._name = installed.name
        self._found_by = found_by
        #: The revision in force, as last seen, and those that may be called in it: by identity.
        self._sound: tuple[Installed, set[HookImplementation]] = (installed, set(implementations))
        self._terms = Terms(offers=workers.offers, types=workers.exception_types, timeout_s=timeout_s)

    def call(self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """Its result; None, which pluggy leaves out, where the plugin is disabled."""
        begun = None if kwargs else taken_ahead(implementation, args)
        if begun is None:
            try:
                installed = self._current(implementation)
            except PluginDisabled:
                return None
            if "generator" in implementation.kind:
                return self._items(implementation, args, kwargs)
            begun = self._begin(installed, implementation, args, kwargs)
        try:
            return begun.finish()
        except (PluginError, PluginCrashed) as error:
            self._workers.blame_environment(self._sound[0], error)
            raise

    def begin(self, implementation: HookImplementation, args: Sequence[object]) -> Begun | None:
        """Ask the plugin without waiting for its answer; None where its process is in the middle of a call of this thread's."""
        try:
            installed = self._current(implementation)
        except PluginDisabled:
            return None
        return None if self._workers.is_held(installed) else self._begin(installed, implementation, args, {})

    def _begin(
        self,
        installed: Installed,
        implementation: HookImplementation,
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> Begun:
        """The worker is lent until `finish`."""
        worker, _ = self._workers.take(installed)
        recording = self._recording(installed, worker, implementation, args, kwargs)
        try:
            call = HookCall(worker, implementation, args, kwargs, terms=self._terms)
        except BaseException as error:
            recording.end(error)
            self._workers.give_back(installed, worker)
            raise

        def end(error: BaseException | None) -> None:
            recording.end(error, ended_ns=call.ended_ns)
            self._workers.give_back(installed, worker)

        return Begun(call, args, end)

    def _recording(
        self,
        installed: Installed,
        worker: Worker,
        implementation: HookImplementation,
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> Recording:
        name = f"hook:{implementation.name}"
        return self._workers.recording(installed, worker, name, args, kwargs, timeout_s=self._terms.timeout_s)

    def wrap(
        self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Generator[None, object, object]:
        """Between its halves this thread holds the worker: what the wrapper wraps of the same plugin runs in the same process."""
        try:
            installed = self._current(implementation)
        except PluginDisabled:
            return (yield)
        worker, _ = self._workers.take(installed)
        recording = self._recording(installed, worker, implementation, args, kwargs)
        wrapping = None
        try:
            wrapping = HookWrapping(worker, implementation, args, kwargs, terms=self._terms)
            self._workers.hold(installed, worker)
            try:
                result = yield from wrapping.run()
            finally:
                self._workers.release(installed, worker)
        except BaseException as error:
            recording.end(None if wrapping and error is wrapping.passed_on else error)
            raise
        else:
            recording.end(wrapping.forced)
            return result
        finally:
            self._workers.give_back(installed, worker)

    def _items(
        self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Iterator[object]:
        """As a generator function in process: nothing runs before the first item is asked for.

        Never in a process that this thread holds: nobody knows when the app is through with the items, and until then a process
        does nothing else.
        """
        installed = self._current(implementation)
        worker, _ = self._workers.take(installed, may_be_held=False)
        try:
            with self._recording(installed, worker, implementation, args, kwargs):
                yield from HookCall(worker, implementation, args, kwargs, terms=self._terms).items()
        finally:
            self._workers.give_back(installed, worker)

    def _current(self, implementation: HookImplementation) -> Installed:
        """The revision in force, if it still implements the hook as it did when it was attached.

        Raises: UnknownError: the plugin was removed. ContractError: it was updated, and the implementation is another.
        """
        installed = self._workers.find(self._found_by)
        seen, sound = self._sound
        if installed is not seen:
            self._sound = (installed, sound := set())
        if implementation in sound:
            return installed
        if not any(map(implementation.promises_the_same, read_hooks(implementation.plugin, installed.manifest))):
            raise ContractError(
                f"`{self._name}` no longer implements `{implementation.name}` as it did when it was attached",
                reference="hook-changed",
                causes=[f"It was `{implementation.definition()}`"],
                hint="Unregister it and attach it again",
            )
        sound.add(implementation)
        return installed
