"""Many callers at once: calls a second, against those of one caller.

Threads with `host.call`, and tasks of one event loop with `host.acall`; one worker and two; of an ordinary plugin, whose workers
have one call at a time, and of a concurrent one. The kernel places host and workers.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

from measure import by_turns, wheel

import plughost

CODE = """
def echo(value):
    return value

async def aecho(value):
    return value
"""
ENTRY_POINTS = "[bench]\necho = bencher:echo\naecho = bencher:aecho\n"

CALLERS = (1, 8, 64)
CALLS = 960  # of all callers together
VALUE = "x" * 1024
TARGET = 4.0  # for 64 callers of one worker of a concurrent plugin


def threads_s(host: plughost.Host, tool: str, callers: int) -> float:
    """Seconds that all calls take, made by so many threads."""
    start = Barrier(callers + 1)

    def call() -> None:
        start.wait()
        for _ in range(CALLS // callers):
            host.call("bencher", tool, VALUE)

    threads = [Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    start.wait()
    before = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - before


def tasks_s(runner: asyncio.Runner, host: plughost.Host, tool: str, callers: int) -> float:
    async def call() -> None:
        for _ in range(CALLS // callers):
            await host.acall("bencher", tool, VALUE)

    async def all_of_them() -> float:
        before = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(callers)))
        return time.perf_counter() - before

    return runner.run(all_of_them())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary, asyncio.Runner() as runner:
        folder = Path(temporary)
        with plughost.Host("bench", store=folder / "store") as host:
            host.add(wheel(folder, "bencher", CODE, entry_points=ENTRY_POINTS))
        print(f"{'calls a second, 1 KiB':<46}", *(f"{callers:>8} callers" for callers in CALLERS))
        for concurrency in (1, max(CALLERS)):
            for workers in (1, 2):
                with plughost.Host("bench", store=folder / "store", workers=(workers, workers), concurrency=concurrency) as host:
                    for tool in ("echo", "aecho"):
                        compare(host, runner, tool, concurrency, workers, rounds)


def compare(host: plughost.Host, runner: asyncio.Runner, tool: str, concurrency: int, workers: int, rounds: int) -> None:
    kind = "ordinary" if concurrency == 1 else "concurrent"
    ways = {"threads": partial(threads_s, host, tool), "tasks": partial(tasks_s, runner, host, tool)}
    for way, measure in ways.items():
        measures = [partial(measure, callers) for callers in CALLERS]
        by_turns(1, *measures)
        rates = [CALLS / taken_s for taken_s in by_turns(rounds, *measures)]
        cells = [f"{rate:>9.0f} ×{rate / rates[0]:<5.2f}" for rate in rates]
        target = ""
        if concurrency > 1 and workers == 1:
            target = f"  ≥ ×{TARGET:g}" + (" missed" if rates[-1] < TARGET * rates[0] else "")
        print(f"{kind + ', ' + tool + ', ' + way:<36}{workers} worker{'s' * (workers > 1):<3}", *cells, target, flush=True)


if __name__ == "__main__":
    main()
