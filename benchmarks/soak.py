"""Whether host or child hold ever more of the machine: a million calls, and streams left, cancels and kills by the thousand.

It takes a quarter of an hour; `--calls 10000`, `--kills 0` and so on take less. It ends with code 1 where memory, descriptors,
threads, processes or shared memory grow on either side.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from plughost import Host
from plughost.errors import CallCancelled, CallTimeout, PluginCrashed, SessionEnded, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCE = """
import itertools, os, signal, time

def echo(value=None):
    return value

def pid():
    return os.getpid()

def count():
    yield from itertools.count()

def sleep():
    time.sleep(60)

def write(path):
    with open(path, "w") as file:
        file.write(path)
    return os.getcwd()

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "soaked"
version = "1.0"

[project.entry-points.plughost]
"""
TOOLS = ("echo", "pid", "count", "sleep", "write", "die")
PARTS = 10
#: What a part may add to a process's memory: less than anything takes that is kept each time, and what is made once, late. That
#: is what glibc keeps for each thread, too, which is never given back: 200 KiB or so by the first few hundred processes that end.
MOST_BYTES_EACH = 8
MOST_KIB = 512
#: How long a cancelled or killed child, or a thread that ends, may still be seen.
SETTLED_AFTER_S = 5.0
DEADLINE_S = 0.01
#: Every so many calls one with a value large enough for shared memory.
LARGE_EVERY = 1000
#: Sessions open at once: the others end to make room. Whoever still asks for one of so many is told how it ended.
MOST_SESSIONS = 100
REMEMBERED = 256
#: Who opens sessions at the same time.
THREADS = 20
#: The plugin is there twice, so that sessions are of several.
PLUGINS = ("soaked", "soaked-too")
#: Until each of the threads has the memory that it comes to.
SETTLED_ROUNDS = 60
LARGE = bytes(1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a process holds: memory, but for that of files, such as the journal's, and how many of each other thing."""

    kib: int
    descriptors: int
    threads: int
    children: int
    shared: int

    @classmethod
    def of(cls, pid: int) -> Holding:
        proc = Path(f"/proc/{pid}")
        resident, mapped = map(int, (proc / "statm").read_text().split()[1:3])
        return cls(
            kib=(resident - mapped) * os.sysconf("SC_PAGE_SIZE") // 1024,
            descriptors=len(os.listdir(proc / "fd")),
            threads=len(os.listdir(proc / "task")),
            children=len(children_of(pid)),
            shared=sum(name in line for line in (proc / "maps").read_text().splitlines() for name in ("/memfd:", "/dev/shm/")),
        )


def children_of(pid: int) -> list[int]:
    """Its children, those included that have ended and are not yet waited for."""
    lists = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [int(child) for children in lists for child in children.split()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is held after so many operations: by the host, and by the plugin's process that waits for the next call."""

    done: int
    host: Holding
    child: Holding


class Soak:
    """A host and its plugin, in a store of their own."""

    def __init__(self, folder: Path) -> None:
        source = folder / "source"
        (source / "soaked").mkdir(parents=True)
        (source / "soaked" / "__init__.py").write_text(SOURCE, encoding="utf-8")
        entry_points = "".join(f'{tool} = "soaked:{tool}"\n' for tool in TOOLS)
        (source / "pyproject.toml").write_text(PROJECT + entry_points, encoding="utf-8")
        self.host = Host(store=folder / "store", max_sessions=MOST_SESSIONS)
        self._threads = ThreadPoolExecutor(THREADS)
        for name in PLUGINS:
            self.host.add(str(source), name=name)
        for _ in range(20):  # opens each kind of file that records are written to
            self.host.call("soaked", "echo")
            with contextlib.suppress(UsageError):
                self.host.call("soaked", "echo", unknown=None)

    def call(self, number: int) -> None:
        value = LARGE if number % LARGE_EVERY == 0 else number
        assert self.host.call("soaked", "echo", value) == value

    def leave_a_stream(self, number: int) -> None:
        for item in self.host.stream("soaked", "count"):
            if item == number % 50:
                break

    def cancel(self, number: int) -> None:
        """By a deadline, and by whoever waits, by turns."""
        if number % 2:
            try:
                with self.host.deadline(DEADLINE_S):
                    self.host.call("soaked", "sleep")
            except CallTimeout:
                return
        else:
            call = self.host.submit("soaked", "sleep")
            call.cancel()
            try:
                call.result()
            except CallCancelled:
                return
        raise AssertionError("it slept for a minute")

    def await_in_a_loop(self, number: int) -> None:
        """A call that is cancelled, and one that is answered, in an event loop of their own, by `asyncio.run`.

        The worker of the second is left idle, until the next loop ends it.
        """

        async def run() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.host.acall("soaked", "sleep"), DEADLINE_S)
            assert await self.host.acall("soaked", "echo", number) == number

        asyncio.run(run())

    def kill(self, number: int) -> None:
        """A process that waits, and one that is in a call, by turns."""
        if number % 2:
            os.kill(self.child(), signal.SIGKILL)
        else:
            with contextlib.suppress(PluginCrashed):
                self.host.call("soaked", "die")
        assert self.host.call("soaked", "echo", number) == number

    def use_a_session(self, number: int) -> None:
        """One that is opened, used and dropped; the process of each fifth is killed in the middle of a call."""
        session = self.host.session(PLUGINS[number % len(PLUGINS)])
        assert session.call("write", f"{number}.txt") == session.folder
        if number % 5 == 0:
            with contextlib.suppress(PluginCrashed):
                session.call("die")
            assert session.invoke("write", args=["again.txt"]).artifacts

    def use_sessions_in_threads(self, number: int) -> None:
        """One in each thread, of which every other is closed and the others are left to be closed by whoever needs room."""

        def use(place: int) -> None:
            session = self.host.session(PLUGINS[place % len(PLUGINS)])
            with contextlib.suppress(SessionEnded):  # it may have made room before it was used
                session.call("write", f"{number}.txt")
                if place % 5 == 0:
                    with contextlib.suppress(PluginCrashed):
                        session.call("die")
            if place % 2:
                session.close()

        list(self._threads.map(use, range(THREADS)))

    def left(self) -> list[Path]:
        """Folders that plugins have written to, once there are no plugins any more."""
        root = Path(self.host.store.root)
        return [*root.glob("sessions/*/*"), *root.glob("work/*/*/")]

    def child(self) -> int:
        """The plugin's process that waits for the next call; one is made if there is none."""
        pid = self.host.call("soaked", "pid")
        assert isinstance(pid, int)
        return pid

    def sample(self, done: int, wanted: Sample | None) -> Sample:
        """Once what ends has ended: when no more is held than is `wanted`, or that has had its time."""
        give_up = time.monotonic() + SETTLED_AFTER_S
        while True:
            gc.collect()
            trim(0)
            sample = Sample(done=done, child=Holding.of(self.child()), host=Holding.of(os.getpid()))
            if (
                wanted is None
                or time.monotonic() > give_up
                or not (extra(wanted.host, sample.host) or extra(wanted.child, sample.child))
            ):
                return sample
            time.sleep(0.05)


