"""Collecting all garbage, also what was kept for a time that is over: `gc`, which somebody asks for.

Above it: the host; below it: what may go, and the deleting of it.
"""

from __future__ import annotations

from plughost.paths import Store, locked, scan
from plughost.registry._changing import changing
from plughost.registry._garbage import sweep_all, to_trash
from plughost.registry._leftovers import Leftover, find_leftovers, trimmed
from plughost.registry._state import whole_state
from plughost.registry._transaction import put_state, writing
from plughost.registry._write import staging

__all__ = ["collect_all"]


def collect_all(store: Store, *, keep_revisions: int, dry_run: bool) -> list[Leftover] | None:
    """Delete what nothing refers to, and what was kept for a time that is over; with `dry_run` it is only listed.

    None where it can't be told, because somebody is adding, who clears up afterwards.

    Raises: StoreError: the store can't be written.
    """
    try:
        with writing(store), locked(store.lock("adding"), wait=False):
            if dry_run:
                return find_leftovers(store, keep_revisions)
            _trim_states(store, keep_revisions)
            found = find_leftovers(store, keep_revisions)
            for one in found:
                if one.kind != "environment":  # which may be in use
                    to_trash(store, one.path)
            sweep_all(store)
            return found
    except BlockingIOError:
        return None


def _trim_states(store: Store, keep: int) -> None:
    """Have each plugin of the project refer to no more than `keep` revisions."""
    for plugin in list(scan(store.plugins)):
        state = whole_state(plugin.path)
        if state is None or len(state.revisions) <= keep:
            continue
        with changing(store), staging(store) as stage:
            state = whole_state(plugin.path)  # as it is now that nobody else changes it
            if state is not None:
                put_state(plugin.path, stage / "current", trimmed(state, keep))
