"""The guard of one worker: holds what its processes use against the policy, from outside.

Above it: whoever drives it, now and then, and more often during a call (`worker/_guards.py`); below it: `_figures` and `_disk`.
It knows nothing of messages and waits for nothing. What the kernel keeps by itself (`_plan`) it looks at all the same: not every
machine has all of that, and none says afterwards which limit it was.
"""

from __future__ import annotations

import os
import time

from plughost.sandbox._breach import NEAR, Breach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Protocol

    from plughost.errors import PlughostError
    from plughost.sandbox._cgroup import Cgroup
    from plughost.sandbox._disk import DiskUse
    from plughost.sandbox._figures import Family
    from plughost.sandbox._plan import Confinement

    class Process(Protocol):
        """What is guarded. Its number is its own until `returncode` is known."""

        pid: int
        family: str
        returncode: int | None

        def interrupt(self) -> None: ...


__all__ = ["Guard"]

#: How often a worker is looked at that is in the middle of a call, and one that is idle.
TICK_S = 0.015
IDLE_S = 1.0
#: A look that takes long comes accordingly less often.
_TIMES_ITS_COST = 30
#: The work directory: when in a call it is first looked at, for how long at a time, and how often.
_DISK_WITHIN_S = 0.002
_DISK_EVERY_S = 0.1
_DISK_GOES_ON_S = 0.05
_ROOM_BYTES = 16 << 20
#: In how many rounds what hides from the listing, because it is just being forked, is looked for and killed.
_MOST_ROUNDS = 20


SIGKILL, SIGSTOP = 9, 19