def trim(_kept_bytes: int) -> int:
    """Have the allocator give back what it merely keeps, where it can: glibc's."""
    return 0


trim = getattr(ctypes.CDLL(None), "malloc_trim", trim)


def extra(before: Holding, after: Holding) -> bool:
    """Whether more of anything is held but memory."""
    return any(b < a for b, a in zip(astuple(before)[1:], astuple(after)[1:], strict=True))


def run(soak: Soak, what: str, operate: Callable[[int], None], count: int, settled_after: int = 1) -> bool:
    """Print what is held at the start of each tenth, and whether that grows.

    What is made once, or kept so often and no oftener, is by the end of the first tenth, or `settled_after` operations before it.
    """
    print(f"\n{what}: {count:,}\n{'':>10}" + "".join(f"{side:<45}" for side in ("   host", "   child")))
    names = "".join(f"{field.name:>12}" if field.name != "kib" else f"{'KiB':>9}" for field in fields(Holding))
    print(f"{'done':>10}{names}{names}")
    for number in range(settled_after):
        operate(number)
    soak.host.calls(limit=1)  # takes in what was recorded: in the midst of a short part that would look like growth
    samples: list[Sample] = []
    began = time.monotonic()
    for part in range(PARTS + 1):
        for number in range(count * (part - 1) // PARTS, count * part // PARTS) if part else ():
            operate(number)
        sample = soak.sample(count * part // PARTS, samples[1] if len(samples) > 1 else None)
        samples.append(sample)
        cells = [
            f"{value:>12,}" if at % 5 else f"{value:>9,}" for at, value in enumerate(astuple(sample.host) + astuple(sample.child))
        ]
        print(f"{sample.done:>10,}{''.join(cells)}", flush=True)
    print(f"{(time.monotonic() - began) / count * 1e6:,.0f} µs each")
    return verdict("host", [(sample.done, sample.host) for sample in samples[1:]]) & verdict(
        "child", [(sample.done, sample.child) for sample in samples[1:]]
    )


def verdict(side: str, held: Sequence[tuple[int, Holding]]) -> bool:
    """Print the slope of a side's memory, and what of it grows; true where nothing does."""
    done = [at for at, _ in held]
    slope_kib = statistics.linear_regression(done, [holding.kib for _, holding in held]).slope
    first, last = held[0][1], held[-1][1]
    grown = [field.name for field in fields(Holding)[1:] if getattr(last, field.name) > getattr(first, field.name)]
    count = done[-1] - done[0]
    if slope_kib * count > MOST_KIB + MOST_BYTES_EACH * count / 1024:
        grown.append("memory")
    print(f"{side}: {slope_kib * 1024:+.1f} bytes each: {', '.join(grown) + ' GROWS' if grown else 'no growth'}", flush=True)
    return not grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls, each thousandth with a MiB of bytes")
    parser.add_argument("--streams", type=int, default=10_000, help="streams that are left early")
    parser.add_argument("--cancels", type=int, default=10_000, help="calls cancelled, by a deadline and by whoever waits")
    parser.add_argument("--loops", type=int, default=1_000, help="event loops, each with a call, answered or cancelled")
    parser.add_argument("--kills", type=int, default=1_000, help="kills of the plugin's process")
    parser.add_argument("--sessions", type=int, default=1_000, help="sessions that are opened, used and dropped")
    parser.add_argument("--rounds", type=int, default=100, help=f"rounds in which {THREADS} threads do so at the same time")
    counts = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plughost-soak-") as folder:
        soak = Soak(Path(folder))
        with soak.host:
            parts = (
                ("calls", soak.call, counts.calls, 1),
                ("streams left early", soak.leave_a_stream, counts.streams, 1),
                ("cancels", soak.cancel, counts.cancels, 1),
                ("event loops", soak.await_in_a_loop, counts.loops, 1),
                ("kills", soak.kill, counts.kills, 1),
                ("sessions", soak.use_a_session, counts.sessions, MOST_SESSIONS + REMEMBERED),
                ("rounds of sessions", soak.use_sessions_in_threads, counts.rounds, SETTLED_ROUNDS),
            )
            sound = [run(soak, what, operate, count, settled_after) for what, operate, count, settled_after in parts if count]
        for path in (left := soak.left()):
            print(f"left: {path}")
    sys.exit(not all(sound) or bool(left))


if __name__ == "__main__":
    main()
