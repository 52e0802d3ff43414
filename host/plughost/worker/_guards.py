"""Drives the guards of a host's workers, in the watcher's thread.

Above it: the pool; below it: workers and the watcher. A call tells nobody that it begins: that would take as long as a part of
it. What a worker keeps anyway is looked at instead, every few milliseconds while calls are made and for a moment longer. Then
only once a second, until whoever looks plugins up for a call says that there will be one.
"""

from __future__ import annotations

import _thread
import os
import time
from functools import partial

from plughost.worker._exchange import STARTS_WITHIN_S
from plughost.worker._watch import IS_POSSIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.sandbox import Census, Cgroups, Guard
    from plughost.worker._watch import Timer, Watcher
    from plughost.worker._worker import Worker

__all__ = ["Guards"]

#: Where all control groups are of the second kind.
_CGROUPS = "/sys/fs/cgroup/cgroup.controllers"
TICK_S = 0.015
#: How often workers are looked at when there are no calls, unless there are so many that a round takes more than a hundredth of
#: that; at the latest; and how long there have to be no calls for that.
_ROUND_EVERY_S = 0.1
_TIMES_ITS_COST = 100
_ASLEEP_S = 1.0
_LINGERS_S = 1.0


class _Seen:
    """What a worker was doing when it was looked at last."""

    __slots__ = ("first", "guard", "is_idle", "number", "up_by")

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.number = -1
        #: The call that is under way for the longest.
        self.first = -1
        self.is_idle = True
        #: When the time of calls begins at the latest, whether the process has started or not.
        self.up_by = time.monotonic() + STARTS_WITHIN_S


