"""What processes cost: to start one, to have a fresh one for each call, to keep a thousand; and the command with a daemon.

Host and children share one CPU. Needs the package index, and with a thousand workers some 6 GiB of memory.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from floors import JsonPipe
from measure import PLUGHOST, PYTHON, by_turns, duration, each_s, environment, pin, run, time_s, wheel

import plughost

if TYPE_CHECKING:
    from collections.abc import Mapping

CODE = """
import os

def echo(value=None):
    return value

def pids():
    yield os.getpid()
    yield 0
"""
ENTRY_POINTS = "[plughost]\necho = {0}:echo\npids = {0}:pids\n"

BARE = "import os\nos.write(1, os.read(0, 100))"

KIB = 1 << 10
#: What an idle worker may take of the host, and an import of plughost over the interpreter.
MOST_DESCRIPTORS = 4
MOST_MEMORY_BYTES = 8 * KIB
IMPORT_S = 0.01
#: What the shell allows by default is too few for a thousand workers.
DESCRIPTORS_EACH = 8


def tell(what: str, ours: str, theirs: str = "", target: str = "", *, is_met: bool = True) -> None:
    print(f"{what:<44}{ours:>12}{theirs:>14}   {target}{'' if is_met else ' missed'}", flush=True)


def compare_start(store: Path, rounds: int) -> None:
    """From nothing to the first answer."""

    def plugin_s() -> float:
        with plughost.Host(store=store) as host:
            return each_s(1, partial(host.call, "plain", "echo", 1), warm=0)

    def bare_s(code: str) -> float:
        before = time.perf_counter()
        argv = [PYTHON, "-I", "-S", "-c", code]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(b"1\n")
            child.stdout.readline()
            return time.perf_counter() - before

    plugin, bare, parsing = by_turns(rounds, plugin_s, partial(bare_s, BARE), partial(bare_s, f"import json\n{BARE}"))
    tell("spawn to first reply, against a bare child", duration(plugin), duration(bare), "≤ ×1.3", is_met=plugin <= 1.3 * bare)
    tell("   against one that imports `json`", f"×{plugin / parsing:.2f}", duration(parsing))


def compare_fresh(store: Path, name: str, limit_s: float, rounds: int, *, times: float = 0) -> None:
    """A fresh process for each call, against starting one."""

    def started_s() -> float:
        with plughost.Host(store=store) as host:
            return each_s(1, partial(host.call, name, "echo", 1), warm=0)

    with plughost.Host(store=store, isolation={name: "call"}) as host:
        host.call(name, "echo", 1)
        fresh, started = by_turns(rounds, partial(each_s, 3, partial(host.call, name, "echo", 1)), started_s)
    tell(f"a fresh process for each call, {name}", duration(fresh), "", f"≤ {duration(limit_s)}", is_met=fresh <= limit_s)
    target = f"≥ ×{times:g}" if times else ""
    tell("   against starting one", f"×{started / fresh:.1f}", duration(started), target, is_met=started >= times * fresh)


def private_bytes(pid: int) -> int:
    """What a process has for itself alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) * KIB for line in lines if line.startswith("Private_"))


def bytes_of(host: plughost.Host, name: str) -> int:
    """What a plugin's process has for itself while it is in a call."""
    pids = host.stream(name, "pids")
    pid = next(pids)
    assert isinstance(pid, int)
    taken = private_bytes(pid)
    list(pids)
    return taken


def compare_memory(store: Path) -> None:
    pipe = JsonPipe()
    pipe.call(1)
    bare = private_bytes(pipe.pid)
    pipe.close()
    with plughost.Host(store=store) as host:
        host.call("plain", "echo", 1)
        worker = bytes_of(host, "plain")
    sizes = [f"{size // KIB} KiB" for size in (worker, bare)]
    tell("memory of a worker, against a bare child", *sizes, "≤ ×1.6", is_met=worker <= 1.6 * bare)
    for name in ("plain", "pandas"):
        with plughost.Host(store=store, isolation={name: "call"}) as host:
            host.call(name, "echo", 1)
            forked = bytes_of(host, name)
        target = "≤ 1 MiB" if name == "plain" else ""
        tell(f"memory of a forked child, {name}", f"{forked // KIB} KiB", "", target, is_met=not target or forked <= KIB * KIB)


