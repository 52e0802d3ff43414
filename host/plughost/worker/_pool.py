"""Workers that wait for their next call.

Above it: the host, which knows how a plugin's worker is launched; below it: `Worker`. A worker serves one call at a time: it is
taken for a call and given back after it. A thread that is called back by a plugin while its hook runs, or that is between the two
halves of a hook wrapper, holds that plugin's worker: what it calls of the same plugin goes to the same process.
"""

from __future__ import annotations

import _thread
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.worker._worker import Worker

    Key = tuple[str, str]

__all__ = ["Pool"]

#: Workers of one plugin that are kept for the next call.
KEPT_WORKERS = 4


class Pool:
    """The idle workers of a host, by plugin and revision. Safe for several threads, and in a forked copy of the process."""

    def __init__(self) -> None:
        self._idle: dict[Key, list[Worker]] = {}
        self._held = _thread._local()  # noqa: SLF001 - `threading.local`, without the rest of `threading`
        self._lock = _thread.allocate_lock()
        self._pid = os.getpid()
        self._closes_at_exit = False

    def take(self, key: Key, launch: Callable[[], Worker]) -> Worker:
        """The worker that this thread holds, else an idle one, else a new one."""
        self._forget_the_parents()
        held = self._find_held(key)
        if held is not None:
            return held
        while True:
            with self._lock:
                idle = self._idle.get(key)
                worker = idle.pop() if idle else None
            if worker is None:
                return launch()
            if worker.alive and not worker.has_ended():
                return worker
            worker.kill()  # it went away by itself: killed, say, or by an alarm of the plugin's

    def give_back(self, key: Key, worker: Worker, *, reuse: bool = True) -> None:
        """Keep the worker for the next call, or end it."""
        if not worker.alive or self._find_held(key) is worker:
            return
        if reuse and worker.reusable:
            with self._lock:
                idle = self._idle.setdefault(key, [])
                if len(idle) < KEPT_WORKERS:
                    idle.append(worker)
                    self._close_at_exit()
                    return
        _end(worker)

    def hold(self, key: Key, worker: Worker) -> None:
        """Until `release`, this thread's calls to that plugin go to `worker`."""
        self._stack().append((key, worker))

    def release(self, key: Key, worker: Worker) -> None:
        self._stack().remove((key, worker))

    def retire(self, plugin: str) -> None:
        """End the idle workers of a plugin whose revision is no longer the one in force."""
        self._forget_the_parents()
        with self._lock:
            workers = [worker for key in list(self._idle) if key[0] == plugin for worker in self._idle.pop(key)]
        for worker in workers:
            _end(worker)

    def close(self) -> None:
        """End all that are idle: each gets a moment for its exit handlers."""
        self._forget_the_parents()
        with self._lock:
            workers = [worker for idle in self._idle.values() for worker in idle]
            self._idle.clear()
        for worker in workers:
            _end(worker)

    def _stack(self) -> list[tuple[Key, Worker]]:
        if not hasattr(self._held, "stack"):
            self._held.stack = []
        stack: list[tuple[Key, Worker]] = self._held.stack
        return stack

    def _find_held(self, key: Key) -> Worker | None:
        for other, worker in reversed(self._stack()):
            if other == key and worker.alive:
                return worker
        return None

    def _forget_the_parents(self) -> None:
        """In a forked copy, before the lock is asked for: the workers are the parent's, and so may be whoever holds it."""
        if self._pid == os.getpid():
            return
        self._lock = _thread.allocate_lock()
        self._pid = os.getpid()
        self._held = _thread._local()  # noqa: SLF001 - as above
        idle, self._idle = self._idle, {}
        for workers in idle.values():
            for worker in workers:
                worker.forget()

    def _close_at_exit(self) -> None:
        if not self._closes_at_exit:
            import atexit

            self._closes_at_exit = True
            atexit.register(self.close)


def _end(worker: Worker) -> None:
    """End a worker, or let go of it where it is another process's."""
    if worker.started_by == os.getpid():
        worker.stop()
    else:
        worker.forget()
