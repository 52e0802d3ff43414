"""Looking into a folder that a plugin writes to, while it may do so: nothing outside is seen, waited for or followed.

Above it: artifacts, and what keeps them; below it: the standard library. Folders are entered by descriptor, from one to the next,
so that a link that takes a folder's place meanwhile leads nowhere.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass

__all__ = ["Found", "Listing", "list_files", "open_file", "size_bytes"]

#: A plugin may make as many as it likes; looking at them must end.
_MOST_ENTRIES = 10_000
_DEEPEST = 32
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """What tells a file from another one at its place, and from itself before it was changed."""

    inode: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder, by their paths in it, sorted. `is_whole` says that none was left out for there being too many."""

    files: dict[str, Found]
    is_whole: bool


def list_files(folder: str, *, most: float = _MOST_ENTRIES) -> Listing:
    """The regular files among the `most` first entries of the folder, at any sensible depth.

    What has a name outside, too, is somebody else's, and left out.
    """
    walk = _Walk(most)
    try:
        top = os.open(folder, _FOLDER)
    except OSError:  # the plugin has deleted it, or made it unreadable
        return Listing({}, is_whole=True)
    walk.enter(top, "", _DEEPEST)
    names = Counter(state.st_ino for _, state in walk.files if state.st_nlink > 1)
    files = {
        path: Found(state.st_ino, state.st_size, state.st_mtime_ns)
        for path, state in sorted(walk.files, key=lambda file: file[0])
        if state.st_nlink == 1 or names[state.st_ino] == state.st_nlink
    }
    return Listing(files, is_whole=walk.is_whole)


def open_file(folder: str, path: str, found: Found) -> int:
    """A descriptor of the file at `path` in the folder, if it is still the one that was found.

    Raises: OSError: it isn't.
    """
    *folders, name = path.split("/")
    at = os.open(folder, _FOLDER)
    try:
        for each in folders:
            inner = os.open(each, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        fd = os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)
    state = os.fstat(fd)
    if not stat.S_ISREG(state.st_mode) or state.st_ino != found.inode:
        os.close(fd)
        raise FileNotFoundError(path)
    return fd


def size_bytes(folder: str) -> int:
    """What its files hold together, as far as one looks."""
    return sum(found.size_bytes for found in list_files(folder).files.values())


class _Walk:
    """One look at all that is in a folder."""

    def __init__(self, most: float) -> None:
        self._most = most
        self.files: list[tuple[str, os.stat_result]] = []
        self.is_whole = True
        self._seen = 0

    def enter(self, fd: int, prefix: str, levels: int) -> None:
        """Closes `fd`, which is a folder's."""
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    self._seen += 1
                    if self._seen > self._most:
                        self.is_whole = False
                        return
                    self._look_at(entry, fd, f"{prefix}{entry.name}", levels)
        finally:
            os.close(fd)

    def _look_at(self, entry: os.DirEntry[str], folder: int, path: str, levels: int) -> None:
        try:
            if entry.is_file(follow_symlinks=False):
                self.files.append((path, entry.stat(follow_symlinks=False)))
            elif entry.is_dir(follow_symlinks=False):
                if levels:
                    self.enter(os.open(entry.name, _FOLDER, dir_fd=folder), f"{path}/", levels - 1)
                else:
                    self.is_whole = False
        except OSError:  # gone meanwhile, or not readable
            return
