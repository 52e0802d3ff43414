"""The commands for authors of plugins."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, flag, option

__all__ = ["COMMANDS"]

_NEW = Command(
    "new",
    group="Authors",
    summary="Make a plugin, or an app that has plugins, from a template",
    description="""\
Make a folder from a template, as a git repository with a first commit: a project that is added and passes its own tests at \
once. On a terminal it asks for what is not given.

`tool` is a plugin with one tool; `hooks` one that implements hooks of an app; `data-analyzer` looks at CSV files, `code-review` \
at git repositories; `app` is an app with a hook, a plugin of its own, and two that need versions of a library which conflict.""",
    parameters=(
        argument("name", "NAME"),
        option(
            "--template",
            "TEMPLATE",
            "What to make; a tool if not given",
            choices=("tool", "hooks", "data-analyzer", "code-review", "app"),
        ),
        option("--into", "FOLDER", "The folder to make, instead of one with the name", completes="path"),
        option("--description", "TEXT", "What it is, in one line"),
        option("--author", "NAME", "Whose it is, such as `Ada <ada@example.org>`; as git has been told, if not given"),
        option("--project", "NAME", "The pluggy project whose plugin it is, such as `myapp`"),
        flag("--no-git", "Make no git repository"),
        flag("--force", "Make it within another git repository, without one of its own"),
        JSON,
    ),
    examples=(
        ("new weather-tools", "a plugin; it asks for the rest"),
        ("new sales --template data-analyzer", "a plugin that looks at CSV files"),
        ("new ranker --template hooks --project myapp", "hooks of an app"),
        ("new release-desk --template app", "an app"),
    ),
    handler="plughost.cli._new:new",
)

COMMANDS = (_NEW,)
