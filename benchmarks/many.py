"""How long it takes to look, against `--version`: with a thousand plugins, and an index of ten thousand."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import tomllib
from functools import partial
from pathlib import Path

import tomli_w
from measure import PLUGHOST, by_turns, environment, head, repository, row, run, time_s

PLUGINS = 1000
LISTED = 10_000
WORDS = [
    "audio",
    "chart",
    "chat",
    "climate",
    "cloud",
    "color",
    "csv",
    "data",
    "disk",
    "geo",
    "git",
    "graph",
    "image",
    "json",
    "map",
    "plot",
    "report",
    "route",
    "text",
    "tool",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="how often each is measured")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary:
        store = Path(temporary) / "store"
        env = environment(PLUGHOST_HOME=str(store))
        run([PLUGHOST, "add", repository(Path(temporary) / "source")], env)
        multiply(store / "plugins" / "plughost" / "trivial", PLUGINS)
        listing = Path(temporary) / "index.toml"
        listing.write_text(index(LISTED), encoding="utf-8")
        run([PLUGHOST, "index", "add", "many", str(listing)], env)
        commands = [["list"], ["list", "--json"], ["info", "trivial"], ["search", "weather"], ["search", "csv"]]
        argvs = [[PLUGHOST, "--version"], *([PLUGHOST, *command] for command in commands)]
        for argv in argvs:
            run(argv, env)  # writes the bytecode and the index
        version, *taken = by_turns(rounds, *(partial(time_s, argv, env) for argv in argvs))
        head("plughost", "--version")
        for command, taken_s in zip(commands, taken, strict=True):
            row(" ".join(command), taken_s, version, 2)


def multiply(plugin: Path, count: int) -> None:
    """Put copies of an installed plugin beside it, under other names, as if each had been added."""
    revision = (plugin / "current").read_text(encoding="utf-8").split()[0]
    for number in range(count - 1):
        name = f"{plugin.name}-{number:04}"
        copy = plugin.with_name(name)
        shutil.copytree(plugin, copy)
        manifest = copy / revision / "manifest.json"
        described = json.loads(manifest.read_text(encoding="utf-8"))
        manifest.write_text(json.dumps({**described, "name": name}), encoding="utf-8")
        receipt = copy / revision / "receipt.toml"
        record = tomllib.loads(receipt.read_text(encoding="utf-8"))
        receipt.write_text(tomli_w.dumps({**record, "name": name}), encoding="utf-8")


def index(count: int) -> str:
    """An index of so many plugins; five are about the weather, and of the others many are about each other word."""
    chosen = random.Random(1)
    tables = ['format = 1\nname = "many"']
    for number in range(count):
        words = chosen.choices(WORDS, k=6)
        words[0] = "weather" if number % (count // 5) == 0 else words[0]
        tables.append(
            f"""[[plugins]]
name = "{words[0]}-{words[1]}-{number}"
source = "git+https://example.org/team/plugin-{number}.git@v1"
summary = "A plugin for {words[2]}, {words[3]} and {words[4]}"
tags = ["{words[4]}", "{words[5]}"]
"""
        )
    return "\n".join(tables)


if __name__ == "__main__":
    main()
