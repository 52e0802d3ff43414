"""Locking a declared set: each plugin is built and resolved as `add` does it, and nothing is installed.

Above it: `Host.lock_set`; below it: `add`'s stages up to the lock. What is locked and still fits stays as it is.
"""

from __future__ import annotations

import tempfile
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from plughost._add import prepared
from plughost._names import required_name
from plughost._request import nowhere
from plughost.errors import PlughostError, UsageError
from plughost.paths import replace_file
from plughost.sets._locked import LockedPlugin, LockedWheel, SetLock, platform, read_lock
from plughost.sets._wanted import Wanted
from plughost.wheel import contents_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Literal

    from plughost._add import Prepared
    from plughost._request import MakeShop, Progress
    from plughost.paths import Store
    from plughost.settings import DeclaredSet, Settings

    Report = Callable[[Progress], None]
    Status = Literal["added", "changed", "unchanged", "removed", "failed"]

__all__ = ["LockResult", "LockedChange", "lock_set", "relock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedChange:
    """What locking did to one plugin: what was locked `before`, and `after` it."""

    name: str
    status: Status
    before: LockedPlugin | None = None
    after: LockedPlugin | None = None
    error: PlughostError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """The file at `path` is as it was where `written` is false: nothing changed, or a plugin failed."""

    path: str
    written: bool
    lock: SetLock
    changes: tuple[LockedChange, ...]

    @property
    def error(self) -> PlughostError | None:
        """The first error."""
        return next((change.error for change in self.changes if change.error), None)


def lock_set(
    store: Store,
    declared: DeclaredSet,
    settings: Settings,
    *,
    upgrade: bool | Collection[str] = False,
    offline: bool = False,
    report: Report | None = None,
    make_shop: MakeShop = nowhere,
) -> LockResult:
    """Write the lock of `declared` beside its file, keeping what fits; what `upgrade` names is locked to the newest.

    Where a plugin can't be locked, the others are tried too, and nothing is written. `make_shop` gives the place to build in.

    Raises: UsageError: there is a lock that can't be used, or `upgrade` names what isn't declared.
    """
    names = frozenset(declared.plugins if upgrade is True else upgrade or ())
    if unknown := sorted(names - declared.plugins.keys()):
        raise UsageError(f"`{declared.path}` declares no plugin `{unknown[0]}`", reference="usage")
    before = read_lock(declared.lock_path)
    known = before if before and before.platform == platform() else None
    result = relock(store, declared, settings, known, upgrade=names, offline=offline, report=report, make_shop=make_shop)
    return result if result.error else write(result, before)


def write(result: LockResult, before: SetLock | None) -> LockResult:
    """Write the lock, if it is another than `before`.

    Raises: UsageError: the file can't be written.
    """
    if before and before.to_toml() == result.lock.to_toml():
        return result
    try:
        replace_file(result.path, result.lock.to_toml())
    except OSError as error:
        said = error.strerror or str(error)
        raise UsageError(f"The lock `{result.path}` can't be written", reference="usage", causes=[said]) from error
    return replace(result, written=True)


def relock(
    store: Store,
    declared: DeclaredSet,
    settings: Settings,
    before: SetLock | None,
    *,
    upgrade: Collection[str] = (),
    offline: bool = False,
    report: Report | None = None,
    make_shop: MakeShop = nowhere,
) -> LockResult:
    """The lock of `declared`, of which nothing is written. What can't be locked is in it as it was locked before, if it was."""
    known = dict(before.plugins) if before else {}
    changes: list[LockedChange] = []
    for name, plugin in declared.plugins.items():
        locked = known.get(name)
        try:
            wanted = Wanted(plugin, settings, document=declared.path)
            if locked and name not in upgrade and not wanted.differs(locked):
                changes.append(LockedChange(name=name, status="unchanged", before=locked, after=locked))
                continue
            keep = locked if name not in upgrade else None
            after = _lock(store, wanted, settings, keep, offline=offline, report=report, make_shop=make_shop)
        except PlughostError as error:
            changes.append(LockedChange(name=name, status="failed", before=locked, error=error))
            continue
        status: Status = "unchanged" if after == locked else "changed" if locked else "added"
        changes.append(LockedChange(name=name, status=status, before=locked, after=after))
    changes += [LockedChange(name=name, status="removed", before=known[name]) for name in sorted(known.keys() - declared.plugins)]
    return LockResult(
        path=declared.lock_path,
        written=False,
        lock=SetLock(platform=platform(), plugins=dict(_entries(changes))),
        changes=tuple(changes),
    )


def _entries(changes: Iterable[LockedChange]) -> Iterator[tuple[str, LockedPlugin]]:
    for change in changes:
        entry = change.before if change.status == "failed" else change.after
        if entry:
            yield change.name, entry


def _lock(
    store: Store,
    wanted: Wanted,
    settings: Settings,
    keep: LockedPlugin | None,
    *,
    offline: bool,
    report: Report | None,
    make_shop: MakeShop,
) -> LockedPlugin:
    """Lock one plugin; of what was locked, versions stay where they fit, and the commit where the source is the same."""
    if wanted.source.kind == "bundle":
        raise UsageError(
            f"`{wanted.shown}` is a bundle, which can't be locked",
            reference="source-invalid",
            causes=["It has a lock of its own, and all that is in it"],
            hint="Declare where the plugin in it came from, or sync without a lock",
        )
    request = wanted.request(offline=offline)
    request.make_shop = make_shop
    request.complete(settings)
    with ExitStack() as stack:
        if keep:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="plughost-"))
            (Path(folder) / "pylock.toml").write_bytes(keep.pylock())
            request.lock_from = folder
            if keep.kind == "git" and keep.source == wanted.shown:
                request.origin = wanted.origin(keep)
        made = stack.enter_context(prepared(store, request, report=report))
        return _locked(wanted, made)


def _locked(wanted: Wanted, made: Prepared) -> LockedPlugin:
    lock = tomllib.loads((made.lockfile.folder / "pylock.toml").read_text(encoding="utf-8"))
    package = made.wheel.name if made.wheel else required_name(made.origin.requirement)
    version = next(item.version for item in made.lockfile.packages if item.name == package)
    return LockedPlugin(
        name=wanted.declared.name,
        source=wanted.shown,
        kind=made.origin.kind,
        commit_id=made.origin.commit_id if made.origin.kind == "git" else "",
        sha256=made.origin.sha256,
        package=package,
        version=version,
        python=made.python.series,
        request=wanted.asked(),
        wheel=LockedWheel(sha256=made.wheel.sha256, contents=contents_of(made.wheel.path)) if made.wheel else None,
        lock=lock,
    )
