"""Putting something sound in the place of something damaged, by one rename, as everything here comes into force.

Above it: the repair; below it: the state and the store's paths.
"""

from __future__ import annotations

import os
from pathlib import Path

from plughost.paths import sync_folder
from plughost.registry._aside import set_aside
from plughost.registry._changing import changing
from plughost.registry._garbage import PLACING, drop_revisions
from plughost.registry._state import State, read_state, whole_state
from plughost.registry._transaction import put_state, sync_file, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from plughost.paths import Store
    from plughost.registry._receipt import Receipt

__all__ = ["exchange", "put_state_back"]


def exchange(store: Store, old: str, revision: Path, receipt: Receipt, *, damaged: Iterable[Path]) -> bool:
    """Put the finished folder `revision` where the revision `old` is named: in force, or kept for a way back.

    The `damaged` files of the old one are set aside, and it goes. False, and nothing has changed, where `old` isn't named any
    more. The folder that `revision` is in is that of this attempt alone, and is swept if it is killed.

    Raises: StoreError: the store can't be written; nothing has changed.
    """
    plugin = Path(store.plugin(receipt.name))
    with writing(store), changing(store):
        try:
            state = read_state(str(plugin))
        except (OSError, ValueError):
            return False
        if old not in state.revisions:
            return False
        (revision / "receipt.toml").write_bytes(receipt.to_toml())
        for file in revision.iterdir():
            sync_file(file)
        set_aside(store, damaged, name=receipt.name)
        placing = revision.with_name(PLACING)
        placing.symlink_to(plugin)  # has a sweep finish what a kill interrupts
        revision.rename(plugin / receipt.revision)
        sync_folder(str(plugin))
        put_state(str(plugin), placing.with_name("current"), _exchanged(state, old, receipt.revision))
        drop_revisions(store, str(plugin))
        placing.unlink()
        return True


def put_state_back(store: Store, name: str, state: State, stage: Path) -> bool:
    """Put a state that was worked out in the place of a damaged one, which is set aside.

    False, and nothing has changed, where there is a sound one by now.

    Raises: StoreError: the store can't be written.
    """
    plugin = store.plugin(name)
    with writing(store), changing(store):
        if whole_state(plugin):
            return False
        set_aside(store, [os.path.join(plugin, "current")], name=name)
        put_state(plugin, stage / "current", state)
        return True


def _exchanged(state: State, old: str, new: str) -> State:
    def others(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    return State(
        others((state.revision,))[0],
        before=others(state.before),
        after=others(state.after),
        disabled=state.disabled,
        pinned=state.pinned,
        grant=state.grant,
    )
