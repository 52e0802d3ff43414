"""Syncing: bringing what is installed to a declared set, as it is declared, or exactly as it is locked.

Above it: `Host.sync`; below it: the registry, and `add`, which the host hands in. Each plugin is brought there by itself, in
steps that are whole or not taken, so that after a kill the next sync goes on from where this one was.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from plughost import registry
from plughost._request import nowhere
from plughost.errors import PlughostError, StoreError, UnknownError, UsageError
from plughost.sets._current import fitting_lock
from plughost.sets._installed import find_installed
from plughost.sets._wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from plughost._request import Added, MakeShop, Progress, Request
    from plughost.paths import Store
    from plughost.registry import Receipt
    from plughost.sets._locked import LockedPlugin, SetLock
    from plughost.settings import DeclaredPlugin, DeclaredSet, Settings

    Status = Literal["added", "changed", "unchanged", "removed", "undeclared", "failed"]

__all__ = ["Machine", "Synced", "sync"]


class Machine(Protocol):
    """The verbs of a host that a sync is made of."""

    store: Store

    def rollback(self, name: str, *, to: str) -> object: ...
    def remove(self, name: str) -> object: ...
    def pin(self, name: str) -> bool: ...
    def unpin(self, name: str) -> bool: ...
    def enable(self, name: str) -> bool: ...
    def disable(self, name: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What was done with one plugin, or with a dry run would be. `marks` are `pinned`, `unpinned`, `enabled`, `disabled`.

    `undeclared` is installed and not declared, and was left alone. What isn't known, or was not there before, is "".
    """

    name: str
    status: Status
    version: str = ""
    commit_id: str = ""
    version_before: str = ""
    commit_before: str = ""
    marks: tuple[str, ...] = ()
    error: PlughostError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One sync: what it works on, and how. `failures` are of plugins that could not be locked."""

    machine: Machine
    install: Callable[[Request], Added]
    settings: Settings
    document: str
    lock: SetLock | None
    failures: Mapping[str, PlughostError]
    offline: bool
    dry_run: bool


def sync(
    machine: Machine,
    declared: DeclaredSet,
    settings: Settings,
    *,
    install: Callable[[Request], Added],
    locked: bool = False,
    frozen: bool = False,
    prune: bool = False,
    dry_run: bool = False,
    offline: bool = False,
    tell: Callable[[Synced], None] | None = None,
    report: Callable[[Progress], None] | None = None,
    make_shop: MakeShop = nowhere,
) -> list[Synced]:
    """Bring the machine to `declared`: what is there already stays, and one plugin's failure doesn't stop the others.

    With a lock beside the file, that is what is installed; where it doesn't fit the file any more, it is first made to, but for
    `frozen`, which takes it as it is, and `locked`, which refuses. `tell` hears of each plugin as it is done.

    Raises: UsageError: the lock can't be used, or is missing or doesn't fit, and `locked` or `frozen` ask for it.
    """
    lock, failures = fitting_lock(
        machine.store,
        declared,
        settings,
        locked=locked,
        frozen=frozen,
        dry_run=dry_run,
        offline=offline,
        report=report,
        make_shop=make_shop,
    )
    run = _Run(
        machine=machine,
        install=install,
        settings=settings,
        document=declared.path,
        lock=lock,
        failures=failures,
        offline=offline,
        dry_run=dry_run,
    )
    done: list[Synced] = []

    def note(synced: Synced) -> None:
        done.append(synced)
        if tell:
            tell(synced)

    for plugin in declared.plugins.values():
        note(_bring(run, plugin))
    for name in registry.installed_names(machine.store):
        if name not in declared.plugins:
            note(_remove(run, name) if prune else Synced(name=name, status="undeclared"))
    return done


def _bring(run: _Run, declared: DeclaredPlugin) -> Synced:
    """Bring one plugin to what is declared."""
    name = declared.name
    try:
        if name in run.failures:
            raise run.failures[name]
        before = _in_force(run.machine.store, name)
        locked = _locked(run, name)
        after = _put_in_force(run, Wanted(declared, run.settings, document=run.document), locked)
        marks = _mark(run, declared, is_there=before is not None or not run.dry_run)
    except PlughostError as error:
        return Synced(name=name, status="failed", error=error)
    is_same = before is not None and after is not None and before.revision == after.revision
    synced = Synced(
        name=name,
        status="unchanged" if is_same else "changed" if before else "added",
        version_before=before.version if before else "",
        commit_before=before.commit_id if before else "",
        marks=marks,
    )
    if after:
        return replace(synced, version=after.version, commit_id=after.commit_id)
    return replace(synced, version=locked.version, commit_id=locked.commit_id) if locked else synced


def _in_force(store: Store, name: str) -> Receipt | None:
    """The receipt in force; None where there is none that can be read."""
    try:
        return registry.load_receipt(Path(registry.find(store, name).folder, "receipt.toml"))
    except (UnknownError, StoreError):
        return None


def _locked(run: _Run, name: str) -> LockedPlugin | None:
    """Raises: UsageError: there is a lock, and it hasn't the plugin."""
    if run.lock is None:
        return None
    if name not in run.lock.plugins:
        raise UsageError(
            f"`{name}` is declared, and not locked", reference="lock-outdated", hint=f"`lock {run.document}` locks it"
        )
    return run.lock.plugins[name]


