"""The commands for sessions, which the daemon keeps between them."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, Family, argument, flag, option

__all__ = ["COMMANDS", "FAMILIES"]

_GROUP = "Sessions"

_FAMILY = Family(
    "session",
    group=_GROUP,
    summary="Keep a plugin's state and files between calls",
    description="""\
A session is a process and a work directory of your own, kept between calls: what the plugin keeps in memory is there for the \
next call, and so are its files. Nobody else sees them. The daemon that `up` starts keeps sessions, and comes with the first.""",
)

_START = Command(
    "session start",
    group=_GROUP,
    summary="Open a session of a plugin, and print its id",
    description="""\
Open a session of a plugin, and print its id. The limits are by default those of the settings, see `config`. Where too many \
sessions are open, the one ends that is idle for the longest.""",
    parameters=(
        argument("name", "NAME", completes="plugin"),
        option("--policy", "PRESET", "Let it use at most what this preset has", choices=("trusted", "default", "strict")),
        option("--limit", "NAME=VALUE", "Let it use at most this, such as network=off or disk=100MiB", multiple=True),
        option("--idle-timeout", "TIME", "End it after this time without a call, such as 600 or 10min, or unlimited"),
        option("--lifetime", "TIME", "End it after this time in any case"),
        option("--task-timeout", "TIME", "How long one call may take"),
        option("--max-tasks", "N", "How many calls it may make"),
        option("--memory", "SIZE", "As much memory as its processes may take together, such as 512MiB"),
        option("--keep", "FOLDER", "Copy its files into this folder when it ends, however it ends", completes="path"),
        option("--env", "NAME[=VALUE]", "Pass this variable to the plugin", multiple=True),
        JSON,
    ),
    examples=(
        ("session start notebook", "then `session call ID`"),
        ("session start notebook --idle-timeout 1h --memory 2GiB", "for longer, and for more"),
        ("session start notebook --policy strict --keep ./results", "for code that nobody has looked at"),
    ),
    handler="plughost.cli._session:start",
)

_CALL = Command(
    "session call",
    group=_GROUP,
    summary="Call a tool in a session",
    description="""\
Call a tool in a session and print its result, as `run` does. TOOL may be left out where the plugin has only one. The files that \
the call wrote are named on the standard error, or are `artifacts` with --json.

Where the plugin's process ends by a crash or a limit, its state is lost, and the next call starts afresh; the files are kept.""",
    parameters=(
        argument("id", "ID", completes="session"),
        argument("tool", "[TOOL]", required=False),
        argument("arguments", "[KEY=VALUE]...", multiple=True, required=False),
        option("--kwargs", "JSON|@FILE|-", "Arguments by name: a JSON object, a file of it, or the standard input"),
        option("--args", "JSON|@FILE|-", "Arguments by position: a JSON array, a file of it, or the standard input"),
        option("--stdin-as", "KEY", "Give what is piped in as this argument"),
        option("--timeout", "SECONDS", "End the call after this time, if that is less than the session gives it"),
        JSON,
    ),
    examples=(
        ("session call 3f2a1c0b execute code='x = 1'", "one tool of several"),
        ("session call 3f2a1c0b execute --stdin-as code --json < step.py", "for a program: one document, whatever happens"),
    ),
    handler="plughost.cli._session:call",
)

_LIST = Command(
    "session list",
    group=_GROUP,
    summary="Show the sessions that are open",
    description="Show the sessions that are open: what they do, how many calls they have made, their memory, age and idle time.",
    parameters=(JSON,),
    examples=(("session list", "as a table"), ("session list --json", "for a program")),
    handler="plughost.cli._session:list_",
)

_STOP = Command(
    "session stop",
    group=_GROUP,
    summary="End sessions",
    description="""\
End sessions, and calls that they make, and delete their files. With --keep the files are copied into a folder first; of several \
sessions, each into a folder of its id in there.""",
    parameters=(
        argument("ids", "[ID]...", multiple=True, required=False, completes="session"),
        flag("--all", "End all of them"),
        option("--keep", "FOLDER", "Copy the files into this folder", completes="path"),
        JSON,
    ),
    examples=(("session stop 3f2a1c0b --keep ./results", "and keep what it wrote"), ("session stop --all", "")),
    handler="plughost.cli._session:stop",
)

_STATS = Command(
    "session stats",
    group=_GROUP,
    summary="Count what sessions have done, and need",
    description="Count what a session has done and needs, or all of them: calls, failures, restarts, memory, age and idle time.",
    parameters=(argument("id", "[ID]", required=False, completes="session"), JSON),
    examples=(("session stats", "of all"), ("session stats 3f2a1c0b --json", "of one, for a program")),
    handler="plughost.cli._session:stats",
)

FAMILIES = (_FAMILY,)
COMMANDS = (_START, _CALL, _LIST, _STOP, _STATS)
