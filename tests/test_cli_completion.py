"""What a shell offers for a word: asked as the shells' scripts ask, and by a real bash."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = ["echo", "hazards", "hooks", "values"]
TOOLS = ["add", "context", "countdown", "double", "echo", "greet", "ticks"]


@pytest.fixture
def run(plughost_command, shared_host):
    """`run("list")` runs the command on the store that all tests share."""
    return lambda *argv, env=None: plughost_command(*argv, env={"PLUGHOST_HOME": str(shared_host.store.root), **(env or {})})


def question(words, shell="bash"):
    return {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_PLUGHOST_COMPLETE": f"{shell}_complete"}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("plughost inf", ["info"]),
        ("plughost index ", ["add", "list", "remove", "update", "build"]),
        ("plughost index update --js", ["--json"]),
        ("plughost info ", PLUGINS),
        ("plughost remove echo ", PLUGINS[1:]),
        ("plughost run ec", ["echo"]),
        ("plughost run echo:a", ["echo:add"]),
        ("plughost run echo : co", ["context", "countdown"]),
        ("plughost run echo :", TOOLS),
        ("plughost add --inst", ["--installer"]),
        ("plughost completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_a_shell_is_offered_what_fits(run, words, offered):
    assert [line.partition(",")[2] for line in run(env=question(words)).stdout.split()] == offered


def test_nothing_is_offered_by_a_store_that_cannot_be_read(plughost_command, store):
    (store / "plugins").mkdir()
    (store / "plugins" / "plughost").symlink_to("plughost")  # to itself
    completed = plughost_command(env=question("plughost info "))
    assert (completed.returncode, completed.stdout.strip(), completed.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_the_command(run, shell):
    assert f"_PLUGHOST_COMPLETE={shell}_complete" in run("completion", shell).stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [(["run", "h"], ["hazards", "hooks"]), (["run", "echo", ":", "a"], ["add"]), (["info", "--js"], ["--json"])],
)
def test_a_bash_that_has_read_the_script_completes(run, shared_host, clean_environment, tmp_path, words, offered):
    program = tmp_path / "bin" / "plughost"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m plughost "$@"\n')
    program.chmod(0o755)
    Path(tmp_path, "script").write_text(run("completion", "bash").stdout)
    line = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plughost_completion "$1"; echo "${COMPREPLY[@]}"'
    path = f"{program.parent}:{clean_environment['PATH']}"
    completed = subprocess.run(
        ["bash", "--norc", "-c", line, "bash", str(tmp_path / "script"), "plughost", *words],
        env={**clean_environment, "PATH": path, "PLUGHOST_HOME": str(shared_host.store.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.stdout.split(), completed.stderr) == (offered, "")
