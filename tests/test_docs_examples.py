"""The pages, followed to the letter: what they have a reader write is written, what is typed is run, and gives what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial" / "first-plugin.md"
WRITE = ROOT / "docs" / "how-to" / "write-a-plugin.md"
USE = ROOT / "docs" / "how-to" / "use-from-python.md"

BUILD_SYSTEM = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'

#: What the pages take for granted: the packages of a team.
WEATHER = """
def forecast(city: str, days: int = 1) -> list[float]:
    '''Say how warm it will be.'''
    print("asking about", city)
    if city == "Atlantis":
        raise ValueError("no such city")
    return [11.5, 12.0, 9.5][:days]
"""
LOG_READER = """
def follow(path: str):
    yield from ("all is well", "an error", "nobody should read on")

def errors(lines):
    return (line for line in lines if "error" in line)
"""

#: What is different each time: commits, times and sizes.
VARYING = re.compile(r"`[0-9a-f]{7}`|\d+ packages?, [\d.]+ s|[\d.]+ [KM]iB")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


class Reader:
    """Somebody at a terminal, in a folder, with `plughost` on the path and a store of their own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def type(self, block: str) -> None:
        """Type each command of a block of the page; what it prints must be what stands below it there, if anything does."""
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            if command.startswith("cd "):
                self.folder /= command.removeprefix("cd ")
                continue
            code, printed = self.run("/bin/sh", "-c", command)
            assert (code != 0) == shown.startswith("error:"), f"{command}\n{printed}"
            if shown:
                assert VARYING.sub("…", printed) == VARYING.sub("…", shown), command

    def run(self, *argv: str) -> tuple[int, str]:
        """The exit code, and what the terminal shows: results, and the errors of what fails; no progress and no side remarks."""
        ours, terminal = os.openpty()
        streams = {"stdin": subprocess.DEVNULL, "stdout": terminal, "stderr": subprocess.PIPE}
        try:
            completed = subprocess.run(argv, cwd=self.folder, env=self.environment, check=False, **streams)
            os.write(terminal, b"\0")  # an end that can be waited for: where nothing was printed, there is nothing to read
            printed = b""
            while not printed.endswith(b"\0"):
                printed += os.read(ours, 1 << 16)
        finally:
            os.close(ours)
            os.close(terminal)
        errors = completed.stderr.decode() if completed.returncode else ""
        return completed.returncode, printed[:-1].decode().replace("\r\n", "\n") + errors

    def execute(self, program: str) -> str:
        code, printed = self.run(sys.executable, "-c", program)
        assert code == 0, printed
        return printed


@pytest.fixture
def reader(tmp_path, store, clean_environment) -> Reader:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, started in (("plughost", f'"{sys.executable}" -m plughost'), ("python", f'"{sys.executable}"')):
        (programs / name).write_text(f'#!/bin/sh\nexec {started} "$@"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    (tmp_path / "gitconfig").write_text(
        f'[user]\nname = Ada\nemail = ada@example.org\n[url "{tmp_path.as_uri()}/team/"]\ninsteadOf = https://example.org/team/\n',
        encoding="utf-8",
    )
    folder = tmp_path / "desk"
    folder.mkdir()
    environment = {
        **clean_environment,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PLUGHOST_HOME": str(store),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "NO_COLOR": "1",
    }
    return Reader(folder, environment)


@pytest.fixture
def team(tmp_path, commit):
    """`team("weather", "1.2", code, "forecast")` is a repository at `https://example.org/team/weather.git`, with a tag."""

    def make(name: str, version: str, code: str, *tools: str) -> Path:
        folder = tmp_path / "team" / f"{name}.git"
        module = name.replace("-", "_")
        folder.mkdir(parents=True)
        project = f'[project]\nname = "{name}"\nversion = "{version}"\n'
        offered = "[project.entry-points.plughost]\n" + "".join(f'{tool} = "{module}:{tool}"\n' for tool in tools)
        (folder / "pyproject.toml").write_text(BUILD_SYSTEM + project + offered, encoding="utf-8")
        (folder / f"{module}.py").write_text(code, encoding="utf-8")
        commit(folder)
        subprocess.run(["git", "-C", folder, "tag", f"v{version}"], check=True)
        return folder

    return make


def test_the_minute_of_the_readme(reader, team):
    team("weather", "1.2", WEATHER, "forecast")
    _try_it, *examples = blocks(README, "console")
    for block in examples:
        reader.type(block)
    (program,) = (block for block in blocks(README, "python") if "host.add(" in block)
    assert reader.execute(program + "    print(warm)\n").endswith("[11.5, 12.0, 9.5]\n")


def test_the_tutorial(reader):
    _install, enter, *rest = blocks(TUTORIAL, "console")
    module, program = blocks(TUTORIAL, "python")
    reader.type(enter)
    for name, text in (("pyproject.toml", blocks(TUTORIAL, "toml")[0]), ("wordcount.py", module), ("program.py", program)):
        (reader.folder / name).write_text(text, encoding="utf-8")
    for block in rest:
        if "Give five words" in block:
            text = TUTORIAL.read_text(encoding="utf-8")
            ((old, new, name),) = re.findall(r"^Change `(.+)` to `(.+)` in `(.+)`", text, re.MULTILINE)
            assert old in module
            (reader.folder / name).write_text(module.replace(old, new), encoding="utf-8")
        reader.type(block)


def test_the_plugins_that_are_shown_to_authors(reader):
    toml, yaml = blocks(WRITE, "toml")[0], blocks(WRITE, "yaml")[0]
    new, old = (module.replace("...", "return {'C': city}") for module in blocks(WRITE, "python"))
    for folder, name, text, module in (("new", "pyproject.toml", BUILD_SYSTEM + toml, new), ("old", "package.yaml", yaml, old)):
        (reader.folder / folder).mkdir()
        (reader.folder / folder / name).write_text(text, encoding="utf-8")
        (reader.folder / folder / "weather.py").write_text(module, encoding="utf-8")
    reader.type("$ plughost add --quiet ./new\n$ plughost run weather city=Bern day=2026-06-01\n" + '{\n  "C": "Bern"\n}\n')
    reader.type("$ plughost add --quiet --force ./old\n$ plughost run weather city=Bern\n" + '{\n  "C": "Bern"\n}\n')


def test_the_programs_that_use_plugins(reader, team):
    team("weather", "1.2", WEATHER, "forecast")
    log_reader = team("log-reader", "1.0", LOG_READER, "follow", "errors")
    reader.type(f"$ plughost add --quiet git+{log_reader.as_uri()}")
    printed = [reader.execute(program) for program in blocks(USE, "python")]
    assert printed[1] == "[11.5]\n"
    assert printed[2].startswith("[[11.5], [11.5], [11.5]]\nall is well\n")
    assert printed[5] == "an error\n"
    assert "no such city" in printed[6]
    assert re.fullmatch(r"asking about Bern\n\[11\.5\] [\d.]+\n", printed[7])
    assert "\n" in printed[8]
