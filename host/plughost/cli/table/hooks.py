"""The commands on an app's hooks."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, option

__all__ = ["APP", "COMMANDS", "PROJECT"]

APP = option("--app", "MODULE:NAME", "The app's PluginManager, or a function that makes it; not needed in an app's own commands")

PROJECT = option("--project", "NAME", "The pluggy project whose plugin it is, such as `myapp`")

_HOOKS = Command(
    "hooks",
    group="Hooks",
    summary="Show an app's hooks and who implements them",
    description="""\
Show each hook of an app with its implementations, local and isolated, in the order in which they are called. The app is \
imported; of its isolated plugins nothing is started.""",
    parameters=(APP, JSON),
    examples=(("hooks --app myapp.plugins:manager", ""),),
    handler="plughost.cli._hooks:hooks",
)

_CHECK = Command(
    "check",
    group="Hooks",
    summary="Check a project as its users will meet it, or plugins against an app's hooks",
    description="""\
A folder, or whatever else has a `/`, is a project: it is built and installed into a store that is thrown away, it describes \
itself, and its tools are called with the examples in their docstrings and in `plughost-examples.toml`. Metadata, schemas, the \
files in the wheel and the cost of importing it are looked at too, and with `--app` the hooks. It ends with 1 where there are \
errors.

Any other name is that of a plugin that is installed, which is held against the app's hook specifications; without starting it.

Without a target it is the project in this folder; with `--app`, all plugins that are installed.""",
    parameters=(
        argument("targets", "[PATH|NAME]...", multiple=True, required=False, completes="plugin"),
        APP,
        PROJECT,
        JSON,
    ),
    examples=(
        ("check", "the project in this folder"),
        ("check ./weather --json", "another, for a program"),
        ("check ./weather --app myapp.plugins:manager", "its hooks too"),
        ("check --app myapp.plugins:manager", "all plugins that are installed"),
    ),
    handler="plughost.cli._check:check",
)

COMMANDS = (_HOOKS, _CHECK)
