"""Deadlines: until when everything that a block of the app's code asks of plugins has to be done."""

from __future__ import annotations

import time
from contextvars import ContextVar

from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Self

__all__ = ["DEADLINE", "Deadline", "time_given"]

#: Eleven days. Beyond some months, poll(2) can't count the milliseconds.
_LONGEST_S = 1e6

#: The deadline of this context.
DEADLINE: ContextVar[Deadline | None] = ContextVar("plughost_deadline", default=None)


def time_given(timeout_s: float | None, name: str = "timeout_s") -> float | None:
    """The time that an app gives a call, if it gives one; `name` is what it gives it by.

    Raises: UsageError: that is no time.
    """
    return None if timeout_s is None else _seconds(timeout_s, name)


def _seconds(given: object, name: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise UsageError(f"`{name}={given!r}` is no number of seconds above 0", hint="Give it seconds, such as `0.5`")
    return min(float(given), _LONGEST_S)


class Deadline:
    """A context manager: what is called in it ends `timeout_s` seconds after it was entered, or with an earlier one around it."""

    __slots__ = ("_token", "at", "timeout_s")

    def __init__(self, timeout_s: float) -> None:
        """Raises: UsageError: that is no time."""
        self.timeout_s = _seconds(timeout_s, "timeout_s")
        #: A `time.monotonic()`, once it was entered.
        self.at = 0.0
        self._token: Token[Deadline | None] | None = None

    def __enter__(self) -> Self:
        around = DEADLINE.get()
        self.at = time.monotonic() + self.timeout_s
        self._token = DEADLINE.set(self if around is None or self.at < around.at else around)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._token is not None:
            DEADLINE.reset(self._token)
            self._token = None
