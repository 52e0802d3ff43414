"""Work directories: one for each worker, gone with it; what a killed host has left of them goes with the next.

Above it: the host's workers; below it: the store's paths. Those of one process lie in a folder of its own, on which it holds a
lock. A lock ends with the process, however that ends, and its children end within a second of it. Where the store can only be
read, they lie in the folder for temporary files.
"""

from __future__ import annotations

import _thread
import errno
import os

from plughost import _process
from plughost._deletion import delete_folder
from plughost.paths import is_held, scan

__all__ = ["WorkFolders", "abandoned", "clear"]

_LOCK = "lock"
_READ_ONLY = (errno.EROFS, errno.EACCES)
_FOR_OTHERS = 0o022  # may write there
_BEING_MADE = ".new"
_MADE_WITHIN_S = 60.0


class WorkFolders:
    """Safe for several threads, and in forked copies of the process, which have none of these."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._making = _thread.allocate_lock()
        self._own = ""
        self._held = -1
        self._made = 0

    def new(self, user: int | None = None) -> str:
        """An empty folder, for its owner alone, who is `user` or else whoever this process belongs to.

        Raises: OSError: the store can't be written.
        """
        with self._making:
            if not self._own:
                self._begin()
            self._made += 1
            folder = os.path.join(self._own, str(self._made))
        os.mkdir(folder, 0o700)
        if user is not None:
            os.chown(folder, user, user)
        return folder

    def drop(self, folder: str) -> None:
        """Delete it, whatever was left there."""
        delete_folder(folder)

    def holds(self, folder: str) -> bool:
        """Whether it is one of these, or in one."""
        return bool(self._own) and folder.startswith(self._own + os.sep)

    def _begin(self) -> None:
        try:
            self._begin_in(self._root)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            self._begin_in(_elsewhere())

    def _begin_in(self, root: str) -> None:
        import fcntl

        for left in abandoned(root):
            clear(left)
        own = os.path.join(root, os.urandom(6).hex())
        os.makedirs(own + _BEING_MADE, 0o711)
        held = os.open(os.path.join(own + _BEING_MADE, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        os.rename(own + _BEING_MADE, own)  # so that there is no moment in which it looks abandoned
        self._own, self._held = own, held
        _process.own(self)
        import atexit

        atexit.register(self._end, os.getpid())

    def close(self) -> None:
        """Let go of all if nobody has any of them; else that is for the end of the process to do."""
        with self._making:
            if self._own and os.listdir(self._own) == [_LOCK]:
                self._let_go()

    def _let_go(self) -> None:
        delete_folder(self._own)
        if (root := os.path.dirname(self._own)) != self._root:
            try:
                os.rmdir(root)
            except OSError:  # it holds those of others
                pass
        os.close(self._held)
        _process.disown(self)
        self._own, self._held = "", -1

    def _end(self, pid: int) -> None:
        """At the end of the process that made them, after the workers: a copy of it leaves them alone."""
        if self._own and os.getpid() == pid:
            self._let_go()

    def forget(self) -> None:
        """In a forked copy of this process: the folders are the original's, and so is the lock."""
        if self._held >= 0:
            os.close(self._held)
        self._begin_anew()


def _elsewhere() -> str:
    """A place for them that is nobody else's.

    Raises: OSError: there is something else of that name.
    """
    import stat
    import tempfile

    folder = os.path.join(tempfile.gettempdir(), f"plughost-{os.geteuid()}")
    os.makedirs(folder, 0o711, exist_ok=True)
    known = os.lstat(folder)
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.geteuid() or known.st_mode & _FOR_OTHERS:
        raise OSError(errno.EACCES, "It belongs to somebody else", folder)
    return folder


def clear(folder: str) -> None:
    """Delete it, and have nobody left who could write to it."""
    from plughost.sandbox._eviction import evict

    evict(folder)
    delete_folder(folder)


def abandoned(root: str) -> list[str]:
    """The folders whose processes have ended without deleting them."""
    return [entry.path for entry in scan(root) if _is_abandoned(entry)]


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    if entry.name.endswith(_BEING_MADE):
        return _is_old(entry)
    try:
        return not is_held(os.path.join(entry.path, _LOCK))
    except OSError:  # it is being deleted, or somebody who was deleting it was killed
        return _is_old(entry)


def _is_old(entry: os.DirEntry[str]) -> bool:
    import time

    try:
        return entry.stat(follow_symlinks=False).st_mtime < time.time() - _MADE_WITHIN_S
    except OSError:  # it is gone
        return False
