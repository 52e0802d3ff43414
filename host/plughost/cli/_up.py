"""`up`: the daemon that keeps workers warm between runs."""

from __future__ import annotations

import json
import os
import sys
import time

from plughost.cli import _serving
from plughost.daemon import start, status
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.daemon import Status
    from plughost.paths import Store

__all__ = ["IDLE_S", "command_of", "up"]

#: How long it stays without a call, where nothing else is said.
IDLE_S = 900.0
_LONGEST_IDLE_S = 1e6

#: The new process finds what this one has found, wherever that was: an import path may have been set by hand.
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from plughost.cli._serving import main; main(sys.argv[2:])"


def up(context: Context, values: Values) -> int:
    store, idle_s = context.paths(), _idle(values.optional("idle"))
    if values.flag("foreground"):
        _serving.serve(store, idle_s, context.program, ready=lambda: context.printer.message(f"Serving `{store.root}`"))
        return 0
    if values.flag("status"):
        return _tell(context, status(store), started=False, as_json=values.flag("json"))
    running, started = start(store, command_of(store, idle_s, context.program))
    return _tell(context, running, started=started, as_json=values.flag("json"))


def command_of(store: Store, idle_s: float, program: str) -> list[str]:
    path = json.dumps([os.path.abspath(entry) for entry in sys.path])
    # In UTF-8, whatever the locale: only runs that have it so are handed over.
    return [sys.executable, "-P", "-X", "utf8", "-c", _PROGRAM, path, store.root, store.project, program, str(idle_s)]


def _idle(given: str | None) -> float:
    try:
        seconds = IDLE_S if given is None else float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_IDLE_S:
        raise UsageError(f"`--idle {given}` is no number of seconds above 0", reference="usage")
    return seconds


def _tell(context: Context, running: Status | None, *, started: bool, as_json: bool) -> int:
    printer = context.printer
    if as_json:
        printer.json({"running": running is not None, "started": started, **(_record(running) if running else {})})
    elif running is None:
        printer.message("The daemon is not up")
    elif started:
        printer.message(f"The daemon is up, and ends after {running.idle_s:g} s without a call")
    else:
        other = "" if running.is_ours else ", of another version: `up` replaces it"
        printer.message(f"The daemon is up already{other} (process {running.pid}, {running.performed} calls)")
    return 0


def _record(running: Status) -> dict[str, object]:
    return {
        "pid": running.pid,
        "same_version": running.is_ours,
        "idle_s": running.idle_s,
        "up_s": round(time.time() - running.started, 1),
        "calls": running.performed,
        "calls_running": running.running,
        "sessions": running.sessions,
    }
