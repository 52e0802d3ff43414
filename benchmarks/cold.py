"""How long the command takes, against the interpreters that it can't do without: one for the host, one for the plugin."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from measure import PLUGHOST, PYTHON, by_turns, environment, head, repository, row, run, time_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="how often each is measured")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary:
        env = environment(PLUGHOST_HOME=str(Path(temporary) / "store"))
        call = [PLUGHOST, "run", "trivial", "value=1"]
        usage = [PLUGHOST, "--help"]
        run([PLUGHOST, "add", repository(Path(temporary) / "source")], env)
        for command in (call, usage):
            run(command, env)  # writes the bytecode
        empty = partial(time_s, [PYTHON, "-I", "-S", "-c", "pass"], env)
        called, helped, one = by_turns(rounds, partial(time_s, call, env), partial(time_s, usage, env), empty)
        head("plughost", "python")
        row("run, against two empty Pythons", called, 2 * one, 4)
        row("--help, against one", helped, one, 4)


if __name__ == "__main__":
    main()
