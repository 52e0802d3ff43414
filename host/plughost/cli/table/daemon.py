"""The commands for workers that stay warm between calls of the command line."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, flag, option

__all__ = ["COMMANDS"]

_UP = Command(
    "up",
    group="Daemon",
    summary="Keep workers warm between runs, in a daemon",
    description="""\
Start a daemon that makes the calls of `run` on this store from now on, in workers that stay warm. Where it is up already, say so.

`run` behaves as it does without it. It ends by itself when nobody has called for a while.""",
    parameters=(
        option("--idle", "SECONDS", "End after this time without a call: 900 by default"),
        flag("--foreground", "Serve in this process until it is ended, as a service manager wants it"),
        flag("--status", "Start nothing; say whether it is up"),
        JSON,
    ),
    examples=(
        ("up", "for the next calls"),
        ("up --idle 28800", "for a working day"),
        ("up --status --json", "for a program"),
    ),
    handler="plughost.cli._up:up",
)

_DOWN = Command(
    "down",
    group="Daemon",
    summary="End the daemon and its workers",
    description="End the daemon of this store, the calls that it makes, and its workers. Where there is none, that is fine.",
    parameters=(JSON,),
    examples=(("down", ""),),
    handler="plughost.cli._down:down",
)

COMMANDS = (_UP, _DOWN)
