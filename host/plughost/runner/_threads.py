"""Threads that do what comes, as many as are needed at a time.

Above it: calls that run beside one another; below it: nothing. One thread is woken at a time, and wakes the next when it finds
more to do than it takes itself. So what takes no time is done by one thread, without a change to another, and what waits holds up
nothing.
"""

from __future__ import annotations

import _thread
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Job = Callable[[], object]

__all__ = ["Threads"]


class Threads:
    """Started when they are first needed. How many jobs there may be at once is the business of whoever gives them."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        #: What each thread that has nothing to do sleeps by, the one that worked last at the end.
        self._idle: list[_thread.LockType] = []
        #: One was woken, and has not looked yet.
        self._is_one_coming = False

    def do(self, job: Job) -> None:
        """Have it done by a thread. It must not raise."""
        self._jobs.append(job)
        if not self._is_one_coming:
            self._wake_one()

    def do_all(self, jobs: Iterable[Job]) -> None:
        self._jobs.extend(jobs)
        if self._jobs and not self._is_one_coming:
            self._wake_one()

    def _wake_one(self) -> None:
        self._is_one_coming = True
        try:
            bell = self._idle.pop()
        except IndexError:
            try:
                _thread.start_new_thread(self._run, ())
            except (
                RuntimeError
            ):  # the process may have no more of them: those that there are will come to it, or this one does it
                self._is_one_coming = False
                self._work()
        else:
            bell.release()

    def _run(self) -> None:
        bell = _thread.allocate_lock()
        bell.acquire()
        while True:
            self._is_one_coming = False
            self._work()
            self._idle.append(bell)
            if self._jobs and not self._is_one_coming:  # given between the last look and now
                self._wake_one()
            bell.acquire()

    def _work(self) -> None:
        jobs = self._jobs
        while True:
            try:
                job = jobs.popleft()
            except IndexError:
                return
            if jobs and not self._is_one_coming:
                self._wake_one()
            job()
