"""The commands on an app's hooks."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, option

__all__ = ["COMMANDS"]

_APP = option("--app", "MODULE:NAME", "The app's PluginManager, or a function that makes it; not needed in an app's own commands")

_HOOKS = Command(
    "hooks",
    group="Hooks",
    summary="Show an app's hooks and who implements them",
    description="""\
Show each hook of an app with its implementations, local and isolated, in the order in which they are called. The app is \
imported; of its isolated plugins nothing is started.""",
    parameters=(_APP, JSON),
    examples=(("hooks --app myapp.plugins:manager", ""),),
    handler="plughost.cli._hooks:hooks",
)

_CHECK = Command(
    "check",
    group="Hooks",
    summary="Hold plugins against an app's hook specifications",
    description="""\
Say which hook implementations of the plugins that are installed don't fit the app: the plugin, the hook, the argument. Without \
a NAME, of all of them. Nothing of them is started.""",
    parameters=(argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"), _APP, JSON),
    examples=(("check --app myapp.plugins:manager", "all"), ("check weather --app myapp.plugins:manager", "one")),
    handler="plughost.cli._hooks:check",
)

COMMANDS = (_HOOKS, _CHECK)
