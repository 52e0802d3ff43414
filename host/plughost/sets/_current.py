"""The lock that a sync takes: the one beside the file, made to fit where it may be, or refused.

Above it: syncing; below it: locking.
"""

from __future__ import annotations

from plughost.errors import PlughostError, UsageError
from plughost.sets._locked import platform, read_lock
from plughost.sets._wanted import Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost._request import MakeShop, Progress
    from plughost.paths import Store
    from plughost.sets._locked import SetLock
    from plughost.settings import DeclaredSet, Settings

__all__ = ["fitting_lock"]


def fitting_lock(
    store: Store,
    declared: DeclaredSet,
    settings: Settings,
    *,
    locked: bool,
    frozen: bool,
    dry_run: bool,
    offline: bool,
    report: Callable[[Progress], None] | None,
    make_shop: MakeShop,
) -> tuple[SetLock | None, dict[str, PlughostError]]:
    """The lock, None where there is none; and the errors of plugins that could not be locked, by name.

    What was locked anew is written, but in a dry run.

    Raises: UsageError: the lock can't be used, or is missing or doesn't fit, and `locked` or `frozen` ask for it.
    """
    path = declared.lock_path
    lock = read_lock(path)
    if lock is None:
        if locked or frozen:
            raise UsageError(f"There is no lock `{path}`", reference="lock-outdated", hint=f"`lock {declared.path}` makes it")
        return None, {}
    if lock.platform != platform():
        raise UsageError(
            f"The lock `{path}` is for another platform",
            reference="lock-outdated",
            causes=[f"It is for `{lock.platform}`, and this machine is `{platform()}`"],
            hint="Keep a file of plugins with its lock for each platform, or delete the lock to do without it",
        )
    outdated = [] if frozen else _outdated(declared, settings, lock)
    if not outdated:
        return lock, {}
    if locked:
        raise UsageError(
            f"The lock `{path}` doesn't fit `{declared.path}` any more",
            reference="lock-outdated",
            causes=outdated,
            hint=f"`lock {declared.path}` makes it fit",
        )
    from plughost.sets._locking import relock, write

    result = relock(store, declared, settings, lock, offline=offline, report=report, make_shop=make_shop)
    if not dry_run:
        write(result, lock)
    return result.lock, {change.name: change.error for change in result.changes if change.error}


def _outdated(declared: DeclaredSet, settings: Settings, lock: SetLock) -> list[str]:
    """Why the lock isn't that of the set, by plugin."""
    reasons: list[str] = []
    for name, plugin in declared.plugins.items():
        entry = lock.plugins.get(name)
        if entry is None:
            reasons.append(f"`{name}` is not locked")
            continue
        try:
            reason = Wanted(plugin, settings, document=declared.path).differs(entry)
        except PlughostError:  # which its own turn tells
            continue
        if reason:
            reasons.append(f"Of `{name}`, {reason}")
    return [*reasons, *(f"`{name}` is locked, and not declared" for name in sorted(lock.plugins.keys() - declared.plugins))]
