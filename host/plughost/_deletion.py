"""Deleting a folder that somebody else has filled: however deep it is, whatever its modes say, and nothing outside of it.

Above it: whoever keeps folders that plugins write to; below it: the standard library. `shutil.rmtree` descends by recursion, with
a descriptor open at each level, so a plugin could make a folder that it never gets to the bottom of.
"""

from __future__ import annotations

import os
import stat

__all__ = ["delete_folder"]

_WHOLE = stat.S_IRWXU


def delete_folder(path: str) -> bool:
    """Delete what is at `path`, a folder or anything else; whether it is gone.

    A symbolic link is deleted itself. What is deep is moved up and deleted there, so that three descriptors do for any depth.
    """
    try:
        top = _open(path)
    except OSError:  # gone, or no folder
        return _unlink(path)
    try:
        while _clear(top):
            pass
    finally:
        os.close(top)
    try:
        os.rmdir(path)
    except OSError:
        return not os.path.lexists(path)
    return True


def _clear(top: int) -> bool:
    """Delete what is in the folder; whether there is something left to do that could be done."""
    found = False
    with os.scandir(top) as entries:
        for entry in entries:
            done = _clear_one(top, entry.name) if entry.is_dir(follow_symlinks=False) else _unlink(entry.name, top)
            found = found or done
    return found


def _clear_one(top: int, name: str) -> bool:
    """Delete the folder `name` in `top`, but for what is in its own folders, which comes to `top`; whether it is gone."""
    try:
        fd = _open(name, top)
    except OSError:
        return False
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _lift(entry.name, fd, top)
                else:
                    _unlink(entry.name, fd)
        os.rmdir(name, dir_fd=top)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _lift(name: str, folder: int, top: int) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:  # there is something in it
        os.close(_open(name, folder))  # which makes it ours to move
        os.rename(name, os.urandom(8).hex(), src_dir_fd=folder, dst_dir_fd=top)


def _unlink(path: str, folder: int | None = None) -> bool:
    try:
        os.unlink(path, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _open(path: str, folder: int | None = None) -> int:
    """The folder at `path`, which its owner may read, write and enter afterwards.

    Raises: OSError: it is none, but a link to one perhaps.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, dir_fd=folder)
    except PermissionError:
        _permit(path, folder)
        fd = os.open(path, flags, dir_fd=folder)
    if stat.S_IMODE(os.fstat(fd).st_mode) & _WHOLE != _WHOLE:
        try:
            os.fchmod(fd, _WHOLE)
        except PermissionError:  # somebody else's: then what follows says so
            pass
    return fd


def _permit(path: str, folder: int | None) -> None:
    if not hasattr(os, "O_PATH"):
        os.chmod(path, _WHOLE, dir_fd=folder, follow_symlinks=False)
        return
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{fd}", _WHOLE)
    finally:
        os.close(fd)
