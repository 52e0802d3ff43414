"""The commands that take plugins from one machine to another."""

from __future__ import annotations

from plughost.cli._declaration import GRANTS, JSON, Command, argument, flag, option

__all__ = ["COMMANDS"]

_EXPORT = Command(
    "export",
    group="Sharing",
    summary="Put a plugin, with all that it needs, into one file",
    description="""\
Write a bundle: one file with the plugin's wheel, the wheels of all its dependencies, the lock and the receipt. `add BUNDLE` \
installs it without a network, on a machine of the same kind with the same version of Python, and refuses it if anything in it \
was altered. The same plugin gives the same bytes each time.

Wheels that are not on this machine any more are fetched from where the lock says, and held against its hashes.""",
    parameters=(
        argument("name", "NAME[@VERSION]", completes="plugin"),
        option(
            "--output -o",
            "PATH",
            "The file to write, which ends in .plughost, or a folder for it; the current folder if not given",
            completes="path",
        ),
        flag("--offline", "Use nothing from the network"),
        JSON,
    ),
    examples=(
        ("export weather", "writes weather-1.2.plughost"),
        ("export weather@1.1 -o /media/stick", "an earlier version, into a folder"),
    ),
    handler="plughost.cli._export:export",
)

_PATH = argument("path", "[PATH]", required=False, completes="path")

_LOCK = Command(
    "lock",
    group="Sharing",
    summary="Lock a declared set of plugins, for machines to have the same",
    description="""\
Write plughost.lock beside the file that declares plugins: of each the exact commit or digest, its wheel, and all that it \
depends on, with hashes. PATH is a plughost.toml, a pyproject.toml, or a folder with one; the current folder if not given.

What is locked and still fits stays as it is. Nothing is installed.""",
    parameters=(
        _PATH,
        flag("--upgrade -U", "Lock all of them to what is newest now"),
        option("--upgrade-plugin -P", "NAME", "Lock this one to what is newest now", multiple=True),
        flag("--offline", "Use nothing from the network"),
        JSON,
    ),
    examples=(("lock", "the plughost.toml here"), ("lock --upgrade-plugin weather", "one to its newest, the others as they are")),
    handler="plughost.cli._sync:lock",
)

_SYNC = Command(
    "sync",
    group="Sharing",
    summary="Bring this machine to a declared set of plugins",
    description="""\
Install, change, pin and disable plugins until they are as plughost.toml declares them; what is there already stays. PATH is a \
plughost.toml, a pyproject.toml, or a folder with one; the current folder if not given.

With a plughost.lock beside it, exactly the commits, wheels and dependencies in it are installed, or nothing. A lock that \
doesn't fit the file any more is first made to. One plugin's failure doesn't stop the others.""",
    parameters=(
        _PATH,
        flag("--locked", "Fail if the lock doesn't fit the file any more"),
        flag("--frozen", "Take the lock as it is, whether it fits or not"),
        flag("--prune", "Remove plugins that are not declared"),
        flag("--dry-run", "Only say what would be done"),
        flag("--offline", "Use nothing from the network"),
        *GRANTS,
        JSON,
    ),
    examples=(
        ("sync", "the plughost.toml here"),
        ("sync team/plughost.toml --prune", "these plugins, and no others"),
        ("sync --locked", "for machines that must all have the same"),
    ),
    handler="plughost.cli._sync:sync",
)

COMMANDS = (_EXPORT, _LOCK, _SYNC)
