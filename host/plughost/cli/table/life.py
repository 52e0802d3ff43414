"""The commands for the life of a plugin: newer and older versions, on and off, whole again."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument

__all__ = ["COMMANDS"]

_UPDATE = Command(
    "update",
    group="Plugins",
    summary="Make plugins again from where they came",
    description="""\
Install plugins again with the options that they were added with: the newest commit of their reference, or the newest release \
that their requirement allows. Without a NAME, all of them. What is up to date is left alone, and what can't be updated stays.""",
    parameters=(argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"), JSON),
    examples=(("update weather", "one"), ("update", "all")),
    handler="plughost.cli._update:update",
)

COMMANDS = (_UPDATE,)
