"""What a worker's processes use, read from outside: memory, threads, CPU time.

Above it: the meter, and the census, which says which processes they are; below it: `/proc`. Nothing in here waits, and what
can't be read, because the process has ended or because it hides, is left out. Elsewhere than on Linux nothing can be read.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Usage",
    "children_cpu_ns",
    "cpu_ns",
    "listed",
    "memory_file_bytes",
    "proportional_bytes",
    "read",
    "tasks",
    "unnamed_bytes",
    "usage",
    "use_of_file_system",
]

_STATUS_BYTES = 8192
_FILE_BYTES = 1 << 10  # what the kernel needs for a file in memory, beside what is in it
_SECTOR_BYTES = 512  # the unit of `st_blocks`, whatever a file system's is


class Usage:
    """Of one process: memory that is its own (swapped out or not, and what the kernel maps it by), shared memory, and threads.

    `data_bytes` is what it was promised of memory of its own, which is what the kernel limits.
    """

    __slots__ = ("data_bytes", "own_bytes", "shared_bytes", "threads")

    def __init__(self, own_bytes: int, shared_bytes: int, data_bytes: int, threads: int) -> None:
        self.own_bytes = own_bytes
        self.data_bytes = data_bytes
        self.shared_bytes = shared_bytes
        self.threads = threads


def usage(pid: int) -> Usage | None:
    """None where there is no such process."""
    status = read(f"/proc/{pid}/status")
    if not status:
        return None
    own = sum(_kib(status, name) for name in (b"\nRssAnon:", b"\nVmSwap:", b"\nVmPTE:"))
    shared, data = (_kib(status, name) << 10 for name in (b"\nRssShmem:", b"\nVmData:"))
    return Usage(own << 10, shared, data, _kib(status, b"\nThreads:"))


def cpu_ns(pid: int) -> int:
    """The CPU time of the process and all its threads, ended ones included; -1 where there is no such process."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)  # CPUCLOCK_SCHED of the process: no file has to be opened for it
    except OSError:
        return -1


def children_cpu_ns(pid: int) -> int:
    """The CPU time of those children, and theirs, that the process has waited for."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    ticks = sum(map(int, fields[13:15]))
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def tasks() -> int:
    """How many threads there are on this machine."""
    words = read("/proc/loadavg").split()
    return int(words[3].partition(b"/")[2]) if words else 0


def proportional_bytes(pids: Iterable[int]) -> int:
    """The memory of several processes, each page that they share counted once; -1 where that can't be told."""
    total = 0
    for pid in pids:
        text = read(f"/proc/{pid}/smaps_rollup")
        if text:
            total += sum(_kib(text, name) for name in (b"\nPss_Anon:", b"\nPss_Shmem:", b"\nSwapPss:")) << 10
            total += _kib(read(f"/proc/{pid}/status"), b"\nVmPTE:") << 10
        elif os.path.exists(f"/proc/{pid}/exe"):
            return -1
    return total


def use_of_file_system(pid: int, path: str) -> tuple[int, int]:
    """How much is in the file system that the process has at `path`, of how much; of a tmpfs, memory. Each file counts for some.

    Nothing where it is ours, as it is until the process has a tree of its own.
    """
    try:
        fd = os.open(f"/proc/{pid}/root{path}", os.O_PATH | os.O_CLOEXEC)  # once: the process may be changing its tree
    except OSError:
        return 0, 0
    try:
        if os.path.exists(path) and os.stat(fd).st_dev == os.stat(path).st_dev:
            return 0, 0
        known = os.statvfs(fd)
    except OSError:
        return 0, 0
    finally:
        os.close(fd)
    used = (known.f_blocks - known.f_bfree) * known.f_frsize + (known.f_files - known.f_ffree) * _FILE_BYTES
    return used, known.f_blocks * known.f_frsize


def memory_file_bytes(pid: int) -> int:
    """What lies in those files of a process that are memory and nothing else, whether it has mapped them or not."""
    total = 0
    for fd in listed(f"/proc/{pid}/fd"):
        place = f"/proc/{pid}/fd/{fd}"
        try:
            if os.readlink(place).startswith("/memfd:"):
                total += os.stat(place).st_blocks * _SECTOR_BYTES
        except OSError:
            continue
    return total


def unnamed_bytes(pids: Iterable[int], device: int) -> int:
    """What files take up on a device that the processes have open or mapped, and that no folder lists any more."""
    found: dict[int, int] = {}
    for pid in pids:
        for fd in listed(f"/proc/{pid}/fd"):
            try:
                known = os.stat(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            if known.st_nlink == 0 and known.st_dev == device:
                found[known.st_ino] = known.st_blocks * _SECTOR_BYTES
        for number, size in _deleted_mappings(pid, device):
            found.setdefault(number, size)
    return sum(found.values())


def _deleted_mappings(pid: int, device: int) -> list[tuple[int, int]]:
    """Inode and length of each mapping of a file that has no name any more."""
    found = []
    for line in read(f"/proc/{pid}/maps").splitlines():
        if line.endswith(b" (deleted)"):
            span, _, _, numbers, inode = line.split(None, 5)[:5]
            major, minor = (int(number, 16) for number in numbers.split(b":"))
            if os.makedev(major, minor) == device:
                start, end = (int(address, 16) for address in span.split(b"-"))
                found.append((int(inode), end - start))
    return found


def listed(folder: str) -> list[str]:
    """What is in a folder of `/proc`; nothing where there is none."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def read(path: str) -> bytes:
    """The whole of a file of `/proc`; nothing where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        first = os.read(fd, _STATUS_BYTES)
        rest = []
        while first and (chunk := os.read(fd, _STATUS_BYTES)):
            rest.append(chunk)
        return b"".join((first, *rest)) if rest else first
    except OSError:
        return b""
    finally:
        os.close(fd)


def _kib(text: bytes, name: bytes) -> int:
    """The number that stands behind a name at the beginning of a line."""
    place = text.find(name)
    return int(text[place + len(name) :].split(None, 1)[0]) if place >= 0 else 0
