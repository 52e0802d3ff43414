"""The commands that everybody needs: install, call, look, take away."""

from __future__ import annotations

from plughost.cli._declaration import GRANTS, JSON, LIMITS, WAIVABLE, Command, argument, flag, option

__all__ = ["COMMANDS"]

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
    weather==1.2                                           a package from the package index
    weather                                                what an index of plugins lists, see `plughost index`; else likewise
    weather-1.2.plughost                                   a bundle, which needs no network

Adding the same commit with the same options again changes nothing. A plugin that asks to be permitted more than plugins may use \
by default is granted that by a question on a terminal, and by `--grant` or `--policy` elsewhere.""",
    parameters=(
        argument("source", "SOURCE", completes="path"),
        option("--name", "NAME", "Install it under this name instead of the package's own"),
        option("--python", "PYTHON", "The Python to run it with: a version such as 3.12, or a path"),
        flag("--force", "Build it again, and let it take the place of another package of that name"),
        option("--extra", "EXTRA", "Install this extra of the package too", multiple=True),
        option("--with", "REQUIREMENT", "Install this requirement too", multiple=True),
        option("--constraint", "FILE", "Narrow the versions of dependencies by the requirements in FILE", completes="path"),
        option("--exclude-newer", "DATE", "Leave out what was published after DATE, such as 2026-01-31, or within '7 days'"),
        option("--installer", "NAME", "What builds, resolves and installs: uv, or pip with virtualenv", choices=("pip", "uv")),
        option("--index", "NAME", "Look the name SOURCE up in this index", completes="index"),
        flag("--offline", "Use nothing from the network"),
        flag("--editable", "Run the code as it is in the folder SOURCE, not a copy of it"),
        flag("--require-signed", "Refuse what none of the allowed signers has signed"),
        option(
            "--entry-point",
            "NAME=MODULE:OBJECT",
            "Offer this as the tool NAME, as if the package declared it",
            multiple=True,
        ),
        *GRANTS,
        JSON,
    ),
    examples=(
        ("add git+https://example.org/team/weather.git@v1.2", "from a tag"),
        ("add git+ssh://git@example.org/team/tools.git#subdirectory=plugins/weather", "from a folder of a repository"),
        ("add ./weather --editable", "while you work on it"),
        ("add weather==1.2 --python 3.12 --with 'numpy<2'", "from the index"),
        ("add ./weather --grant network=api.example.com --grant memory=1GiB", "with these permissions"),
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
        *LIMITS,
        option(
            "--allow-unenforced",
            "NAME",
            "Make the call also where this machine can't enforce this limit",
            multiple=True,
            choices=WAIVABLE,
        ),
        flag("--record-arguments", "Record the call with its arguments, so that `replay` can make it again"),
        flag("--no-daemon", "Make the call in this process, also where `up` keeps workers", env="PLUGHOST_NO_DAEMON"),
        JSON,
    ),
    examples=(
        ("run weather city=Bern days=3", "the only tool of a plugin"),
        ('run weather:forecast --kwargs \'{"city": "Bern"}\'', "one tool of several"),
        ("run summarize --stdin-as text < notes.txt", "an argument from a file"),
        ("run weather city=Bern --allow-net api.example.com", "let it reach a host, for this call"),
        ("run weather city=Bern --timeout 10 --json", "for a program: one document, whatever happens"),
    ),
    handler="plughost.cli._run:run",
)

_LIST = Command(
    "list",
    group="Plugins",
    summary="Show what is installed",
    description="Show the plugins that are installed, with their tools and hook implementations. Nothing is started.",
    parameters=(JSON,),
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
    parameters=(argument("name", "NAME", completes="plugin"), JSON),
    examples=(("info weather", "for people"), ("info weather --json", "for a program; the tools' JSON Schemas are in it")),
    handler="plughost.cli._info:info",
)

_REMOVE = Command(
    "remove",
    group="Plugins",
    summary="Take plugins away, with all that only they used",
    description="Take plugins away, damaged ones too, with all that only they used.",
    parameters=(argument("names", "NAME...", multiple=True, completes="plugin"), JSON),
    examples=(("remove weather", ""),),
    handler="plughost.cli._remove:remove",
)

COMMANDS = (_ADD, _RUN, _LIST, _INFO, _REMOVE)
