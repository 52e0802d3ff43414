"""Deadlines: until when everything that a block of the app's code asks of plugins has to be done."""

from __future__ import annotations

import time
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Self

__all__ = ["DEADLINE", "Deadline"]

#: The deadline of this context.
DEADLINE: ContextVar[Deadline | None] = ContextVar("plughost_deadline", default=None)


class Deadline:
    """A context manager: what is called in it ends `timeout_s` seconds after it was entered, or with an earlier one around it."""

    __slots__ = ("_token", "at", "timeout_s")

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
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
