"""Anonymous shared memory of Python's, which no limit counts and the kernel therefore refuses, by memory that is counted.

Above it: what stands in for parts of the standard library; below it: `mmap`.
"""

from __future__ import annotations

import mmap
import os

__all__ = ["stand_in_for_anonymous"]

_IN_MEMORY = "/dev/shm"  # noqa: S108 - of this process and its children alone, and of limited size
_NAMES = ("flags", "prot", "access", "offset")


def stand_in_for_anonymous(*, is_alone: bool) -> None:
    """From now on, `mmap.mmap(-1, …)` is memory of this process's own, if that `is_alone`; else a file without a name."""

    class Memory(mmap.mmap):
        __slots__ = ()

        def __new__(cls, fileno: int, length: int, *args: int, **named: int) -> Memory:  # noqa: PYI034 - Python 3.8
            try:
                return super().__new__(cls, fileno, length, *args, **named)
            except PermissionError:
                named.update(zip(_NAMES, args))  # noqa: B905 - Python 3.8
                if fileno != -1 or not named.get("flags", mmap.MAP_SHARED) & mmap.MAP_SHARED:
                    raise
            if is_alone:
                return super().__new__(cls, -1, length, **_private(named))
            descriptor = _nameless_file(length)
            try:
                return super().__new__(cls, descriptor, length, **_of_file(named))
            finally:
                os.close(descriptor)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Memory, name, getattr(mmap.mmap, name))
    mmap.__dict__["mmap"] = Memory


def _private(named: dict[str, int]) -> dict[str, int]:
    if named.get("access"):  # which stands for flags
        return {**named, "access": mmap.ACCESS_COPY}
    return {**named, "flags": named.get("flags", 0) & ~mmap.MAP_SHARED | mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}


def _of_file(named: dict[str, int]) -> dict[str, int]:
    return {**named, "flags": named["flags"] & ~mmap.MAP_ANONYMOUS} if "flags" in named else named


def _nameless_file(size: int) -> int:
    """A descriptor of a file of that size; all of it is there, so that to use it can't fail.

    Raises: OSError: there isn't so much memory.
    """
    try:
        descriptor = os.open(_IN_MEMORY, os.O_TMPFILE | os.O_RDWR, 0o600)
    except PermissionError:  # it is shared with others, that this process's like have been forked with
        descriptor = os.open(os.environ.get("TMPDIR", "."), os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
