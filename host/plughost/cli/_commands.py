"""The commands: each is declared here, once. `_quick` reads the table, and so does `_click`.

Above it: the two readers and the overview; below it: `_declaration`. It imports no handler.
"""

from __future__ import annotations

from plughost.cli._declaration import Command, argument, flag, option

__all__ = ["COMMANDS", "GLOBAL_OPTIONS"]

_JSON = flag("--json", "Print one JSON document, an error too")

#: Understood before the command and after it.
GLOBAL_OPTIONS = (
    option("--store", "PATH", "The folder that holds what is installed", env="PLUGHOST_HOME", completes="path"),
    flag("--quiet -q", "Print results and errors, and nothing else"),
    flag("--color", "Use colors, also outside of a terminal", env="FORCE_COLOR"),
    flag("--no-color", "Use no colors", env="NO_COLOR"),
)

_ADD = Command(
    "add",
    group="Plugins",
    summary="Install a package, in an environment of its own",
    description="""\
Install a package and record what it offers. It is built into a wheel, its dependencies are locked with hashes, and both go into \
a virtual environment of its own. What was installed before stays as it is until the new one has shown that it can be imported.

SOURCE is one of

    git+URL[@BRANCH|@TAG|@COMMIT][#subdirectory=FOLDER]    a git repository
    a URL that ends in .git                                likewise
    ./folder                                               a project on this machine
    weather-1.2-py3-none-any.whl, weather-1.2.tar.gz       a wheel or an sdist
    weather==1.2                                           a package from the index

Adding the same commit with the same options again changes nothing.""",
    parameters=(
        argument("source", "SOURCE", completes="path"),
        option("--name", "NAME", "Install it under this name instead of the package's own"),
        option("--python", "PYTHON", "The Python to run it with: a version such as 3.12, or a path"),
        flag("--force", "Build it again, and let it take the place of another package of that name"),
        option("--extra", "EXTRA", "Install this extra of the package too", multiple=True),
        option("--with", "REQUIREMENT", "Install this requirement too", multiple=True),
        option("--constraint", "FILE", "Narrow the versions of dependencies by the requirements in FILE", completes="path"),
        option("--exclude-newer", "DATE", "Leave out what was published after DATE, such as 2026-01-31"),
        option("--installer", "NAME", "What builds, resolves and installs: uv, or pip with virtualenv", choices=("pip", "uv")),
        flag("--offline", "Use nothing from the network"),
        flag("--editable", "Run the code as it is in the folder SOURCE, not a copy of it"),
        option(
            "--entry-point",
            "NAME=MODULE:OBJECT",
            "Offer this as the tool NAME, as if the package declared it",
            multiple=True,
        ),
        _JSON,
    ),
    examples=(
        ("add git+https://example.org/team/weather.git@v1.2", "from a tag"),
        ("add git+ssh://git@example.org/team/tools.git#subdirectory=plugins/weather", "from a folder of a repository"),
        ("add ./weather --editable", "while you work on it"),
        ("add weather==1.2 --python 3.12 --with 'numpy<2'", "from the index"),
        ("add python-slugify --entry-point slug=slugify:slugify", "a package that declares no tools"),
    ),
    handler="plughost.cli._add:add",
)

