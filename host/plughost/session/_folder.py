"""The folder of a session on disk, and the lock that says that somebody has it.

    sessions/<project>/<id>/
      lock       held by the process whose session it is, for as long as that lives
      files/     the work directory: all that the plugin writes is here
      tmp/       what it has as TMPDIR, where it has no /tmp of its own

Above it: sessions, and garbage collection; below it: the store's paths. A folder whose lock nobody has is a dead process's, and
goes. Folders are made under a lock that who sweeps takes whole, so that none is taken for dead before its own lock is held.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress

from plughost import _process
from plughost._deletion import delete_folder
from plughost.paths import is_held, locked, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from plughost.paths import Store

__all__ = ["Folder", "abandoned", "sweep"]

_ID_BYTES = 4
_GONE = ".gone"


class Folder:
    """Made for one session, and held until `delete` or the end of this process.

    Raises: OSError: it can't be made.
    """

    def __init__(self, store: Store) -> None:
        with locked(_making(store), shared=True):
            self.id, self.path = _make(store.sessions)
            self._lock = _lock(self.path)
        self.files, self.tmp = (os.path.join(self.path, name) for name in ("files", "tmp"))
        _process.own(self)
        try:
            self.mend()
        except BaseException:
            self.delete()
            raise

    def mend(self) -> None:
        """Have its folders there, and open to their owner: a process may have deleted them, or closed them to everybody.

        Raises: OSError: something else is in their place.
        """
        for path in (self.files, self.tmp):
            with suppress(FileExistsError):
                os.mkdir(path)
            os.chmod(path, 0o700)

    def delete(self) -> None:
        """Delete it with all that is in it; what can't be deleted now is swept later."""
        if self._lock >= 0:
            delete_folder(self.path)
            self.forget()

    def forget(self) -> None:
        """Let go of it. In a forked copy of this process: it is the original's, which holds it still."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
            _process.disown(self)


def sweep(store: Store, *, but: Container[str] = ()) -> None:
    """Delete the folders of sessions, of all projects, that nobody has any more, but those with these names. Best effort."""
    try:
        with locked(_making(store), wait=False):
            dead = [_set_aside(path) for path in _dead(store, but)]
    except OSError:  # somebody is making one, and sweeps too; or it is another user's store
        return
    for path in dead:  # without the lock: it may take a while
        delete_folder(path)


def abandoned(store: Store) -> list[str]:
    """The folders that `sweep` would delete."""
    try:
        with locked(_making(store), wait=False):
            return list(_dead(store))
    except OSError:
        return []


def _dead(store: Store, but: Container[str] = ()) -> Iterator[str]:
    for project in scan(os.path.dirname(store.sessions)):
        for entry in list(scan(project.path)):
            if entry.name not in but and (entry.name.endswith(_GONE) or _is_dead(entry.path)):
                yield entry.path


def _set_aside(path: str) -> str:
    """Under a name that no session ever has."""
    if path.endswith(_GONE):
        return path
    aside = f"{path}.{os.urandom(_ID_BYTES).hex()}{_GONE}"
    os.rename(path, aside)
    return aside


def _making(store: Store) -> str:
    return store.lock("sessions")


def _make(folder: str) -> tuple[str, str]:
    os.makedirs(folder, mode=0o700, exist_ok=True)
    while True:
        name = os.urandom(_ID_BYTES).hex()
        path = os.path.join(folder, name)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        return name, path


def _lock(path: str) -> int:
    fd = _process.raised(os.open(os.path.join(path, "lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _is_dead(path: str) -> bool:
    """Whether nobody holds it. What has no lock was never finished, or is what is left of one that was deleted."""
    try:
        return not is_held(os.path.join(path, "lock"))
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError) or error.errno == errno.ELOOP
