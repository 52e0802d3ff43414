"""`session`: commands on the sessions that the daemon keeps. Each is run twice: here, to be handed over, and in the daemon.

Above it: the table; below it: the handing over, and the sessions.
"""

from __future__ import annotations

import os

from plughost._wording import counted
from plughost.cli._layout import columns, duration_text, size_text
from plughost.cli._session_link import hand_over
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.session import Session, Sessions, SessionStats

__all__ = ["call", "list_", "start", "stats", "stop"]

_HEADS = ("ID", "PLUGIN", "STATE", "CALLS", "RESTARTS", "MEMORY", "AGE", "IDLE")


def start(context: Context, values: Values) -> int:
    if (code := hand_over(context, "session start", values, starts=True)) is not None:
        return code
    from plughost.cli._session_start import open_session

    session = open_session(context, values, _sessions(context))
    if values.flag("json"):
        from plughost.policy import table_of

        context.printer.json({**session.stats.record(), "policy": table_of(session.policy.as_record())})
    else:
        context.printer.line(session.id)
    return 0


def call(context: Context, values: Values) -> int:
    if (code := hand_over(context, "session call", values)) is not None:
        return code
    from plughost.cli._session_call import call_in

    return call_in(context, values, _sessions(context).find(values.text("id")))


def list_(context: Context, values: Values) -> int:
    if (code := hand_over(context, "session list", values)) is not None:
        return code
    sessions = _sessions(context).stats().sessions
    if values.flag("json"):
        context.printer.json([session.record() for session in sessions])
    elif sessions:
        _print_table(context, sessions)
    else:
        context.printer.message("No session is open")
    return 0


def stop(context: Context, values: Values) -> int:
    if values.flag("all") == bool(values.texts("ids")):
        raise UsageError("`session stop` takes ids, or `--all`", reference="usage", hint="`session list` shows the ids")
    if (code := hand_over(context, "session stop", values)) is not None:
        return code
    sessions = _sessions(context)
    chosen = [sessions.find(name) for name in values.texts("ids")] if values.texts("ids") else list(sessions)
    records = [_stop(context, values, session, is_alone=len(values.texts("ids")) == 1) for session in chosen]
    if values.flag("json"):
        context.printer.json(records)
    elif not records:
        context.printer.message("No session is open")
    return 0


def _stop(context: Context, values: Values, session: Session, *, is_alone: bool) -> dict[str, object]:
    keep = values.optional("keep")
    folder = None if keep is None else context.surroundings.path(keep if is_alone else os.path.join(keep, session.id))
    kept = session.close(keep=folder)
    if not values.flag("json"):
        out, files = context.printer.out, f", and kept {counted(len(kept), 'file')} in `{folder}`" if folder else ""
        context.printer.message(f"{out.paint('green', 'Ended')} {out.highlight(f'`{session.id}` of `{session.plugin}`{files}')}")
    return {**session.stats.record(), "kept": [artifact.record() for artifact in kept]}


def stats(context: Context, values: Values) -> int:
    if (code := hand_over(context, "session stats", values)) is not None:
        return code
    printer, sessions = context.printer, _sessions(context)
    if values.text("id"):
        one = sessions.find(values.text("id")).stats
        if values.flag("json"):
            printer.json(one.record())
        else:
            _print_table(context, (one,))
        return 0
    totals = sessions.stats()
    if values.flag("json"):
        printer.json(totals.record())
        return 0
    most = "" if totals.max_sessions is None else f" of at most {totals.max_sessions}"
    printer.line(f"{totals.active} open{most}, {totals.busy} busy, {totals.opened} opened so far")
    printer.line(f"{totals.tasks} calls, {totals.failed} failed, {totals.restarts} restarts, {size_text(totals.memory_bytes)}")
    if totals.sessions:
        printer.line()
        _print_table(context, totals.sessions)
    return 0


def _sessions(context: Context) -> Sessions:
    """Those of the daemon that this runs in; where there is no daemon, there are none."""
    sessions = context.surroundings.sessions()
    if sessions is None:
        from plughost.session import Sessions
        from plughost.worker._watch import Watcher

        return Sessions(Watcher())
    return sessions


def _print_table(context: Context, sessions: tuple[SessionStats, ...]) -> None:
    rows = [
        (
            session.id,
            session.plugin,
            session.state,
            f"{session.tasks}/{session.max_tasks}" if session.max_tasks else str(session.tasks),
            str(session.restarts),
            size_text(session.memory_bytes),
            duration_text(session.age_s),
            duration_text(session.idle_s) if session.idle_s else "-",
        )
        for session in sessions
    ]
    head, *lines = columns([_HEADS, *rows], left=3)
    for line in (context.printer.out.paint("dim", head), *lines):
        context.printer.line(line)
