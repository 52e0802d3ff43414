"""The watch over one build: what its processes need, and what it writes, held against limits that only a runaway build reaches.

Above it: the workshop; below it: the meter. The kernel keeps what a single process may need and how long a file may be; what all
of them come to is looked at now and then, for as long as the build runs. Processes that fork without end would leave this one no
time to look: as soon as there are many more on the machine, the build is stopped for as long as a look takes.
"""

from __future__ import annotations

import math
import time

from plughost.errors import BuildError
from plughost.sandbox._census import Census
from plughost.sandbox._disk import DiskUse
from plughost.sandbox._ends import quantity
from plughost.sandbox._figures import tasks
from plughost.sandbox._meter import Meter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._process import Child
    from plughost.sandbox._confinement import Confinement

__all__ = ["BuildLimits", "BuildWatch"]

_EVERY_S = 0.1
#: How often is asked how many processes the machine has, and how many times what a look took.
_GLANCE_EVERY_S = 0.01
_TIMES_ITS_COST = 2
#: Of the processes that a build may come to, as many as have to be new on the machine for it to be stopped and looked at.
_MANY = 0.25
#: For how long all that it has written is looked through at a time.
_DISK_WITHIN_S = 0.01
_WORDS = {
    "memory_bytes": ("its memory was {}", "build-memory"),
    "disk_bytes": ("it had written {}", "build-disk"),
    "processes": ("it had {} processes", "build-processes"),
    "wall_s": ("it had taken {}", "build-time"),
}


class BuildLimits:
    """What one build may come to; infinity is no limit."""

    __slots__ = ("disk_bytes", "memory_bytes", "processes", "wall_s")

    def __init__(
        self,
        *,
        memory_bytes: float = 8 << 30,
        disk_bytes: float = 16 << 30,
        processes: int = 1000,
        wall_s: float = 1800.0,
    ) -> None:
        self.memory_bytes = memory_bytes
        self.disk_bytes = disk_bytes
        self.processes = processes
        self.wall_s = wall_s

    @property
    def kept(self) -> dict[str, int | None]:
        """What the kernel keeps for a single process, as fields of a policy: so much more that the watch is first to tell."""
        return {"memory_bytes": _whole(2 * self.memory_bytes), "file_bytes": _whole(2 * self.disk_bytes)}


class BuildWatch:
    """Called by whoever waits for the build; it ends by raising."""

    def __init__(self, limits: BuildLimits, confinement: Confinement, folders: Sequence[str]) -> None:
        """`folders` are those that the build writes to."""
        self._limits = limits
        self._confinement = confinement
        self._disks = [DiskUse(folder) for folder in folders]
        self._meter: Meter | None = None
        self._began = time.monotonic()
        self._due = self._glance_due = 0.0
        self._tasks_before = tasks()

    def __call__(self, child: Child) -> float:
        """Look, if it is time to; in how many seconds it is to be called again.

        Raises: BuildError: a limit is reached.
        """
        now = time.monotonic()
        if now >= self._glance_due:
            is_many = tasks() - self._tasks_before > _MANY * self._limits.processes
            if is_many:
                child.halt()
            if is_many or now >= self._due:
                self._look(child, now)
            if is_many:
                child.resume()
            self._glance_due = now + max(_GLANCE_EVERY_S, _TIMES_ITS_COST * (time.monotonic() - now))
        return self._glance_due - time.monotonic()

    def _look(self, child: Child, now: float) -> None:
        if self._meter is None:
            self._meter = Meter(self._confinement, child, census=Census(), shared_bytes=lambda: -1)
        self._meter.count_processes(now)
        self._hold("processes", len(self._meter.pids))  # first: to weigh a great many takes long
        self._meter.weigh(allowed=_whole(self._limits.memory_bytes))
        self._hold("memory_bytes", self._meter.memory_bytes)
        for disk in self._disks:
            disk.look(_DISK_WITHIN_S, self._meter.pids)
        self._hold("disk_bytes", sum(disk.used_bytes for disk in self._disks))
        self._hold("wall_s", now - self._began)
        self._due = time.monotonic() + _EVERY_S

    def _hold(self, limit: str, figure: float) -> None:
        allowed = getattr(self._limits, limit)
        if figure > allowed:
            raise _exceeded(limit, figure, allowed)

    def close(self) -> None:
        if self._meter is not None:
            self._meter.close()
        for disk in self._disks:
            disk.close()


def _whole(limit: float) -> int | None:
    return None if math.isinf(limit) else int(limit)


def _exceeded(limit: str, figure: float, allowed: float) -> BuildError:
    said, setting = _WORDS[limit]
    return BuildError(
        f"The build was ended: {said.format(quantity(limit, figure))}, and builds may come to {quantity(limit, allowed)}",
        reference="build-limit",
        hint=f"If that is what it takes, allow more by the setting `{setting}`",
    )
