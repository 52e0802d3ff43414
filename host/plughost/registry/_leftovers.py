"""Everything in a store that may go: each thing with its kind, its place, and the space that it takes.

Above it: the collection of garbage, which holds the lock that keeps everybody from adding; below it: the store's paths.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace

from plughost.paths import BUILT_DAYS, KEPT_DAYS, Store, older, read_file, scan
from plughost.registry._aside import aside_since
from plughost.registry._garbage import users_of_venvs
from plughost.registry._state import whole_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plughost.registry._state import State

__all__ = ["Leftover", "find_leftovers", "measured", "trimmed"]

_WEEK_S = 7 * 86400
#: Long enough to be asked about: what failed, and what was damaged.
_LOG_DAYS = 30
_ASIDE_S = 30 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that may go. `size_bytes` is what the disk gains, where all that is listed with it goes too."""

    kind: str
    path: str
    size_bytes: int = 0

    def record(self) -> dict[str, object]:
        return {"kind": self.kind, "path": self.path, "size_bytes": self.size_bytes}


def find_leftovers(store: Store, keep_revisions: int) -> list[Leftover]:
    """All of them, the largest kinds first come; of what was kept for a time, what is past it."""
    found = [
        *_each("attempt", store.tmp),
        *_each("trash", store.trash),
        *_revisions(store, keep_revisions),
        *_environments(store, keep_revisions),
        *_set_aside(store),
        *_old("log", store.logs, _LOG_DAYS),
        *_old("kept wheel", store.kept_wheels, KEPT_DAYS),
        *_old("kept wheel", store.fetched_wheels, KEPT_DAYS),
        *_old("kept wheel", store.built_wheels, BUILT_DAYS),
        *_build_environments(store),
        *_half_written(store),
    ]
    return measured(found)


def trimmed(state: State, keep: int) -> State:
    """The state with no more than `keep` revisions."""
    return state.advanced(state.revision, keep=keep)


def _each(kind: str, folder: str) -> Iterator[Leftover]:
    for entry in scan(folder):
        yield Leftover(kind=kind, path=entry.path)


def _old(kind: str, folder: str, days: int) -> Iterator[Leftover]:
    for path in older(folder, days):
        yield Leftover(kind=kind, path=path)


def _set_aside(store: Store) -> Iterator[Leftover]:
    """By when it was set aside, as its name says."""
    oldest = time.time() - _ASIDE_S
    for entry in scan(store.set_aside):
        if aside_since(entry.name) < oldest:
            yield Leftover(kind="set aside", path=entry.path)


def _revisions(store: Store, keep: int) -> Iterator[Leftover]:
    """What is in the folder of a plugin and isn't named by its state. Of a damaged state nothing can be told."""
    for project in scan(os.path.dirname(store.plugins)):
        for plugin in scan(project.path):
            state = whole_state(plugin.path)
            if state is None:
                continue
            named = trimmed(state, keep) if project.path == store.plugins else state
            for entry in scan(plugin.path):
                if entry.name not in {"current", *named.revisions}:
                    yield Leftover(kind="revision", path=entry.path)


def _environments(store: Store, keep: int) -> Iterator[Leftover]:
    going = {one.path for one in _revisions(store, keep)}
    users = users_of_venvs(store, leave_out=going)
    for venv in scan(store.venvs):
        if venv.name not in users:
            yield Leftover(kind="environment", path=venv.path)


def _build_environments(store: Store) -> Iterator[Leftover]:
    """Those of the weeks before the last one, and those that were never finished."""
    week = int(time.time() // _WEEK_S)
    for entry in scan(store.build_environments):
        try:
            made = int(json.loads(read_file(os.path.join(entry.path, "plughost-build.json")))["week"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            made = 0
        if made < week - 1:
            yield Leftover(kind="build environment", path=entry.path)


def _half_written(store: Store) -> Iterator[Leftover]:
    """What killed programs have left in the caches and beside the index."""
    for entry in scan(os.path.dirname(store.index)):
        if entry.name.endswith(".new"):
            yield Leftover(kind="half-written", path=entry.path)
    for cache in scan(os.path.dirname(store.uv_cache)):
        if cache.is_dir(follow_symlinks=False):
            for entry in scan(cache.path):
                if entry.name.startswith(".tmp"):
                    yield Leftover(kind="half-written", path=entry.path)


def measured(found: Iterable[Leftover]) -> list[Leftover]:
    """With their sizes: a file counts where all of its hard links go, for the last of those that have one."""
    links: dict[tuple[int, int], int] = {}
    sized = []
    for one in found:
        size = 0
        for state in _states(one.path):
            inode = (state.st_dev, state.st_ino)
            links[inode] = links.get(inode, 0) + 1
            size += state.st_size if links[inode] == state.st_nlink else 0
        sized.append(replace(one, size_bytes=size))
    return sized


def _states(path: str) -> Iterator[os.stat_result]:
    try:
        state = os.lstat(path)
    except FileNotFoundError:
        return
    if not os.path.isdir(path) or os.path.islink(path):
        yield state
        return
    for entry in scan(path):
        yield from _states(entry.path)