_RUN = Command(
    "run",
    group="Plugins",
    summary="Call a tool of a plugin",
    description="""\
Call a tool and print its result. TOOL may be left out where the plugin has only one.

KEY=VALUE gives an argument, read as what the tool's parameter takes: text, a number, true or false, JSON, or a list with \
commas. KEY:=JSON gives it as JSON. The arguments are checked before the plugin is asked.

The result goes to the standard output as JSON, and a stream's items one a line as they come; what the plugin prints goes to the \
standard error.""",
    parameters=(
        argument("name", "NAME[:TOOL]", completes="tool"),
        argument("arguments", "[KEY=VALUE]...", multiple=True, required=False, completes="tool"),
        option("--kwargs", "JSON|@FILE|-", "Arguments by name: a JSON object, a file of it, or the standard input"),
        option("--args", "JSON|@FILE|-", "Arguments by position: a JSON array, a file of it, or the standard input"),
        option("--stdin-as", "KEY", "Give what is piped in as this argument"),
        option("--timeout", "SECONDS", "End the call, and all that it started, after this time"),
        option("--env", "NAME[=VALUE]", "Pass this variable to the plugin, which else gets none of yours", multiple=True),
        _JSON,
    ),
    examples=(
        ("run weather city=Bern days=3", "the only tool of a plugin"),
        ('run weather:forecast --kwargs \'{"city": "Bern"}\'', "one tool of several"),
        ("run summarize --stdin-as text < notes.txt", "an argument from a file"),
        ("run weather city=Bern --timeout 10 --json", "for a program: one document, whatever happens"),
    ),
    handler="plughost.cli._run:run",
)

_LIST = Command(
    "list",
    group="Plugins",
    summary="Show what is installed",
    description="Show the plugins that are installed, with their tools and hook implementations. Nothing is started.",
    parameters=(_JSON,),
    examples=(("list", "as a table"), ("list --json", "for a program")),
    handler="plughost.cli._list:list_",
)

_INFO = Command(
    "info",
    group="Plugins",
    summary="Show all that is known of a plugin",
    description="""\
Show where a plugin came from, its tools with their parameters, its hook implementations, its dependencies, and what was \
installed before it. Nothing is started.""",
    parameters=(argument("name", "NAME", completes="plugin"), _JSON),
    examples=(("info weather", "for people"), ("info weather --json", "for a program; the tools' JSON Schemas are in it")),
    handler="plughost.cli._info:info",
)

_REMOVE = Command(
    "remove",
    group="Plugins",
    summary="Take plugins away, with all that only they used",
    description="Take plugins away, damaged ones too, with all that only they used.",
    parameters=(argument("names", "NAME...", multiple=True, completes="plugin"), _JSON),
    examples=(("remove weather", ""),),
    handler="plughost.cli._remove:remove",
)

_UPDATE = Command(
    "update",
    group="Plugins",
    summary="Make plugins again from where they came",
    description="""\
Install plugins again with the options that they were added with: the newest commit of their reference, or the newest release \
that their requirement allows. Without a NAME, all of them. What is up to date is left alone, and what can't be updated stays.""",
    parameters=(argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"), _JSON),
    examples=(("update weather", "one"), ("update", "all")),
    handler="plughost.cli._update:update",
)

_APP = option("--app", "MODULE:NAME", "The app's PluginManager, or a function that makes it; not needed in an app's own commands")

_HOOKS = Command(
    "hooks",
    group="Hooks",
    summary="Show an app's hooks and who implements them",
    description="""\
Show each hook of an app with its implementations, local and isolated, in the order in which they are called. The app is \
imported; of its isolated plugins nothing is started.""",
    parameters=(_APP, _JSON),
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
    parameters=(argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"), _APP, _JSON),
    examples=(("check --app myapp.plugins:manager", "all"), ("check weather --app myapp.plugins:manager", "one")),
    handler="plughost.cli._hooks:check",
)

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

_COMPLETION = Command(
    "completion",
    group="Shell",
    summary="Print a script that teaches a shell to complete commands",
    description="Print a script for a shell to read at its start. It completes commands, options, and the names of plugins.",
    parameters=(argument("shell", "SHELL", choices=("bash", "zsh", "fish")),),
    examples=(
        ("completion bash >> ~/.bashrc", ""),
        ("completion zsh >> ~/.zshrc", ""),
        ("completion fish > ~/.config/fish/completions/plughost.fish", ""),
    ),
    handler="plughost.cli._completion:completion",
)

COMMANDS = {command.name: command for command in (_ADD, _RUN, _LIST, _INFO, _UPDATE, _REMOVE, _HOOKS, _CHECK, _NEW, _COMPLETION)}
