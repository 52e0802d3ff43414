"""The watch over one build: what its processes need, and what it writes, held against limits that only a runaway build reaches.

Above it: the workshop; below it: the meter. The kernel keeps what a single process may need and how long a file may be; what all
of them come to is looked at now and then, for as long as the build runs.
"""

from __future__ import annotations

import math
import time

from plughost.errors import BuildError
from plughost.sandbox._census import Census
from plughost.sandbox._disk import DiskUse
from plughost.sandbox._ends import quantity
from plughost.sandbox._meter import Meter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._process import Child
    from plughost.sandbox._confinement import Confinement

__all__ = ["BuildLimits", "BuildWatch"]

_EVERY_S = 0.1
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
        self._due = 0.0

    def __call__(self, child: Child) -> float:
        """Look, if it is time to; in how many seconds it is to be called again.

        Raises: BuildError: a limit is reached.
        """
        now = time.monotonic()
        if now < self._due:
            return self._due - now
        if self._meter is None:
            self._meter = Meter(self._confinement, child, census=Census(), shared_bytes=lambda: -1)
        self._meter.count_processes(now)
        self._meter.weigh(allowed=_whole(self._limits.memory_bytes))
        for disk in self._disks:
            disk.look(_DISK_WITHIN_S, self._meter.pids)
        figures = {
            "memory_bytes": self._meter.memory_bytes,
            "disk_bytes": sum(disk.used_bytes for disk in self._disks),
            "processes": len(self._meter.pids),
            "wall_s": now - self._began,
        }
        for limit, figure in figures.items():
            allowed = getattr(self._limits, limit)
            if figure > allowed:
                raise _exceeded(limit, figure, allowed)
        self._due = time.monotonic() + _EVERY_S
        return _EVERY_S

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
