"""What waits to be sent with a batch, and the thread that sends it when that takes too long.

Above it: the streams; below it: nothing. A generator that computes has the main thread, and what it has yielded before must not
wait for it. The thread begins with the first item that waits, and sleeps while there is none.
"""

from __future__ import annotations

import _thread
from os import getpid
from time import sleep

__all__ = ["HELD_S", "Flusher", "Waiting"]

#: How long an item may wait for others, so as to be sent with them.
HELD_S = 0.002
_MOST_IDLE = 5  # how often the thread looks in vain before it sleeps


class Waiting:
    """A list of items that wait, as JSON. One thread adds to it; any may flush it, each item in its order and once."""

    __slots__ = ("_flushing", "_lock", "is_watched", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.is_watched = False
        self._lock = _thread.allocate_lock()
        self._flushing = 0  # the thread that does

    def flush(self) -> None:
        """Send what waits."""
        thread = _thread.get_ident()
        if not self.texts or self._flushing == thread:  # or a signal handler of the plugin's says something in the midst of it
            return
        with self._lock:
            self._flushing = thread
            try:
                count = len(self.texts)
                texts = self.texts[:count]
                del self.texts[:count]  # others may have been added meanwhile
                if texts:
                    self.send(texts)
            finally:
                self._flushing = 0

    def send(self, texts: list[str]) -> None:
        """Send these, in one message."""
        raise NotImplementedError


class Flusher:
    """Flushes what it watches, soon after something waits in it."""

    def __init__(self) -> None:
        self._pid = 0
        self._lock = _thread.allocate_lock()
        self._bell = _thread.allocate_lock()
        self._sleeps = False
        self._watched: list[Waiting] = []

    def watch(self, waiting: Waiting) -> bool:
        """Flush it from now on, until `is_watched` is false again; whether that can be done."""
        if self._pid != getpid() and not self._start():
            return False
        with self._lock:
            waiting.is_watched = True
            self._watched.append(waiting)
            if self._sleeps:
                self._sleeps = False
                self._bell.release()
        return True

    def _start(self) -> bool:
        """In a copy of the process that was forked, too, whose locks may be anybody's."""
        self._lock, self._bell = _thread.allocate_lock(), _thread.allocate_lock()
        self._bell.acquire()
        self._sleeps, self._watched = False, []
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:  # the process may have no more of them
            return False
        self._pid = getpid()
        return True

    def _run(self) -> None:
        while True:
            idle = 0
            while idle < _MOST_IDLE:
                sleep(HELD_S)
                idle += 1
                for waiting in list(self._watched):
                    if waiting.texts:
                        idle = 0
                        waiting.flush()
            if self._fall_asleep():
                self._bell.acquire()

    def _fall_asleep(self) -> bool:
        """Whether there is nothing left to watch."""
        with self._lock:
            for waiting in self._watched:
                waiting.is_watched = False
            # Who has added an item before that found it watched, and who adds one now will say so.
            self._watched = [waiting for waiting in self._watched if waiting.texts]
            for waiting in self._watched:
                waiting.is_watched = True
            self._sleeps = not self._watched
            return self._sleeps
