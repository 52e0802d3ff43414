"""Noting calls of one tool that went well, at next to no cost.

Above it: the journal, and the fastest way of a call; below it: the spool. A note is six numbers stored in a slot of a page. It
takes no lock, so that neither a signal's handler nor a finalizer that makes calls can be held up by the note that it interrupted.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.journal._page import Page
    from plughost.journal._spool import Spool

__all__ = ["LINE", "Clock", "NoWriter", "Writer"]

#: The line of a call. One that a full disk has cut off must not swallow the next, which therefore begins on a line of its own.
LINE = b'\n{%b,"at":%d,"ns":%d,"sent":%d,"received":%d,"printed":%d%b}\n'
#: How long the clocks may drift apart: one is set now and then, and the other stands still while the machine sleeps.
_SET_EVERY_NS = 10**9
_MOST_ATTEMPTS = 3


class Clock:
    """Tells the time of day of a `time.perf_counter_ns()`: `offset_ns` more, up to `until_ns`; from then on it is to be `set`."""

    __slots__ = ("offset_ns", "until_ns")

    def __init__(self) -> None:
        self.set()

    def set(self) -> None:
        """Read both clocks, and read them again if something came between."""
        readings = []
        for _ in range(_MOST_ATTEMPTS):
            before, now, after = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
            readings.append((after - before, now - (before + after) // 2, after))
        _, self.offset_ns, after = min(readings)
        self.until_ns = after + _SET_EVERY_NS

    def time_ns(self, counter_ns: int) -> int:
        """As `time.time_ns()` was then, which is less than a second ago."""
        if time.perf_counter_ns() >= self.until_ns:
            self.set()
        return counter_ns + self.offset_ns


class Writer:
    """Safe for several threads, in a forked copy of the process, and after its journal was closed, whose files it opens again."""

    __slots__ = ("_clock", "_head", "_place", "_spool")

    def __init__(self, spool: Spool, clock: Clock, head: bytes) -> None:
        self._spool = spool
        self._clock = clock
        self._head = head
        self._place: tuple[Page, int] | None = None

    def note(self, began_ns: int, ended_ns: int, sent: int, received: int, printed: int) -> None:
        """A call that went well: when, by `time.perf_counter_ns()`, and the bytes of its messages and of what it printed."""
        clock = self._clock
        if ended_ns >= clock.until_ns:
            clock.set()
        if self._place is not None:
            page, number = self._place
            try:
                # No call stands between the giving of a slot and its filling. CPython changes threads and handles signals at
                # calls and at jumps back only: either both happen or neither.
                for at in page.slots:
                    page.pack(page.map, at, began_ns + clock.offset_ns, ended_ns - began_ns, sent, received, printed, number)
                    return
            except TypeError:  # under a debugger something may come between: the page is closed, and the slot stays empty
                pass
        self._note_on_another(began_ns, ended_ns, sent, received, printed)

    def _note_on_another(self, began_ns: int, ended_ns: int, sent: int, received: int, printed: int) -> None:
        """The page is full, or was closed, or there is none: a process that makes few calls writes lines."""
        at_ns, duration_ns = began_ns + self._clock.offset_ns, ended_ns - began_ns
        self._place = self._spool.page(self._head)
        if self._place is not None:
            page, number = self._place
            for at in page.slots:
                page.pack(page.map, at, at_ns, duration_ns, sent, received, printed, number)
                return
        self._spool.append(LINE % (self._head, at_ns, duration_ns, sent, received, printed, b""))


class NoWriter(Writer):
    """In a writer's place where calls are not recorded."""

    __slots__ = ()

    def __init__(self) -> None: ...

    def note(self, *_: object, **__: object) -> None: ...
