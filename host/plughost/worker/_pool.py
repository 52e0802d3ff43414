"""Workers that wait for their next call.

Above it: the host, which knows how a plugin's worker is launched; below it: `Worker`. A worker serves one call at a time: it is
taken for a call and given back after it. A thread that is called back by a plugin while its hook runs, or that is between the two
halves of a hook wrapper, holds that plugin's worker: what it calls of the same plugin goes to the same process.
"""

from __future__ import annotations

import _thread
import os
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    from plughost.worker._worker import Worker

    Key = tuple[str, str]
    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["Custody", "Pool"]

#: Workers of one plugin that are kept for the next call.
KEPT_WORKERS = 4


class _Held(_thread._local):  # noqa: SLF001 - `threading.local`, without the rest of `threading`
    """What a thread holds, the latest last."""

    def __init__(self) -> None:
        self.stack: list[tuple[Key, Worker]] = []


class Custody:
    """The workers that the calls of one thread have at the moment, so that another thread can end them."""

    def __init__(self) -> None:
        self._workers: set[Worker] = set()
        self._is_over = False

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function`; the workers that it takes are in this custody."""
        token = _CUSTODY.set(self)
        try:
            return function(*args, **kwargs)
        finally:
            _CUSTODY.reset(token)

    def end(self) -> None:
        """From another thread: end what is lent, and what will be. The calls end with PluginCrashed."""
        self._is_over = True
        for worker in list(self._workers):
            worker.interrupt()

    def add(self, worker: Worker) -> None:
        self._workers.add(worker)
        if self._is_over:
            worker.interrupt()

    def remove(self, worker: Worker) -> None:
        self._workers.discard(worker)


_CUSTODY: ContextVar[Custody | None] = ContextVar("plughost_custody", default=None)


class Pool:
    """The workers of a host, by plugin and revision. Safe for several threads, and in a forked copy of the process."""

    def __init__(self) -> None:
        self._idle: dict[Key, list[Worker]] = {}
        self._lent: dict[Worker, Key] = {}
        self._ended = 0  # how often workers were to end
        self._held = _Held()
        self._lock = _thread.allocate_lock()
        self._pid = os.getpid()
        self._closes_at_exit = False

    def take(self, key: Key, launch: Callable[[], Worker], *, may_be_held: bool = True) -> Worker:
        """The worker that this thread holds, else an idle one, else a new one."""
        self._start_anew_in_a_copy()
        held = self._find_held(key) if may_be_held else None
        if held is not None:
            return held
        worker = self._take_idle(key) or self._launch(key, launch)
        custody = _CUSTODY.get()
        if custody is not None:
            custody.add(worker)
        return worker

    def _take_idle(self, key: Key) -> Worker | None:
        while True:
            with self._lock:
                idle = self._idle.get(key)
                if not idle:
                    return None
                worker = idle.pop()
                self._lent[worker] = key
            if worker.alive and not worker.has_ended():
                return worker
            self._lent.pop(worker, None)
            worker.kill()  # it went away by itself: killed, say, or by an alarm of the plugin's

    def _launch(self, key: Key, launch: Callable[[], Worker]) -> Worker:
        ended = self._ended
        worker = launch()
        with self._lock:
            self._lent[worker] = key
            worker.reusable = ended == self._ended  # else it was started for what is over
        return worker

    def give_back(self, key: Key, worker: Worker, *, reuse: bool = True) -> None:
        """Keep the worker for the next call, or end it."""
        if worker.alive and self._find_held(key) is worker:
            return
        custody = _CUSTODY.get()
        if custody is not None:
            custody.remove(worker)
        with self._lock:
            self._lent.pop(worker, None)
            if worker.alive and reuse and worker.reusable:
                idle = self._idle.setdefault(key, [])
                if len(idle) < KEPT_WORKERS:
                    idle.append(worker)
                    self._close_at_exit()
                    return
        worker.stop()

    def hold(self, key: Key, worker: Worker) -> None:
        """Until `release`, this thread's calls to that plugin go to `worker`."""
        self._held.stack.append((key, worker))

    def release(self, key: Key, worker: Worker) -> None:
        self._held.stack.remove((key, worker))

    def is_held(self, key: Key) -> bool:
        """Whether this thread is in the middle of a call to that plugin, so that a further one goes to the same process."""
        return self._find_held(key) is not None

    def retire(self, plugin: str) -> None:
        """End the workers of a plugin whose revision is no longer the one in force: those in use, after their calls."""
        self._end(lambda key: key[0] == plugin)

    def close(self) -> None:
        """End all workers, those in use after their calls: each gets a moment for its exit handlers."""
        self._end(lambda _: True)

    def _end(self, is_meant: Callable[[Key], bool]) -> None:
        self._start_anew_in_a_copy()
        with self._lock:
            self._ended += 1
            for worker, key in list(self._lent.items()):
                worker.reusable = worker.reusable and not is_meant(key)
            workers = [worker for key in list(self._idle) if is_meant(key) for worker in self._idle.pop(key)]
        for worker in workers:
            worker.dismiss()
        for worker in workers:
            worker.stop()

    def _find_held(self, key: Key) -> Worker | None:
        for other, worker in reversed(self._held.stack):
            if other == key and worker.alive:
                return worker
        return None

    def _start_anew_in_a_copy(self) -> None:
        """In a forked copy, before the lock is asked for: the workers are the parent's, and so may be whoever holds it."""
        if self._pid != os.getpid():
            self._lock = _thread.allocate_lock()
            self._pid = os.getpid()
            self._idle, self._lent = {}, {}

    def _close_at_exit(self) -> None:
        if not self._closes_at_exit:
            import atexit

            self._closes_at_exit = True
            atexit.register(self.close)
