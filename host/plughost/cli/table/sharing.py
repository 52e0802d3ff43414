"""The commands that take plugins from one machine to another."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, flag, option

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

COMMANDS = (_EXPORT,)
