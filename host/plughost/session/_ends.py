"""Why a session takes no more calls: each reason, as an error with its figure and its limit."""

from __future__ import annotations

from plughost._wording import counted
from plughost.errors import SessionEnded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    #: Makes the error for the plugin and the session of these names; each call that comes too late has one of its own.
    End = Callable[[str, str], SessionEnded]

__all__ = ["closed", "evicted", "idle", "lifetime", "tasks"]

_ANOTHER = '`session start {plugin}`, or `host.session("{plugin}")` from Python, opens another'


def closed() -> End:
    return _end("session-closed", "it was closed", _ANOTHER)


def lifetime(age_s: float, limit_s: float) -> End:
    return _end(
        "session-lifetime",
        f"it was open for {age_s:.3g} s, and may be for {limit_s:g} s",
        _ANOTHER + "; `--lifetime`, or `lifetime_s=`, gives it more time",
        figure=age_s,
        limit=limit_s,
    )


def idle(idle_s: float, limit_s: float) -> End:
    return _end(
        "session-idle",
        f"nobody has called it for {idle_s:.3g} s, and it waits for {limit_s:g} s",
        _ANOTHER + "; `--idle-timeout`, or `idle_timeout_s=`, has it wait for longer",
        figure=idle_s,
        limit=limit_s,
    )


def tasks(count: int, limit: float) -> End:
    return _end(
        "session-tasks",
        f"it has made {counted(count, 'call')}, and may make {limit:g}",
        "`session stop {id} --keep FOLDER`, or its `keep`, saves its files; " + _ANOTHER + ", and `--max-tasks`, or "
        "`max_tasks=`, allows it more calls",
        figure=count,
        limit=limit,
    )


def evicted(idle_s: float, limit: float) -> End:
    return _end(
        "session-evicted",
        f"it made room for another: there may be {counted(int(limit), 'session')} at once, and it was idle for the longest, "
        f"{idle_s:.3g} s",
        _ANOTHER + "; the setting `session-count`, or `Host(max_sessions=…)`, allows more at once",
        figure=limit,
        limit=limit,
    )


def _end(reference: str, why: str, hint: str, *, figure: float | None = None, limit: float | None = None) -> End:
    def make(plugin: str, name: str) -> SessionEnded:
        error = SessionEnded(
            f"Session `{name}` of `{plugin}` has ended: {why}", reference=reference, hint=hint.format(plugin=plugin, id=name)
        )
        error.figure, error.limit = figure, limit
        return error

    return make
