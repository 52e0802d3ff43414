"""How errors are printed, and what the command does where plughost itself, the terminal or the disk fails."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plughost import Progress
from plughost.cli._printer import Printer, compact, home_as_tilde, indented
from plughost.cli._progress import ProgressLine
from plughost.cli._terminal import Stream
from plughost.errors import BuildError, PlughostError, PluginError

WHOLE = BuildError(
    "Failed to build a wheel from `weather-tools` at `3f2a1c0`",
    reference="build-failed",
    causes=["`uv build` exited with code 2", "`build-system.requires` is missing\nin `pyproject.toml`"],
    hint="Add a `[build-system]` table to `pyproject.toml`",
    log="/var/log/wheel.log",
)


@pytest.fixture
def printed(monkeypatch):
    """`printed(error, color=True)` is what the printer writes to the standard error."""

    def print_error(error, *, color=False):
        stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        monkeypatch.setattr(sys, "stderr", stderr)
        Printer(color=color).error(error)
        return stderr.buffer.getvalue().decode()

    return print_error


def test_an_error_has_message_causes_log_and_hint(printed):
    assert printed(WHOLE) == (
        "error: Failed to build a wheel from `weather-tools` at `3f2a1c0`\n"
        "  Caused by: `uv build` exited with code 2\n"
        "  Caused by: `build-system.requires` is missing\n"
        "    in `pyproject.toml`\n"
        "log: /var/log/wheel.log\n"
        "\n"
        "hint: Add a `[build-system]` table to `pyproject.toml`\n"
    )


def test_colors_change_no_text(printed):
    colored = printed(WHOLE, color=True)
    assert colored.startswith("\x1b[1;31merror\x1b[0m: Failed to build a wheel from \x1b[36m`weather-tools`\x1b[0m at")
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == printed(WHOLE)


def test_the_traceback_of_a_plugin_comes_first(printed):
    error = PluginError("`weather:forecast` raised ValueError: no city", reference="plugin-raised")
    error.remote_traceback = "Traceback …\nValueError: no city\n"
    assert printed(error) == "Traceback …\nValueError: no city\nerror: `weather:forecast` raised ValueError: no city\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("log: /home/ada/.local/x.log", "log: ~/.local/x.log"),
        ("`/home/ada`", "`~`"),
        ("/home/ada/a\n/home/ada/b", "~/a\n~/b"),
        ("/home/adamant/x", "/home/adamant/x"),
        ("/srv/home/ada/x", "/srv/home/ada/x"),
        ("git+file:///home/ada/x", "git+file:///home/ada/x"),
    ],
)
def test_home_is_a_tilde_where_a_path_begins(monkeypatch, text, shown):
    monkeypatch.setenv("HOME", "/home/ada")
    assert home_as_tilde(text) == shown


@pytest.mark.parametrize(
    ("variables", "color"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
    ],
)
def test_the_environment_says_whether_there_are_colors(plughost_command, variables, color):
    for argv in (["--help"], ["add", "--help"], ["--quiet", "--help"]):
        assert ("\x1b[" in plughost_command(*argv, env=variables).stdout) is color, argv
    assert ("\x1b[" in plughost_command("info", "weather", env=variables).stderr) is color


def test_the_options_say_it_louder(plughost_command):
    assert "\x1b[" in plughost_command("--color", "info", "weather", env={"NO_COLOR": "1"}).stderr
    assert "\x1b[" not in plughost_command("info", "weather", "--no-color", env={"FORCE_COLOR": "1"}).stderr


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, "€"]}, '{"a":[1,null,"€"]}'),
        ("\ud800", '"\\ud800"'),
        (b"\x00\xff", '"AP8="'),
        ([b"", "\ud800"], '["","\\ud800"]'),
        (float("nan"), '"NaN"'),
        ({"result": 1, "error": {1}}, '{"result":1,"error":[1]}'),
        ((1, (2,)), "[1,[2]]"),
    ],
)
def test_every_value_has_a_json_form(value, text):
    assert compact(value) == text
    assert re.sub(r"\n *|(?<=:) ", "", indented(value)) == text


@pytest.mark.parametrize("argv", [["info", "weather"], ["lisst"], ["list", "--jsn"], ["run", "weather", "--timeout"]])
def test_with_json_every_error_is_a_document(plughost_command, argv):
    completed = plughost_command(*argv, "--json")
    record = completed.json()["error"]
    assert completed.returncode == record["exit_code"] in {2, 3}
    assert completed.stderr == ""
    assert record["message"] in plughost_command(*argv).stderr


#: A fault of plughost's own, of which none is known: a function of it is replaced by one that fails.
FAULTY = """
from plughost import registry
from plughost.__main__ import main

