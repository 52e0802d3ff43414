"""What the processes of one worker have used by now.

Above it: the guard, which holds that against a policy; below it: `_figures` and `_disk`. It waits for nothing.
"""

from __future__ import annotations

import os
import time

from plughost import _kernel
from plughost.sandbox._census import Census, Family
from plughost.sandbox._disk import DiskUse
from plughost.sandbox._figures import (
    children_cpu_ns,
    cpu_ns,
    memory_file_bytes,
    proportional_bytes,
    usage,
    use_of_file_system,
)
from plughost.sandbox._sockets import unheld_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from plughost.sandbox._confinement import Confinement

    class Process(Protocol):
        """What is watched. Its number is its own until `returncode` is known."""

        pid: int
        family: str
        returncode: int | None

        def interrupt(self) -> None: ...


__all__ = ["Meter"]

#: For how long the work directory is looked through at a time.
_DISK_WITHIN_S = 0.002
#: The file system of a work directory has room while it has that much left.
_ROOM_BYTES = 16 << 20
#: In how many rounds those are looked for that are being forked while the others are stopped.
_MOST_ROUNDS = 20

_SIGKILL, _SIGSTOP = 9, 19


class Meter:
    """Read by one thread. Without a `census` it is of one process: there are no others, or none that count."""

    __slots__ = (
        "_disk",
        "_ended_ns",
        "_family",
        "_has_network",
        "_hidden_bytes",
        "_is_fork",
        "_most_files",
        "_process",
        "_shared_bytes",
        "_temporary_use",
        "cpu_ns",
        "memory_bytes",
        "peak_bytes",
        "peak_data_bytes",
        "peak_threads",
        "pids",
        "temporary",
        "threads",
        "work",
    )

    def __init__(
        self, confinement: Confinement, process: Process, *, census: Census | None, shared_bytes: Callable[[], int]
    ) -> None:
        """`shared_bytes` tells how much memory there is that the host shares with the worker; -1 where it has none yet."""
        self.work = confinement.work
        #: Where the processes have a tmpfs of their own for temporary files; nothing where they are in the work directory.
        temporary = confinement.environment.get("TMPDIR", "")
        self.temporary = "" if temporary.startswith(confinement.work) else temporary
        #: The processes, when that was asked last.
        self.pids = [process.pid]
        #: The CPU time of all of them, those included that have ended.
        self.cpu_ns = 0
        #: The memory of all of them, when it was looked at last, and the most that was seen; and so for threads.
        self.memory_bytes = self.peak_bytes = 0
        self.threads = self.peak_threads = 0
        #: The most that one process was seen to be promised of memory of its own, which is what the kernel limits.
        self.peak_data_bytes = 0
        self._temporary_use = 0, 0
        self._shared_bytes = shared_bytes
        self._process = process
        self._is_fork = confinement.is_fork
        self._has_network = confinement.has_network
        self._most_files = confinement.policy.open_files
        self._family: Family | None = None
        if census is not None:
            self._family = Family(process.pid, process.family, census, has_namespace=not self._is_fork)
        self._ended_ns = 0
        self._hidden_bytes = 0
        self._disk = DiskUse(self.work)

    def count_processes(self, now: float, *, thoroughly: bool = False) -> None:
        """`now` is a `time.monotonic()`."""
        if self._family is not None:
            self.pids = self._family.look(now, thoroughly=thoroughly)

    def read_clocks(self) -> int:
        """How much CPU time was used since this was asked last."""
        if self._family is None:
            used = max(cpu_ns(self._process.pid), self.cpu_ns)
        else:
            used = self._ended_ns + sum(max(0, cpu_ns(pid)) + children_cpu_ns(pid) for pid in self.pids)
            if used < self.cpu_ns:  # of one that nobody has waited for, its time is nowhere any more
                self._ended_ns += self.cpu_ns - used
                used = self.cpu_ns
        advance, self.cpu_ns = used - self.cpu_ns, used
        return advance

    def weigh(self, *, allowed: int | None = None) -> None:
        """Look at the memory: what is each process's own, what they share, and what lies in memory as files."""
        found = [known for pid in self.pids if (known := usage(pid)) is not None]
        files_bytes = self._memory_files() + (0 if self._is_fork else self.temporary_use()[0])
        # Files are in memory whether they are mapped or not, and one process has nothing shared but those.
        total = sum(known.own_bytes for known in found) + max(files_bytes, sum(known.shared_bytes for known in found))
        if len(found) > 1 and allowed is not None and total > allowed:
            # What was forked shares most of it. To tell takes long, so it is only asked for here.
            exact = proportional_bytes(self.pids)
            total = exact + files_bytes if exact >= 0 else total
        if self._has_network:
            total += unheld_bytes(self._process.pid, self._most_files)
        self.memory_bytes = total
        self.peak_bytes = max(self.peak_bytes, total)
        self.peak_data_bytes = max([self.peak_data_bytes, *(known.data_bytes for known in found)])
        self.threads = sum(known.threads for known in found)
        self.peak_threads = max(self.peak_threads, self.threads)

    def _memory_files(self) -> int:
        """What the host shares with it, or else what a process may fill and not map before it is shared."""
        shared = self._shared_bytes()
        if shared >= 0:
            return shared
        self._hidden_bytes = max(self._hidden_bytes, sum(map(memory_file_bytes, self.pids)))
        return self._hidden_bytes

    def temporary_use(self) -> tuple[int, int]:
        """How much lies in the tmpfs for temporary files, and how much it holds; of a process that is gone, when last seen."""
        if self.temporary and self._process.returncode is None:
            used, size = use_of_file_system(self._process.pid, self.temporary)
            if size:  # which it has no more when it has ended, and nobody has waited for it yet
                self._temporary_use = used, size
        return self._temporary_use

    # The work directory.

    @property
    def is_amid(self) -> bool:
        """Whether the work directory has been looked through in part."""
        return self._disk.is_amid

    @property
    def disk_took_s(self) -> float:
        return self._disk.took_s

    def look_through(self) -> int:
        """Go on with the work directory, for a moment; how much it holds, as far as that is known."""
        self._disk.look(_DISK_WITHIN_S, self.pids)
        return self._disk.used_bytes

    @property
    def has_room_at_work(self) -> bool:
        """Whether the file system of the work directory has some left."""
        try:
            known = os.statvfs(self.work)
        except OSError:
            return False
        return known.f_bavail * known.f_frsize > _ROOM_BYTES

    def kill(self) -> None:
        """Kill all of the processes: the group at once, and then what has left it, stopped first so that there can't be more."""
        self._process.interrupt()
        stopped = {self._process.pid}
        for _ in range(0 if self._family is None else _MOST_ROUNDS):
            self.count_processes(time.monotonic(), thoroughly=True)
            found = set(self.pids) - stopped
            if not found:
                break
            for pid in found:
                _kernel.signal(pid, _SIGSTOP)
            stopped |= found
        for pid in stopped - {self._process.pid}:
            _kernel.signal(pid, _SIGKILL)

    def close(self) -> None:
        self._disk.close()
        if self._family is not None:
            self._family.close()
