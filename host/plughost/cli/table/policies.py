"""The commands on what plugins may use."""

from __future__ import annotations

from plughost.cli._declaration import JSON, LIMITS, Command, Family, argument, option

__all__ = ["COMMANDS", "FAMILIES"]

_GROUP = "Trust"

_SHOW = Command(
    "policy show",
    group=_GROUP,
    summary="Show what a plugin may use, and who decides that",
    description="""\
Show what a plugin may use: each limit, its value, and who decides it, which is the grant, the operator (by the settings), the \
file of the project, or nobody, so that it is the default. What the plugin asks for and wasn't granted is shown, and what can't \
be enforced on this machine. Without a NAME: what a plugin may use that nobody has granted anything.""",
    parameters=(argument("name", "[NAME]", required=False, completes="plugin"), JSON),
    examples=(
        ("policy show weather", "one plugin"),
        ("policy show", "what holds for all"),
        ("policy show weather --json", "for a program"),
    ),
    handler="plughost.cli._policy:show",
)

_SET = Command(
    "policy set",
    group=_GROUP,
    summary="Grant a plugin something, or take it away",
    description="""\
Change what a plugin is granted, from its next call on. KEY=VALUE sets one of `network`, `read`, `write`, `hide`, `execute`, \
`environment`, `memory`, `cpu`, `wall`, `processes`, `threads`, `open-files`, `file-size`, `disk`, `output`, `result`; lists \
have commas. The options `--allow-net`, `--read` and `--write` add to what it was granted; `--grant all` grants what it asks \
for.""",
    parameters=(
        argument("name", "NAME", completes="plugin"),
        argument("changes", "[KEY=VALUE]...", multiple=True, required=False),
        *LIMITS,
        option("--grant", "all|none", "Grant all that the plugin asks for, or nothing of it", choices=("all", "none")),
        JSON,
    ),
    examples=(
        ("policy set weather --allow-net api.example.com", "one host more"),
        ("policy set weather network=off memory=1GiB wall=30s", "these instead of what was granted"),
        ("policy set weather --policy trusted", "everything"),
    ),
    handler="plughost.cli._policy:set_",
)

_RESET = Command(
    "policy reset",
    group=_GROUP,
    summary="Take back what plugins were granted",
    description="""\
Take back what plugins were granted, from their next call on: they may use what all may that nobody has granted anything.""",
    parameters=(argument("names", "NAME...", multiple=True, completes="plugin"), JSON),
    examples=(("policy reset weather", ""),),
    handler="plughost.cli._policy:reset",
)

_FAMILY = Family(
    "policy",
    group=_GROUP,
    summary="Look at what plugins may use, and change it",
    description="""\
A policy says what a plugin may use: network, files, memory, time, processes. A plugin has what it was granted, narrowed by what \
the settings and the app say.""",
)

COMMANDS = (_SHOW, _SET, _RESET)
FAMILIES = (_FAMILY,)
