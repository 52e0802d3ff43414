"""Deleting: what a killed process left, what nothing refers to any more, and what was still in use when it was to go.

Above it: what changes the registry, and `add`; below it: the store's paths. Whoever adds holds the lock *adding* shared; sweeping
takes it exclusive, so that nobody's half-made work is taken for garbage.
"""

from __future__ import annotations

import os

from plughost._deletion import delete_folder
from plughost.paths import Store, locked, read_file, regular, scan
from plughost.registry._state import whole_state
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

__all__ = [
    "PLACING",
    "collect_garbage",
    "delete",
    "drop_revisions",
    "leave_for_next",
    "manifests",
    "referenced_venvs",
    "sweep",
    "sweep_all",
    "to_trash",
    "users_of_venvs",
]

#: In the folder of an attempt: a link to the plugin's folder, while there may be a revision too many in it.
PLACING = "placing"
#: In the trash, to be found by the next sweep: why there must be one.
_PENDING, _IN_USE = "pending", "in-use"


def sweep(store: Store) -> None:
    """Clear up if there is anything to clear up and nobody is adding. Best effort: what can't be deleted is tried again later."""
    try:
        if any(scan(store.tmp)) or any(scan(store.trash)):
            collect_garbage(store)
    except OSError:  # another user's store, or a read-only one
        return


def collect_garbage(store: Store) -> bool:
    """Delete what nothing refers to; false if it can't be told, because somebody is adding, who then does it.

    That is: the leftovers of killed attempts, the trash, environments without a revision, and the locks of what is gone.
    An environment that a worker is using stays, and goes the next time.
    """
    pending = leave_for_next(store)  # whoever holds the lock now looks for it when it lets go
    while True:
        try:
            with locked(store.lock("adding"), wait=False):
                sweep_all(store)
        except BlockingIOError:
            return False
        if not os.path.exists(pending):
            return True


def leave_for_next(store: Store, why: str = _PENDING) -> str:
    """Have the next `sweep` find something to do. The path of the note, which a full disk may have prevented."""
    note = os.path.join(store.trash, why)
    try:
        os.makedirs(store.trash, exist_ok=True)
        os.close(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:  # then it isn't noted, and a later sweep finds it all the same
        pass
    return note


def to_trash(store: Store, path: str) -> None:
    """Delete what is at `path`: first from sight, in one step, then from the disk."""
    os.makedirs(store.trash, exist_ok=True)
    grave = os.path.join(store.trash, os.urandom(8).hex())
    os.rename(path, grave)
    delete(grave)


def delete(path: str) -> None:
    """Delete a file or a whole folder, however deep a build has made it; what can't be deleted is found by the next sweep."""
    delete_folder(path)


def drop_revisions(store: Store, plugin: str) -> None:
    """Drop every revision in the plugin's folder that its state doesn't name."""
    state = whole_state(plugin)
    if state is None:  # then it can't be told which are old
        return
    for entry in list(scan(plugin)):
        if entry.name not in {"current", *state.revisions}:
            to_trash(store, entry.path)
            leave_for_next(store)  # its environment


def manifests(plugin: str, *, leave_out: Container[str] = ()) -> Iterator[dict[str, object]]:
    """The manifests of all revisions in the plugin's folder; of a damaged one what the receipt says of the same."""
    for revision in scan(plugin):
        if revision.path in leave_out:
            continue
        try:
            yield wire.unpack(read_file(os.path.join(revision.path, "manifest.json")))
        except (OSError, wire.WireError):
            yield from _by_receipt(revision.path)


def _by_receipt(revision: str) -> Iterator[dict[str, object]]:
    from pathlib import Path

    from plughost.errors import StoreError
    from plughost.registry._receipt import load_receipt

    try:
        receipt = load_receipt(Path(revision, "receipt.toml"))
    except StoreError:
        return
    yield {"name": receipt.name, "package": receipt.package, "venv": receipt.venv}


def users_of_venvs(store: Store, *, leave_out: Container[str] = ()) -> dict[str, set[str]]:
    """For each environment that is referred to the names of the plugins, of all projects, that have it.

    `leave_out` are the folders of revisions that don't count.
    """
    users: dict[str, set[str]] = {}
    for project in scan(os.path.dirname(store.plugins)):
        for plugin in scan(project.path):
            for manifest in manifests(plugin.path, leave_out=leave_out):
                users.setdefault(str(manifest.get("venv")), set()).add(plugin.name)
    return users


def referenced_venvs(store: Store) -> set[str]:
    """The keys that any revision of any plugin of any project names."""
    return set(users_of_venvs(store))


def sweep_all(store: Store) -> None:
    """Delete all that nothing refers to. The lock *adding* is held."""
    for attempt in list(scan(store.tmp)):
        if os.path.islink(placing := os.path.join(attempt.path, PLACING)):
            drop_revisions(store, os.readlink(placing))
        delete(attempt.path)
    for grave in list(scan(store.trash)):
        delete(grave.path)
    _delete_if(os.path.dirname(store.index), lambda name: name.endswith(".new"))
    _delete_if(os.path.dirname(store.index_of("")), lambda name: not os.path.isdir(store.plugin(name.removesuffix(".json"))))
    for cache in scan(os.path.dirname(store.uv_cache)):
        if cache.is_dir(follow_symlinks=False):  # else others use it too
            _delete_if(cache.path, lambda name: name.startswith(".tmp"))  # a killed uv's half-unpacked packages
    unused = {venv.name for venv in scan(store.venvs)}
    unused -= referenced_venvs(store) if unused else set()
    for key in sorted(unused):
        _delete_venv(store, key)
    _delete_locks(store)


def _delete_if(folder: str, is_garbage: Callable[[str], bool]) -> None:
    for entry in list(scan(folder)):
        if is_garbage(entry.name):
            delete(entry.path)


def _delete_venv(store: Store, key: str) -> None:
    """Delete the environment, unless a worker uses it: each host holds a shared lock on the marker of what it runs."""
    import fcntl

    path = os.path.join(store.venvs, key)
    with locked(store.lock(f"venv-{key}")):  # an installer that outlives its host by a moment has it too
        try:
            marker = regular(os.path.join(path, "plughost-venv.json"), os.O_RDONLY)
        except OSError:
            to_trash(store, path)  # never completed
            return
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            to_trash(store, path)
        except BlockingIOError:
            leave_for_next(store, _IN_USE)
        finally:
            os.close(marker)


def _delete_locks(store: Store) -> None:
    """Delete the locks of environments that are gone: all who take them are adding, so nobody waits for one now."""
    for lock in list(scan(os.path.dirname(store.lock("adding")))):
        kind, _, key = lock.name.removesuffix(".lock").partition("-")
        guarded = {"venv": store.venvs, "build": store.build_environments}.get(kind)
        if guarded and not os.path.lexists(os.path.join(guarded, key)):
            delete(lock.path)
