"""The one place where what is installed changes.

Locks, in the order in which they are taken: *adding* (shared by every `add` from its first file to its receipt; exclusive for
sweeping, so that nobody's half-made work is taken for garbage), then *registry* (exclusive, for the moments in which a revision
is put in place or a plugin taken away).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from plughost.errors import StoreError
from plughost.paths import Store, locked, replace_file, scan, sync_folder
from plughost.registry._read import normalize_name, unknown
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.registry._receipt import Receipt

__all__ = ["Removed", "adding", "collect_garbage", "place", "remove", "staging"]

#: Revisions of a plugin that are kept: the one in force and the one before it.
KEPT_REVISIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What `remove` took away. `packages` are the names of the plugin's own packages, as far as its receipts could be read."""

    name: str
    freed_bytes: int
    packages: tuple[str, ...]

    def record(self) -> dict[str, object]:
        return {"name": self.name, "freed_bytes": self.freed_bytes}


@contextmanager
def adding(store: Store) -> Iterator[None]:
    """Hold off sweeping while something new is being made; sweep before and after it, unless somebody else is adding.

    Raises: StoreError: the store can't be written.
    """
    try:
        os.makedirs(store.tmp, exist_ok=True)
        _sweep_if_needed(store)
        lock = locked(store.lock("adding"), shared=True)
        lock.__enter__()
    except OSError as error:
        raise StoreError(
            f"The store at `{store.root}` can't be written",
            reference="store-unwritable",
            causes=[str(error)],
            hint="Point `PLUGHOST_HOME` to a folder that you may write to, with free space",
        ) from error
    try:
        yield
    except BaseException:
        _leave_for_next(store)  # it may have made an environment that nothing will refer to
        raise
    finally:
        lock.__exit__()
        _sweep_if_needed(store)


@contextmanager
def staging(store: Store) -> Iterator[Path]:
    """A folder of one's own on the store's filesystem, gone at the end of the block unless it was moved away."""
    path = Path(store.tmp, os.urandom(8).hex())
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        _delete(str(path))


def place(store: Store, revision: Path, receipt: Receipt) -> None:
    """Put the finished folder `revision` in place and make it the one in force; the one before it is kept for a way back.

    Raises: OSError: nothing has changed.
    """
    (revision / "receipt.toml").write_bytes(receipt.to_toml())
    for file in revision.iterdir():
        _sync_file(file)
    with locked(store.lock(f"registry-{store.project}")):
        folder = store.plugin(receipt.name)
        os.makedirs(folder, exist_ok=True)
        revision.rename(Path(folder, receipt.revision))
        sync_folder(folder)
        replace_file(os.path.join(folder, "current"), f"{receipt.revision}\n".encode())
        _drop_old_revisions(store, receipt)


def remove(store: Store, name: str) -> Removed:
    """Take the plugin away, whatever state it is in, with all that only it used.

    Raises: UsageError: no valid name. UnknownError: not installed.
    """
    normalized = normalize_name(name)
    folder = store.plugin(normalized)
    if not os.path.lexists(folder):
        raise unknown(store, normalized)
    packages = _packages(folder)
    freed = size_bytes(folder)
    venvs = _venvs_of(folder)
    with locked(store.lock(f"registry-{store.project}")):
        _to_trash(store, folder)
    for log in scan(store.logs):
        if log.name.startswith(f"{normalized}-2"):  # a log is NAME-TIME.log, and this century's times begin with a 2
            os.unlink(log.path)
    still_used = _referenced_venvs(store)
    freed += sum(size_bytes(os.path.join(store.venvs, key)) for key in venvs - still_used)
    collect_garbage(store)
    return Removed(name=normalized, freed_bytes=freed, packages=packages)


def collect_garbage(store: Store) -> bool:
    """Delete what nothing refers to; false if it can't be told, because somebody is adding.

    That is: the leftovers of killed attempts, the trash, environments without a revision.
    A venv that a worker is using stays, and goes the next time.
    """
    try:
        lock = locked(store.lock("adding"), wait=False)
        lock.__enter__()
    except BlockingIOError:
        _leave_for_next(store)
        return False
    try:
        for folder in (store.tmp, store.trash):
            for entry in scan(folder):
                _delete(entry.path)
        used = None
        for entry in scan(store.venvs):
            used = _referenced_venvs(store) if used is None else used
            if entry.name not in used:
                _delete_venv(store, entry.name)
    finally:
        lock.__exit__()
    return True


def size_bytes(path: str) -> int:
    """What deleting `path` would free: the sizes of its files that have no other hard link."""
    total = 0
    for folder, _folders, files in os.walk(path):
        for name in files:
            state = os.lstat(os.path.join(folder, name))
            if state.st_nlink == 1:
                total += state.st_size
    return total


def _drop_old_revisions(store: Store, receipt: Receipt) -> None:
    keep = {receipt.revision, "current", *(entry.revision for entry in receipt.history[: KEPT_REVISIONS - 1])}
    for entry in scan(store.plugin(receipt.name)):
        if entry.name not in keep:
            _to_trash(store, entry.path)
            _leave_for_next(store)  # its environment


def _to_trash(store: Store, path: str) -> None:
    os.makedirs(store.trash, exist_ok=True)
    grave = os.path.join(store.trash, os.urandom(8).hex())
    os.rename(path, grave)
    _delete(grave)


def _delete(path: str) -> None:
    """Delete a file or a whole folder; what can't be deleted now is found by the next sweep."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def _delete_venv(store: Store, key: str) -> None:
    """Delete the environment, unless a worker uses it: each host holds a shared lock on the marker of what it runs."""
    path = os.path.join(store.venvs, key)
    try:
        marker = os.open(os.path.join(path, "plughost-venv.json"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        _to_trash(store, path)  # never completed
    else:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _to_trash(store, path)
        except BlockingIOError:
            _leave_for_next(store)
            return
        finally:
            os.close(marker)
    _delete(store.lock(f"venv-{key}"))


def _sweep_if_needed(store: Store) -> None:
    if any(scan(store.tmp)) or any(scan(store.trash)):
        collect_garbage(store)


def _leave_for_next(store: Store) -> None:
    """Have the next `adding` sweep: it does so when it finds anything in the trash."""
    with suppress(OSError):  # a full disk, say: then it isn't noted, and a later sweep finds it all the same
        os.makedirs(store.trash, exist_ok=True)
        Path(store.trash, "pending").touch()


def _revisions(folder: str) -> Iterator[dict[str, object]]:
    """The manifests of all revisions of the plugin in `folder`, as far as they can be read."""
    for revision in scan(folder):
        try:
            with open(os.path.join(revision.path, "manifest.json"), "rb") as file:
                yield wire.unpack(file.read())
        except (OSError, wire.WireError):
            continue


def _venvs_of(folder: str) -> set[str]:
    return {str(manifest.get("venv")) for manifest in _revisions(folder)}


def _packages(folder: str) -> tuple[str, ...]:
    return tuple(sorted({str(manifest.get("package")) for manifest in _revisions(folder)}))


def _referenced_venvs(store: Store) -> set[str]:
    """The keys that any revision of any plugin of any project names."""
    projects = scan(os.path.dirname(store.plugins))
    return {key for project in projects for plugin in scan(project.path) for key in _venvs_of(plugin.path)}


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
