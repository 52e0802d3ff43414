"""The commands for finding plugins: what is installed, and what indexes list."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, Family, argument, flag, option

__all__ = ["COMMANDS", "FAMILIES"]

_GROUP = "Finding"

_SEARCH = Command(
    "search",
    group=_GROUP,
    summary="Look for plugins, installed or listed in an index",
    description="""\
Look for plugins in what is installed and in the indexes. Every WORD must be in the name, the summary, the tags or the tools; \
names that fit come first. Without a WORD, all are shown. Nothing is asked of the network.""",
    parameters=(
        argument("words", "[WORD]...", multiple=True, required=False),
        option("--tag", "TAG", "Only plugins with this tag", multiple=True),
        flag("--installed", "Only what is installed"),
        option("--index", "NAME", "Only what this index lists", completes="index"),
        option("--limit", "N", "Show at most so many; 20 by default, and all with --json"),
        JSON,
    ),
    examples=(
        ("search weather", "by a word"),
        ("search --tag climate --tag europe", "by tags"),
        ("search csv --json", "for a program"),
    ),
    handler="plughost.cli._search:search",
)

_FAMILY = Family(
    "index",
    group=_GROUP,
    summary="Manage the indexes that plugins are found in",
    description="""\
An index is a list of plugins: the file `plughost-index.toml` in a git repository, or that file itself, here or on a server. \
It is kept in the store, so that `search` and `add NAME` need no network for it.""",
)

_ADD = Command(
    "index add",
    group=_GROUP,
    summary="Add an index, and fetch what it lists",
    description="""\
Add an index under a name of your choice, and fetch what it lists. SOURCE is one of

    git+URL[@BRANCH|@TAG|@COMMIT]    a git repository with `plughost-index.toml` at its root
    https://HOST/index.toml          the file on a server
    ./index.toml                     the file on this machine

From then on, `add NAME` looks a bare name up in it first. Indexes are asked in the order in which they were added.""",
    parameters=(
        argument("name", "NAME"),
        argument("source", "SOURCE", completes="path"),
        flag("--force", "Replace the index of that name"),
        JSON,
    ),
    examples=(
        ("index add team git+https://example.org/team/plugin-index.git", "a repository"),
        ("index add team https://example.org/plughost-index.toml", "a file on a server"),
    ),
    handler="plughost.cli._index:add",
)

_LIST = Command(
    "index list",
    group=_GROUP,
    summary="Show the indexes",
    description="Show the indexes in the order in which they are asked, with when each was last fetched.",
    parameters=(JSON,),
    examples=(("index list", "as a table"), ("index list --json", "for a program")),
    handler="plughost.cli._index:list_",
)

_REMOVE = Command(
    "index remove",
    group=_GROUP,
    summary="Take indexes away",
    description="Take indexes away. What was installed by way of them stays.",
    parameters=(argument("names", "NAME...", multiple=True, completes="index"), JSON),
    examples=(("index remove team", ""),),
    handler="plughost.cli._index:remove",
)

_UPDATE = Command(
    "index update",
    group=_GROUP,
    summary="Fetch what indexes list now",
    description="""\
Fetch indexes again, all of them without a NAME. What has not changed is not transferred. Where one can't be fetched, or what \
comes is no index, the one that was there stays.""",
    parameters=(argument("names", "[NAME]...", multiple=True, required=False, completes="index"), JSON),
    examples=(("index update", "all"), ("index update team", "one")),
    handler="plughost.cli._index:update",
)

_BUILD = Command(
    "index build",
    group=_GROUP,
    summary="Make an index out of projects",
    description="""\
Make the file of an index from the metadata of projects: name, description, and keywords as tags. Nothing is built. SOURCE is \
a project, a folder with projects in it, a text file with one source a line, or any source that `add` takes. The same \
projects give the same bytes.""",
    parameters=(
        argument("sources", "SOURCE...", multiple=True, completes="path"),
        option("--output -o", "FILE", "Where to write it; to the standard output if not given", completes="path"),
        option("--name", "NAME", "The index's own name; that of the folder if not given"),
        option("--repository", "URL", "Where the folder is published: sources become `git+URL#subdirectory=…`"),
    ),
    examples=(
        (
            "index build ./plugins --repository https://example.org/team/plugins.git -o plughost-index.toml",
            "a folder of projects that is one repository",
        ),
        ("index build sources.txt -o plughost-index.toml --name team", "from a list of sources"),
    ),
    handler="plughost.cli._index_build:build",
)

COMMANDS = (_SEARCH, _ADD, _LIST, _REMOVE, _UPDATE, _BUILD)
FAMILIES = (_FAMILY,)
