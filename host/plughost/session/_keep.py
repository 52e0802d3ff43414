"""Copying out of a folder that somebody hostile may have filled: files, and nothing but files.

Above it: sessions; below it: what looks into their folders. Links, pipes, sockets and devices stay behind. A copy belongs to
whoever makes it, and has none of the original's modes, so that nothing that was prepared can be executed.
"""

from __future__ import annotations

import errno
import os
from math import inf
from typing import TYPE_CHECKING

from plughost.errors import UsageError
from plughost.session._artifacts import artifacts_of
from plughost.session._files import list_files, open_file

if TYPE_CHECKING:
    from plughost.session._artifacts import Artifact
    from plughost.session._files import Found

__all__ = ["copy_files", "make_writable"]

_PART_BYTES = 1 << 24
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def copy_files(folder: str, to: str) -> list[Artifact]:
    """Copy the files of the folder into the folder `to`, which is made if it isn't there; the copies.

    A file that is there is replaced, each by one rename. What changes or goes meanwhile is left out, as is what would have too
    long a path there.

    Raises: UsageError: `to` can't be written.
    """
    copied: dict[str, Found] = {}
    try:
        os.makedirs(to, exist_ok=True)
        for path, found in list_files(folder, most=inf).files.items():
            try:
                fd = open_file(folder, path, found)
            except OSError:
                continue
            try:
                _copy(fd, os.path.join(to, path))
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
            else:
                copied[path] = found
            finally:
                os.close(fd)
    except OSError as error:
        raise _unwritable(to, error) from error
    return artifacts_of(os.path.abspath(to), copied.items())


def make_writable(folder: str) -> None:
    """Make the folder, unless it is there, and find out whether files can be made in it.

    Raises: UsageError: they can't.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        path = _beside(folder)
        os.close(os.open(path, _NEW_FILE, 0o600))
        os.unlink(path)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: str, error: OSError) -> UsageError:
    return UsageError(
        f"The files of the session can't be kept in `{folder}`",
        causes=[error.strerror or str(error)],
        hint="Name a folder that can be written",
    )


def _beside(folder: str) -> str:
    """A name for a file there that is not to stay under it."""
    return os.path.join(folder, f".{os.urandom(8).hex()}.new")  # its own may be as long as names are


def _copy(source: int, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = _beside(os.path.dirname(path))
    target = os.open(beside, _NEW_FILE, 0o666)
    try:
        try:
            _copy_data(source, target)
        finally:
            os.close(target)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _copy_data(source: int, target: int) -> None:
    """What is a hole stays one: a file of a terabyte may take no room at all."""
    size = os.fstat(source).st_size
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError:  # nothing but a hole is left
            break
        end = min(size, os.lseek(source, at, os.SEEK_HOLE))
        os.lseek(source, at, os.SEEK_SET)
        os.lseek(target, at, os.SEEK_SET)
        while at < end and (part := os.read(source, min(_PART_BYTES, end - at))):
            at += _write_all(target, part)
        at = max(at, end)  # it may have been cut off meanwhile
    os.ftruncate(target, size)


def _write_all(target: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
    return len(data)
