"""How many workers there may be, and for how long."""

from __future__ import annotations

from plughost.errors import UsageError

__all__ = ["Limits"]


class Limits:
    """`least` workers of a plugin are kept once there were so many, and there are no more than `most`.

    `in_total` is for all plugins. One that nobody has used for `idle_s` seconds ends; so does one after `calls` calls, or one
    that has needed `memory_bytes`. None is without limit.

    Raises: UsageError: a limit that can't be kept.
    """

    __slots__ = ("calls", "idle_s", "in_total", "least", "memory_bytes", "most")

    def __init__(
        self,
        workers: tuple[int, int | None] = (0, None),
        *,
        in_total: int | None = None,
        idle_s: float | None = None,
        calls: int | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self.least, self.most = workers
        self.in_total = in_total
        self.idle_s = idle_s
        self.calls = calls
        self.memory_bytes = memory_bytes
        if self.least < 0 or (self.most is not None and self.most < max(1, self.least)):
            raise UsageError(f"`workers={workers!r}` can't be", hint="The least number comes first, as in `workers=(0, 8)`")
        limits = {"max_workers": in_total, "idle_s": idle_s, "max_calls": calls, "max_memory_bytes": memory_bytes}
        for name, value in limits.items():
            if value is not None and not value > 0:
                raise UsageError(f"`{name}={value!r}` can't be", hint="Give it a number above 0, or None for no limit")