class _Call:
    """One that is under way: since when it was seen, and what CPU time the processes have used meanwhile."""

    __slots__ = ("cpu_ns", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.cpu_ns = 0.0


class Guard:
    """Looked at by one thread; its `breach` may be read by any.

    One that `is_alone` has no other processes, or none that count. `plugin` is for messages.
    """

    __slots__ = (
        "_calls",
        "_cgroup",
        "_cpu_ns",
        "_cpu_offset_ns",
        "_disk",
        "_disk_at",
        "_disk_ns",
        "_family",
        "_hidden_bytes",
        "_is_alone",
        "_is_fork",
        "_looked_at",
        "_looked_ns",
        "_process",
        "breach",
        "due",
        "memory_bytes",
        "peak_bytes",
        "plugin",
        "policy",
        "shared_bytes",
        "temporary",
        "work",
    )

    def __init__(
        self,
        confinement: Confinement,
        process: Process,
        *,
        plugin: str,
        is_alone: bool,
        cgroup: Cgroup | None = None,
    ) -> None:
        self.policy = confinement.policy
        self.plugin = plugin
        self.work = confinement.work
        #: Where the processes have a tmpfs of their own for temporary files; nothing where they are in the work directory.
        temporary = confinement.environment.get("TMPDIR", "")
        self.temporary = "" if temporary.startswith(confinement.work) else temporary
        #: What it was ended for. Whoever finds something out about the worker may say so here.
        self.breach: Breach | None = None
        #: When it is to be looked at again, if it is not called before: a `time.monotonic()`.
        self.due = 0.0
        #: The memory of all processes, when it was looked at last, and the most that was seen.
        self.memory_bytes = self.peak_bytes = 0
        #: Tells how much memory there is that the host shares with the worker; -1 where it has none yet.
        self.shared_bytes: Callable[[], int] = lambda: -1
        self._hidden_bytes = 0
        self._process = process
        self._is_alone = is_alone
        self._is_fork = not confinement.plan
        self._cgroup = cgroup
        self._calls: dict[int, _Call] = {}
        self._cpu_ns = self._cpu_offset_ns = 0
        self._looked_ns = self._disk_ns = -1  # CPU time, when memory and the work directory were looked at last
        self._looked_at = self._disk_at = 0.0
        self._family: Family | None = None
        self._disk: DiskUse | None = None

    @property
    def is_over(self) -> bool:
        """Whether the process is gone."""
        return self._process.returncode is not None

    def look(self, now: float, calls: Collection[int]) -> Breach | None:
        """What limit was reached, if one was. `now` is a `time.monotonic()`, `calls` are the numbers of those under way."""
        if self.breach is not None or self.is_over:
            self.due = now + IDLE_S
            return self.breach
        pids = self._pids(now)
        is_long = self._note_calls(now, calls, self._note_cpu(pids))
        self.breach = self._times(now) or self._sizes(now, pids, is_long=is_long)
        cost_s = time.monotonic() - now
        self.breach = self.breach or self._disk_use(now, pids, is_long=is_long)
        wait_s = TICK_S if calls else _DISK_GOES_ON_S if self._disk is not None and self._disk.is_amid else IDLE_S
        self.due = now + max(wait_s, _TIMES_ITS_COST * cost_s)
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
        if self._cgroup is not None and self._cgroup.kill():
            return
        if not self._is_alone:
            self._end_family()
        self._process.interrupt()

    def crashed(self, what: str, code: int | None, causes: list[str]) -> PlughostError:
        """The error for a worker that ended with that code in the middle of `what`."""
        from plughost.sandbox._ends import crash_of

        return crash_of(self, what, code, causes)

    def explained(self, error: PlughostError) -> PlughostError:
        """What the plugin has raised, with the limit that it met, if it was one."""
        from plughost.sandbox._ends import explain

        return explain(self, error)

    @property
    def is_full(self) -> bool:
        """Whether so little memory is left that a further call may fail for that, too."""
        return self.policy.memory_bytes is not None and self.memory_bytes >= NEAR * self.policy.memory_bytes

    def measure(self) -> int:
        """The memory of all processes, now or when that could be told."""
        if not self.is_over:
            self._look_at_memory(self._pids(time.monotonic()))
        return self.memory_bytes

    def temporary_use(self) -> tuple[int, int]:
        """How much lies in the tmpfs for temporary files, and how much it holds."""
        from plughost.sandbox._figures import use_of_file_system

        return use_of_file_system(self._process.pid, self.temporary) if self.temporary and not self.is_over else (0, 0)

    @property
    def has_room_at_work(self) -> bool:
        """Whether the file system of the work directory has some left."""
        try:
            known = os.statvfs(self.work)
        except OSError:
            return False
        return known.f_bavail * known.f_frsize > _ROOM_BYTES

    def was_out_of_memory(self) -> bool:
        """Whether the kernel has killed it for the memory that it was allowed."""
        return self._cgroup is not None and self._cgroup.oom_kills() > 0

    def close(self) -> None:
        """The worker is gone, and what was found out about it is not asked for any more."""
        if self._disk is not None:
            self._disk.close()
        if self._cgroup is not None:
            self._cgroup.remove()

    # What is looked at.

    def _pids(self, now: float) -> list[int]:
        if self._is_alone:
            return [self._process.pid]
        if self._family is None:
            from plughost.sandbox._figures import Family

            self._family = Family(self._process.pid, self._process.family, has_namespace=not self._is_fork)
        return self._family.look(now)

    def _note_cpu(self, pids: list[int]) -> int:
        """How much CPU time was used since this was asked last."""
        from plughost.sandbox._figures import children_cpu_ns, cpu_ns

        used = sum(max(0, cpu_ns(pid)) for pid in pids) + self._cpu_offset_ns
        if not self._is_alone:
            used += sum(children_cpu_ns(pid) for pid in pids)
            if used < self._cpu_ns:  # of one that nobody has waited for, its time is nowhere any more
                self._cpu_offset_ns += self._cpu_ns - used
                used = self._cpu_ns
        advance, self._cpu_ns = used - self._cpu_ns, used
        return advance

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
        if not self._calls:
            return None
        longest_s = now - min(call.since for call in self._calls.values())
        most_cpu_s = max(call.cpu_ns for call in self._calls.values()) / 1e9
        return self._exceeds("cpu_s", most_cpu_s) or self._exceeds("wall_s", longest_s)

    def _sizes(self, now: float, pids: list[int], *, is_long: bool) -> Breach | None:
        """What has used no CPU time since can't have grown; and most calls are over before this is worth its time."""
        has_run = not self._is_alone or self._cpu_ns != self._looked_ns
        if not has_run or not (is_long or now >= self._looked_at + IDLE_S):
            return None
        self._looked_ns, self._looked_at = self._cpu_ns, now
        threads = self._look_at_memory(pids)
        return (
            self._exceeds("memory_bytes", self.memory_bytes)
            or self._exceeds("threads", threads)
            or (None if self._is_alone else self._exceeds("processes", len(pids)))
        )

    def _look_at_memory(self, pids: list[int]) -> int:
        """Memory of its own, shared memory, and what lies in memory as files. How many threads there are, besides."""
        from plughost.sandbox._figures import proportional_bytes, usage

        found = [known for pid in pids if (known := usage(pid)) is not None]
        files_bytes = self._memory_files(pids) + (0 if self._is_fork else self.temporary_use()[0])
        # Files are in memory whether they are mapped or not, and one process has nothing shared but those.
        total = sum(known.anonymous_bytes for known in found) + max(files_bytes, sum(known.shared_bytes for known in found))
        if len(pids) > 1 and self._exceeds("memory_bytes", total) is not None:
            # What was forked shares most of it. To tell takes long, so it is only asked for here.
            exact = proportional_bytes(pids)
            total = exact + files_bytes if exact >= 0 else total
        self.memory_bytes = total
        self.peak_bytes = max(self.peak_bytes, total)
        return sum(known.threads for known in found)

    def _memory_files(self, pids: list[int]) -> int:
        """What the host shares with it, or else what a process may fill and not map before it is shared."""
        shared = self.shared_bytes()
        if shared >= 0:
            return shared
        from plughost.sandbox._figures import memory_file_bytes

        self._hidden_bytes = max(self._hidden_bytes, sum(map(memory_file_bytes, pids)))
        return self._hidden_bytes

    def _disk_use(self, now: float, pids: list[int], *, is_long: bool) -> Breach | None:
        disk = self._disk or self._open_disk()
        if disk is None:
            return None
        if not disk.is_amid:
            every_s = max(_DISK_EVERY_S if is_long else IDLE_S, _TIMES_ITS_COST * disk.took_s)
            if now < self._disk_at + every_s or (self._is_alone and self._disk_ns == self._cpu_ns):
                return None
            self._disk_ns = self._cpu_ns
        if disk.look(_DISK_WITHIN_S, pids):
            self._disk_at = now
        return self._exceeds("disk_bytes", disk.used_bytes)

    def _open_disk(self) -> DiskUse | None:
        if self.work and self.policy.disk_bytes is not None:
            from plughost.sandbox._disk import DiskUse

            self._disk = DiskUse(self.work)
        return self._disk

    def _exceeds(self, limit: str, figure: float) -> Breach | None:
        allowed = getattr(self.policy, limit)
        return Breach(limit, figure) if allowed is not None and figure > allowed else None

    def _end_family(self) -> None:
        """Stopped first, so that it can't grow meanwhile; what is found afterwards was forked before that."""
        from plughost import _kernel

        assert self._family is not None
        stopped: set[int] = set()
        for _ in range(_MOST_ROUNDS):
            found = set(self._family.look(time.monotonic())) - stopped
            if not found:
                break
            for pid in found:
                _kernel.signal(pid, SIGSTOP)
            stopped |= found
        for pid in stopped:
            _kernel.signal(pid, SIGKILL)
