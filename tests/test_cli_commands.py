"""The table of commands and its two readers: they agree, and what they say of it is complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from plughost.cli import _click, _quick, commands
from plughost.cli._context import Context
from plughost.cli.table import COMMANDS, GLOBAL_OPTIONS
from plughost.errors import UsageError

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"

every_command = pytest.mark.parametrize("name", COMMANDS)


def read_quickly(argv):
    parsed = _quick.parse(argv)
    return parsed and (parsed[0].name, parsed[1])


def read_by_click(argv):
    """The command and its values, or the message of the error."""
    taken = []

    def take(command, _context, values):
        taken.append((command.name, values))
        return 0

    try:
        _click.run(argv, Context(), execute=take)
    except UsageError as error:
        return error.message
    return taken[0] if taken else None


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "--store /srv/plugins list",
        "list --store /srv/plugins --json",
        "--store /a list --store /b",
        "-q --no-color list",
        "list --quiet",
        "add .",
        "add ./weather --name w --python=3.12 --force --editable --offline",
        "add weather==1.2 --extra plots --with 'numpy<2' --extra maps --with=pandas",
        "add weather --installer pip --exclude-newer 2026-01-31 --constraint c.txt",
        "add weather --entry-point a=b:c --entry-point=d=e:f",
        "run weather",
        "run weather:forecast city=Bern days=3 unit:='\"C\"'",
        "run weather city=Bern --json days=3 --timeout 10",
        "run weather --kwargs '{\"a\": 1}' --args '[1]' --env HOME --env A=B",
        "run weather --kwargs -",
        "run weather --kwargs=-",
        "run weather --kwargs=",
        "run weather -- --city=Bern -x",
        "run weather - =",
        "run weather --stdin-as text --stdin-as other",
        "info weather --json",
        "remove a b c --json",
        "completion zsh",
        "index list",
        "--store /a index update team --json",
        "index remove --store /a -- team",
    ],
)
def test_both_readers_read_the_same(line):
    argv = shlex.split(line)
    assert read_quickly(argv) is not None
    assert read_quickly(argv) == read_by_click(argv)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lst", "There is no command `lst`"),
        ("list --jsn", "`plughost list` has no option `--jsn`"),
        ("list --js", "`plughost list` has no option `--js`"),
        ("list weather", "Got unexpected extra argument (weather)"),
        ("list --json=yes", "Option `--json` does not take a value"),
        ("add", "`plughost add` needs `SOURCE`"),
        ("add weather --name", "Option `--name` requires an argument"),
        ("add weather --installer conda", "`--installer`: `conda` is not one of `pip`, `uv`"),
        ("completion tcsh", "`SHELL`: `tcsh` is not one of `bash`, `zsh`, `fish`"),
        ("remove", "`plughost remove` needs `NAME...`"),
        ("--verbose list", "`plughost` has no option `--verbose`"),
        ("index", None),
        ("index ad", "There is no command `index ad`"),
        ("index add", "`plughost index add` needs `NAME`"),
        ("index list --jsn", "`plughost index list` has no option `--jsn`"),
        ("index --jsn list", "`plughost index` has no option `--jsn`"),
    ],
)
def test_a_mistake_is_left_to_click_and_named_in_our_words(line, message):
    argv = shlex.split(line)
    assert read_quickly(argv) is None
    assert read_by_click(argv) == message


@pytest.mark.parametrize("argv", [["add", "weather", "--name", "--force"], ["add", "weather", "--name=--force"]])
def test_an_option_is_not_taken_for_the_value_of_another(argv):
    assert read_quickly(argv) is None
    assert read_by_click(argv) == "Option `--name` requires an argument"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("lisst", "Did you mean `plughost list`?"),
        ("zzz", "`plughost --help` shows what it takes"),
        ("index lst", "Did you mean `plughost index list`?"),
        ("index zzz", "`plughost index --help` shows what it takes"),
    ],
)
def test_an_unknown_command_is_told_what_is_near(line, hint):
    with pytest.raises(UsageError) as caught:
        _click.run(line.split(), Context())
    assert caught.value.hint == hint


@every_command
def test_examples_are_valid_command_lines(name):
    for line, _ in COMMANDS[name].examples:
        argv = shlex.split(re.split(" [<>]+ ", line)[0])
        assert (read_quickly(argv) or [None])[0] == name, line


@every_command
def test_the_overview_has_every_command(plughost_command, name):
    word, _, second = name.partition(" ")
    page = plughost_command(*([word, "--help"] if second else ["--help"])).stdout
    assert re.search(rf"^  {name} +{re.escape(COMMANDS[name].summary)}$", page, re.MULTILINE)


def test_the_overview_has_one_line_for_the_commands_that_share_their_first_word(plughost_command):
    family = COMMANDS.family("index")
    overview = plughost_command("--help").stdout
    assert re.findall(r"^  index .*$", overview, re.MULTILINE) == [f"  {'index':<26}{family.summary}"]
    pages = {plughost_command(*argv).stdout for argv in (["index"], ["index", "-h"], ["--store", "/a", "index", "--help"])}
    assert len(pages) == 1
    assert "Usage: plughost index [OPTIONS] COMMAND …" in pages.pop()


def test_global_options_may_stand_between_the_words_of_a_command():
    assert read_by_click(["-q", "index", "--store", "/a", "list", "--json"]) == read_quickly(
        ["index", "list", "-q", "--store", "/a", "--json"]
    )


def test_the_overview_is_the_same_however_it_is_asked_for(plughost_command):
    pages = {plughost_command(*argv).stdout for argv in ([], ["-h"], ["--help"], ["--store", "/a", "--help"])}
    assert len(pages) == 1
    assert "[env: PLUGHOST_HOME]" in pages.pop()


@every_command
def test_help_shows_every_option_and_examples(plughost_command, name):
    completed = plughost_command(*name.split(), "--help")
    assert completed.returncode == 0
    for parameter in (*COMMANDS[name].parameters, *GLOBAL_OPTIONS):
        assert (parameter.flags[0] if parameter.flags else parameter.metavar) in completed.stdout
        assert not parameter.env or f"[env: {parameter.env}]" in completed.stdout
    for line, _ in COMMANDS[name].examples:
        assert f"plughost {line}" in completed.stdout


@every_command
def test_the_reference_has_every_command_with_every_option(name):
    parts = dict(re.findall(r"^## plughost ([\w ]+)\n(.*?)(?=^## )", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    for parameter in COMMANDS[name].parameters:
        for flag in parameter.flags:
            assert flag in parts[name]
        if parameter.flags and parameter.metavar:
            metavar = parameter.metavar.replace("|", "\\|")
            assert f"| `{parameter.flags[0]} {metavar}` |" in parts[name]


def test_the_reference_has_the_global_options_and_variables():
    text = PAGE.read_text(encoding="utf-8")
    for parameter in GLOBAL_OPTIONS:
        assert all(f"`{flag}" in text for flag in parameter.flags)
        assert not parameter.env or f"| `{parameter.env}` |" in text


@pytest.mark.parametrize("argv", [["--version"], ["-V"], ["--quiet", "--version"]])
def test_version(plughost_command, argv):
    import plughost

    assert plughost_command(*argv).stdout == f"plughost {plughost.__version__}\n"


def test_an_app_has_the_commands_among_its_own(tmp_path):
    app = click.Group("app")
    app.add_command(commands("myapp", store=tmp_path / "store", name="plugins"))

    def run(*argv):
        return CliRunner().invoke(app, ["plugins", *argv], prog_name="app")

    assert run("list").output == "Nothing is installed yet\n\nhint: `app plugins add SOURCE` adds a plugin\n"
    assert run("info", "weather").output.endswith("hint: Nothing is installed yet: `app plugins add SOURCE` adds a plugin\n")
    unknown = run("info", "weather")
    assert (unknown.exit_code, unknown.output.splitlines()[0]) == (3, "error: No plugin named `weather` is installed")
    assert "Usage: app plugins [OPTIONS] COMMAND" in run("--help").output
    assert "--store" not in run("--help").output + run("add", "--help").output
    assert run("completion", "bash").exit_code == 2
    assert "completion" not in run("--help").output


def test_an_app_that_brings_no_store_lets_its_users_choose(tmp_path):
    app = commands("myapp")
    listed = CliRunner().invoke(app, ["list", "--store", str(tmp_path)], prog_name="plugins")
    assert f"`plugins --store {tmp_path} add SOURCE`" in listed.output
