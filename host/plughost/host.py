"""Host: the plugins of one project, installed and called. Each verb reads as its stages.

Above it: the command line and the apps that embed plughost; below it: `Caller`, and the registry. The stages that install are
imported when something is added, not before.
"""

from __future__ import annotations

import os

from plughost import registry
from plughost._caller import Caller
from plughost._request import Request, find_unchanged
from plughost.paths import Store, default_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from plughost._info import Plugin
    from plughost._request import Added, Progress
    from plughost._workers import Workers
    from plughost.settings import Settings

__all__ = ["Host"]


class Host(Caller):
    """The plugins of one project: added, listed, called, removed. Safe to use from several threads; use it as a context manager.

    `project` is the pluggy project's name and the entry-point group that is looked up in plugins. `store` is the folder that
    holds them, by default the one that `PLUGHOST_HOME` names or the platform's data folder. `hookspecs` are the app's hook
    specifications (modules or classes): a plugin that doesn't fit them isn't installed. `settings` hold where a method isn't
    told; by default they are read from the environment and the files that the command reads too, and `Settings()` is none at
    all. Calls reuse workers, which end with `close`, or with the process.
    """

    def __init__(
        self,
        project: str = "plughost",
        *,
        store: str | os.PathLike[str] | None = None,
        hookspecs: ModuleType | type | Sequence[ModuleType | type] = (),
        settings: Settings | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.project = project
        self.hookspecs = tuple(hookspecs) if isinstance(hookspecs, list | tuple) else (hookspecs,)
        self.store = Store(store if store is not None else default_store(project), project)
        self._settings = settings
        self._on_progress = on_progress
        super().__init__(self._new_workers)

    @property
    def settings(self) -> Settings:
        """What holds where a method isn't told: what `Host` was given, else what was found when it was first needed.

        Raises: UsageError: a file of settings, or a variable, has something that can't be used.
        """
        if self._settings is None:
            from plughost.settings import load

            self._settings = load()
        return self._settings

    def _new_workers(self) -> Workers:
        from plughost._workers import Workers

        return Workers(self.store, self.project)

    def add(
        self,
        source: str,
        *,
        name: str = "",
        python: str = "",
        force: bool = False,
        extras: Sequence[str] = (),
        with_: Sequence[str] = (),
        constraint: str | os.PathLike[str] | None = None,
        exclude_newer: str = "",
        installer: str = "",
        offline: bool = False,
        editable: bool = False,
        entry_points: Mapping[str, str] | None = None,
    ) -> Added:
        """Install a package under its own name, or `name`, and record what it offers.

        `source` is `git+URL[@REF][#subdirectory=…]`, a folder, a wheel, an sdist, or a requirement. `with_` are further
        requirements, `constraint` a file of them that only narrows, `exclude_newer` a date, or a time such as `7 days`,
        `entry_points` name → `module:object` for a package that declares none. The same commit with the same options again
        changes nothing, unless `force`.

        Raises: UsageError: `source` or an option can't be read. InstallError and its kin: a stage failed. ContractError: what it
        implements doesn't fit the app's hook specifications. StoreError: the store can't be written. After any of them, and
        after a kill at any instant, what was installed before is as it was.
        """
        return self._install(
            Request(
                source=source,
                name=name,
                python=python,
                force=force,
                extras=tuple(extras),
                with_=tuple(with_),
                constraint=None if constraint is None else os.fspath(constraint),
                exclude_newer=exclude_newer,
                installer=installer,
                offline=offline,
                editable=editable,
                entry_points=entry_points,
            )
        )

    def update(self, name: str) -> Added:
        """Install again what a plugin was made from, with the same options.

        That is the newest commit of its reference, or the newest release that its requirement allows; where that is what is
        installed, nothing changes.

        Raises: UnknownError: it isn't installed. Else as `add` does; what was installed is then as it was.
        """
        from plughost._update import request_again

        with request_again(self.info(name)) as request:
            return self._install(request)

    def _install(self, request: Request) -> Added:
        request.complete(self.settings)
        if unchanged := find_unchanged(self.store, request):
            registry.sweep(self.store)
            return unchanged
        from plughost._add import add

        added = add(self.store, request, describe=self._describe_new, report=self._on_progress)
        if added.changed:
            self._workers.pool.retire(added.name)
        return added

    def _describe_new(self, name: str, venv: str, entry_points: Mapping[str, str]) -> dict[str, object]:
        manifest = self._workers.describe_new(name, venv, entry_points)
        if self.hookspecs:
            from plughost._attach import check_fit

            check_fit(name, manifest, project=self.project, specifications=self.hookspecs)
        return manifest

    def remove(self, name: str) -> registry.Removed:
        """Take a plugin away, with all that only it used; a damaged one too.

        Raises: UsageError: no valid name. UnknownError: it isn't installed.
        """
        from plughost._add import forget_packages

        normalized = registry.normalize_name(name)
        self._workers.pool.retire(normalized)
        removed = registry.remove(self.store, normalized)
        forget_packages(self.store, removed.packages)
        return removed

    def manifest(self, name: str) -> Mapping[str, object]:
        """What a plugin said that it offers when it was added: its `tools` and `hooks`, as plain JSON values.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged.
        """
        return registry.find(self.store, name).manifest

    def plugins(self) -> list[registry.PluginSummary]:
        """What is installed, by name. Starts nothing and imports nothing."""
        return registry.summaries(self.store)

    def info(self, name: str) -> Plugin:
        """All that is known of one plugin.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged.
        """
        from plughost._info import read_plugin

        return read_plugin(registry.find(self.store, name))
