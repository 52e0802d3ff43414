"""`dev`: each change of a plugin is described and called again, and Ctrl-C ends it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from plughost.authoring._watching import Watch

CODE = '''
def double({parameters}) -> int:
    """Take a number twice."""
    print("at work")
    return number * {factor}
'''
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "doubling"
version = "{version}"

[project.entry-points.plughost]
double = "doubling:double"
{more}
"""


def replace(path, text):
    """At once, as editors do it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "doubling"
    folder.mkdir()
    replace(folder / "doubling.py", CODE.format(parameters="number: int", factor=2))
    replace(folder / "pyproject.toml", PROJECT.format(version="1.0", more=""))
    return folder


@pytest.fixture
def dev(tmp_path, store, clean_environment):
    """`dev(folder, "double")` starts the command; `.read_until(text)` is all that it prints up to there."""
    started = []
    (tmp_path / "temporary").mkdir()

    class Dev:
        def __init__(self, *arguments):
            self.screen, far = os.pipe()
            environment = {**clean_environment, "PLUGHOST_HOME": str(store), "TMPDIR": str(tmp_path / "temporary")}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "plughost", "dev", *map(str, arguments)], env=environment, stdout=far, stderr=far
            )
            os.close(far)
            self.seen = ""
            started.append(self)

        def read_until(self, text):
            while text not in self.seen:
                assert select.select([self.screen], [], [], 60)[0], f"no {text!r} in {self.seen!r}"
                chunk = os.read(self.screen, 4096)
                assert chunk, f"no {text!r} in {self.seen!r}"
                self.seen += chunk.decode()
            before, _, self.seen = self.seen.partition(text)
            return before

        def interrupt(self):
            self.process.send_signal(signal.SIGINT)
            return self.process.wait(60)

    yield Dev
    for each in started:
        each.process.kill()
        each.process.wait()
        os.close(each.screen)


def test_each_change_is_described_and_called_again(dev, project, tmp_path, plughost_command):
    working = dev(project, "double", "--kwargs", '{"number": 4}')
    assert "Installed `doubling` 1.0 for `plughost`: `double`" in working.read_until("at work")
    working.read_until("8\n")

    replace(project / "doubling.py", CODE.format(parameters="number: int, times: int = 1", factor=3))
    told = working.read_until("12\n")
    assert "doubling.py\n" in told
    assert "`double` has a new parameter `times`" in told

    replace(project / "doubling.py", "def double(:\n")
    assert "SyntaxError" in working.read_until("can't be imported")

    replace(project / "doubling.py", CODE.format(parameters="text: str", factor=3))
    told = working.read_until("has no argument `number`")
    assert "breaking: `double` no longer has the parameter `number`" in told

    replace(project / "doubling.py", CODE.format(parameters="number: int", factor=5))
    assert "info doubling" not in working.read_until("20\n"), "it is in no store that `info` would find it in"

    replace(project / "pyproject.toml", PROJECT.format(version="2.0", more='triple = "doubling:double"'))
    assert "Installed `doubling` 2.0 for `plughost`: `double`, `triple`" in working.read_until("`triple` is new")
    working.read_until("20\n")

    assert working.interrupt() == 0
    assert list((tmp_path / "temporary").iterdir()) == []
    assert plughost_command("list", "--json").json() == []


def test_what_can_not_be_installed_yet_is_tried_again_and_what_is_kept_stays(dev, project, plughost_command):
    replace(project / "pyproject.toml", "[project")
    working = dev(project, "--keep")
    working.read_until("`pyproject.toml` can't be read")
    replace(project / "pyproject.toml", PROJECT.format(version="1.0", more=""))
    working.read_until("Installed `doubling` 1.0")
    assert working.interrupt() == 0
    replace(project / "doubling.py", CODE.format(parameters="number: int", factor=7))
    assert plughost_command("run", "doubling", "number=2").stdout == "14\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["missing"], "`missing` is no folder"), ([".", "--kwargs", "{}"], "Arguments are for a tool, and none is named")],
)
def test_a_command_line_that_makes_no_sense_is_refused(plughost_command, arguments, message):
    refused = plughost_command("dev", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr


def test_sources_are_watched_and_what_is_made_of_them_is_not(tmp_path):
    for name in ("a.py", "package/b.py", "setup.cfg", "gone.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    watch = Watch(str(tmp_path))
    for name in (".venv/x.py", "build/x.py", "__pycache__/x.py", "notes.txt", "package/new.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.utime(tmp_path / "setup.cfg", (1, 1))
    (tmp_path / "gone.py").unlink()
    assert watch.wait() == ["gone.py", "package/new.py", "setup.cfg"]
