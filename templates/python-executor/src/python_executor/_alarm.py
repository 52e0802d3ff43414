"""An end to what takes too long: a signal to our own process. It works in the main thread, and between Python's instructions."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["TimeIsUp", "within"]

#: Code that catches everything is told again.
_AGAIN_S = 0.2


class TimeIsUp(KeyboardInterrupt):
    """A `KeyboardInterrupt`, because event loops let that through, and `except Exception` doesn't catch it."""


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Raise `TimeIsUp` in it after so many seconds. In one within another, the outer one's time stands still."""
    if seconds is None or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    handler = signal.signal(signal.SIGALRM, _ring)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        is_put_back = False
        while not is_put_back:
            try:
                signal.setitimer(signal.ITIMER_REAL, *timer)
                signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
                is_put_back = True
            except TimeIsUp:  # just now
                continue


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise TimeIsUp
