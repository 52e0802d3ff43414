"""Files of the spool that one process has for itself, and writes without a system call.

Above it: the spool and its pages; below it: a mapping. What is stored in it is the kernel's at once, as after a `write`, which
takes several times as long. All of its space is taken from the disk beforehand: to store into a mapping that the disk has no room
for is the end of a process.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import time

__all__ = ["SIZE_BYTES", "MappedFile", "MappedLines"]

#: Some thousand calls; making the next file takes as long as some dozens of them.
SIZE_BYTES = 1 << 18
_NEWLINE = ord("\n")


class MappedFile:
    """All zeros at first, with the lock of a writer, until `close`.

    Raises: OSError: the disk is full, or the file system can't promise space.
    """

    __slots__ = ("_path", "map")

    def __init__(self, folder: str, suffix: str) -> None:
        import fcntl

        if not hasattr(os, "posix_fallocate"):  # macOS
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        self._path = os.path.join(folder, f"{time.time_ns()}-{os.urandom(4).hex()}{suffix}")
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # or a reader is about to delete it
            if not os.fstat(fd).st_nlink:  # or has, before it was locked
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))  # noqa: TRY301 - as the lock itself does
            os.posix_fallocate(fd, 0, SIZE_BYTES)
            self.map = mmap.mmap(fd, SIZE_BYTES)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            raise
        finally:
            os.close(fd)  # the mapping has another one for the same open file, and with it the lock

    def close(self, used_bytes: int) -> None:
        """Give back the space that was not needed, while the lock keeps readers from deleting the file."""
        with contextlib.suppress(OSError):  # somebody else has deleted it
            os.truncate(self._path, used_bytes)
        self.map.close()

    def forget(self) -> None:
        """In a forked copy of this process: the original goes on writing."""
        self.map.close()


class MappedLines:
    """Lines, one after the other; not for several threads at once. Beyond the last it is all zeros.

    Raises: OSError: as `MappedFile`.
    """

    __slots__ = ("_at", "_file")

    def __init__(self, folder: str, suffix: str) -> None:
        self._at = 0
        self._file = MappedFile(folder, suffix)

    def append(self, line: bytes) -> bool:
        """Store a line that begins with a newline; False where there is no room for it."""
        start, end = self._at, self._at + len(line)
        if end >= SIZE_BYTES:
            return False
        self._at = end
        # The newline last: until it is there, a reader finds the end of the file.
        self._file.map[start + 1 : end] = line[1:]
        self._file.map[start] = _NEWLINE
        return True

    def close(self) -> None:
        self._file.close(self._at)

    def forget(self) -> None:
        self._file.forget()
