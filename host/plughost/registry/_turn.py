"""Turning to another revision that is there, and marking a plugin: one small file changes, and nothing is built or started."""

from __future__ import annotations

import os

from plughost.errors import UnknownError
from plughost.registry._changing import changing
from plughost.registry._read import find, normalize_name, state_of, unknown
from plughost.registry._transaction import adding, put_state, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.paths import Store
    from plughost.registry._read import Installed
    from plughost.registry._state import State

__all__ = ["mark", "turn_to", "way_back"]


def way_back(store: Store, name: str, to: str = "") -> Installed:
    """The revision that a rollback goes to: the one before the one in force, or the one that `to` means.

    Raises: UnknownError: there is none before it, or none of that version. Else as `find`.
    """
    normalized = normalize_name(name)
    if to:
        return find(store, f"{normalized}@{to}")
    state = state_of(store, normalized)
    if state is None:
        raise unknown(store, normalized)
    if not state.before:
        raise UnknownError(
            f"There is no version of `{normalized}` before the one in force",
            reference="version-unknown",
            hint=f"`rollback {normalized} --to VERSION` goes to any that is kept: `info {normalized}` shows them"
            if state.after
            else f"`info {normalized}` shows where it comes from; `add SOURCE@TAG` installs an earlier version",
        )
    return find(store, f"{normalized}@{state.before[0]}")


def turn_to(store: Store, name: str, revision: str) -> bool:
    """Put a revision that is kept in force; false if it is already.

    Raises: UnknownError: the plugin or the revision was dropped in the meantime. StoreError: the store can't be written.
    """

    def turned(state: State) -> State:
        if revision == state.revision:
            return state
        if revision not in state.revisions:
            raise UnknownError(
                f"`{name}` is no longer kept in the revision `{revision}`",
                reference="version-unknown",
                causes=["Another process has put a further one in force"],
                hint=f"`info {name}` shows those that are",
            )
        return state.turned_back(revision)

    return _change(store, name, turned)


def mark(store: Store, name: str, *, disabled: bool | None = None, pinned: bool | None = None, grant: str | None = None) -> bool:
    """Set the marks that are given, or the grant, as the state keeps it; false if they are set already.

    Raises: UnknownError: the plugin isn't installed. StoreError: its state is damaged, or the store can't be written.
    """
    return _change(store, name, lambda state: state.marked(disabled=disabled, pinned=pinned, grant=grant))


def _change(store: Store, name: str, change: Callable[[State], State]) -> bool:
    normalized = normalize_name(name)
    with writing(store), adding(store), changing(store):
        state = state_of(store, normalized)
        if state is None:
            raise unknown(store, normalized)
        changed = change(state)
        if changed.pack() == state.pack():
            return False
        put_state(store.plugin(normalized), os.path.join(store.tmp, os.urandom(8).hex()), changed)
        return True
