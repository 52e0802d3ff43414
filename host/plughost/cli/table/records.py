"""The commands for what calls have left behind: how they went, once more, and counted."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, flag, option

__all__ = ["COMMANDS"]

_SINCE = option("--since", "TIME", "Only what began after this: a date such as 2026-01-31, or how long ago, such as 2h")

_LOGS = Command(
    "logs",
    group="Calls",
    summary="Show the calls that were made, and how they went",
    description="""\
Show the latest calls, the latest last: of all plugins, or of these. A number, as the list shows it, is one call: all that is \
known of it, with its traceback and, if they were recorded, its arguments.""",
    parameters=(
        argument("names", "[NAME|ID]...", multiple=True, required=False, completes="plugin"),
        flag("--failed", "Only calls that didn't go well"),
        _SINCE,
        option("--limit", "N", "So many, the latest; 50 if not given"),
        flag("--follow", "Go on, and show calls as they end"),
        JSON,
    ),
    examples=(
        ("logs", "the latest calls"),
        ("logs weather --failed --since 2h", "what went wrong of late"),
        ("logs 128", "all that is known of one call"),
    ),
    handler="plughost.cli._logs:logs",
)

_REPLAY = Command(
    "replay",
    group="Calls",
    summary="Make a call again, and say whether it ends as it did",
    description="""\
Make a call again that was recorded with its arguments, on the revision of the plugin that it was made on: the same code with \
the same dependencies. Its result is printed as `run` prints it. Then it says whether the call ended as it did before, and ends \
as the call does.""",
    parameters=(
        argument("id", "ID"),
        flag("--current", "Make it on the revision that is in force now"),
        option("--timeout", "SECONDS", "End the call after this time; the time that it had if not given"),
        option("--env", "NAME[=VALUE]", "Pass this variable to the plugin", multiple=True),
        JSON,
    ),
    examples=(("replay 128", ""), ("replay 128 --current", "has the update mended it?")),
    handler="plughost.cli._replay:replay",
)

_STATS = Command(
    "stats",
    group="Calls",
    summary="Count calls: errors, durations, memory",
    description="""\
Show for each tool of the plugins, or of all, how many calls there were, how many of them went wrong and how long they took; \
and for each plugin the most memory that one of its processes has needed.""",
    parameters=(argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"), _SINCE, JSON),
    examples=(("stats", "all"), ("stats weather --since '7 days'", "one plugin, of late")),
    handler="plughost.cli._stats:stats",
)

COMMANDS = (_LOGS, _REPLAY, _STATS)
