"""The one place where what is installed changes.

Locks, in the order in which they are taken: *adding* (shared by every `add` from its first file to its receipt; exclusive for
sweeping), then *registry* (exclusive, for the moments in which a revision is put in place or a plugin taken away).
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from plughost.errors import StoreError
from plughost.paths import Store, read_file, scan, sync_folder
from plughost.registry._aside import set_aside
from plughost.registry._changing import changing
from plughost.registry._garbage import (
    PLACING,
    collect_garbage,
    delete,
    drop_revisions,
    manifests,
    referenced_venvs,
    to_trash,
)
from plughost.registry._read import normalize_name, unknown
from plughost.registry._receipt import load_receipt
from plughost.registry._state import KEPT_REVISIONS, State, whole_state
from plughost.registry._transaction import sync_file, writing
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.registry._receipt import Receipt

__all__ = ["Removed", "place", "remove", "staging"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What `remove` took away. `packages` are the names of the plugin's own packages, as far as its manifests could be read."""

    name: str
    freed_bytes: int
    packages: tuple[str, ...]

    def record(self) -> dict[str, object]:
        return {"name": self.name, "freed_bytes": self.freed_bytes}


@contextmanager
def staging(store: Store) -> Iterator[Path]:
    """A folder of one's own on the store's filesystem, gone at the end of the block unless it was moved away."""
    path = Path(store.tmp, os.urandom(8).hex())
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        delete(str(path))


def place(store: Store, revision: Path, receipt: Receipt, *, keep: int = KEPT_REVISIONS, grant: str | None = None) -> None:
    """Put the finished folder `revision` in place and make it the one in force; of those before it, `keep` in all stay.

    `grant` becomes the plugin's, as its state keeps it; None leaves it as it is.

    Nothing changes if another process has put the same installation there in the meantime. The folder that `revision` is in is
    that of this attempt alone, and is swept if it is killed.

    Raises: OSError: nothing has changed.
    """
    pointer = revision.with_name("current")
    with changing(store):
        plugin = Path(store.plugin(receipt.name))
        state = whole_state(str(plugin))
        before = _receipt_of(plugin, state)
        if before and _is_same(before, plugin / before.revision, receipt, revision):
            return
        if before:
            receipt = replace(receipt, history=(before.as_history(), *before.history))
        (revision / "receipt.toml").write_bytes(receipt.to_toml())
        advanced = state.advanced(receipt.revision, keep=keep) if state else State(receipt.revision)
        pointer.write_bytes(advanced.marked(grant=grant).pack())
        for file in (*revision.iterdir(), pointer):
            sync_file(file)
        if plugin.is_dir():
            if state is None:
                set_aside(store, [plugin / "current"], name=receipt.name)
            placing = revision.with_name(PLACING)
            placing.symlink_to(plugin)  # has a sweep finish what a kill interrupts
            _put_in_force(plugin, revision, pointer, receipt.revision)
            drop_revisions(store, str(plugin))
            placing.unlink()
            return
        if os.path.lexists(plugin):  # no folder at all
            to_trash(store, str(plugin))
        _put_first(plugin, revision, pointer, receipt.revision)


def remove(store: Store, name: str) -> Removed:
    """Take the plugin away, whatever state it is in, with all that only it used.

    Raises: UsageError: no valid name. UnknownError: not installed. StoreError: the store can't be written.
    """
    normalized = normalize_name(name)
    folder = store.plugin(normalized)
    if not os.path.lexists(folder):
        raise unknown(store, normalized)
    with writing(store), changing(store):
        known = list(manifests(folder))
        freed = size_bytes(folder)
        try:
            to_trash(store, folder)
        except FileNotFoundError:  # somebody else has just done it
            raise unknown(store, normalized) from None
    delete(store.index_of(normalized))
    for log in scan(store.logs):
        if _is_log_of(normalized, log.name):
            delete(log.path)
    unused = {str(manifest.get("venv")) for manifest in known} - referenced_venvs(store)
    freed += sum(size_bytes(os.path.join(store.venvs, os.path.basename(key))) for key in unused)
    with suppress(OSError):
        collect_garbage(store)
    packages = tuple(sorted({str(manifest.get("package")) for manifest in known}))
    return Removed(name=normalized, freed_bytes=freed, packages=packages)


def size_bytes(path: str) -> int:
    """What deleting `path` would free: the sizes of its files that have no other hard link."""
    total = 0
    for folder, _folders, files in os.walk(path):
        for name in files:
            with suppress(FileNotFoundError):
                state = os.lstat(os.path.join(folder, name))
                total += state.st_size if state.st_nlink == 1 else 0
    return total


def _receipt_of(plugin: Path, state: State | None) -> Receipt | None:
    """The receipt in force; None if there is none that can be read."""
    try:
        return load_receipt(plugin / state.revision / "receipt.toml") if state else None
    except StoreError:
        return None


def _is_same(before: Receipt, there: Path, receipt: Receipt, revision: Path) -> bool:
    """Whether what is in force is the same installation, and whole."""
    if not receipt.is_same_installation(before):
        return False
    try:
        for file in revision.iterdir():
            kept, made = read_file(there / file.name), read_file(file)
            if kept != made and (file.name != "manifest.json" or _offered(kept) != _offered(made)):
                return False
    except (OSError, wire.WireError):
        return False
    return True


def _offered(manifest: bytes) -> dict[str, object]:
    return {**wire.unpack(manifest), "revision": ""}


def _put_first(plugin: Path, revision: Path, pointer: Path, name: str) -> None:
    """Make the folder of a plugin that has none: all of it aside, then one rename."""
    aside = revision.with_name("plugin")
    aside.mkdir()
    revision.rename(aside / name)
    pointer.rename(aside / "current")
    sync_folder(str(aside))
    plugin.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(plugin)
    sync_folder(str(plugin.parent))


def _put_in_force(plugin: Path, revision: Path, pointer: Path, name: str) -> None:
    try:
        revision.rename(plugin / name)
        sync_folder(str(plugin))
        pointer.replace(plugin / "current")
    except BaseException:
        delete(str(plugin / name))
        raise
    sync_folder(str(plugin))


def _is_log_of(name: str, log: str) -> bool:
    """A log is NAME-YYYYmmddTHHMMSS-PID.log; `echo-2` is a name too."""
    stem, time, number = (*log.removesuffix(".log").rsplit("-", 2), "", "")[:3]
    return stem == name and len(time) == len("20250102T030405") and time[:8].isdigit() and number.isdigit()
