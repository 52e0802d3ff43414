"""What it costs to confine a plugin: a start, a warm call, and a call in a fresh process, against the same for a trusted one.

Host and children share one CPU, as in `calls.py`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from measure import by_turns, duration, each_s, pin, wheel

import plughost

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = """
def echo(value=None):
    return value
"""
ENTRY_POINTS = "[bench]\necho = bencher:echo\n"
POLICIES = ("trusted", "default", "strict")
#: What a confined start may take longer than an open one.
START_OVER_S = 0.015
CALLS = 20  # in a row
PAUSE_S = 0.02  # in which a fresh process is forked ahead


def spaced_s(call: Callable[[], object]) -> float:
    time.sleep(PAUSE_S)
    before = time.perf_counter()
    call()
    return time.perf_counter() - before


def compare(what: str, rounds: int, measures: list[Callable[[], float]]) -> list[float]:
    taken = by_turns(rounds, *measures)
    ratios = [f"{each / taken[0]:>8.2f}" for each in taken[1:]]
    print(f"{what:<28}", *(f"{duration(each):>10}" for each in taken), *ratios, flush=True)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)

        def hosts(**options: object) -> list[plughost.Host]:
            made = [plughost.Host("bench", store=folder / "store", policy=policy, **options) for policy in POLICIES]
            return [stack.enter_context(host) for host in made]

        warm, anew, forked = hosts(), hosts(max_calls=1), hosts(isolation="call")
        warm[0].add(wheel(folder, "bencher", CODE, entry_points=ENTRY_POINTS))
        pin()
        for host in (*warm, *anew, *forked, *forked):
            host.call("bencher", "echo", 1)
        print(f"{'':<28}", *(f"{policy:>10}" for policy in POLICIES), *(f"{f'× {policy}':>10}" for policy in POLICIES[1:]))
        starts = compare(
            "start, call and end", rounds, [partial(each_s, 1, partial(host.call, "bencher", "echo", 1), warm=0) for host in anew]
        )
        over = starts[1] - starts[0]
        print(f"{'':<28} {duration(over):>10} over a trusted one   ≤ 15 ms" + ("" if over <= START_OVER_S else " missed"))
        compare("warm call", rounds, [partial(each_s, CALLS, partial(host.call, "bencher", "echo", 1)) for host in warm])
        compare(
            "call in a fresh process", rounds, [partial(spaced_s, partial(host.call, "bencher", "echo", 1)) for host in forked]
        )


if __name__ == "__main__":
    main()
