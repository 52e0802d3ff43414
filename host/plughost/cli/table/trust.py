"""The commands on what is trusted, and on what is set."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument

__all__ = ["COMMANDS"]

_CONFIG = Command(
    "config",
    group="Trust",
    summary="Show the settings, and where each was said",
    description="""\
Show each setting, its value and where it was said: in a variable of the environment, in the project's `plughost.toml` or \
`[tool.plughost]`, in the user's file, or nowhere, so that it is the default. With KEY, print the value of that setting alone.""",
    parameters=(argument("key", "[KEY]", required=False), JSON),
    examples=(("config", "all"), ("config exclude-newer", "one value, for a script"), ("config --json", "for a program")),
    handler="plughost.cli._config:config",
)

COMMANDS = (_CONFIG,)
