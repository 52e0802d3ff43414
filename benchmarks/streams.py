"""A stream of small items, against a child that writes each of them by itself; and how long the first one takes.

Host and children share one CPU. `--free` lets the kernel place them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from floors import PIPE_BYTES, Child
from measure import by_turns, duration, each_s, pin, wheel

import plughost

if TYPE_CHECKING:
    from collections.abc import Iterable

CODE = """
import time

def count(items):
    yield from range(items)

def first():
    yield 1
    time.sleep(0.02)
    yield 2

def total(numbers):
    return sum(numbers)
"""
ENTRY_POINTS = "[bench]\ncount = bencher:count\nfirst = bencher:first\ntotal = bencher:total\n"

ITEMS = 100_000
AHEAD = 2.2  # times as many items a second as by one write each
FIRST_S = 1e-3


class Naive(Child):
    """A stream as one would first write it: a line of JSON and a write for each item."""

    def __init__(self) -> None:
        super().__init__("items")

    def stream(self, items: int) -> Iterable[object]:
        os.write(self.requests, f"{items}\n".encode())
        rest, left = b"", items
        while left:
            lines = (rest + os.read(self.replies, PIPE_BYTES)).split(b"\n")
            rest = lines.pop()
            for line in lines:
                yield json.loads(line)["value"]
            left -= len(lines)


def taken_s(items: Iterable[object]) -> float:
    before = time.perf_counter()
    assert sum(1 for _ in items) == ITEMS
    return time.perf_counter() - before


def first_s(host: plughost.Host) -> float:
    """Seconds to the first item of a stream, which is then left."""
    before = time.perf_counter()
    items = host.stream("bencher", "first")
    next(items)
    after = time.perf_counter()
    items.close()
    return after - before


def astream_s(runner: asyncio.Runner, host: plughost.Host) -> float:
    async def read() -> float:
        before = time.perf_counter()
        count = 0
        async for _ in host.astream("bencher", "count", ITEMS):
            count += 1
        assert count == ITEMS
        return time.perf_counter() - before

    return runner.run(read())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured")
    parser.add_argument("--free", action="store_true", help="let the kernel place host and children")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary, asyncio.Runner() as runner:
        folder = Path(temporary)
        with plughost.Host("bench", store=folder / "store") as host:
            host.add(wheel(folder, "bencher", CODE, entry_points=ENTRY_POINTS))
            if not options.free:
                pin()
            naive = Naive()
            measures = {
                "one write an item": lambda: taken_s(naive.stream(ITEMS)),
                "host.stream": lambda: taken_s(host.stream("bencher", "count", ITEMS)),
                "host.astream": partial(astream_s, runner, host),
                "an iterator as argument": partial(each_s, 1, lambda: host.call("bencher", "total", iter(range(ITEMS)))),
            }
            taken = dict(zip(measures, by_turns(options.rounds, *measures.values()), strict=True))
            naive.close()
            for what, seconds in taken.items():
                ratio = taken["one write an item"] / seconds
                target = f"≥ ×{AHEAD:g}" + ("" if ratio >= AHEAD else " missed") if what == "host.stream" else ""
                print(f"{what:<28}{ITEMS / seconds:>12,.0f} items/s   ×{ratio:<6.2f}{target}", flush=True)
            (first,) = by_turns(options.rounds * 3, partial(first_s, host))
            print(f"{'the first item':<28}{duration(first):>12}{'≤ 1 ms':>18}{'' if first <= FIRST_S else ' missed'}")


if __name__ == "__main__":
    main()
