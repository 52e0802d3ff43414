"""What a plugin prints during a call, collected and passed on.

Above it: calls, whose outcome has it; below it: the worker, which reads it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.worker import Worker

__all__ = ["Output"]

#: The most of a call's output that is kept: its end, since that is where the reason stands.
_KEPT_BYTES = 1 << 20


class Output:
    """Collects what a plugin prints during a call, and passes it on: to whoever asked for it, else to whoever had it before."""

    __slots__ = ("_before", "_kept", "_pass_on", "truncated")

    def __init__(self, pass_on: Callable[[bytes], None] | None) -> None:
        self._kept = bytearray()
        self._pass_on = pass_on
        self._before: Callable[[bytes], None] | None = None
        self.truncated = False

    def take_over(self, worker: Worker) -> None:
        """Have what the worker prints from now on; `leave` gives it back."""
        self._before, worker.on_output = worker.on_output, self.add

    def leave(self, worker: Worker) -> None:
        worker.on_output = self._before

    def add(self, chunk: bytes) -> None:
        self._kept += chunk
        if len(self._kept) > 2 * _KEPT_BYTES:
            del self._kept[:-_KEPT_BYTES]
            self.truncated = True
        pass_on = self._pass_on or self._before
        if pass_on is not None:
            pass_on(chunk)

    def text(self) -> str:
        if len(self._kept) > _KEPT_BYTES:
            del self._kept[:-_KEPT_BYTES]
            self.truncated = True
        return self._kept.decode("utf-8", "replace")
