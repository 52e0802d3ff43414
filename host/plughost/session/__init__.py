"""Sessions: one caller's worker and work directory, kept between calls.

Above it: `Caller`, which opens them; below it: the workers, calls, and the store's paths.

- `_session` is what a caller has. `_tasks` makes its calls, one at a time and within its limits, on a process that `_life`
  starts, loses and starts again; `_turn` says whose turn it is, and `_ends` why there are no more.
- `_sessions` has all sessions of a host: who makes room, who was idle for too long, what they come to (`_stats`).
- `_folder` is the folder on disk, and the lock that tells whether anybody has it; `_files`, `_artifacts` and `_keep` look into it
  and copy out of it as one does with what somebody hostile may have filled.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.session._artifacts import Artifact
    from plughost.session._files import size_bytes
    from plughost.session._folder import abandoned, sweep
    from plughost.session._limits import SessionLimits
    from plughost.session._outcome import SessionOutcome
    from plughost.session._session import Session
    from plughost.session._sessions import Sessions
    from plughost.session._stats import SessionStats, SessionTotals

__all__ = [
    "Artifact",
    "Session",
    "SessionLimits",
    "SessionOutcome",
    "SessionStats",
    "SessionTotals",
    "Sessions",
    "abandoned",
    "size_bytes",
    "sweep",
]

__getattr__ = lazily(
    __name__,
    {
        "_artifacts": ("Artifact",),
        "_files": ("size_bytes",),
        "_folder": ("abandoned", "sweep"),
        "_limits": ("SessionLimits",),
        "_outcome": ("SessionOutcome",),
        "_session": ("Session",),
        "_sessions": ("Sessions",),
        "_stats": ("SessionStats", "SessionTotals"),
    },
)
