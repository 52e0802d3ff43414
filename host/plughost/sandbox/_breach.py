"""That a limit was reached.

Above it: the guard, which finds that, and what tells of it; below it: nothing.
"""

from __future__ import annotations

__all__ = ["NEAR", "Breach"]

#: Of the memory that is allowed, as much as has to be in use for a failure to be possibly for want of it.
NEAR = 0.8


class Breach:
    """A limit that was reached: the policy's field, and by what figure (bytes, seconds or a count)."""

    __slots__ = ("figure", "limit")

    def __init__(self, limit: str, figure: float) -> None:
        self.limit = limit
        self.figure = figure
