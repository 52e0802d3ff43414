"""`plughost update` against `uv tool upgrade` after a further commit with the same dependencies; and a rollback, a whole process.

Both make the wheel of the new commit and an environment with it. plughost also checks that calls that were right still are, and
keeps the old version. Needs the package index.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from measure import PLUGHOST, UV, by_turns, environment, head, repository, row, run, time_s

DEPENDENCIES = ("click==8.1.8", "idna==3.10", "tomli-w==1.2.0")


class Place:
    """A repository that moves on, installed by both."""

    def __init__(self, folder: Path, dependencies: tuple[str, ...]) -> None:
        self.repository = folder / "repository"
        source = repository(self.repository, dependencies=dependencies)
        self.env = environment(
            PLUGHOST_HOME=str(folder / "store"),
            UV_CACHE_DIR=str(folder / "cache"),
            UV_TOOL_DIR=str(folder / "tools"),
            UV_TOOL_BIN_DIR=str(folder / "bin"),
        )
        run([PLUGHOST, "add", source], self.env)
        run([UV, "tool", "install", "--quiet", source], self.env)

    def commit(self) -> None:
        module = self.repository / "trivial" / "__init__.py"
        module.write_text(module.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
        git = ["git", "-C", str(self.repository), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run([*git, "commit", "--quiet", "--all", "--message=More"], check=True)

    def time_update(self) -> float:
        self.commit()
        return time_s([PLUGHOST, "update", "trivial"], self.env)

    def time_upgrade(self) -> float:  # by turns with the update, of the same commit
        return time_s([UV, "tool", "upgrade", "--quiet", "trivial"], self.env)

    def time_rollback(self) -> float:
        return time_s([PLUGHOST, "rollback", "trivial"], self.env)

    def time_version(self) -> float:
        return time_s([PLUGHOST, "--version"], self.env)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="how often each is measured")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary:
        for dependencies in ((), DEPENDENCIES):
            place = Place(Path(temporary, str(len(dependencies))), dependencies)
            head("plughost", "uv tool")
            row(f"update, {len(dependencies)} dependencies", *by_turns(rounds, place.time_update, place.time_upgrade), 1.0)
        head("rollback", "--version")
        row("rollback (100 ms in all)", *by_turns(4, place.time_rollback, place.time_version))


if __name__ == "__main__":
    main()
