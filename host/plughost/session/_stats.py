"""What sessions have done and need, counted: of one, and of all of a host."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["SessionStats", "SessionTotals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStats:
    """One session.

    `state` is `idle`, `busy`, `used-up` once it takes no more calls, or `ended`. `tasks` are its calls, `failed` of them did not
    go well. `restarts` is how often its process was started anew, its state lost. `memory_bytes` is what its processes need now,
    and `idle_s` for how long nobody has called. A limit that isn't there is None.
    """

    id: str
    plugin: str
    version: str
    state: str
    tasks: int
    max_tasks: int | None
    failed: int
    restarts: int
    memory_bytes: int
    age_s: float
    lifetime_s: float | None
    idle_s: float
    idle_timeout_s: float | None
    folder: str

    def record(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTotals:
    """All sessions of a host. `active` are open now, `opened` were ever; `tasks` and `restarts` count those that ended, too."""

    active: int
    busy: int
    max_sessions: int | None
    opened: int
    tasks: int
    failed: int
    restarts: int
    memory_bytes: int
    sessions: tuple[SessionStats, ...]

    def record(self) -> dict[str, object]:
        return asdict(self)
