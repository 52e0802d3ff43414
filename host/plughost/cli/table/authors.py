"""The commands for authors of plugins."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, flag, option
from plughost.cli.table.hooks import APP, PROJECT

__all__ = ["COMMANDS"]

_NEW = Command(
    "new",
    group="Authors",
    summary="Make a plugin, or an app that has plugins, from a template",
    description="""\
Make a folder from a template, as a git repository with a first commit: a project that is added and passes its own tests at \
once. On a terminal it asks for what is not given.

`tool` is a plugin with one tool; `hooks` one that implements hooks of an app; `data-analyzer` looks at CSV files, `code-review` \
at git repositories; `app` is an app with a hook, a plugin of its own, and two that need versions of a library which conflict; \
`python-executor` runs Python code, and `aipy-bridge` asks language models for it.""",
    parameters=(
        argument("name", "NAME"),
        option(
            "--template",
            "TEMPLATE",
            "The template to start from; a tool if not given",
            choices=("tool", "hooks", "data-analyzer", "code-review", "app", "python-executor", "aipy-bridge"),
        ),
        option("--into", "FOLDER", "The folder to make, instead of one with the name", completes="path"),
        option("--description", "TEXT", "What it is, in one line"),
        option("--author", "NAME", "Whose it is, such as `Ada <ada@example.org>`; as git has been told, if not given"),
        PROJECT,
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

_DEV = Command(
    "dev",
    group="Authors",
    summary="Work on a plugin: say what each change of it means, and call it again",
    description="""\
Install the project in a folder, editable, into a store that is thrown away. Whenever one of its source files changes, it \
describes itself again, and what changes for its callers is said; with a TOOL, that is called again and the result printed. \
Errors are shown, and it goes on. A change of `pyproject.toml` installs it again. Ctrl-C ends it.""",
    parameters=(
        argument("path", "PATH", completes="path"),
        argument("tool", "[TOOL]", required=False),
        option("--kwargs", "JSON|@FILE", "Arguments by name: a JSON object, or a file of it"),
        option("--args", "JSON|@FILE", "Arguments by position: a JSON array, or a file of it"),
        option("--timeout", "SECONDS", "End each call after this time"),
        flag("--keep", "Install it among the others, and leave it there"),
        APP,
        PROJECT,
    ),
    examples=(
        ("dev .", "describe it with each change"),
        ('dev . forecast --kwargs \'{"city": "Bern"}\'', "and call it"),
    ),
    handler="plughost.cli._dev:dev",
)

COMMANDS = (_NEW, _DEV)
