"""Processes that are still in the tree of files of a worker that is gone, found by its work directory.

Above it: the work directories; below it: `/proc`. There are none, as a rule: who may start processes can't leave its group, which
the kernel kills. A nursery can, because it gives each process that it forks a group of its own, and so may what its import forks.
"""

from __future__ import annotations

import os

from plughost import _kernel
from plughost.sandbox._figures import listed, read

__all__ = ["evict"]

#: In how many rounds those are looked for that were being forked while the others were killed, and how long each may take to end.
_MOST_ROUNDS = 20
_GONE_WITHIN_S = 1.0
_SIGKILL = 9
_MOUNT_POINT = 4  # which field of a line


def evict(folder: str) -> None:
    """Kill all processes that have this folder, or one below it, mounted in a tree of their own."""
    if not _kernel.LINUX:
        return
    wanted = os.fsencode(os.path.realpath(folder))
    for _ in range(_MOST_ROUNDS):
        found = _inhabitants(wanted)
        if not found:
            return
        watched = [fd for pid in found if (fd := _kernel.open_pidfd(pid)) >= 0]
        for pid in found:
            _kernel.signal(pid, _SIGKILL)
        _kernel.await_ends(watched, _GONE_WITHIN_S)


def _inhabitants(folder: bytes) -> list[int]:
    own = _tree_of("self")
    return [int(pid) for pid in listed("/proc") if pid.isdigit() and _tree_of(pid) not in {own, ""} and _has_mounted(pid, folder)]


def _tree_of(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:  # gone, or somebody else's
        return ""


def _has_mounted(pid: str, folder: bytes) -> bool:
    points = (line.split(b" ", _MOUNT_POINT + 1)[_MOUNT_POINT] for line in read(f"/proc/{pid}/mountinfo").splitlines())
    return any((point + b"/").startswith(folder + b"/") for point in map(_unescaped, points))


def _unescaped(path: bytes) -> bytes:
    """A path in which the kernel has written spaces and the like as octal numbers."""
    parts = path.split(b"\\")
    return parts[0] + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in parts[1:])
