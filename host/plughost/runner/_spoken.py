"""What calls print that run beside one another: each by itself, told apart by the context that it runs in.

Above it: the calls; below it: the two text streams, for whatever is printed by no call. A line is sent when it is whole.
"""

from __future__ import annotations

import io
import sys
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CALL", "Speaker", "attribute_output"]

_MOST_HELD = 1 << 13  # characters of a line that is not whole


class Speaker:
    """A call that may print: `say` sends text in its name, and returns false once it has been answered."""

    __slots__ = ("_held", "say")

    def __init__(self, say: Callable[[str], bool]) -> None:
        self.say = say
        self._held = ""

    def add(self, text: str) -> bool:
        """Whether it was still the call's to print."""
        self._held += text
        return self.flush() if text.endswith("\n") or len(self._held) > _MOST_HELD else True

    def flush(self) -> bool:
        held, self._held = self._held, ""
        return not held or self.say(held)


#: The call that this context belongs to.
CALL: ContextVar[Speaker | None] = ContextVar("plughost_call", default=None)


class _Attributed(io.TextIOWrapper):
    """As the stream whose place it takes, but for what calls print."""

    def write(self, text: str) -> int:
        call = CALL.get()
        if call is None:
            return super().write(text)
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not {}".format(type(text).__name__))
        if not call.add(text):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        call = CALL.get()
        if call is not None:
            call.flush()
        super().flush()


def attribute_output() -> None:
    """Have both streams tell calls apart. Those that there were stay open, as whatever has a hold on them expects."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            _REPLACED.append(stream)
            setattr(sys, name, _Attributed(stream.buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True))


_REPLACED: list[object] = []  # a stream that nothing refers to closes what it writes to
