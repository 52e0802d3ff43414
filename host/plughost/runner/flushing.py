"""What waits to be sent with a batch, and the thread that sends it when that takes too long; for both ends of the pipe.

Above it: the runner's streams, and the iterators that the host's callers give; below it: nothing. While an iterator computes, it
has the thread that speaks with the other end, and what it has given before must not wait for it.
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
        self._lock = _thread.RLock()  # a signal handler may flush between its being taken and its being known
        self._flushing = 0  # the thread that does

    def flush(self) -> None:
        """Send what waits. Afterwards all of it is sent, by whomever."""
        thread = _thread.get_ident()
        if self._flushing == thread:  # a signal handler of the plugin's says something in the midst of it
            return
        with self._lock:
            self._flushing = thread
            try:
                texts = self.taken()
                if texts:
                    self.send(texts)
            finally:
                self._flushing = 0

    def taken(self) -> list[str]:
        """What waits, which doesn't any more. With the lock."""
        count = len(self.texts)
        texts = self.texts[:count]
        del self.texts[:count]  # others may have been added meanwhile
        return texts

    def send(self, texts: list[str]) -> None:
        """Send these, in one message."""
        raise NotImplementedError


class Flusher:
    """Flushes what it watches, soon after something waits in it. Its thread begins with the first item that does."""

    def __init__(self) -> None:
        self._is_closed = False
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
            if self._is_closed:
                return False
            waiting.is_watched = True
            self._watched.append(waiting)
            if self._sleeps:
                self._sleeps = False
                self._bell.release()
        return True

    def unwatch(self, waiting: Waiting) -> None:
        """Nothing will wait in it any more."""
        if waiting.is_watched:
            with self._lock:
                waiting.is_watched = False
                self._watched.remove(waiting)

    def close(self) -> None:
        """Nothing is watched any more, and the thread ends."""
        with self._lock:
            self._is_closed = True
            if self._sleeps:
                self._sleeps = False
                self._bell.release()

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
        while not self._is_closed:
            idle = 0
            while idle < _MOST_IDLE and not self._is_closed:
                sleep(HELD_S)
                idle += 1
                for waiting in list(self._watched):
                    if waiting.texts:
                        idle = 0
                        _flush(waiting)
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
            self._sleeps = not (self._watched or self._is_closed)
            return self._sleeps


def _flush(waiting: Waiting) -> None:
    try:
        waiting.flush()
    except BaseException:  # noqa: BLE001, S110 - the other end is gone: whoever has made the items meets that, too
        pass