registry.summaries = lambda _: 1 / 0
main()
"""


@pytest.fixture
def faulty_command(clean_environment, store):
    def run(*argv, **env):
        environment = {**clean_environment, "PLUGHOST_HOME": str(store), **env}
        return subprocess.run([sys.executable, "-c", FAULTY, *argv], env=environment, capture_output=True, text=True, check=False)

    return run


def test_an_unforeseen_error_is_one_error_with_a_log(faulty_command):
    completed = faulty_command("list")
    assert completed.returncode == 6
    assert "Traceback" not in completed.stderr
    found = re.fullmatch(
        r"error: plughost failed in a way that it should not\n"
        r"  Caused by: ZeroDivisionError: division by zero\n"
        r"log: (.*)\n\n"
        r"hint: Please report it, with the log\n",
        completed.stderr,
    )
    assert found, completed.stderr
    assert "Traceback (most recent call last)" in Path(found[1]).read_text(encoding="utf-8")
    assert json.loads(faulty_command("list", "--json").stdout)["error"]["reference"] == "internal"


def test_the_traceback_is_shown_on_demand(faulty_command):
    stderr = faulty_command("list", PLUGHOST_DEBUG="1").stderr
    assert stderr.startswith("Traceback (most recent call last)")
    assert "error: plughost failed" in stderr


def with_output_to(environment, stdout, *argv):
    return subprocess.run(
        [sys.executable, "-m", "plughost", *argv], env=environment, stdout=stdout, stderr=subprocess.PIPE, check=False
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["list", "--json"], ["completion", "zsh"]])
def test_a_full_disk_is_an_error(clean_environment, argv):
    with open("/dev/full", "wb") as full:
        completed = with_output_to(clean_environment, full, *argv)
    assert completed.returncode == 6
    assert completed.stderr == b"error: The standard output can't be written\n  Caused by: No space left on device\n"


def test_a_stream_that_was_never_there_takes_everything(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    stream = Stream("stdout")
    stream.write("nowhere")
    assert not stream.is_terminal


def test_text_that_the_stream_has_no_form_for_is_escaped(monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    Stream("stdout").write("Zürich\n")
    assert stdout.buffer.getvalue() == b"Z\\xfcrich\n"


def test_progress_is_one_line_that_leaves_no_trace(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as stderr, ProgressLine(terminal(monkeypatch, stderr), quiet=False) as progress:
        progress(Progress(stage="venv", detail="Installing 4 packages", packages=4))
        drawn = os.read(ours, 4096)
    while not drawn.endswith(b"s\r\x1b[K"):
        drawn += os.read(ours, 4096)
    os.close(ours)
    assert re.fullmatch(rb"(\r\x1b\[KInstalling 4 packages  \d+\.\d s)+\r\x1b\[K", drawn)


@pytest.mark.parametrize(("kind", "quiet"), [("dumb", False), ("xterm", True)])
def test_progress_is_silent_where_it_can_not_be_erased_or_is_not_wanted(monkeypatch, kind, quiet):
    monkeypatch.setenv("TERM", kind)
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as stderr:
        with ProgressLine(terminal(monkeypatch, stderr), quiet=quiet) as progress:
            progress(Progress(stage="source", detail="Resolving weather"))
        stderr.write("end")
    assert os.read(ours, 4096) == b"end"
    os.close(ours)


def terminal(monkeypatch, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    return Stream("stderr", color=False)


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("`info weather` shows its tools", "`app plugins info weather` shows its tools"),
        ("Add it with `--force`, or `remove weather`", "Add it with `--force`, or `app plugins remove weather`"),
        ("Installed are `info`, `list`", "Installed are `info`, `list`"),
        ("`git ls-remote URL` lists them", "`git ls-remote URL` lists them"),
    ],
)
def test_a_command_in_a_hint_is_printed_as_it_is_typed(capfd, hint, shown):
    printer, error = Printer(color=False, command="app plugins"), PlughostError("It failed", hint=hint)
    printer.error(error)
    printer.error(error, as_json=True)
    printed = capfd.readouterr()
    assert printed.err == f"error: It failed\n\nhint: {shown}\n"
    assert json.loads(printed.out)["error"]["hint"] == shown
    assert error.record()["hint"] == hint


def test_a_hint_names_the_store_that_was_chosen(plughost_command, tmp_path):
    chosen = tmp_path / "the store"
    hint = plughost_command("list", "--store", str(chosen)).stderr.splitlines()[-1]
    assert hint == f"hint: `plughost --store '{chosen}' add SOURCE` adds a plugin"


def test_an_error_begins_a_line_of_its_own(capfd):
    printer = Printer(color=False)
    printer.err.write(b"half a line")
    printer.error(PlughostError("It failed"))
    assert capfd.readouterr().err == "half a line\nerror: It failed\n"


def test_what_a_terminal_would_obey_is_escaped(printed):
    error = PluginError("`a` raised \x1b]0;title\x07", causes=["two\nlines\x9b"], hint="`info \x1b[2J` shows it")
    assert printed(error) == (
        "error: `a` raised \\x1b]0;title\\x07\n  Caused by: two\n    lines\\x9b\n\nhint: `plughost info \\x1b[2J` shows it\n"
    )


def test_what_json_leaves_and_a_terminal_would_obey_is_escaped(capfd):
    printer = Printer(color=False)
    printer.json("\x1b[2J\x9b2J\x7f")
    printer.out.is_terminal = True
    printer.json(["\x1b[2J\x9b2J\x7f"])
    piped, *shown = capfd.readouterr().out.splitlines()
    assert piped == '"\\u001b[2J\x9b2J\x7f"'
    assert shown == ["[", '  "\\u001b[2J\\u009b2J\\u007f"', "]"]


def test_of_what_a_terminal_obeys_a_line_has_only_our_colors(capfd):
    printer = Printer(color=True)
    printer.line(f"{printer.out.paint('yellow', 'note')}: \x1b[2J\x1b]0;title\x07\x1b[8m\x9b")
    assert capfd.readouterr().out == "\x1b[33mnote\x1b[0m: \\x1b[2J\\x1b]0;title\\x07\\x1b[8m\\x9b\n"
