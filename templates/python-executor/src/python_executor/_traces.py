"""The way that an exception has come, frame by frame. Code may have called itself a million times: nobody has to see all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["MOST_FRAMES", "frames"]

#: What is deeper than Python lets functions call each other by default says the same many times.
MOST_FRAMES = 1_000


def frames(error: BaseException) -> Iterator[TracebackType]:
    """From the code's own to the innermost."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next
