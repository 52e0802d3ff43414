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

    from plughost._add import Vet
    from plughost._changed import Updated
    from plughost._info import Plugin
    from plughost._request import Added, Progress
    from plughost._workers import Workers
    from plughost.bundle import Exported
    from plughost.journal import Journal
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
        require_signed: bool = False,
    ) -> Added:
        """Install a package under its own name, or `name`, and record what it offers.

        `source` is `git+URL[@REF][#subdirectory=…]`, a folder, a wheel, an sdist, a requirement, or a bundle that `export` has
        written, which needs no network and takes no options that say what is installed. `with_` are further
        requirements, `constraint` a file of them that only narrows, `exclude_newer` a date, or a time such as `7 days`,
        `entry_points` name → `module:object` for a package that declares none. With `require_signed` one of the settings'
        `allowed_signers` must have signed the commit, or the tag. The same commit with the same options again changes nothing,
        unless `force`.

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
                require_signed=require_signed,
            )
        )

    def update(self, name: str, *, allow_breaking: bool = False, dependencies: bool = False, offline: bool = False) -> Updated:
        """Make a plugin again from what it was made from, beside what is installed, and put it in force.

        That is the newest commit of its reference, or the newest release that its requirement allows. Its dependencies stay as
        they are locked while they fit; with `dependencies` they are the newest, too. Calls that run finish on the old version,
        which `rollback` goes back to. A pinned plugin is left alone.

        Raises: UnknownError: it isn't installed. ContractError: a caller of what is installed might fail, and `allow_breaking`
        isn't given. Else as `add` does. What was installed is then as it was.
        """
        from plughost._update import update

        def install(request: Request, vet: Vet) -> Added:
            return self._install(request, vet)

        return update(
            self.store, name, install=install, allow_breaking=allow_breaking, dependencies=dependencies, offline=offline
        )

    def check_update(self, name: str, *, offline: bool = False) -> Updated:
        """Whether there is something newer to update to. Nothing is built or installed.

        Raises: UnknownError: it isn't installed. SourceError, InstallError: its source can't be asked.
        """
        from plughost._update import check_update

        return check_update(self.store, name, offline=offline)

    def rollback(self, name: str, *, to: str = "") -> Updated:
        """Put the version in force that was before the one that is, or `to`: one that is kept, by version or commit.

        Takes milliseconds and no network. Calls that run finish on the version that they began on.

        Raises: UnknownError: it isn't installed, or there is no such version. StoreError: that version's environment is damaged.
        ContractError: it doesn't fit the app's hook specifications. What is in force is then as it was.
        """
        from plughost._rollback import rollback

        rolled_back = rollback(self.store, name, to=to, vet=self._vet)
        self._workers.pool.retire(rolled_back.name)
        return rolled_back

    def enable(self, name: str) -> bool:
        """Let a plugin be called again; false if it can be already.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged, or the store can't be written.
        """
        return registry.mark(self.store, name, disabled=False)

    def disable(self, name: str) -> bool:
        """Keep a plugin from being called, by whatever way; false if it is already. Calls that run are not ended.

        Raises: as `enable`.
        """
        changed = registry.mark(self.store, name, disabled=True)
        self._workers.pool.retire(registry.normalize_name(name))
        return changed

    def pin(self, name: str) -> bool:
        """Have updates leave a plugin alone; false if they do already.

        Raises: as `enable`.
        """
        return registry.mark(self.store, name, pinned=True)

    def unpin(self, name: str) -> bool:
        """Take `pin` back; false if it isn't pinned.

        Raises: as `enable`.
        """
        return registry.mark(self.store, name, pinned=False)

    def _install(self, request: Request, vet: Vet | None = None) -> Added:
        request.complete(self.settings)
        if vet is None and (unchanged := find_unchanged(self.store, request)):
            registry.sweep(self.store)
            return unchanged
        from plughost._add import add

        def vet_all(name: str, manifest: Mapping[str, object]) -> None:
            self._vet(name, manifest)
            if vet is not None:
                vet(name, manifest)

        added = add(self.store, request, describe=self._describe_new, vet=vet_all, report=self._on_progress)
        if added.changed:
            self._workers.pool.retire(added.name)
        return added

    def _describe_new(self, name: str, venv: str, entry_points: Mapping[str, str]) -> dict[str, object]:
        return self._workers.describe_new(name, venv, entry_points)

    def _vet(self, name: str, manifest: Mapping[str, object]) -> None:
        """Raises: ContractError: what it implements doesn't fit the app's hook specifications."""
        if self.hookspecs:
            from plughost._attach import check_fit

            check_fit(name, manifest, project=self.project, specifications=self.hookspecs)

    def remove(self, name: str) -> registry.Removed:
        """Take a plugin away, with all that only it used; a damaged one too.

        Raises: UsageError: no valid name. UnknownError: it isn't installed.
        """
        from plughost._add import forget_packages

        normalized = registry.normalize_name(name)
        self._workers.pool.retire(normalized)
        removed = registry.remove(self.store, normalized)
    def export(self, name: str, path: str | os.PathLike[str] | None = None, *, offline: bool = False) -> Exported:
        """Write a plugin, with every wheel that it needs, into one file, which `add` installs without a network.

        `path` is the file, which ends in `.plughost`, or a folder for it; it is replaced, whole or not at all. `name` may be
        `weather@1.2`. The same plugin gives the same bytes. With `offline` nothing is fetched.

        Raises: UsageError: it is editable, or `path` can't be written. UnknownError: it isn't installed. StoreError: its files
        are damaged. InstallError: a wheel can't be had, or isn't what is locked.
        """
        from plughost.bundle import export

        return export(self.store, name, path, offline=offline)

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
