"""Warm calls of an echo, against two floors: a raw pipe without encoding, and lines of JSON over a pipe.

Host and children share one CPU: where the kernel puts them is worth a factor of four. `--free` lets it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pluggy
from floors import JsonPipe, RawPipe, payload
from measure import by_turns, duration, each_s, pin, wheel

import plughost

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = """
def echo(value=None):
    return value

def ping(value):
    return value
ping.bench_impl = {}
"""
ENTRY_POINTS = "[bench]\nbencher = bencher\necho = bencher:echo\n"

KIB, MIB = 1 << 10, 1 << 20
#: About so much is sent between two looks at the clock.
SLICE_BYTES = 1 << 17
MOST_CALLS = 5  # in a row: the shorter, the less often something else gets in between
SHARES = {KIB: 1, 64 * KIB: 10, MIB: 50, 32 * MIB: 200}
TOO_LONG_BYTES = 1 << 23  # float64 as JSON takes minutes
#: Calls before those that are measured: they bring back what others have driven out of the caches.
WARM = 3
#: What a hook may take longer than a call, and how much longer an awaited call; how far from linear the largest value may be.
HOOK_OVER_S = 4e-6
ACALL_RATIO = 1.6
LINEAR = 1.1
FLOORS = ("plughost", "raw", "json")


class Specifications:
    @pluggy.HookspecMarker("bench")
    def ping(self, value: object) -> object:
        """Give it back."""


class Case:
    """A kind of value and its size, and what a call with it must reach: `raw` and `json` are ratios to the floors."""

    def __init__(self, kind: str, size: int, **targets: float) -> None:
        unit = "B" if size < KIB else "KiB" if size < MIB else "MiB"
        self.what = f"{kind}, {size // {'B': 1, 'KiB': KIB, 'MiB': MIB}[unit]} {unit}"
        self.kind, self.size, self.targets = kind, size, targets
        self.count = max(1, min(MOST_CALLS, SLICE_BYTES // size))

    def rounds(self, rounds: int) -> int:
        """The larger, the fewer: everything takes longer, and floats as JSON longest."""
        return max(3, rounds // next(share for size, share in SHARES.items() if self.size <= size))


CASES = [
    Case("str", 10, raw=2.2),
    Case("str", KIB, json=1.0),
    Case("nested", KIB, json=1.0),
    Case("str", 64 * KIB, json=0.1),
    Case("bytes", 64 * KIB, raw=1.0, json=0.1),
    Case("float64", 64 * KIB, json=0.1),
    Case("str", MIB),
    Case("bytes", MIB, raw=0.4),
    Case("float64", MIB, raw=0.4),
    Case("nested", MIB, json=1.1),
    Case("str", 32 * MIB),
    Case("bytes", 32 * MIB, raw=1.5),
    Case("float64", 32 * MIB),
    Case("nested", 32 * MIB, json=1.1),
]


def compare(host: plughost.Host, case: Case, rounds: int) -> float:
    """What a call takes, in seconds; printed against the floors."""
    value = payload(case.kind, case.size)
    raw, lines = RawPipe(case.size), JsonPipe()
    ours: Callable[[], object] = partial(host.call, "bencher", "echo", value)
    assert np.array_equal(ours(), value)
    calls = {"plughost": ours, "raw": partial(raw.call, bytes(case.size))}
    if case.kind != "float64" or case.size < TOO_LONG_BYTES:
        calls["json"] = partial(lines.call_anyhow, value)
    measures = [partial(each_s, case.count, call) for call in calls.values()]
    taken = dict(zip(calls, by_turns(case.rounds(rounds), *measures), strict=True))
    raw.close()
    lines.close()
    ratios = {name: taken["plughost"] / taken[name] for name in taken}
    cells = [f"{duration(taken[name]) if name in taken else '':>12}" for name in FLOORS]
    cells += [f"{ratios[name]:>8.2f}" if name in ratios else f"{'':>8}" for name in FLOORS[1:]]
    verdicts = [verdict(f"≤ {limit:g} × {name}", ratios[name], limit) for name, limit in case.targets.items()]
    print(f"{case.what:<18}", *cells, *verdicts, flush=True)
    return taken["plughost"]


def verdict(target: str, reached: float, limit: float) -> str:
    return f"   {target}" + ("" if reached <= limit else " missed")


def compare_ways(host: plughost.Host, rounds: int) -> None:
    """The same call by `host.call`, as a hook, and from an event loop."""
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(Specifications)
    host.attach(manager)
    value = payload("str", 10)

    async def awaited_s() -> float:
        for _ in range(WARM):
            await host.acall("bencher", "echo", value)
        before = time.perf_counter()
        for _ in range(MOST_CALLS):
            await host.acall("bencher", "echo", value)
        return (time.perf_counter() - before) / MOST_CALLS

    with asyncio.Runner() as runner:
        called, hooked, awaited = by_turns(
            rounds,
            partial(each_s, MOST_CALLS, partial(host.call, "bencher", "echo", value)),
            partial(each_s, MOST_CALLS, partial(manager.hook.ping, value=value)),
            lambda: runner.run(awaited_s()),
        )
    over, ratio = hooked - called, awaited / called
    print(f"{'hook, str, 10 B':<18} {duration(hooked):>12} {duration(over):>12} over call", verdict("≤ 4 µs", over, HOOK_OVER_S))
    print(
        f"{'acall, str, 10 B':<18} {duration(awaited):>12} {ratio:>12.2f} × call   ", verdict("≤ 1.6 × call", ratio, ACALL_RATIO)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="how often each of the small calls is measured")
    parser.add_argument("--free", action="store_true", help="let the kernel place host and children")
    parser.add_argument("--largest", type=int, default=32 * MIB, help="no values of more bytes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary:
        folder = Path(temporary)
        with plughost.Host("bench", store=folder / "store") as host:
            host.add(wheel(folder, "bencher", CODE, entry_points=ENTRY_POINTS, requires=["numpy"]))
            if not options.free:
                pin()
            print(f"{'':<18}", *(f"{name:>12}" for name in ("plughost", "raw pipe", "json-pipe")), "  × raw   × json   targets")
            taken_s = {case.what: compare(host, case, options.rounds) for case in CASES if case.size <= options.largest}
            if "nested, 32 MiB" in taken_s:
                ratio = taken_s["nested, 32 MiB"] / taken_s["nested, 1 MiB"] / 32
                print(f"{'nested, 32 MiB against 32 of 1 MiB':<58}{ratio:>8.2f}", verdict("≤ 1.1", ratio, LINEAR))
            compare_ways(host, options.rounds)


if __name__ == "__main__":
    main()
