"""How much a work directory holds, looked through piece by piece.

Above it: the guard; below it: the file system. What is in the directory was made by somebody who may be hostile: names, depth,
links, permissions, and changes while it is looked through.
"""

from __future__ import annotations

import os
import time

from plughost.sandbox._figures import unnamed_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LEAST_BYTES", "DiskUse", "held_bytes"]

#: What a file or folder counts as at least: what is empty takes up room in the file system, too.
LEAST_BYTES = 4096
_SECTOR_BYTES = 512
#: From this length on, a path is continued from a descriptor: the kernel takes no more than 4096 bytes.
_LONGEST_PATH = 2048
#: How many entries are looked at between two looks at the clock.
_ENTRIES_AT_ONCE = 64


#: For how long a folder is looked through at once.
_AT_ONCE_S = 1.0


def held_bytes(folder: str) -> int:
    """What a folder holds, as far as it is seen within a second."""
    use = DiskUse(folder)
    use.look(_AT_ONCE_S)
    use.close()
    return use.used_bytes


class DiskUse:
    """What is in a folder, the folder itself left out, in bytes as the file system allots them.

    A look takes as long as it may, and the next one goes on from there. `used_bytes` is of the last whole round, or of the one
    under way where that has come to more already.
    """

    __slots__ = ("_counted", "_device", "_folder", "_last", "_opened", "_round", "took_s")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._device = -1
        self._round: Iterator[int] | None = None
        self._opened: list[int] = []
        self._counted = self._last = 0
        #: How long the round under way, or the last one, has taken.
        self.took_s = 0.0

    @property
    def used_bytes(self) -> int:
        return max(self._counted, self._last)

    @property
    def is_amid(self) -> bool:
        """Whether a round is under way."""
        return self._round is not None

    def look(self, within_s: float, pids: Iterable[int] = ()) -> bool:
        """Go on for `within_s` seconds; whether a round is done.

        `pids` are the processes that may have files open there that are in no folder any more.
        """
        started = time.monotonic()
        if self._round is None:
            self._round, self._counted, self.took_s = self._sizes(pids), 0, 0.0
        try:
            for place, size in enumerate(self._round, start=1):
                self._counted += size
                if place % _ENTRIES_AT_ONCE == 0 and time.monotonic() - started >= within_s:
                    return False
        finally:
            self.took_s += time.monotonic() - started
        self.close()
        self._last, self._counted = self._counted, 0
        return True

    def close(self) -> None:
        self._round = None
        while self._opened:
            os.close(self._opened.pop())

    def _sizes(self, pids: Iterable[int]) -> Iterator[int]:
        try:
            self._device = os.stat(self._folder).st_dev
        except OSError:  # gone
            return
        yield unnamed_bytes(pids, self._device)
        waiting = [self._folder]
        while waiting:
            folder = waiting.pop()
            try:
                entries = os.scandir(folder)
            except PermissionError:
                if not _make_readable(folder):
                    continue
                waiting.append(folder)
                continue
            except OSError:  # gone, or no folder any more
                continue
            with entries:
                for entry in entries:
                    try:
                        known = entry.stat(follow_symlinks=False)
                        is_folder = entry.is_dir(follow_symlinks=False)
                    except OSError:
                        continue
                    if is_folder and known.st_dev == self._device:
                        waiting.append(self._shortened(entry.path))
                    # One that has several names is counted at the first of them only as often as its share is.
                    yield max(LEAST_BYTES, known.st_blocks * _SECTOR_BYTES // (1 if is_folder else max(1, known.st_nlink)))

    def _shortened(self, path: str) -> str:
        if len(path) < _LONGEST_PATH:
            return path
        try:
            self._opened.append(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
        except OSError:
            return path
        return f"/proc/self/fd/{self._opened[-1]}"


def _make_readable(folder: str) -> bool:
    """A folder that its owner, who is us, may not list: made so that nobody counts what is in it."""
    try:
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
        with os.scandir(f"/proc/self/fd/{fd}"):
            return True
    except OSError:
        return False
    finally:
        os.close(fd)
