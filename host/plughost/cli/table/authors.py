"""The commands for authors of plugins."""

from __future__ import annotations

from plughost.cli._declaration import Command, argument, option

__all__ = ["COMMANDS"]

_NEW = Command(
    "new",
    group="Authors",
    summary="Make a plugin, or an app that has plugins, from a template",
    description="""\
Make a folder from a template: `tool` is a plugin with one tool; `app` is an app with a hook, a plugin of its own, and two that \
need versions of a library which conflict.""",
    parameters=(
        argument("name", "NAME"),
        option("--template", "TEMPLATE", "What to make; a tool if not given", choices=("app", "tool")),
        option("--into", "FOLDER", "The folder to make, instead of one with the name", completes="path"),
        option("--description", "TEXT", "What it is, in one line"),
        option("--author", "NAME", "Whose it is"),
    ),
    examples=(("new weather-tools", "a plugin"), ("new release-desk --template app", "an app")),
    handler="plughost.cli._new:new",
)

COMMANDS = (_NEW,)