def _put_in_force(run: _Run, wanted: Wanted, locked: LockedPlugin | None) -> Receipt | None:
    """The receipt that is in force then; None in a dry run of what would be installed."""
    request = wanted.request(offline=run.offline)
    with ExitStack() as stack:
        if locked:
            _hold(request, wanted, locked, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plughost-"))))
        request.complete(run.settings)
        found = find_installed(run.machine.store, wanted, request, locked)
        if found and (found.in_force or run.dry_run):
            return found.receipt
        if run.dry_run:
            return None
        if found:
            run.machine.rollback(found.receipt.name, to=found.receipt.revision)
            return found.receipt
        return _in_force(run.machine.store, run.install(request).name)


def _hold(request: Request, wanted: Wanted, locked: LockedPlugin, folder: Path) -> None:
    """Have the request give exactly what is locked, or fail."""
    request.python = request.python or locked.python
    request.origin = wanted.origin(locked)
    request.anew = True
    (folder / "pylock.toml").write_bytes(locked.pylock())
    request.locked_in = str(folder)
    if locked.wheel:
        request.wheel_sha256 = locked.wheel.sha256
        request.wheel_contents = locked.wheel.contents


def _mark(run: _Run, declared: DeclaredPlugin, *, is_there: bool) -> tuple[str, ...]:
    """Set the marks that are declared; those that were not set."""
    machine = run.machine
    state = registry.state_of(machine.store, declared.name) if is_there else None
    pinned, disabled = (state.pinned, state.disabled) if state else (False, False)
    changes: list[tuple[str, Callable[[str], bool]]] = []
    if declared.pin != pinned:
        changes.append(("pinned", machine.pin) if declared.pin else ("unpinned", machine.unpin))
    if declared.enabled == disabled:
        changes.append(("enabled", machine.enable) if declared.enabled else ("disabled", machine.disable))
    if not run.dry_run:
        for _, change in changes:
            change(declared.name)
    return tuple(mark for mark, _ in changes)


def _remove(run: _Run, name: str) -> Synced:
    before = _in_force(run.machine.store, name)
    try:
        if not run.dry_run:
            run.machine.remove(name)
    except UnknownError:  # somebody else was faster
        pass
    except PlughostError as error:
        return Synced(name=name, status="failed", error=error)
    return Synced(
        name=name,
        status="removed",
        version_before=before.version if before else "",
        commit_before=before.commit_id if before else "",
    )