def held() -> tuple[int, int, int]:
    """Descriptors, threads and bytes of Python's of this process."""
    gc.collect()
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), tracemalloc.get_traced_memory()[0]


def measure_idle(store: Path, count: int) -> None:
    """So many workers of one plugin that wait for their next call."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(1024, DESCRIPTORS_EACH * count)), most))
    with plughost.Host(store=store, idle_s=None) as host:
        host.call("plain", "echo", 1)
        list(host.stream("plain", "pids"))
        tracemalloc.start()
        before = held()
        streams = [host.stream("plain", "pids") for _ in range(count)]
        for streamed in streams:
            next(streamed)
        for streamed in streams:
            list(streamed)  # only now is its worker idle
        del streams, streamed
        descriptors, threads, memory = ((after - start) / (count - 1) for start, after in zip(before, held(), strict=True))
        tracemalloc.stop()
        (called,) = by_turns(101, partial(each_s, 1, partial(host.call, "plain", "echo", 1), warm=0))
        closing = time.perf_counter()
    closed = time.perf_counter() - closing
    tell(f"{count} idle workers: descriptors each", f"{descriptors:.2f}", "", "≤ 4", is_met=descriptors <= MOST_DESCRIPTORS)
    tell("   threads each", f"{threads:.2f}", "", "0", is_met=threads < 1 / count)
    tell("   memory of the host each", f"{memory / KIB:.1f} KiB", "", "≤ 8 KiB", is_met=memory <= MOST_MEMORY_BYTES)
    tell("   a call of one of them", duration(called))
    tell("   to end all", duration(closed))


def compare_commands(env: Mapping[str, str], rounds: int) -> None:
    """Whole processes."""
    version, call = [PLUGHOST, "--version"], [PLUGHOST, "run", "plain:echo", "value=1"]
    bare, importing = [sys.executable, "-c", "pass"], [sys.executable, "-c", "import plughost"]
    run(call, env)
    cold, two = by_turns(rounds, partial(time_s, call, env), partial(time_s, [PYTHON, "-I", "-S", "-c", "pass"], env))
    tell("run, against two empty interpreters", duration(cold), duration(2 * two), "≤ ×4", is_met=cold <= 8 * two)
    run([PLUGHOST, "up"], env)
    try:
        for argv in (call, version, bare, importing):
            run(argv, env)  # writes the bytecode, and starts the worker
        called, shown = by_turns(rounds, partial(time_s, call, env), partial(time_s, version, env))
    finally:
        run([PLUGHOST, "down"], env)
    tell("run by the daemon, against --version", duration(called), duration(shown), "≤ ×1.3", is_met=called <= 1.3 * shown)
    imported, started = by_turns(rounds, partial(time_s, importing, env), partial(time_s, bare, env))
    over = imported - started
    tell("import plughost, over the interpreter", duration(over), duration(started), "≤ 10 ms", is_met=over <= IMPORT_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="how often each is measured")
    parser.add_argument("--idle", type=int, default=1000, help="how many idle workers")
    parser.add_argument("--free", action="store_true", help="let the kernel place host and children")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plughost-bench-") as temporary:
        folder = Path(temporary)
        store = folder / "store"
        with plughost.Host(store=store) as host:
            host.add(wheel(folder, "plain", CODE, entry_points=ENTRY_POINTS.format("plain")))
            code, entry_points = f"import pandas\n{CODE}", ENTRY_POINTS.format("withpandas")
            host.add(wheel(folder, "withpandas", code, entry_points=entry_points, requires=["pandas"]), name="pandas")
        if not options.free:
            pin()
        compare_start(store, options.rounds)
        compare_fresh(store, "plain", 0.002, options.rounds)
        compare_fresh(store, "pandas", 0.004, min(options.rounds, 11), times=40)
        compare_memory(store)
        compare_commands(environment(PLUGHOST_HOME=str(store)), options.rounds)
        measure_idle(store, options.idle)


if __name__ == "__main__":
    main()
