"""The commands for the life of a plugin: newer and older versions, on and off."""

from __future__ import annotations

from plughost.cli._declaration import GRANTS, JSON, Command, argument, flag, option

__all__ = ["COMMANDS"]

_NAMES = argument("names", "NAME...", multiple=True, completes="plugin")

_UPDATE = Command(
    "update",
    group="Versions",
    summary="Put the newest version of plugins in force",
    description="""\
Make plugins again from where they came, with the options that they were added with: the newest commit of their reference, or \
the newest release that their requirement allows. The new version is made beside the old one, and put in force once it has \
shown that it can be imported and takes the same calls; calls that run finish on the old one. Dependencies stay as they are \
locked while they fit.

Without a NAME, all of them. What is up to date or pinned is left alone, and what can't be updated stays as it is.""",
    parameters=(
        argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"),
        flag("--all", "Update all plugins, as without a name"),
        flag("--check", "Only tell what there is to update; the exit code is 0 either way"),
        flag("--allow-breaking", "Also where tools, parameters or hooks are gone, or take less than before"),
        flag("--dependencies", "Take the newest versions of dependencies, too"),
        flag("--require-signed", "Refuse what none of the allowed signers has signed, from now on"),
        flag("--offline", "Use nothing from the network"),
        *GRANTS,
        JSON,
    ),
    examples=(
        ("update weather", "one"),
        ("update", "all"),
        ("update --check", "look first"),
        ("update weather --dependencies", "its dependencies as well"),
    ),
    handler="plughost.cli._update:update",
)

_ROLLBACK = Command(
    "rollback",
    group="Versions",
    summary="Put an earlier version of a plugin in force",
    description="""\
Put the version in force that was before the one that is, or any that is kept. Nothing is built or fetched. The versions that \
are kept can be called beside each other, as NAME@VERSION; `info` shows them.""",
    parameters=(
        argument("name", "NAME", completes="plugin"),
        option("--to", "VERSION|COMMIT", "The version to go to, also a later one"),
        JSON,
    ),
    examples=(("rollback weather", "to the version before"), ("rollback weather --to 1.2", "to one by its version")),
    handler="plughost.cli._rollback:rollback",
)

_PIN = Command(
    "pin",
    group="Versions",
    summary="Have updates leave plugins alone",
    description="Keep plugins at the version that is in force: `update` leaves them alone until `unpin`.",
    parameters=(_NAMES, JSON),
    examples=(("pin weather", ""),),
    handler="plughost.cli._marks:pin",
)

_UNPIN = Command(
    "unpin",
    group="Versions",
    summary="Let plugins be updated again",
    description="Take `pin` back.",
    parameters=(_NAMES, JSON),
    examples=(("unpin weather", ""),),
    handler="plughost.cli._marks:unpin",
)

_ENABLE = Command(
    "enable",
    group="Versions",
    summary="Let plugins be called again",
    description="Take `disable` back.",
    parameters=(_NAMES, JSON),
    examples=(("enable weather", ""),),
    handler="plughost.cli._marks:enable",
)

_DISABLE = Command(
    "disable",
    group="Versions",
    summary="Keep plugins from being called",
    description="""\
Keep plugins from being called, in whatever version and by whatever way: `run` and Python refuse, and an app's hook calls go \
on without them. They stay installed, and can be updated.""",
    parameters=(_NAMES, JSON),
    examples=(("disable weather", ""),),
    handler="plughost.cli._marks:disable",
)

COMMANDS = (_UPDATE, _ROLLBACK, _PIN, _UNPIN, _ENABLE, _DISABLE)
