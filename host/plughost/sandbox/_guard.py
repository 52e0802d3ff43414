"""The guard of one worker: holds what its processes use against the policy, from outside.

Above it: whoever drives it, now and then, and more often during a call (`worker/_guards.py`); below it: the meter. It knows
nothing of messages and waits for nothing. What the kernel keeps by itself (`_plan`) it looks at all the same: not every machine
has all of that, and none says afterwards which limit it was.
"""

from __future__ import annotations

import time

from plughost.errors import PluginError
from plughost.sandbox._breach import NEAR, Breach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from plughost.errors import PlughostError
    from plughost.sandbox._census import Census
    from plughost.sandbox._cgroup import Cgroup
    from plughost.sandbox._confinement import Confinement
    from plughost.sandbox._meter import Meter, Process

__all__ = ["Guard"]

#: How often a worker is looked at that is in the middle of a call, and one that is idle.
_TICK_S = 0.015
_IDLE_S = 1.0
#: What a worker has used of the processor between two looks, for it to be looked at as in a call although it has none.
_BUSY_NS = 2_000_000
#: The work directory: how often, and how soon it goes on that was looked through in part, after the call.
_DISK_EVERY_S = 0.03
_DISK_GOES_ON_S = 0.05
#: A kept work directory that was found too full is let be while it holds no more, or its process could never make room; so much
#: may have been written to it before that was noticed.
_FOUND_OVER_BYTES = 128 << 20
#: A look that takes long comes accordingly less often.
_TIMES_ITS_COST = 30


