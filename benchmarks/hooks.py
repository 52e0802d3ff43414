"""Hook calls over isolated plugins, against as many json-pipes.

Also what a host with many plugins pays to attach them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
import tracemalloc
from functools import partial
from pathlib import Path

import pluggy
from floors import JsonPipe
from measure import by_turns, copy_plugin, head, row, wheel

import plughost

PLUGINS = 8
ATTACHED = 200
CALLS = 100  # for each measurement
SLEEP_S = 0.1
LOOPS = 300_000

CODE = """
import time

def mark(function):
    function.bench_impl = {}
    return function

@mark
def score(text, weight):
    return {"text": text, "weight": weight}

@mark
def rest(seconds):
    time.sleep(seconds)
    return True

@mark
def compute(n):
    return sum(i * i for i in range(n))
"""


class Specifications:
    hookspec = pluggy.HookspecMarker("bench")

    @hookspec
    def score(self, text: str, weight: int) -> object:
        """Rate a text."""

    @hookspec
    def rest(self, seconds: float) -> object:
        """Sleep."""

    @hookspec
    def compute(self, n: int) -> object:
        """Keep a processor busy."""


def install(host: plughost.Host, folder: Path) -> None:
    """One plugin under its own name, and copies of its record under others: they share an environment."""
    host.add(wheel(folder, "scorer", CODE, entry_points="[bench]\nscorer = scorer\n"), name="scorer-0000")
    copy_plugin(host, "scorer", ATTACHED)


def attach(host: plughost.Host, count: int) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(Specifications)
    host.attach(manager, [f"scorer-{number:04}" for number in range(count)])
    return manager


def time_calls(call: partial[object], count: int = CALLS) -> float:
    before = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - before


def compare_calls(host: plughost.Host, rounds: int) -> None:
    manager = attach(host, PLUGINS)
    pipes = [JsonPipe() for _ in range(PLUGINS)]
    arguments = {"text": "a text of a usual length", "weight": 3}
    hook = partial(manager.hook.score, **arguments)
    together = partial(host.call_hook, manager, "score", **arguments)
    trips = partial(lambda: [pipe.call(arguments) for pipe in pipes])
    assert hook() == together() == trips()
    measures = [partial(time_calls, call) for call in (hook, together, trips)]
    by_turns(1, *measures)
    called, asked, piped = by_turns(rounds, *measures)
    row(f"{CALLS} × manager.hook.score, {PLUGINS} plugins", called, piped, 2)
    row(f"{CALLS} × host.call_hook, {PLUGINS} plugins", asked, piped, 2)
    for pipe in pipes:
        pipe.close()


def compare_concurrent(host: plughost.Host, rounds: int) -> None:
    """What `call_hook` takes, against what the machine allows: one sleep; the work shared out among the processors."""
    manager = attach(host, PLUGINS)
    rest = partial(host.call_hook, manager, "rest", seconds=SLEEP_S)
    rest()
    row(f"call_hook, {PLUGINS} plugins sleep, against one", *by_turns(rounds, partial(time_calls, rest, 1), lambda: SLEEP_S), 1.5)
    one = attach(host, 1)
    together = partial(host.call_hook, manager, "compute", n=LOOPS)
    single = partial(one.hook.compute, n=LOOPS)
    ours, alone = by_turns(rounds, partial(time_calls, together, 1), partial(time_calls, single, 1))
    share = PLUGINS / min(PLUGINS, len(os.sched_getaffinity(0)))
    row(f"call_hook, {PLUGINS} plugins compute, against {share:g}", ours, alone * share, 1.5)


def measure_attaching(folder: Path) -> None:
    """A host that has called nothing yet."""
    with plughost.Host("bench", store=folder / "store") as host:
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
        before = children.read_text() if children.exists() else ""
        began = time.perf_counter()
        attach(host, ATTACHED)
        took_s = time.perf_counter() - began
        assert not children.exists() or children.read_text() == before, "a process was started"
    with plughost.Host("bench", store=folder / "store") as host:
        tracemalloc.start()
        manager = attach(host, ATTACHED)
        bytes_each = tracemalloc.get_traced_memory()[0] / ATTACHED
        tracemalloc.stop()
        assert len(manager.get_plugins()) == ATTACHED
    print(f"attaching {ATTACHED} plugins: {took_s * 1000:.1f} ms, {bytes_each / 1024:.1f} KiB each, no process started")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="how often each is measured")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary:
        folder = Path(temporary)
        with plughost.Host("bench", store=folder / "store") as host:
            install(host, folder)
            head("plughost", "pipes")
            compare_calls(host, rounds)
            compare_concurrent(host, min(rounds, 5))
        measure_attaching(folder)


if __name__ == "__main__":
    main()
