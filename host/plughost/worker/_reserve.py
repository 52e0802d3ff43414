"""Forked workers that are ready for calls to come: one, and more of them where calls come faster than they are forked.

Above it: the nursery, which forks them when there is time for that; below it: `Worker`.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.worker._worker import Worker

__all__ = ["CALM_S", "Reserve"]

#: How many are kept at most: to fork and to end one takes longer than a call, but each has memory of its own.
_MOST = 8
#: After how long without a call one is enough again.
CALM_S = 3.0


class Reserve:
    """Workers that wait. To take one needs no lock; all else is for whoever has the nursery's."""

    __slots__ = ("_workers", "size")

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        #: How many there are to be.
        self.size = 1

    def __len__(self) -> int:
        return len(self._workers)

    def add(self, worker: Worker) -> None:
        self._workers.append(worker)

    def take(self) -> Worker | None:
        """The one that has waited for the longest, and lives."""
        while True:
            try:
                worker = self._workers.pop(0)
            except IndexError:
                return None
            if not worker.has_ended():
                return worker
            worker.kill()

    def note_lack(self) -> None:
        """One was wanted, and none was ready."""
        self.size = min(2 * self.size, _MOST)

    def superfluous(self, used_at: float) -> list[Worker]:
        """Those that are given up because the last call, at a `time.monotonic()`, was long ago."""
        if time.monotonic() - used_at < CALM_S:
            return []
        self.size = 1
        superfluous, self._workers[:] = self._workers[1:], self._workers[:1]
        return superfluous
