"""`new`: a git repository from a template, asked for on a terminal, and nothing where it is broken off."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tomllib

import pytest

NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def settings(**given):
    """The environment that has git take these settings and no others; `_` stands for the dot in a name."""
    pairs = [(name.replace("_", "."), value) for name, value in given.items()]
    keys = {f"GIT_CONFIG_KEY_{number}": name for number, (name, _) in enumerate(pairs)}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(pairs)}
    return {**NOBODY, **keys, **values, "GIT_CONFIG_COUNT": str(len(pairs))}


ADA = settings(user_name="Ada", user_email="ada@example.org")


def git(folder, *arguments):
    completed = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True)
    return completed.stdout.strip()


def project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def terminal(tmp_path, clean_environment):
    """`terminal("new", "x")` starts the command on a terminal; `.answer(question, text)` waits for a question."""
    started = []

    class Terminal:
        def __init__(self, *arguments, env=ADA):
            self.screen, far = pty.openpty()
            environment = {**clean_environment, **env, "TERM": "dumb"}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "plughost", *arguments],
                env=environment,
                cwd=tmp_path,
                stdin=far,
                stdout=far,
                stderr=far,
                start_new_session=True,
            )
            os.close(far)
            self.seen = ""
            started.append(self)

        def read_until(self, text):
            """What comes up to `text`; "" stands for the end."""
            while not text or text not in self.seen:
                assert select.select([self.screen], [], [], 60)[0], f"no {text!r} in {self.seen!r}"
                try:
                    chunk = os.read(self.screen, 4096)
                except OSError:  # the other end is closed
                    chunk = b""
                if not chunk:
                    assert not text, f"no {text!r} in {self.seen!r}"
                    break
                self.seen += chunk.decode()
            before, _, self.seen = self.seen.partition(text) if text else (self.seen, "", "")
            return before

        def answer(self, question, text):
            before = self.read_until(question)
            os.write(self.screen, text.encode() + b"\n")
            return before

    yield Terminal
    for each in started:
        each.process.kill()
        each.process.wait()
        os.close(each.screen)


def test_a_terminal_is_asked_and_enter_takes_what_stands_there(terminal, tmp_path):
    new = terminal("new", "weather-tools")
    listed = new.answer("Template [tool]: ", "nonsense")
    assert "2  hooks" in listed
    new.answer("Template [tool]: ", "2")
    new.answer("Description [The weather-tools plugin.]: ", 'It has "quotes"')
    new.answer("Author [Ada <ada@example.org>]: ", "")
    told = new.read_until("")
    assert new.process.wait(60) == 0
    assert "uv run pytest" in told
    made = project(tmp_path / "weather-tools")
    assert made["description"] == 'It has "quotes"'
    assert made["authors"] == [{"name": "Ada", "email": "ada@example.org"}]
    assert "weather-tools" in made["entry-points"]["plughost"]


def test_what_is_given_is_not_asked_for(terminal, tmp_path):
    new = terminal("new", "x", "--template", "tool", "--author", "Zoë", "--description", "Short", "--no-git")
    assert "[" not in new.read_until("")
    assert project(tmp_path / "x")["authors"] == [{"name": "Zoë"}]


@pytest.mark.parametrize("end", [signal.SIGINT, None])
def test_breaking_off_leaves_nothing(terminal, tmp_path, end):
    before = sorted(tmp_path.iterdir())
    new = terminal("new", "weather")
    new.answer("Template [tool]: ", "")
    new.read_until("Description")
    if end:
        new.process.send_signal(end)
    else:
        os.write(new.screen, b"\x04")  # Ctrl-D
    assert new.process.wait(60) == 130
    assert "interrupted" in new.read_until("").replace("\r", "")
    assert sorted(tmp_path.iterdir()) == before


def test_outside_of_a_terminal_nothing_is_asked(plughost_command, tmp_path):
    ran = plughost_command("new", "my-tool", env=ADA, stdin="garbage\n")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Made `my-tool` from the template `tool`, a git repository\n\nNext:\n  cd my-tool\n")
    assert git(tmp_path / "my-tool", "status", "--porcelain") == ""
    assert git(tmp_path / "my-tool", "log", "--format=%an %ae: %s") == "Ada ada@example.org: Make my-tool from the template tool"
    assert git(tmp_path / "my-tool", "branch", "--show-current") == "main"


def test_where_git_knows_nobody_the_author_makes_the_commit(plughost_command, tmp_path):
    ran = plughost_command("new", "a-b", "--author", "Zoë <z@example.org>", "--json", env=NOBODY)
    assert ran.json() == {
        "folder": str(tmp_path / "a-b"),
        "template": "tool",
        "repository": True,
        "steps": ran.json()["steps"],
    }
    assert git(tmp_path / "a-b", "log", "--format=%an <%ae>") == "Zoë <z@example.org>"
    plughost_command("new", "c-d", env=NOBODY)
    assert git(tmp_path / "c-d", "log", "--format=%an") == "The c-d authors"


def test_the_users_hooks_and_signatures_are_left_out(plughost_command, tmp_path):
    hook = tmp_path / "hooks" / "post-commit"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    mine = settings(core_hooksPath=str(hook.parent), commit_gpgsign="true", gpg_program="false", user_name="A", user_email="a@b")
    ran = plughost_command("new", "x-y", env=mine)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not (tmp_path / "ran").exists()


def test_within_a_repository_it_is_made_only_if_forced_and_then_as_a_part_of_it(plughost_command, tmp_path):
    git(tmp_path, "init", "--quiet", "outer")
    outer = tmp_path / "outer"
    refused = plughost_command("new", "weather", cwd=outer)
    assert refused.returncode == 2
    assert f"would be in the git repository `{outer}`" in refused.stderr
    assert [path.name for path in outer.iterdir()] == [".git"]
    assert plughost_command("new", "weather", "--force", cwd=outer).returncode == 0
    assert plughost_command("new", "rain", "--no-git", cwd=outer).returncode == 0
    assert not list(outer.glob("*/.git"))


def test_without_git_there_is_a_folder_and_a_word_about_it(plughost_command, tmp_path):
    ran = plughost_command("new", "weather", env={"PATH": str(tmp_path)})
    assert "it is no git repository, since there is no `git`" in ran.stdout
    assert f"{sys.executable} -m uv run pytest" in ran.stdout
    assert not (tmp_path / "weather" / ".git").exists()


@pytest.mark.parametrize(
    ("template", "step"),
    [
        ("tool", "-m venv .venv && .venv/bin/pip install --editable . pytest && .venv/bin/pytest"),
        ("app", "-m pip install --editable . pytest"),
    ],
)
def test_without_any_uv_the_next_steps_do_without_it(tmp_path, template, step):
    without_uv = "import sys; sys.modules['uv'] = None; from plughost.__main__ import main; main()"
    argv = [sys.executable, "-c", without_uv, "new", "weather", "--template", template, "--no-git", "--json"]
    environment = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, check=True)
    assert f"{sys.executable} {step}" in [each["run"] for each in json.loads(ran.stdout)["steps"]]


def test_an_empty_folder_is_filled_and_stays_the_same_folder(plughost_command, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    before = folder.stat().st_ino
    assert plughost_command("new", "weather", "--into", ".", cwd=folder, env=ADA).returncode == 0
    assert folder.stat().st_ino == before
    assert (folder / ".git").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "home", "store"]


def test_where_it_can_not_be_made_nothing_is_left(plughost_command, tmp_path):
    (tmp_path / "file").write_text("")
    ran = plughost_command("new", "weather", "--into", "file/below", env=ADA)
    assert ran.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "store"]
    broken = plughost_command("new", "weather", "--into", "new/folder", env={**ADA, "GIT_CONFIG_COUNT": "x"})
    assert broken.returncode == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "store"]


def test_hooks_are_made_for_the_project_that_is_named(plughost_command, tmp_path):
    assert plughost_command("new", "ranker", "--template", "hooks", "--project", "my.app", env=ADA).returncode == 0
    assert project(tmp_path / "ranker")["entry-points"] == {"my.app": {"ranker": "ranker"}}
    refused = plughost_command("new", "other", "--template", "hooks", "--project", 'a"b', env=ADA)
    assert (refused.returncode, (tmp_path / "other").exists()) == (2, False)
