"""The watcher: one thread that looks after all workers of a host for which nobody is waiting.

Above it: the pool; below it: channels, and the kernel's epoll. It reads what plugins print, meets the end of processes that end
by themselves, sees goodbyes through that no caller shall wait for, and does what is to be done at a later time. A call that waits
for its answer by a plain read is woken by it where its process has ended and another one holds the pipe open.
"""

from __future__ import annotations

import _thread
import heapq
import os
import select
import sys
import time
from functools import partial

from plughost import _process
from plughost._kernel import has_ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.worker._worker import Worker

__all__ = ["IS_POSSIBLE", "Timer", "Watcher"]

#: Elsewhere each call looks after its worker itself, and goodbyes are waited for.
IS_POSSIBLE = hasattr(select, "epoll") and hasattr(os, "eventfd") and hasattr(os, "pidfd_open")
#: The kernel counts milliseconds in 31 bits; what is due later is waited for again.
_LONGEST_WAIT_S = 1e6

#: Told of once: what is ready and is somebody else's to read would else be told of again and again.
_ONCE = select.EPOLLIN | select.EPOLLONESHOT if IS_POSSIBLE else 0
#: How long a call has to notice by itself that its process has ended.
_NOTICED_WITHIN_S = 0.02
#: How long a goodbye may take beyond the grace that it has, until it is given up.
_LONGEST_GOODBYE_S = 5.0
#: How many may be about to end at a time.
_MOST_GOODBYES = 8


