"""Whose turn it is: a session makes one call at a time, since its state is one."""

from __future__ import annotations

import _thread
import time

from plughost.worker import DEADLINE

__all__ = ["Turn"]


class Turn:
    """A lock that knows who has it. Any thread may give it back: a stream may be closed by another one."""

    __slots__ = ("_lock", "_owner")

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._owner = 0

    @property
    def is_taken(self) -> bool:
        return self._lock.locked()

    @property
    def is_mine(self) -> bool:
        """Whether this thread has it, so that it would wait for itself."""
        return self._lock.locked() and self._owner == _thread.get_ident()

    def take(self, timeout_s: float | None = None) -> bool:
        """Wait for it, until the deadline of this context; whether it came."""
        deadline = DEADLINE.get()
        if deadline is not None and timeout_s is None:
            timeout_s = max(0.0, deadline.at - time.monotonic())
        taken = self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s)
        if taken:
            self._owner = _thread.get_ident()
        return taken

    def give_back(self) -> None:
        self._owner = 0
        self._lock.release()