class _Call:
    """One that is under way: since when it was seen, and what CPU time the processes have used meanwhile."""

    __slots__ = ("cpu_ns", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.cpu_ns = 0.0


class Guard:
    """Looked at by one thread; its `breach` may be read, and found, by any. `plugin` is for messages."""

    __slots__ = (
        "_calls",
        "_census",
        "_cgroup",
        "_confinement",
        "_disk_at",
        "_disk_ns",
        "_found_bytes",
        "_idle_ns",
        "_is_alone",
        "_looked_at",
        "_looked_ns",
        "_meter",
        "_oom_kills",
        "_process",
        "breach",
        "due",
        "is_called_off",
        "minds_disk",
        "minds_idle",
        "plugin",
        "policy",
        "shared_bytes",
    )

    def __init__(
        self, confinement: Confinement, process: Process, *, plugin: str, census: Census | None, cgroup: Cgroup | None = None
    ) -> None:
        """The `census` is None for what has no other processes, or none that count."""
        self.policy = confinement.policy
        self.plugin = plugin
        #: Tells how much memory there is that the host shares with the worker; -1 where it has none yet.
        self.shared_bytes: Callable[[], int] = lambda: -1
        self._confinement = confinement
        self._census = census
        self._meter: Meter | None = None
        #: What it was ended for. Whoever finds something out about the worker may say so here.
        self.breach: Breach | None = None
        #: Whether the host has ended it, for reasons of its own.
        self.is_called_off = False
        #: When it is to be looked at again, if it is not called before: a `time.monotonic()`.
        self.due = 0.0
        self.minds_disk = self.policy.disk_bytes is not None
        self._found_bytes = min(confinement.found_bytes, (self.policy.disk_bytes or 0) + _FOUND_OVER_BYTES)
        #: Whether it has nothing to do between calls.
        self.minds_idle = True
        self._process = process
        self._is_alone = census is None
        self._cgroup = cgroup
        self._oom_kills = 0
        self._calls: dict[int, _Call] = {}
        self._idle_ns = 0  # CPU time since the last call that was seen
        self._looked_ns = self._disk_ns = -1  # CPU time, when memory and the work directory were looked at last
        self._looked_at = self._disk_at = 0.0

    @property
    def meter(self) -> Meter:
        """Made when it is first read, by when most calls are over."""
        if self._meter is None:
            from plughost.sandbox._meter import Meter

            self._meter = Meter(self._confinement, self._process, census=self._census, shared_bytes=self.shared_bytes)
        return self._meter

    @property
    def is_over(self) -> bool:
        """Whether the process is gone."""
        return self._process.returncode is not None

    def look(self, now: float, calls: Collection[int], *, has_called: bool = False, is_up: bool = True) -> Breach | None:
        """What limit was reached, if one was. `now` is a `time.monotonic()`, `calls` are the numbers of those under way.

        `has_called`: there was a call since the last look, which may have begun and ended in between. While the process starts,
        and isn't yet up, the calls' wall time doesn't run.
        """
        if self.breach is not None or self.is_over:
            self.due = now + _IDLE_S
            return self.breach
        meter = self.meter
        meter.count_processes(now)
        advance_ns = meter.read_clocks()
        self._idle_ns = 0 if calls or has_called else self._idle_ns + advance_ns
        is_long = self._note_calls(now, calls, advance_ns)
        if not is_up:
            for call in self._calls.values():
                call.since = now
        found = self._times(now) or self._sizes(now, is_long=is_long)
        cost_s = time.monotonic() - now
        found = found or self._disk_use(now, is_long=is_long)
        is_busy = bool(calls) or (advance_ns > _BUSY_NS and not has_called)
        wait_s = _TICK_S if is_busy else _DISK_GOES_ON_S if meter.is_amid else _IDLE_S
        self.due = now + max(wait_s, _TIMES_ITS_COST * cost_s)
        if found is not None and self.breach is None:
            self.breach = found
        return self.breach

    def end_for(self, limit: str, figure: float) -> None:
        """End it for a limit that somebody else has seen it reach."""
        if self.breach is None:
            self.breach = Breach(limit, figure)
            self.end()

    def end(self) -> None:
        """Kill all of the processes. Whoever waits for the worker hears that it has ended, and sees to the rest."""
        if self.is_over:
            return
        if self._cgroup is not None:
            self._cgroup.kill()
        self.meter.kill()

    def crashed(self, what: str, code: int | None, causes: list[str]) -> PlughostError:
        """The error for a worker that ended with that code in the middle of `what`."""
        from plughost.sandbox._ends import crash_of

        return crash_of(self, what, code, causes)

    def explained(self, error: PlughostError) -> PlughostError:
        """What the plugin has raised, with what it met, if that was a limit, or a file that its policy keeps from it."""
        from plughost.sandbox._ends import explain

        error = explain(self, error)
        if isinstance(error, PluginError) and not error.was_denied and isinstance(getattr(error, "filename", None), str):
            from plughost.sandbox._hidden import explain_file

            explain_file(error, self.plugin, self._confinement)
        return error

    @property
    def is_full(self) -> bool:
        """Whether so little memory is left that a further call may fail for that, too."""
        allowed = self.policy.memory_bytes
        return allowed is not None and self._meter is not None and self._meter.memory_bytes >= NEAR * allowed

    @property
    def has_many_threads(self) -> bool:
        """Whether one more may be one too many: else it is for want of memory if none can be started."""
        allowed = self.policy.threads
        self.measure()
        return allowed is not None and self.meter.peak_threads >= NEAR * allowed

    def measure(self) -> int:
        """The memory of all processes, now or when that could be told."""
        if not self.is_over:
            self.meter.weigh()
        return self.meter.memory_bytes

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed it for the memory that it was allowed."""
        if self._cgroup is not None:
            self._oom_kills = max(self._oom_kills, self._cgroup.oom_kills())
        return self._oom_kills > 0

    def close(self) -> None:
        """The worker is gone, and what was found out about it is not asked for any more."""
        if self._meter is not None:
            self._meter.close()
        if self._cgroup is not None:
            self.was_out_of_memory()  # may be asked for later than this
            self._cgroup.remove()

    def _note_calls(self, now: float, calls: Collection[int], advance_ns: int) -> bool:
        """Count what was used for the calls under way, in equal parts; whether one of them was under way before."""
        before, self._calls = self._calls, {}
        known = [number for number in calls if number in before]
        for number in calls:
            call = self._calls[number] = before.get(number) or _Call(now)
            if number in before:
                call.cpu_ns += advance_ns / len(known)
        return bool(known)

    def _times(self, now: float) -> Breach | None:
        if not self._calls:  # a thread that a call has left behind has as much as a call
            return self._exceeds("cpu_s", self._idle_ns / 1e9) if self.minds_idle else None
        longest_s = now - min(call.since for call in self._calls.values())
        most_cpu_s = max(call.cpu_ns for call in self._calls.values()) / 1e9
        return self._exceeds("cpu_s", most_cpu_s) or self._exceeds("wall_s", longest_s)

    def _sizes(self, now: float, *, is_long: bool) -> Breach | None:
        """What has used no CPU time since can't have grown; and most calls are over before this is worth its time."""
        meter = self.meter
        has_run = not self._is_alone or meter.cpu_ns != self._looked_ns
        if not has_run or not (is_long or not self._calls or now >= self._looked_at + _IDLE_S):
            return None
        self._looked_ns, self._looked_at = meter.cpu_ns, now
        meter.weigh(allowed=self.policy.memory_bytes)
        return (
            self._exceeds("memory_bytes", meter.memory_bytes)
            or (None if self._is_alone else self._exceeds("processes", len(meter.pids)))
            or self._exceeds("threads", meter.threads)  # of which each process has one
        )

    def _disk_use(self, now: float, *, is_long: bool) -> Breach | None:
        meter = self.meter
        if not self.minds_disk:
            return None
        if not meter.is_amid:
            every_s = max(_DISK_EVERY_S if is_long else _IDLE_S, _TIMES_ITS_COST * meter.disk_took_s)
            if now < self._disk_at + every_s or (self._is_alone and self._disk_ns == meter.cpu_ns):
                return None
            self._disk_at, self._disk_ns = now, meter.cpu_ns
        return self._exceeds("disk_bytes", meter.look_through(), at_least=self._found_bytes)

    def _exceeds(self, limit: str, figure: float, *, at_least: float = 0) -> Breach | None:
        """`at_least` is allowed, whatever the policy has."""
        allowed = getattr(self.policy, limit)
        return Breach(limit, figure) if allowed is not None and figure > max(allowed, at_least) else None
