"""`plughost add` against `uv tool install`, for the same git repository.

Both make a virtual environment with the package and its dependencies. plughost also locks them, keeps the lock, checks every
file, and starts the plugin once. Needs the package index; the cold rows depend on how fast that answers.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from measure import PLUGHOST, UV, by_turns, environment, head, repository, row, run, time_s

DEPENDENCIES = ("click==8.1.8", "idna==3.10", "tomli-w==1.2.0")


class Place:
    """Where both install to: a store for one, a cache and a folder of tools for the other."""

    def __init__(self, folder: Path, source: str) -> None:
        self.env = environment(
            PLUGHOST_HOME=str(folder / "store"),
            UV_CACHE_DIR=str(folder / "cache"),
            UV_TOOL_DIR=str(folder / "tools"),
            UV_TOOL_BIN_DIR=str(folder / "bin"),
        )
        self.add = [PLUGHOST, "add", source]
        self.install = [UV, "tool", "install", "--quiet", source]

    def time_add(self) -> float:
        return time_s(self.add, self.env)

    def time_install(self) -> float:
        return time_s(self.install, self.env)

    def time_add_anew(self) -> float:
        run([PLUGHOST, "remove", "trivial"], self.env)
        return self.time_add()

    def time_install_anew(self) -> float:
        run([UV, "tool", "uninstall", "--quiet", "trivial"], self.env)
        return self.time_install()


def time_cold(folder: Path, source: str, side: str) -> float:
    """One install with nothing at all in the caches."""
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        place = Place(Path(empty), source)
        return place.time_add() if side == "plughost" else place.time_install()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=11, help="how often each is measured; cold ones a third as often, at least 3 times"
    )
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary:
        folder = Path(temporary)
        head("plughost", "uv tool")
        for dependencies, target in (((), None), (DEPENDENCIES, 1.5)):
            count = f"{len(dependencies)} dependencies"
            source = repository(folder / f"source-{len(dependencies)}", dependencies=dependencies)
            warm = Place(folder / f"warm-{len(dependencies)}", source)
            run(warm.add, warm.env)
            run(warm.install, warm.env)
            row(f"warm, {count}", *by_turns(rounds, warm.time_add_anew, warm.time_install_anew), target)
            row(f"the same commit again, {count}", *by_turns(rounds, warm.time_add, warm.time_install), 0.5)
            cold = [partial(time_cold, folder, source, side) for side in ("plughost", "uv")]
            row(f"cold, {count}", *by_turns(max(3, rounds // 3), *cold), 1.1)


if __name__ == "__main__":
    main()
