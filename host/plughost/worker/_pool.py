"""Workers that wait for their next call.

Above it: the host, which knows how a plugin's worker is launched; below it: `Worker` and the watcher. A worker serves one call at
a time: it is taken for a call and given back after it. A thread that is called back by a plugin while its hook runs, or that is
between the two halves of a hook wrapper, holds that plugin's worker: what it calls of the same plugin goes to the same process.
"""

from __future__ import annotations

import _thread
import time

from plughost import _process
from plughost._kernel import borne_marks, is_dying
from plughost._limits import Limits
from plughost.errors import CallTimeout
from plughost.worker._custody import CUSTODY, Held
from plughost.worker._deadline import DEADLINE
from plughost.worker._guards import Guards
from plughost.worker._watch import IS_POSSIBLE, Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from plughost.worker._watch import Timer
    from plughost.worker._worker import Worker

    class Waiter(Protocol):
        def release(self) -> None: ...

    Key = tuple[str, ...]  # the plugin, the revision, and who shares its workers with nobody else

__all__ = ["Crew", "Limits", "Pool"]

#: How often idle workers are looked at, as a part of the time that they may be idle, and how often at least.
_LOOKS_A_TIME = 4
_LOOKS_EVERY_S = 15.0


class Crew:
    """The workers of one revision of a plugin."""

    __slots__ = ("count", "idle", "is_over", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        #: Those that wait, the one used last at the end: it is the next to be used, and the first ones grow old. Taken from and
        #: put back by single operations of the list, which need no lock.
        self.idle: list[Worker] = []
        #: How many there are, those included that are being started.
        self.count = 0
        #: Whether its workers end when they are given back: the plugin was updated, or the host closed.
        self.is_over = False


class Pool:
    """The workers of a host, by plugin and revision. Safe for several threads, and in a forked copy of the process."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.watcher = Watcher()
        self.guards = Guards(self.watcher)
        self.held = Held()
        self._closes_at_exit = False
        self._begin_anew()

    @property
    def is_limited(self) -> bool:
        """Whether a worker may have served its time after any call."""
        return self.limits.calls is not None or self.limits.memory_bytes is not None

    def _begin_anew(self) -> None:
        self._crews: dict[Key, Crew] = {}
        # Reentrant, as in the watcher: a generator or a call that is finalized gives its worker back, in whatever thread that
        # happens, and in the middle of whatever it does.
        self._lock = _thread.RLock()
        #: Of each caller that waits for a worker, what it waits by.
        self.waiting: list[tuple[Crew, Waiter]] = []
        self._look_at: Timer | None = None

    def crew(self, key: Key) -> Crew:
        """The one to which workers of that plugin and revision belong from now on."""
        crew = self._crews.get(key)
        if crew is None:
            with self._lock:
                crew = self._crews.setdefault(key, Crew(key))
            self._close_at_exit()
        return crew

    def take(self, key: Key, launch: Callable[[], Worker], *, may_be_held: bool = True) -> Worker:
        """The worker that this thread holds, else an idle one, else a new one; where there may be no more, wait for one.

        Raises: CallTimeout: the deadline of this context has come. Whatever `launch` raises.
        """
        held = self.find_held(key) if may_be_held else None
        if held is not None:
            return held
        crew = self.crew(key)
        worker = self._take_idle(crew) or self._launch(crew, launch)
        custody = CUSTODY.get()
        if custody is not None:
            custody.add(worker)
        return worker

    def take_nowait(self, key: Key, launch: Callable[[], Worker]) -> Worker | None:
        """As `take`, but None where it would have to wait for one; `queue` tells when to try again."""
        crew = self.crew(key)
        worker = self._take_idle(crew)
        if worker is not None:
            return worker
        return self._add(crew, launch) if self._may_add_one(crew) else None

    def queue(self, crew: Crew, waiter: Waiter) -> None:
        """Have `waiter.release` called once, from any thread, when a worker of the crew may be had; unless it leaves before."""
        with self._lock:
            self.waiting.append((crew, waiter))

    def leave_queue(self, waiter: Waiter) -> None:
        """It has a worker, or wants none any more: if it was woken for one, the next is."""
        with self._lock:
            before = len(self.waiting)
            self.waiting = [entry for entry in self.waiting if entry[1] is not waiter]
            was_woken = len(self.waiting) == before
        if was_woken:
            self._wake_all()

    def _take_idle(self, crew: Crew) -> Worker | None:
        while True:
            try:
                worker = crew.idle.pop()
            except IndexError:
                return None
            if worker.alive and not (worker.has_ended() or is_dying(worker.pid)):
                return worker
            self._left(worker, crew)
            worker.kill()  # it went away by itself: killed, say, or by an alarm of the plugin's

    def _launch(self, crew: Crew, launch: Callable[[], Worker]) -> Worker:
        while not self._may_add_one(crew):
            worker = self._wait_for_one(crew)
            if worker is not None:
                return worker
        return self._add(crew, launch)

    def _add(self, crew: Crew, launch: Callable[[], Worker]) -> Worker:
        try:
            worker = launch()
        except BaseException:
            with self._lock:
                crew.count -= 1
            self._wake_all()
            raise
        worker.crew = crew
        return worker

    def _may_add_one(self, crew: Crew) -> bool:
        """Count one more, if there may be one: where there are too many in all, the one that is idle for the longest ends."""
        limits = self.limits
        victim = None
        with self._lock:
            if limits.most is not None and crew.count >= limits.most:
                return False
            if limits.in_total is not None and sum(each.count for each in self._crews.values()) >= limits.in_total:
                victim = self._take_oldest()
                if victim is None:
                    return False
            crew.count += 1
        if victim is not None:
            self._end(victim)
        return True

    def _take_oldest(self) -> Worker | None:
        idle = [each for crew in self._crews.values() for each in crew.idle[:1]]
        for worker in sorted(idle, key=lambda each: each.used_ns):
            if self._leave_idle(worker):
                return worker
        return None

    def _wait_for_one(self, crew: Crew) -> Worker | None:
        """Until a worker is idle again, or has ended; the worker, if it is one of this crew."""
        deadline = DEADLINE.get()
        free = _thread.allocate_lock()
        free.acquire()
        self.queue(crew, free)
        worker = self._take_idle(crew)
        if worker is None and free.acquire(timeout=-1 if deadline is None else max(0.0, deadline.at - time.monotonic())):
            return self._take_idle(crew)
        self.leave_queue(free)
        if worker is None:
            raise CallTimeout(
                f"All {crew.count} workers of `{crew.key[0]}` were busy until the deadline",
                causes=["Nothing was asked of the plugin"],
                hint="Allow more workers, `Host(workers=(0, 8))`, or give the calls more time",
            )
        return worker

    def _wake_all(self) -> None:
        with self._lock:
            waiting, self.waiting = self.waiting, []
        for _, waiter in waiting:
            waiter.release()

    def wake_one(self, crew: Crew) -> None:
        """Of those that wait for a worker of this crew the first; where all plugins share a number, of all."""
        with self._lock:
            shared = self.limits.in_total is not None
            place = next((place for place, entry in enumerate(self.waiting) if entry[0] is crew), 0 if shared else None)
            waiter = self.waiting.pop(place)[1] if place is not None and self.waiting else None
        if waiter is not None:
            waiter.release()

    def give_back(self, key: Key, worker: Worker, *, reuse: bool = True, aside: bool = False) -> None:
        """Keep the worker for the next call, or end it; `aside`, without waiting for that."""
        if worker.alive and self.find_held(key) is worker:
            return
        custody = CUSTODY.get()
        if custody is not None:
            custody.remove(worker)
        crew = worker.crew
        if worker.alive and reuse and worker.reusable and crew is not None and not crew.is_over:
            worker.leave()
            if not self._is_worn(worker):
                worker.used_ns = time.perf_counter_ns()
                crew.idle.append(worker)
                self.look_at(worker)
                self._look_later(worker)
                return
        if crew is not None:
            self._left(worker, crew)
        if aside and worker.alive and not self.watcher.is_behind:
            self.watcher.dispose(worker)
        else:
            worker.stop()

    def look_at(self, worker: Worker) -> None:
        """Whether somebody waits for the worker that was put back, or it was to end meanwhile."""
        if self.waiting and worker.crew is not None:
            self.wake_one(worker.crew)
        if worker.crew is not None and worker.crew.is_over and self._leave_idle(worker):
            self._end(worker)

    def watch(self, worker: Worker) -> None:
        """Have the worker looked after while nobody, or only a read, waits for it."""
        worker.leave_idle = self._lose_idle
        self.watcher.watch(worker)
        self._look_later(worker)

    def let_finish(self, worker: Worker) -> None:
        """Have a worker that was taken go on with what it does, and then end: nobody will give it back."""
        if worker.crew is not None:
            self._left(worker, worker.crew)
        self.watcher.let_finish(worker)

    def _is_worn(self, worker: Worker) -> bool:
        limits = self.limits
        if limits.calls is not None and worker.calls >= limits.calls:
            return True
        if limits.memory_bytes is None:
            return False
        worker.measure()
        return worker.peak_bytes >= limits.memory_bytes

    def _left(self, worker: Worker, crew: Crew) -> None:
        if worker.crew is crew:
            worker.crew = None
            with self._lock:
                crew.count -= 1
            if self.waiting:
                self._wake_all()

    def _leave_idle(self, worker: Worker) -> bool:
        """Take it out of those that wait; false where somebody was faster."""
        crew = worker.crew
        try:
            if crew is not None:
                crew.idle.remove(worker)
        except ValueError:
            return False
        return crew is not None

    def _lose_idle(self, worker: Worker) -> bool:
        """The watcher's: it has ended, and counts no more; false where it doesn't wait."""
        crew = worker.crew
        if crew is None or not self._leave_idle(worker):
            return False
        self._left(worker, crew)
        return True

    # Holding.

    def hold(self, key: Key, worker: Worker) -> None:
        """Until `release`, this thread's calls to that plugin go to `worker`."""
        self.held.stack.append((key, worker))

    def release(self, key: Key, worker: Worker) -> None:
        self.held.stack.remove((key, worker))

    def is_held(self, key: Key) -> bool:
        """Whether this thread is in the middle of a call to that plugin, so that a further one goes to the same process."""
        return self.find_held(key) is not None

    def find_held(self, key: Key) -> Worker | None:
        for other, worker in reversed(self.held.stack):
            if other == key and worker.alive:
                return worker
        return None

    # Ending.

    def retire(self, plugin: str) -> None:
        """End the workers of a plugin whose revision is no longer the one in force: those in use, after their calls."""
        self._disband(lambda key: key[0] == plugin)

    def disband_lane(self, lane: str) -> None:
        """End the workers that those of a lane shared, without waiting for that."""
        with self._lock:
            crews = [self._crews.pop(key) for key in list(self._crews) if key[2:] == (lane,)]
        for crew in crews:
            crew.is_over = True
            for worker in list(crew.idle):
                if self._leave_idle(worker):
                    self._end(worker)

    def close(self) -> None:
        """End all workers, those in use after their calls: each gets a moment for its exit handlers."""
        self._disband(lambda _: True)
        if self._look_at is not None:
            self._look_at.cancel()
            self._look_at = None
        self.watcher.settle()
        self.guards.settle()

    def _disband(self, is_meant: Callable[[Key], bool]) -> None:
        with self._lock:
            crews = [self._crews.pop(key) for key in list(self._crews) if is_meant(key)]
            for crew in crews:
                crew.is_over = True
        workers = [worker for crew in crews for worker in list(crew.idle) if self._leave_idle(worker)]
        for worker in workers:
            worker.dismiss()
        ended = {worker: worker.await_goodbye() for worker in workers if worker.alive}
        marks = borne_marks() if ended else set()
        for worker, has_ended in ended.items():
            worker.part(is_clean=has_ended and worker.mark not in marks)

    def _end(self, worker: Worker) -> None:
        if worker.crew is not None:
            self._left(worker, worker.crew)
        self.watcher.dispose(worker)

    def _look_later(self, worker: Worker) -> None:
        """See to it that what stays idle ends in time."""
        if self.limits.idle_s is None or not IS_POSSIBLE:
            return
        worker.leave_idle = self._lose_idle
        self.watcher.watch(worker)
        if self._look_at is None:
            _process.own(self)
            self._look_at = self.watcher.call_later(min(self.limits.idle_s / _LOOKS_A_TIME, _LOOKS_EVERY_S), self._look)

    def _look(self) -> None:
        """In the watcher's thread: end what was idle for too long, and give back what the others hold and don't need."""
        self._look_at = None
        assert self.limits.idle_s is not None
        latest_ns = time.perf_counter_ns() - int(self.limits.idle_s * 1e9)
        left = None
        for crew in list(self._crews.values()):
            for worker in list(crew.idle):
                worker.channel.bulk.trim()
            for worker in crew.idle[: max(0, crew.count - self.limits.least)]:
                worker.look()
                if worker.used_ns > latest_ns:
                    left = worker
                elif self._leave_idle(worker):
                    self._end(worker)
            left = left or next(iter(crew.idle), None)
        if left is not None:
            self._look_later(left)

    def forget(self) -> None:
        """In a forked copy of this process: the workers are the original's, and so may be whoever holds the lock."""
        for crew in self._crews.values():
            crew.is_over = True
        self.guards.forget()
        self._begin_anew()

    def _close_at_exit(self) -> None:
        if not self._closes_at_exit:
            import atexit

            self._closes_at_exit = True
            _process.own(self)
            atexit.register(self.close)