class Guards:
    """Of one pool. `watch` and `rouse` are for any thread."""

    __slots__ = (
        "_awake_until",
        "_census",
        "_cgroups",
        "_lock",
        "_round_at",
        "_rouses",
        "_timer",
        "_watched",
        "_watcher",
        "is_asleep",
    )

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._watched: dict[Worker, _Seen] = {}
        self._timer: Timer | None = None
        self._census: Census | None = None
        self._cgroups: Cgroups | None = None
        self._awake_until = self._round_at = 0.0
        self._lock = _thread.RLock()  # as in the watcher
        self._rouses = 0
        #: Whether a call that is about to begin has to say so.
        self.is_asleep = False

    def attach(self, worker: Worker, plugin: str, *, is_nursery: bool = False) -> None:
        """Give a worker that is confined its guard, which stays with it until its process is gone.

        Those that a nursery has forked are workers of their own, and have guards of their own.
        """
        confinement = worker.confinement
        if confinement is None or worker.guard is not None:
            return
        from plughost.sandbox import Guard

        is_alone = is_nursery or (confinement.policy.processes == 1 and "calls" not in confinement.waived)
        if not is_alone and self._census is None:
            from plughost.sandbox import Census

            self._census = Census()
        group = self._groups().enter(worker.pid, confinement.policy) if os.path.exists(_CGROUPS) else None
        census = None if is_alone else self._census
        guard = Guard(confinement, worker.process, plugin=plugin, census=census, cgroup=group)
        if is_nursery:
            guard.minds_disk = False  # its work directory holds those of the others
            guard.minds_idle = False  # it forks, which is nobody's call
        self.watch(worker, guard)

    def _groups(self) -> Cgroups:
        if self._cgroups is None:
            from plughost.sandbox import Cgroups, find_root

            self._cgroups = Cgroups(find_root())
        return self._cgroups

    def watch(self, worker: Worker, guard: Guard) -> None:
        policy, channel = guard.policy, worker.channel
        worker.guard, worker.on_begin = guard, self._wake_up
        channel.bulk.is_counted, guard.shared_bytes = True, channel.bulk.memory_bytes
        if policy.output_bytes is not None:
            channel.most_printed_bytes = policy.output_bytes
            channel.on_flood = lambda: guard.end_for("output_bytes", channel.printed_bytes)
        channel.bulk.most_held_bytes = policy.memory_bytes  # who gives something has had it in its own memory
        if policy.result_bytes is not None:
            channel.limit_results(policy.result_bytes)
        self._watched[worker] = _Seen(guard)
        if self.is_asleep or self._timer is None or self._timer.action is None:
            self.rouse()

    def _wake_up(self) -> None:
        if self.is_asleep:
            self.rouse()

    def rouse(self) -> None:
        """A call is about to begin."""
        if not IS_POSSIBLE:  # then there are those limits that need no looking
            return
        with self._lock:
            self.is_asleep = False
            self._awake_until = time.monotonic() + _LINGERS_S
            if self._timer is not None:
                self._timer.cancel()
            self._rouses += 1
            self._timer = self._watcher.call_later(TICK_S, partial(self._tick, self._rouses))

    def _tick(self, rouses: int) -> None:
        """In the watcher's thread; not after a rouse that came later."""
        now = time.monotonic()
        is_busy, soonest = False, now + _ASLEEP_S
        due_until = now
        is_round = now >= self._round_at
        if is_round:
            due_until += _ASLEEP_S  # all that are idle, so that they come to be looked at together
        for worker, seen in list(self._watched.items()):
            # The numbers of calls only grow: where it is the same, an idle worker still is.
            if not seen.is_idle or worker.next_id != seen.number or seen.guard.due <= due_until:
                is_busy |= self._look(worker, seen, now)
            if seen.guard.due < soonest:  # noqa: PLR1730 - `min` takes three times as long, and there may be a thousand
                soonest = seen.guard.due
        if is_round:
            took_s = time.monotonic() - now
            self._round_at = now + min(_ASLEEP_S, max(_ROUND_EVERY_S, _TIMES_ITS_COST * took_s))
        with self._lock:
            if rouses != self._rouses:
                return
            if not self._watched:
                self._timer = None
                return
            if is_busy:
                self._awake_until = now + _LINGERS_S
            is_over = now >= self._awake_until
            # A call that was about to begin before this was said is met by one more tick.
            delay_s = max(TICK_S, min(soonest, self._round_at) - now) if is_over and self.is_asleep else TICK_S
            self.is_asleep = is_over
            self._timer = self._watcher.call_later(delay_s, partial(self._tick, rouses))

    def _look(self, worker: Worker, seen: _Seen, now: float) -> bool:
        """Whether there are calls under way, or were since the last time."""
        guard = seen.guard
        if guard.is_over:
            self._drop(worker)
            return False
        number = worker.next_id
        calls = worker.under_way()
        has_called, seen.number, seen.is_idle = number != seen.number, number, not calls
        if calls and calls[0] != seen.first:
            seen.first = calls[0]
            if worker.lanes is not None and guard.policy.output_bytes is not None:  # nobody counts anew for each call
                worker.channel.most_printed_bytes = worker.channel.printed_bytes + guard.policy.output_bytes
        is_up = not calls or worker.is_up or now >= seen.up_by
        if guard.breach is None and guard.look(now, calls, has_called=has_called, is_up=is_up) is not None:
            guard.end()
            if not calls:  # nobody else would tell of it
                _tell(guard)
        return has_called or bool(calls)

    def settle(self) -> None:
        """The watcher has dropped what was to be done later; whoever is still in a call is watched on."""
        for worker, seen in list(self._watched.items()):
            if seen.guard.is_over:
                self._drop(worker)
        if self._watched:
            self.rouse()

    def _drop(self, worker: Worker) -> None:
        seen = self._watched.pop(worker, None)
        if seen is not None:
            seen.guard.close()

    def forget(self) -> None:
        """In a forked copy of this process: the workers are the original's."""
        self._begin_anew()


def _tell(guard: Guard) -> None:
    import logging

    assert guard.breach is not None
    error = guard.crashed("It", None, [])
    logging.getLogger(f"plughost.plugin.{guard.plugin}").warning("An idle process was ended. %s", error.message)
