"""How much a session may do, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import inf
from typing import TYPE_CHECKING

from plughost.errors import LimitExceeded, PlughostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from plughost.policy import Policy
    from plughost.settings import Settings

__all__ = ["SETTINGS", "SessionLimits"]

#: The settings that say something of sessions.
SETTINGS = (
    "session-idle-timeout",
    "session-lifetime",
    "session-memory",
    "session-task-timeout",
    "session-tasks",
    "session-count",
)

_COUNTS = ("max_tasks", "max_sessions")
#: What is less was meant to be of another unit.
_LEAST_MEMORY_BYTES = 1 << 20


def _is_limit(value: object, *, is_count: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return False
    return not is_count or value == inf or value % 1 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What a session may do. `inf` is without limit.

    One call may take `task_timeout_s` seconds; there may be `max_tasks` calls in a session, and `max_sessions` sessions at once.
    A session ends when it is `lifetime_s` seconds old, or when nobody has called for `idle_timeout_s`. `memory_bytes` is of all
    its processes together, and narrows the plugin's policy.

    Raises: UsageError: a limit that can't be kept.
    """

    task_timeout_s: float = 300
    max_tasks: float = 50
    lifetime_s: float = 3600
    idle_timeout_s: float = 900
    max_sessions: float = 100
    memory_bytes: float = 512 << 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value: object = getattr(self, field.name)
            is_count = field.name in _COUNTS
            if not _is_limit(value, is_count=is_count):
                number = "a whole number" if is_count else "a number"
                raise UsageError(
                    f"`{field.name}={value!r}` can't be", hint=f"Give it {number} above 0, or `math.inf` for no limit"
                )
        if self.memory_bytes < _LEAST_MEMORY_BYTES:
            raise UsageError(
                f"`memory_bytes={self.memory_bytes!r}` is less than any process needs",
                hint="Give it bytes, as `512 << 20`; on the command line with a unit, as `512MiB`",
            )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of the settings."""
        return cls(
            task_timeout_s=settings.session_task_timeout,
            max_tasks=settings.session_tasks,
            lifetime_s=settings.session_lifetime,
            idle_timeout_s=settings.session_idle_timeout,
            max_sessions=settings.session_count,
            memory_bytes=settings.session_memory,
        )

    def but(self, given: Mapping[str, float | None]) -> Self:
        """The same with those that are given."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def explain(self, error: PlughostError, policy: Policy) -> None:
        """Where it is the session that gives its process no more memory, say how it would."""
        is_memory = error.limit == "memory_bytes" if isinstance(error, LimitExceeded) else isinstance(error, MemoryError)
        if is_memory and self.memory is not None and self.memory == policy.memory_bytes:
            error.hint = "Give it less to do, or more memory: `--memory` of `session start`, or `memory_bytes=` from Python"

    def explaining(self, policy: Policy) -> Explaining:
        """A context manager: what leaves it was explained."""
        return Explaining(self, policy)

    @property
    def memory(self) -> int | None:
        """As policies have it."""
        return None if self.memory_bytes == inf else int(self.memory_bytes)


class Explaining:
    """See `SessionLimits.explaining`."""

    __slots__ = ("_limits", "_policy")

    def __init__(self, limits: SessionLimits, policy: Policy) -> None:
        self._limits = limits
        self._policy = policy

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        if isinstance(error, PlughostError):
            self._limits.explain(error, self._policy)
