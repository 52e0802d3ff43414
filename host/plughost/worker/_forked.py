"""A worker that was forked for one call, and the process that it is.

Above it: the nursery, which has it forked, and alone can reap it; below it: `Worker`.
"""

from __future__ import annotations

import os
import time

from plughost import _kernel, _process
from plughost.worker._exchange import STOP_GRACE_S
from plughost.worker._worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from plughost.worker._channel import Channel

    class Nursery(Protocol):
        """`children` are those that live, or have not been reaped."""

        children: set[int]

        def reap(self, child: ForkedChild) -> int | None: ...
        def part_with(self, worker: ForkedWorker) -> bool: ...


__all__ = ["ForkedChild", "ForkedWorker"]

#: In words, since a copy of the process may hold its input open; and nobody waits for the answer.
_GOODBYE = b'{"jsonrpc":"2.0","method":"shutdown"}\n'


class ForkedChild(_process.Child):
    """A child of the nursery, which alone can reap it."""

    __slots__ = ("_nursery",)

    def __init__(self, pid: int, nursery: Nursery, *, lifeline: int, family: str) -> None:
        self._nursery = nursery
        super().__init__(pid, lifeline=lifeline, family=family)

    def _reap(self, options: int) -> int | None:  # noqa: ARG002 - `wait` asks once the end is known, or again and again
        return self._nursery.reap(self)

    def may_have_left_some(self, started_s: float) -> bool:
        return _kernel.may_have_left_some(self.pid, self.family, started_s, known=self._nursery.children)


class ForkedWorker(Worker):
    """A worker whose end is seen to by the nursery, together with that of others."""

    __slots__ = ("_nursery",)

    def __init__(self, child: ForkedChild, channel: Channel, nursery: Nursery, *, name: str, project: str) -> None:
        super().__init__(child, channel, name=name, project=project, is_greeted=True)
        self._nursery = nursery

    def dismiss(self) -> None:
        if self.alive and not self.goodbye_until:
            self._child.is_measured = True  # by the nursery, which reaps it
            self._child.wants_code = False
            self.goodbye_until = time.monotonic() + STOP_GRACE_S
            self.channel.send_line(_GOODBYE)
            self.channel.close_input()

    def depart(self) -> bool:
        return self._nursery.part_with(self)

    def stop(self) -> None:
        self.dismiss()
        self.hurry()
        super().stop()

    def hurry(self) -> None:
        """Have it end at once that was leaving the processor to others."""
        try:
            os.sched_setscheduler(self.pid, os.SCHED_OTHER, os.sched_param(0))
        except OSError:  # it has ended, or may not be told
            pass

    def is_over(self) -> bool:
        """Whether the process has ended, and waits to be reaped."""
        return _kernel.has_ended(self.channel.exit_fd)

    def is_young(self) -> bool:
        """Whether all processes that it may have started have numbers beyond its own."""
        return time.monotonic() - self._launched < _kernel.NUMBERS_LAST_S

    def know_end(self, code: int, peak_bytes: int) -> None:
        """The nursery has reaped it."""
        assert isinstance(self._child, ForkedChild)
        self._child.returncode, self._child.peak_bytes = code, peak_bytes
