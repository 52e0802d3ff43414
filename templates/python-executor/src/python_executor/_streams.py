"""What the code prints, to either of its text streams, in the order in which it comes; never more of it than fits.

What comes past Python, of C code and of other processes, goes where the output of any plugin goes.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Printed", "Streams"]

#: Of what is printed, so much from the beginning is kept, and as much from the end.
_MOST_BYTES = 500_000

_NAMES = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")


class Printed:
    """What one run has printed."""

    def __init__(self) -> None:
        self._begin = bytearray()
        self._end = bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        room = _MOST_BYTES - len(self._begin)
        self._begin += data[:room]
        if len(data) > room:
            self._end += data[room:]
            if len(self._end) > 2 * _MOST_BYTES:
                self._cut()

    def text(self) -> str:
        self._cut()
        if not self._left_out:
            return (self._begin + self._end).decode("utf-8", "replace")
        note = "\n[… {:,} bytes left out …]\n".format(self._left_out)
        return self._begin.decode("utf-8", "ignore") + note + self._end.decode("utf-8", "ignore")

    def _cut(self) -> None:
        too_many = max(0, len(self._end) - _MOST_BYTES)
        self._left_out += too_many
        del self._end[:too_many]


class _Raw(io.RawIOBase):
    """The bytes of a stream: they are recorded while a run lasts. A thread that prints later prints to the descriptor."""

    def __init__(self, streams: Streams, descriptor: int) -> None:
        self._streams = streams
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> int:
        printed = self._streams.printed
        taken = bytes(data)
        if printed is None:
            return os.write(self._descriptor, taken)
        printed.add(taken)
        return len(taken)


class Streams:
    """The streams that code finds in `sys`: the same ones in each run, because handlers of `logging` hold on to them."""

    def __init__(self) -> None:
        self.printed: Printed | None = None
        self._made: dict[int, io.TextIOWrapper] = {}

    @contextmanager
    def recorded(self) -> Iterator[Printed]:
        """In it, what is printed is recorded; behind it, `sys` has the streams that it had, whatever the code has done."""
        before = {name: getattr(sys, name, None) for name in _NAMES}
        outer, self.printed = self.printed, Printed()
        sys.stdin = sys.__stdin__ = io.StringIO()
        sys.stdout = sys.__stdout__ = self._stream(1)
        sys.stderr = sys.__stderr__ = self._stream(2)
        try:
            yield self.printed
        finally:
            self.printed = outer
            vars(sys).update(before)

    def _stream(self, descriptor: int) -> io.TextIOWrapper:
        """As it was made once, unless the code has closed it."""
        stream = self._made.get(descriptor)
        if stream is None or stream.closed:
            raw = _Raw(self, descriptor)
            stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
            self._made[descriptor] = stream
        return stream
