"""The memory that trees of processes need at the moment."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["resident_bytes"]

# Places in /proc/PID/stat, counted from behind the name (proc_pid_stat(5)).
_PARENT, _SESSION, _RESIDENT = 1, 3, 21


def resident_bytes(roots: Collection[int]) -> dict[int, int]:
    """What each of these processes and all that it started have in memory; 0 where that can't be told.

    A child of ours leads a session of its own, by which those are found whose parent has ended.
    """
    pages = dict.fromkeys(roots, 0)
    if not (roots and os.path.isdir("/proc/self")):
        return pages
    parents: dict[int, int] = {}
    leaders: dict[int, int] = {}
    resident: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(entry)):
            pid = int(entry)
            parents[pid], leaders[pid], resident[pid] = (int(fields[place]) for place in (_PARENT, _SESSION, _RESIDENT))
    for pid, count in resident.items():
        root = _root_of(pid, parents, leaders, pages)
        if root:
            pages[root] += count
    return {root: count * os.sysconf("SC_PAGE_SIZE") for root, count in pages.items()}


def _root_of(pid: int, parents: dict[int, int], leaders: dict[int, int], roots: Collection[int]) -> int:
    """The one that started it, however many processes ago; 0 if none did."""
    seen = set()
    while pid and pid not in seen:
        if pid in roots:
            return pid
        if leaders.get(pid) in roots:
            return leaders[pid]
        seen.add(pid)
        pid = parents.get(pid, 0)
    return 0


def _stat(pid: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []
