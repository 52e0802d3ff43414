"""Keeper: the plugins that are installed, looked at, switched, mended and taken away. Nothing new comes in here.

Above it: `Host`, which installs; below it: `Caller`, and the registry. What a verb takes is imported when it is first used.
"""

from __future__ import annotations

from plughost import registry
from plughost._caller import Caller
from plughost._limits import Limits
from plughost._policies import SETTINGS, Policies, unpack_grant
from plughost._wishes import Wishes
from plughost.paths import Store, default_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

    from plughost._changed import Updated
    from plughost._gc import Collected
    from plughost._info import Plugin
    from plughost._policies import GivenPolicy
    from plughost._records import Replayed
    from plughost._repair import Repaired
    from plughost._request import Progress
    from plughost._search import Matches
    from plughost._workers import Workers
    from plughost.bundle import Exported
    from plughost.call import Event
    from plughost.health import Fault
    from plughost.journal import CallRecord, Journal, PluginStats
    from plughost.policy import Policy
    from plughost.sandbox import Workshop
    from plughost.session import SessionLimits
    from plughost.settings import Settings
    from plughost.trust import Audit

__all__ = ["Keeper"]


class Keeper(Caller):
    """The plugins of one project that are there. The parameters are `Host`'s."""

    def __init__(
        self,
        project: str = "plughost",
        *,
        store: str | os.PathLike[str] | None = None,
        hookspecs: ModuleType | type | Sequence[ModuleType | type] = (),
        settings: Settings | None = None,
        record_arguments: bool | None = None,
        isolation: str | Mapping[str, str] | None = None,
        concurrency: int | Mapping[str, int] | None = None,
        workers: tuple[int, int | None] = (0, None),
        max_workers: int | None = None,
        idle_s: float | None = 60.0,
        max_calls: int | None = None,
        max_memory_bytes: int | None = None,
        max_sessions: int | None = None,
        environment: Mapping[str, str] | None = None,
        working_folder: str | os.PathLike[str] | None = None,
        policy: GivenPolicy | None = None,
        allow_unenforced: Iterable[str] = (),
        on_progress: Callable[[Progress], None] | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        self.project = project
        self.hookspecs = tuple(hookspecs) if isinstance(hookspecs, list | tuple) else (hookspecs,)
        self.store = Store(store if store is not None else default_store(project), project)
        self._settings = self._given_settings = settings
        self._call_settings: Settings | None = None
        self._record_arguments = record_arguments
        self._wishes = Wishes(isolation, concurrency)
        self._limits = Limits(workers, in_total=max_workers, idle_s=idle_s, calls=max_calls, memory_bytes=max_memory_bytes)
        self._max_sessions = max_sessions
        self._surroundings = (environment, working_folder)
        self.policies = Policies(policy, allow_unenforced=allow_unenforced, settings=self._settings_of_calls)
        if project == "plughost":
            self.policies.program = _command_on(self.store.root)
        #: Whether it shows results to people: what is an array or a table comes as lists and records, and takes no library here.
        self.takes_plain_values = False
        self._on_progress = on_progress
        self._on_event = on_event
        super().__init__(self._new_workers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.project!r}, store={self.store.root!r})"

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
        from plughost.worker import Surroundings

        workers = Workers(
            self.store,
            self.project,
            open_journal=self._open_journal,
            wishes=self._wishes,
            limits=self._limits,
            surroundings=Surroundings(*self._surroundings),
            policies=self.policies,
            plainly=self.takes_plain_values,
        )
        workers.on_event = self._on_event
        return workers

    def _open_journal(self) -> Journal:
        from plughost.journal import Journal, NoJournal

        settings = self._settings_of_calls()
        if not settings.record_calls:
            return NoJournal()
        keeps_arguments = settings.record_arguments if self._record_arguments is None else self._record_arguments
        return Journal(self.store, keeps_arguments=keeps_arguments)

    def _settings_of_calls(self) -> Settings:
        """The settings of which those that concern calls are to be relied on."""
        if self._settings is not None:
            return self._settings
        if self._call_settings is None:  # of files that say nothing of these none is parsed: a call waits for it
            from plughost.settings import load

            self._call_settings = load(only=("record-calls", "record-arguments", *SETTINGS))
        return self._call_settings

    def _session_limits(self) -> SessionLimits:
        from plughost.session import SessionLimits

        return SessionLimits.of(self.settings).but({"max_sessions": self._max_sessions})

    def plugins(self) -> list[registry.PluginSummary]:
        """What is installed, by name. Starts nothing and imports nothing."""
        return registry.summaries(self.store)

    def search(
        self, *words: str, tags: Sequence[str] = (), installed: bool = False, index: str = "", limit: int | None = None
    ) -> Matches:
        """The plugins that have every word, in what is installed and in the indexes, the best first. Asks nothing of the network.

        At most `limit` of them. With `tags` only those that have all of them, with `index` only what it lists.

        Raises: UnknownError: there is no such index. StoreError: an index is damaged, or the store can't be read.
        """
        from plughost._search import search

        return search(self.store, words, tags=tags, installed=installed, index=index, limit=limit)

    def info(self, name: str) -> Plugin:
        """All that is known of one plugin.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged.
        """
        from plughost._info import read_plugin

        return read_plugin(registry.find(self.store, name))

    def manifest(self, name: str) -> Mapping[str, object]:
        """What a plugin said that it offers when it was added: its `tools` and `hooks`, as plain JSON values.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged.
        """
        return registry.find(self.store, name).manifest

    def rollback(self, name: str, *, to: str = "") -> Updated:
        """Put the version in force that was before the one that is, or `to`: one that is kept, by version or commit.

        Takes milliseconds and no network. Calls that run finish on the version that they began on.

        Raises: UnknownError: it isn't installed, or there is no such version. StoreError: that version's environment is damaged.
        ContractError: it doesn't fit the app's hook specifications. What is in force is then as it was.
        """
        from plughost._rollback import rollback

        rolled_back = rollback(self.store, name, to=to, vet=self._vet)
        self._retire(rolled_back.name)
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
        self._retire(registry.normalize_name(name))
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

    def remove(self, name: str) -> registry.Removed:
        """Take a plugin away, with all that only it used; a damaged one too.

        Raises: UsageError: no valid name. UnknownError: it isn't installed.
        """
        from plughost._add import forget_packages

        normalized = registry.normalize_name(name)
        self._retire(normalized)
        removed = registry.remove(self.store, normalized)
        forget_packages(self.store, removed.packages)
        return removed

    def export(self, name: str, path: str | os.PathLike[str] | None = None, *, offline: bool = False) -> Exported:
        """Write a plugin, with every wheel that it needs, into one file, which `add` installs without a network.

        `path` is the file, which ends in `.plughost`, or a folder for it; it is replaced, whole or not at all. `name` may be
        `weather@1.2`. The same plugin gives the same bytes. With `offline` nothing is fetched.

        Raises: UsageError: it is editable, or `path` can't be written. UnknownError: it isn't installed. StoreError: its files
        are damaged. InstallError: a wheel can't be had, or isn't what is locked.
        """
        from plughost.bundle import export

        return export(self.store, name, path, offline=offline, make_shop=self._make_shop)

    def diagnose(self, name: str = "") -> list[Fault]:
        """What is wrong with a plugin: each file that is damaged or missing, its environment, its Python. Changes nothing.

        Every file is read and hashed. Without a name: of all plugins, of the store and of this machine.

        Raises: UnknownError: it isn't installed. StoreError: this user may not read the store.
        """
        from plughost._repair import diagnose, diagnose_store

        if name:
            return diagnose(self.store, [name])
        from plughost.health import examine_machine

        return [*examine_machine(self.store)[1], *diagnose_store(self.store)]

    def repair(self, name: str, *, offline: bool = False) -> Repaired:
        """Make again what is damaged of a plugin, from its lock and its wheel, and put it in force.

        It takes no network where the cache has the wheels. Damaged files are set aside. Calls that run finish on what they
        began on. A sound plugin is left alone.

        Raises: UnknownError: it isn't installed. InstallError: it can't be made. StoreError: too little is left, or the store
        can't be written. After any of them, and after a kill at any instant, what was there is as it was.
        """
        from plughost._repair import repair

        repaired = repair(
            self.store, name, describe=self._describe_new, report=self._on_progress, offline=offline, make_shop=self._make_shop
        )
        if repaired.faults:
            self._retire(repaired.name)
        return repaired

    def collect_garbage(self, *, dry_run: bool = False) -> Collected:
        """Delete what nothing refers to, and what was kept for a time that is over. With `dry_run` it is only listed.

        What a worker or another process is using stays.

        Raises: StoreError: the store can't be written.
        """
        from plughost._gc import collect

        return collect(self.store, keep_revisions=self.settings.keep_revisions, dry_run=dry_run)

    def audit(self, *names: str, offline: bool = False) -> list[Audit]:
        """What is known of the packages of these plugins, or of all, and what they bring along; nothing of them is started.

        Names and versions of packages are given to the settings' `audit_service`, unless `offline`.

        Raises: UnknownError: one isn't installed. AuditError: the service can't be asked.
        """
        from plughost.trust import audit

        chosen = names or registry.installed_names(self.store)
        return audit(self.store, chosen, settings=self.settings, offline=offline or self.settings.offline)

    def sbom(self, name: str) -> dict[str, object]:
        """The bill of materials of a plugin, a CycloneDX document as plain JSON values; the same each time.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged.
        """
        from plughost.trust import bill_of_materials

        return bill_of_materials(self.info(name))

    def calls(
        self, *names: str, failed: bool = False, since: str = "", after: int = 0, limit: int | None = None
    ) -> list[CallRecord]:
        """The records of calls, the latest last: of all plugins or of these, of all calls or of those that didn't go well.

        `since` is a date, or how long ago, such as `2 hours`; `after` a record's number; `limit` is for the latest.

        Raises: UnknownError: there is no such plugin. UsageError: `since` is no date. StoreError: the records can't be read.
        """
        from plughost._records import read_calls

        return read_calls(self.store, names, failed=failed, since=since, after=after, limit=limit)

    def find_call(self, number: int) -> CallRecord:
        """The record of a call, by its number.

        Raises: UnknownError: there is none, or not any more. StoreError: the records can't be read.
        """
        from plughost._records import find_call

        return find_call(self.store, number)

    def stats(self, *names: str, since: str = "") -> list[PluginStats]:
        """The calls of plugins counted: how many, how many went wrong, how long they took, the memory of their processes.

        Raises: as `calls` does.
        """
        from plughost._records import read_stats

        return read_stats(self.store, names, since=since)

    def replay(
        self,
        number: int,
        *,
        current: bool = False,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Replayed:
        """Make a call again that was recorded with its arguments, on the revision that it was made on, or the `current` one.

        It has the time that it had, or `timeout_s`. How the call ends is in what is returned, an error too.

        Raises: UnknownError: there is no such record, or the revision is gone. UsageError: the arguments were not recorded.
        StoreError: the records can't be read.
        """
        from plughost._records import replay
        from plughost.worker import time_given

        timeout_s = time_given(timeout_s)
        return replay(self, self.store, number, current=current, timeout_s=timeout_s, env=env, on_output=on_output)

    def policy_of(self, name: str) -> Policy:
        """What a plugin may use: what it was granted, narrowed by what the settings and this host say.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged. UsageError: the settings can't be used.
        """
        return self.policies.of(registry.find(self.store, name))

    def grant(self, name: str, policy: GivenPolicy | None) -> bool:
        """Grant a plugin what `policy` says, instead of what it was granted; None takes that back. False if it is so already.

        `all` and `none` mean what the plugin asks for. Calls that run are not ended; the next has a new process.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged, or the store can't be written. UsageError.
        """
        from plughost._consent import regrant

        changed = regrant(self.store, name, policy)
        self._retire(registry.normalize_name(name))
        return changed

    def _make_shop(self) -> Workshop | None:
        """Where packages are built."""
        return self._workers.confining.workshop()

    def _describe_new(
        self,
        name: str,
        venv: str,
        entry_points: Mapping[str, str],
        policy: Policy | None = None,
        own: Sequence[str] = (),
    ) -> dict[str, object]:
        """Start what is being installed, under a policy, by default the one that holds for what is installed by that name."""
        if policy is None:
            state = registry.state_of(self.store, name)
            policy = self.policies.of_new(name, unpack_grant(state.grant if state else ""))
        return self._workers.describe_new(name, venv, entry_points, policy=policy, own=own)

    def _vet(self, name: str, manifest: Mapping[str, object]) -> None:
        """Raises: ContractError: what it implements doesn't fit the app's hook specifications."""
        if self.hookspecs:
            from plughost._attach import check_fit

            check_fit(name, manifest, project=self.project, specifications=self.hookspecs)


def _command_on(store: str) -> str:
    """What the commands of `plughost` on this store begin with."""
    if store == default_store():
        return "plughost"
    import shlex

    return f"plughost --store {shlex.quote(store)}"
