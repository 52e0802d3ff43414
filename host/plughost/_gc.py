"""`gc`: what nothing refers to goes, from the store and from the installer's cache.

Above it: `Host`; below it: the registry, and the installer.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from glob import escape, glob

from plughost import lock as locks
from plughost import registry, sandbox, session
from plughost import venv as venvs
from plughost._installer import choose
from plughost.paths import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.paths import Store

__all__ = ["Collected", "collect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What went, or with `dry_run` would go. `left` is what somebody is using; it goes the next time.

    `busy` says that somebody is adding something, who clears up afterwards, so that nothing was looked at here.
    """

    leftovers: tuple[registry.Leftover, ...]
    left: tuple[registry.Leftover, ...]
    dry_run: bool
    busy: bool

    @property
    def freed_bytes(self) -> int:
        return sum(one.size_bytes for one in self.leftovers)

    def record(self) -> dict[str, object]:
        return {
            "dry_run": self.dry_run,
            "busy": self.busy,
            "freed_bytes": self.freed_bytes,
            "leftovers": [one.record() for one in self.leftovers],
            "left": [one.record() for one in self.left],
        }


def collect(store: Store, *, keep_revisions: int, dry_run: bool) -> Collected:
    """Delete what nothing refers to, or list it."""
    if not os.path.isdir(store.root):
        return Collected(leftovers=(), left=(), dry_run=dry_run, busy=False)
    found = registry.collect_all(store, keep_revisions=keep_revisions, dry_run=dry_run)
    if found is None:
        return Collected(leftovers=(), left=(), dry_run=dry_run, busy=True)
    left = () if dry_run else tuple(one for one in found if os.path.lexists(one.path))
    written = _written_by_plugins(store, dry_run=dry_run)
    cached = _packages(store, dry_run=dry_run)
    gone = (*(one for one in found if one not in left), *written, *cached)
    return Collected(leftovers=gone, left=left, dry_run=dry_run, busy=False)


def _written_by_plugins(store: Store, *, dry_run: bool) -> list[registry.Leftover]:
    """The work directories, those of sessions included, of processes that were killed with their host."""
    folders = [("session", path) for path in session.abandoned(store)]
    folders += [("work directory", path) for path in sandbox.abandoned(store.work)]
    found = [registry.Leftover(kind=kind, path=path, size_bytes=session.size_bytes(path)) for kind, path in folders]
    if not dry_run:
        session.sweep(store)
        for kind, path in folders:
            if kind != "session":
                sandbox.clear(path)
    return found


def _packages(store: Store, *, dry_run: bool) -> list[registry.Leftover]:
    """The packages in the installer's cache that no lock has, and no build environment. What others use too is left alone."""
    if os.path.islink(store.uv_cache) or not os.path.isdir(store.uv_cache):
        return []
    wanted = _wanted(store)
    installer = choose(store)
    packages = {name: folders for name, folders in installer.cached().items() if name not in wanted}
    found = registry.measured(
        registry.Leftover(kind="cached package", path=folder) for name in sorted(packages) for folder in packages[name]
    )
    if not dry_run:
        installer.prune(sorted(packages))
    return found


def _wanted(store: Store) -> set[str]:
    """The names of all packages that any lock of any project has, or that are installed to build with."""
    wanted: set[str] = set()
    for lock in glob(os.path.join(escape(store.root), "plugins", "*", "*", "*", "pylock.toml")):
        try:
            wanted |= {name for name, _version in locks.versions(lock)}
        except (OSError, ValueError):
            continue
    for venv in (*scan(store.venvs), *scan(store.build_environments)):
        wanted |= {name for name, _version in venvs.installed(venv.path)}
    return wanted