class Timer:
    """Something to do at a `time.monotonic()`, in the watcher's thread."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Callable[[], None]) -> None:
        self.at = at
        self.action: Callable[[], None] | None = action

    def __lt__(self, other: Timer) -> bool:
        return self.at < other.at

    def cancel(self) -> None:
        self.action = None


class Watcher:
    """Safe for several threads, and in a forked copy of the process.

    Its thread begins with the first thing to watch, and ends when there is none left.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = _thread.RLock()
        self._printing: dict[int, Worker] = {}
        self._living: dict[int, Worker] = {}
        self._leaving: dict[Worker, Timer] = {}
        self._timers: list[Timer] = []
        self._poller: select.epoll | None = None
        self._bell = -1
        self._thread = _thread.allocate_lock()  # that the thread has for as long as it runs
        self._wakes_at = 0.0

    def watch(self, worker: Worker) -> None:
        """Until the worker's descriptors are closed. Whoever waits for what it prints, too, has to `attend` to it."""
        channel = worker.channel
        with self._lock:
            if worker.watcher is self:
                return
            worker.watcher = self
            poller = self._poller or self._start()
            for fd, watched in ((channel.printed_fd, self._printing), (channel.exit_fd, self._living)):
                if fd >= 0:
                    watched[fd] = worker
                    poller.register(fd, _ONCE)

    def rearm(self, worker: Worker) -> None:
        """The worker has printed something while its caller attended to it, who no longer does."""
        with self._lock:
            self._arm(worker.channel.printed_fd)

    def unwatch(self, worker: Worker) -> None:
        """The worker's descriptors are about to be closed."""
        channel = worker.channel
        with self._lock:
            worker.watcher = None
            for fd, watched in ((channel.printed_fd, self._printing), (channel.exit_fd, self._living)):
                if watched.get(fd) is worker:
                    del watched[fd]
                    self._drop(fd)
            self._ring_if_idle()

    def unwatch_printed(self, worker: Worker, fd: int) -> None:
        """Nobody can print any more, and the descriptor is about to be closed."""
        with self._lock:
            if self._printing.get(fd) is worker:
                del self._printing[fd]
                self._drop(fd)

    def dispose(self, worker: Worker) -> None:
        """Have the worker end in good order, without anybody's waiting for it."""
        if not IS_POSSIBLE:
            worker.stop()
            return
        worker.dismiss()
        if worker.alive and not worker.depart():
            self.see_off(worker)

    def see_off(self, worker: Worker) -> None:
        """Meet the end of a worker that was dismissed."""
        self._see_off(worker, worker.goodbye_until)

    def let_finish(self, worker: Worker) -> None:
        """As `dispose`, but what the worker is doing may take as long as it takes, or until `settle`."""
        if not IS_POSSIBLE:
            worker.kill()
            return
        worker.dismiss()
        if worker.alive:
            worker.leave()
            self._see_off(worker, float("inf"))

    def _see_off(self, worker: Worker, until: float) -> None:
        self.watch(worker)
        with self._lock:
            timer = self._leaving[worker] = Timer(until, lambda: self._end(worker))
            self._add(timer)

    @property
    def is_behind(self) -> bool:
        """Whether so many are about to end that a further one is better waited for."""
        return len(self._leaving) >= _MOST_GOODBYES

    def settle(self) -> None:
        """Until all that were disposed of are gone; and the thread, if there is nothing more to watch."""
        deadline = time.monotonic() + _LONGEST_GOODBYE_S
        with self._lock:
            unbounded = [worker for worker, timer in self._leaving.items() if timer.at == float("inf")]
        for worker in unbounded:
            worker.interrupt()
        while self._leaving and time.monotonic() < deadline:
            with self._lock:
                leaving = list(self._leaving)
            for worker in leaving:
                worker.await_exit(deadline)
            done = _thread.allocate_lock()
            done.acquire()
            self.call_later(0.0, done.release)
            done.acquire(timeout=_LONGEST_GOODBYE_S)
        with self._lock:
            if not (self._printing or self._living):
                for timer in self._timers:  # of those that are gone
                    timer.cancel()
            thread = self._thread if self._poller is not None and self._is_idle() else None
            self._ring_if_idle()
        if thread is not None and thread.acquire(timeout=_LONGEST_GOODBYE_S):
            thread.release()

    def call_later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Call `action` in the watcher's thread. It must not wait for anything."""
        timer = Timer(time.monotonic() + delay_s, action)
        with self._lock:
            if self._poller is None:
                self._start()
            self._add(timer)
        return timer

    def forget(self) -> None:
        """In a forked copy of this process: the thread is the original's, and so is all that it watches."""
        if self._poller is not None:
            self._poller.close()
            os.close(self._bell)
        self._begin_anew()

    # With the lock.

    def _start(self) -> select.epoll:
        self._poller = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poller.register(self._bell, select.EPOLLIN)
        self._wakes_at = 0.0
        _process.own(self)
        self._thread = _thread.allocate_lock()
        self._thread.acquire()
        _thread.start_new_thread(self._run, (self._poller, self._bell, self._thread))
        return self._poller

    def _add(self, timer: Timer) -> None:
        heapq.heappush(self._timers, timer)
        if timer.at < self._wakes_at:
            os.eventfd_write(self._bell, 1)

    def _arm(self, fd: int) -> None:
        try:
            if self._poller is not None and fd in self._printing:
                self._poller.modify(fd, _ONCE)
        except OSError:  # closed meanwhile, because nobody can print any more
            pass

    def _drop(self, fd: int) -> None:
        try:
            if self._poller is not None:
                self._poller.unregister(fd)
        except OSError:  # closed, which has done it
            pass

    def _is_idle(self) -> bool:
        return not (self._printing or self._living or any(timer.action is not None for timer in self._timers))

    def _ring_if_idle(self) -> None:
        if self._poller is not None and self._is_idle():
            os.eventfd_write(self._bell, 1)

    # The thread.

    def _run(self, poller: select.epoll, bell: int, thread: _thread.LockType) -> None:
        while True:
            with self._lock:
                if self._poller is not poller:  # a forked copy has begun anew; the original never sees this
                    return
                if self._is_idle():
                    self._poller = None
                    self._timers.clear()
                    _process.disown(self)
                    poller.close()
                    os.close(bell)
                    _leave_threading()
                    thread.release()
                    return
                self._wakes_at = self._timers[0].at if self._timers else float("inf")
            ready = poller.poll(min(max(0.0, self._wakes_at - time.monotonic()), _LONGEST_WAIT_S))
            self._wakes_at = 0.0
            for fd, _ in ready:
                if fd == bell:
                    os.eventfd_read(bell)
                elif fd in self._printing:
                    _safely(partial(self._read_printed, fd))
                else:
                    _safely(partial(self._meet_end, fd))
            self._do_what_is_due()

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._timers or self._timers[0].at > now:
                    return
                timer = heapq.heappop(self._timers)
            if timer.action is not None:
                _safely(timer.action)

    def _read_printed(self, fd: int) -> None:
        worker = self._printing.get(fd)
        if worker is not None and worker.read_printed_aside():
            with self._lock:
                self._arm(fd)

    def _meet_end(self, fd: int) -> None:
        with self._lock:  # for as long as it is held, the descriptor is this worker's
            worker = self._living.get(fd)
            if worker is None or not has_ended(fd):  # the event was of another one, that had the number before
                return
        if worker in self._leaving:
            self._end(worker)
        else:
            self.call_later(_NOTICED_WITHIN_S, worker.end_unnoticed)

    def _end(self, worker: Worker) -> None:
        """It said goodbye, or its time for that is over."""
        with self._lock:
            timer = self._leaving.pop(worker, None)
        if timer is not None:
            timer.cancel()
            worker.stop()


def _leave_threading() -> None:
    """Until Python 3.12, `threading` lists a thread for ever that has logged something and isn't of its own making."""
    threading = sys.modules.get("threading")
    if threading is not None:
        getattr(threading, "_active", {}).pop(_thread.get_ident(), None)


def _safely(action: Callable[[], None]) -> None:
    """A handler of the app's log that fails, say, is no reason to watch no longer."""
    try:
        action()
    except Exception:
        import logging

        logging.getLogger("plughost").exception("What looks after workers has failed at one of them")
