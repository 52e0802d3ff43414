"""Host: the plugins of one project, installed and called. Each verb reads as its stages.

Above it: the command line and the apps that embed plughost; below it: `Keeper`, which looks after what is installed, and
`Caller`, which calls it. The stages that install are imported when something is added, not before.
"""

from __future__ import annotations

import os

from plughost import registry
from plughost._keeper import Keeper
from plughost._request import Request, find_unchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from plughost._add import Vet
    from plughost._changed import Updated
    from plughost._consent import GivenGrant
    from plughost._request import Added
    from plughost.sets import LockResult, Synced
    from plughost.settings import Settings

__all__ = ["Host"]


class Host(Keeper):
    """The plugins of one project: added, listed, called, removed. Safe to use from several threads; use it as a context manager.

    `project` is the pluggy project's name and the entry-point group that is looked up in plugins. `store` is the folder that
    holds them, by default the one that `PLUGHOST_HOME` names or the platform's data folder. `hookspecs` are the app's hook
    specifications (modules or classes): a plugin that doesn't fit them isn't installed. `settings` hold where a method isn't
    told; by default they are read from the environment and the files that the command reads too, and `Settings()` is none at
    all. With `record_arguments` the records of calls have their arguments too. Calls reuse workers, which end with `close`, or
    with the process. `on_event` gets what plugins print, log and say of their progress in calls that have none of their own.
    `isolation` (`"call"` or `"worker"`) and `concurrency` hold instead of what plugins declare: for all, or by plugin. At most
    `max_sessions` sessions are open at once.

    `policy`, a `Policy`, a preset's name or a table, is what plugins may use at most; and what they have, where they were granted
    nothing and the settings say nothing. `allow_unenforced` names limits that may go unenforced where this machine can't.
    """

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
        index: str = "",
        grant: GivenGrant | None = None,
    ) -> Added:
        """Install a package under its own name, or `name`, and record what it offers.

        `source` is `git+URL[@REF][#subdirectory=…]`, a folder, a wheel, an sdist, a requirement, or a bundle that `export` has
        written, which needs no network and takes no options that say what is installed. `with_` are further
        requirements, `constraint` a file of them that only narrows, `exclude_newer` a date, or a time such as `7 days`,
        `entry_points` name → `module:object` for a package that declares none. With `require_signed` one of the settings'
        `allowed_signers` must have signed the commit, or the tag. A name alone is looked up in the indexes first, or in `index`
        and nowhere else. The same commit with the same options again changes nothing, unless `force`.

        `grant` answers what the plugin asks to be permitted: `"all"`, `"none"`, a policy, a preset's name or a table; or it is a
        function that is asked, with `Permissions`, if the plugin asks for more than it has, and answers so or by True or False.

        Raises: UsageError: `source` or an option can't be read. GrantNeeded: the plugin asks for permissions, and nobody answers.
        UnknownError: no index, or more than one, has it. InstallError and its kin: a stage failed. ContractError: what it
        implements doesn't fit the app's hook specifications. StoreError: the store can't be written. After any of them, and after
        a kill at any instant, what was installed before is as it was.
        """
        from plughost._listed import take_from_index

        request = Request(
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
        request.grant = grant
        take_from_index(self.store, request, index, self._on_progress)
        return self._install(request)

    def update(
        self,
        name: str,
        *,
        allow_breaking: bool = False,
        dependencies: bool = False,
        offline: bool = False,
        require_signed: bool = False,
        grant: GivenGrant | None = None,
    ) -> Updated:
        """Make a plugin again from what it was made from, beside what is installed, and put it in force.

        That is the newest commit of its reference, or the newest release that its requirement allows. Its dependencies stay as
        they are locked while they fit; with `dependencies` they are the newest, too. Calls that run finish on the old version,
        which `rollback` goes back to. A pinned plugin is left alone. A signature that was demanded once stays demanded. It keeps
        what it was granted; `grant` answers, as in `add`, if it asks for more than it was granted or had asked for.

        Raises: UnknownError: it isn't installed. GrantNeeded: it asks for more, and nobody answers. ContractError: a caller of
        what is installed might fail, and `allow_breaking` isn't given. Else as `add` does. What was installed is then as it was.
        """
        from plughost._update import update

        def install(request: Request, vet: Vet) -> Added:
            request.require_signed = request.require_signed or require_signed
            request.grant = (lambda _permissions: False) if grant == "none" else grant
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

    def lock_set(
        self, path: str | os.PathLike[str] = ".", *, upgrade: bool | Collection[str] = False, offline: bool = False
    ) -> LockResult:
        """Lock the plugins that the file at `path` declares, or the `plughost.toml` in that folder, into the file beside it.

        What is locked and still fits stays as it is, but for the plugins that `upgrade` names: they are locked to what is newest.
        Where a plugin can't be locked, the others are tried too, and nothing is written; the result has the errors.

        Raises: UsageError: the file, or a lock that is there, can't be used.
        """
        from plughost.sets import lock_set
        from plughost.settings import read_declared

        declared = read_declared(os.fspath(path))
        settings = self._settings_of(declared.path)
        return lock_set(
            self.store,
            declared,
            settings,
            upgrade=upgrade,
            offline=offline,
            report=self._on_progress,
            make_shop=self._make_shop,
        )

    def sync(
        self,
        path: str | os.PathLike[str] = ".",
        *,
        locked: bool = False,
        frozen: bool = False,
        prune: bool = False,
        dry_run: bool = False,
        offline: bool = False,
        on_synced: Callable[[Synced], None] | None = None,
        grant: GivenGrant | None = None,
    ) -> list[Synced]:
        """Bring what is installed to the plugins that the file at `path` declares, or the `plughost.toml` in that folder.

        With a lock beside the file, that is exactly what is locked. A lock that doesn't fit the file is made to first; with
        `locked` it is an error, and `frozen` takes the lock as it is. `prune` removes what isn't declared. A plugin that fails
        doesn't stop the others: the result has its error. `on_synced` hears of each plugin as it is done. `grant` answers what
        plugins ask to be permitted, as in `add`.

        Raises: UsageError: the file, or its lock, can't be used.
        """
        from plughost.sets import sync
        from plughost.settings import read_declared

        declared = read_declared(os.fspath(path))
        settings = self._settings_of(declared.path)

        def install(request: Request) -> Added:
            request.grant = grant
            return self._install(request, lambda _name, _manifest: None, settings=settings)

        return sync(
            self,
            declared,
            settings,
            install=install,
            locked=locked,
            frozen=frozen,
            prune=prune,
            dry_run=dry_run,
            offline=offline,
            tell=on_synced,
            report=self._on_progress,
            make_shop=self._make_shop,
        )

    def _settings_of(self, document: str) -> Settings:
        """The settings for what stands in the file `document`, whose own are then the project's."""
        if self._given_settings is not None:
            return self._given_settings
        from plughost.settings import load

        return load(os.path.dirname(document), document=document)

    def _install(self, request: Request, vet: Vet | None = None, *, settings: Settings | None = None) -> Added:
        if not request.is_trusted:
            request.make_shop = self._make_shop
        request.complete(settings or self.settings)
        if vet is None and not request.says_grant and (unchanged := find_unchanged(self.store, request)):
            registry.sweep(self.store)
            return unchanged
        from plughost._add import add

        def vet_all(name: str, manifest: Mapping[str, object]) -> None:
            self._vet(name, manifest)
            if vet is not None:
                vet(name, manifest)

        added = add(
            self.store,
            request,
            describe=self._describe_new,
            vet=vet_all,
            policies=self.policies,
            report=self._on_progress,
        )
        if added.changed or request.says_grant:
            self._retire(added.name)
        return added
