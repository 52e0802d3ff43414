"""Whose turn it is: a session makes one call at a time, since its state is one."""

from __future__ import annotations

import _thread
import time

from plughost.worker import DEADLINE

__all__ = ["Asker", "Turn"]


class Asker:
    """Who asks for a turn: this thread, or a task of its event loop."""

    __slots__ = ("_task", "_thread")

    def __init__(self, task: object = None) -> None:
        self._thread = _thread.get_ident()
        self._task = task

    def holds_up(self, other: Asker) -> bool:
        """Whether the other one would wait for itself: two tasks of one thread wait for each other, and nothing else there."""
        return self._thread == other._thread and (self._task is other._task or None in (self._task, other._task))


class Turn:
    """A lock that knows who has it. Any thread may give it back: a stream may be closed by another one."""

    __slots__ = ("_holder", "_lock")

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._holder: Asker | None = None

    @property
    def is_taken(self) -> bool:
        return self._lock.locked()

    def is_held_by(self, asker: Asker) -> bool:
        """Whether this one would wait for itself."""
        holder = self._holder
        return holder is not None and self._lock.locked() and holder.holds_up(asker)

    def take(self, timeout_s: float | None = None, *, asker: Asker | None = None) -> bool:
        """Wait for it, until the deadline of this context; whether it came."""
        deadline = DEADLINE.get()
        if deadline is not None and timeout_s is None:
            timeout_s = max(0.0, deadline.at - time.monotonic())
        taken = self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s)
        if taken:
            self._holder = asker or Asker()
        return taken

    def take_nowait(self, asker: Asker | None = None) -> bool:
        """Take it, if nobody has it; whether that was so."""
        if not self._lock.acquire(False):  # noqa: FBT003 - by name it takes twice as long
            return False
        self._holder = asker or Asker()
        return True

    def give_back(self) -> None:
        self._holder = None
        self._lock.release()
