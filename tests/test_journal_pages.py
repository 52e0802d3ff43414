"""Calls that went well are noted in slots of pages: each once, whoever is killed, forked, closed or interrupted meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, ClassVar

import pytest

from plughost import Host
from plughost.journal import Journal, NoJournal, _spool, _take_in, refresh, take_in
from plughost.journal._mapped import SIZE_BYTES
from plughost.journal._page import HEADS_BYTES
from plughost.paths import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plughost.journal import Writer

#: The first calls of a process are lines.
LINES = 16
WAIT_S = 60
#: The calls that a page has room for.
SLOTS = (SIZE_BYTES - HEADS_BYTES) // 48


class Plugin:
    name = "echo"
    revision = "1"
    manifest: ClassVar = {"version": "1.0", "origin": {"commit_id": "c0ffee"}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def journal(store: Store) -> Iterator[Journal]:
    journal = Journal(store)
    yield journal
    journal.close()


@pytest.fixture
def script(shared_host: Host, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """`script("call(100)")` is a process that calls `echo` with a text of so many characters; its records are in `tmp_path`."""
    for folder in ("plugins", "venvs", "cache"):
        (tmp_path / folder).symlink_to(os.path.join(shared_host.store.root, folder))

    def start(text: str, *arguments: object) -> subprocess.Popen[str]:
        setup = (
            "import os, resource, sys, plughost\n"
            "host = plughost.Host(store=sys.argv[1])\n"
            "call = lambda number: host.call('echo', 'echo', 'x' * number)\n"
        )
        argv = [sys.executable, "-c", setup + text, str(tmp_path), *map(str, arguments)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    return start


def pages(store: Store) -> list[Path]:
    return sorted(Path(store.spool).glob("*.calls"))


def note(writer: Writer, number: int) -> None:
    """Note a call that is known by its number again."""
    now = time.perf_counter_ns()
    writer.note(now - 1000, now, number, 0, 0)


def noted(store: Store) -> list[int]:
    """The numbers of the calls, sorted."""
    take_in(store)
    with contextlib.closing(sqlite3.connect(store.calls)) as database:
        return [number for (number,) in database.execute("SELECT request_bytes FROM call ORDER BY request_bytes")]


def runs(numbers: list[int]) -> list[int]:
    """How long each run of numbers is that have no gap. (Each process adds something of its own to the sizes of messages.)"""
    starts = [at for at, number in enumerate(numbers) if at == 0 or number != numbers[at - 1] + 1]
    return [end - start for start, end in pairwise([*starts, len(numbers)])]


def test_a_slot_has_all_that_a_line_has(journal, store):
    writer = journal.writer(Plugin, "add")
    before = datetime.now(UTC)
    for number in range(LINES + 1):
        began = time.perf_counter_ns()
        writer.note(began, began + 7000, number + 1, 2, 3)
    assert len(pages(store)) == 1
    with Host(store=store.root) as host:
        line, slot = host.calls()[-2:]
    assert (line.request_bytes, slot.request_bytes) == (LINES, LINES + 1)
    assert before <= line.time <= slot.time <= datetime.now(UTC)
    differing = {"id", "time", "request_bytes"}
    assert {key: value for key, value in slot.record(whole=True).items() if key not in differing} == {
        key: value for key, value in line.record(whole=True).items() if key not in differing
    }
    assert (slot.plugin, slot.version, slot.commit_id, slot.revision, slot.tool) == ("echo", "1.0", "c0ffee", "1", "add")
    assert (slot.outcome, slot.exit_code, slot.duration_s) == ("ok", 0, 7e-6)


def test_calls_of_a_host_go_to_a_page_after_the_first(script, store):
    assert script("[call(number) for number in range(100)]\nhost.close()").communicate(timeout=WAIT_S) == ("", None)
    assert len(pages(store)) == 1
    assert pages(store)[0].stat().st_size == HEADS_BYTES + (100 - LINES) * 48
    assert runs(noted(store)) == [100]
    assert pages(store) == []


def test_a_kill_between_calls_loses_none_that_was_answered(script, store):
    with script("for number in range(1_000_000):\n  call(number)\n  print(number, flush=True)") as process:
        answered = [process.stdout.readline() for _ in range(60)]
        process.kill()
        answered += process.stdout.readlines()
    [calls] = runs(noted(store))
    assert calls - len(answered) in {0, 1}


def test_calls_of_several_processes_are_all_there_once_while_they_are_read(script, store):
    processes = [script("[call(int(sys.argv[2]) + n) for n in range(200)]\nhost.close()", start) for start in (1000, 2000, 3000)]
    while any(process.poll() is None for process in processes):
        refresh(store)
    for process in processes:
        process.communicate()
    assert runs(noted(store)) == [200] * 3


def test_a_forked_copy_fills_no_slot_of_the_original(script, store):
    process = script(
        "def calls(start): [call(number) for number in range(start, start + 50)]\n"
        "calls(1000)\n"
        "pid = os.fork()\n"
        "calls(2000 if pid else 3000)\n"
        "host.close()\n"
        "if pid: os.waitpid(pid, 0)"
    )
    assert process.communicate(timeout=WAIT_S) == ("", None)
    assert runs(noted(store)) == [50] * 3


def test_threads_signals_and_a_journal_that_is_closed_meanwhile_lose_nothing(journal, store):
    """With threads that change as often as they can, a signal's handler that notes, too, and files that are closed and read."""
    writer, each, threads = journal.writer(Plugin, "add"), 3 * SLOTS, 4
    others = count(threads * each)
    handled = []
    is_over = threading.Event()

    def handle(*_: object) -> None:
        number = next(others)
        handled.append(number)
        note(writer, number)
        if not is_over.is_set():
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

    def run(start: int) -> None:
        for number in range(start, start + each):
            note(writer, number)

    interval = sys.getswitchinterval()
    before = signal.signal(signal.SIGALRM, handle)
    sys.setswitchinterval(1e-6)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        running = [threading.Thread(target=run, args=(number * each,)) for number in range(threads)]
        for thread in running:
            thread.start()
        while any(thread.is_alive() for thread in running):
            note(writer, next(others))
            journal.close()
            refresh(store)
    finally:
        is_over.set()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.setswitchinterval(interval)
    found = Counter(noted(store))
    assert [number for number in range(next(others)) if found[number] != 1] == []
    assert handled


def test_a_page_that_is_closed_in_the_middle_of_a_note_loses_nothing(journal, store):
    writer = journal.writer(Plugin, "add")
    for number in range(LINES + 1):
        note(writer, number)
    closed = []

    def trace(frame, event, _argument):
        if frame.f_code.co_name == "note" and event == "line" and "at" in frame.f_locals and not closed:
            closed.append(frame.f_locals["at"])
            journal.close()
        return trace

    sys.settrace(trace)
    try:
        note(writer, LINES + 1)
    finally:
        sys.settrace(None)
    assert closed
    assert noted(store) == list(range(LINES + 2))


def test_slots_are_taken_in_order_until_their_writer_has_gone(journal, store):
    """Else one that was given out, and is filled late, would be missed; or the last ones of a process that was killed."""
    writer = journal.writer(Plugin, "add")
    for number in range(LINES + 1):
        note(writer, number)
    page, _ = writer._place
    hole = next(page.slots)
    note(writer, 100)
    assert noted(store) == list(range(LINES + 1))
    page.map[hole : hole + 48] = page.map[hole - 48 : hole]
    assert noted(store) == [*range(LINES + 1), LINES, 100]
    next(page.slots)
    note(writer, 200)
    journal.close()
    assert noted(store) == [*range(LINES + 1), LINES, 100, 200]


def test_a_reader_that_comes_before_a_page_is_locked_loses_nothing(journal, store, monkeypatch):
    """It finds a file that nobody holds, and deletes it."""
    lock, came = fcntl.flock, []

    def lock_late(fd: int, operation: int) -> None:
        if operation & fcntl.LOCK_SH and os.fstat(fd).st_mode & 0o777 == 0o600 and pages(store) and not came:
            came.append(True)
            take_in(store)
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    writer = journal.writer(Plugin, "add")
    for number in range(LINES * 3):
        note(writer, number)
    assert came
    assert noted(store) == list(range(LINES * 3))


def test_a_slot_that_is_half_written_is_none_yet(journal, store):
    writer = journal.writer(Plugin, "add")
    for number in range(LINES + 2):
        note(writer, number)
    page, _ = writer._place
    half = slice(HEADS_BYTES + 48 + 40, HEADS_BYTES + 2 * 48)
    page.map[half], rest = bytes(8), page.map[half]
    assert noted(store) == list(range(LINES + 1))
    page.map[half] = rest
    assert noted(store) == list(range(LINES + 2))


def test_pages_of_no_sense_are_left_out(journal, store):
    for number in range(LINES + 1):
        note(journal.writer(Plugin, "add"), number)
    journal.close()
    content = pages(store)[0].read_bytes()
    for number, damaged in enumerate(
        [
            b"",
            content[:1000],
            content[:-1],
            b"{}\n" + content[3:],
            b"[" * HEADS_BYTES + content[HEADS_BYTES:],
            os.urandom(SIZE_BYTES),
        ]
    ):
        (Path(store.spool) / f"{number}.calls").write_bytes(damaged)
    assert noted(store) == list(range(LINES + 1))
    assert pages(store) == []


def test_more_tools_than_a_page_has_room_for_take_another_page(journal, store):
    for number in range(1000):
        note(journal.writer(Plugin, f"tool-{number}-{'x' * 100}"), number)
    journal.writer(Plugin, "x" * HEADS_BYTES).note(0, 1, 1000, 0, 0)
    assert 1 < len(pages(store)) < 10
    assert noted(store) == list(range(1001))
    with Host(store=store.root) as host:
        assert {call.request_bytes: call.tool.partition("-x")[0] for call in host.calls()}[999] == "tool-999"


def test_a_page_that_is_full_is_followed_by_another(journal, store):
    for number in range(LINES + 2 * SLOTS + 1):
        note(journal.writer(Plugin, "add"), number)
    assert len(pages(store)) == 3
    assert noted(store) == list(range(LINES + 2 * SLOTS + 1))
    assert len(pages(store)) == 1


def test_calls_that_would_be_dropped_at_once_are_not_taken_in(journal, store, monkeypatch):
    monkeypatch.setattr(_take_in, "KEPT_CALLS", 10)
    for number in range(LINES + 2 * SLOTS + 5):
        note(journal.writer(Plugin, "add"), number)
    assert noted(store) == list(range(LINES + 2 * SLOTS - 5, LINES + 2 * SLOTS + 5))
    with contextlib.closing(sqlite3.connect(store.calls)) as database:
        assert database.execute("SELECT max(id) FROM call").fetchone()[0] < 2 * SLOTS
    assert len(pages(store)) == 1


def test_pages_do_not_pile_up(journal, store, monkeypatch):
    monkeypatch.setattr(_spool, "_MOST_FILES", 3)
    writer = journal.writer(Plugin, "add")
    for number in range(6 * SLOTS):
        note(writer, number)
    journal.close()
    with contextlib.closing(sqlite3.connect(store.calls)) as database:
        assert database.execute("SELECT count(*) FROM call").fetchone()[0] >= 3 * SLOTS
    assert noted(store) == list(range(6 * SLOTS))


def test_a_journal_that_is_deleted_under_its_writers_is_begun_again(journal, store):
    for number in range(2 * LINES):
        note(journal.writer(Plugin, "add"), number)
    journal.note_failure(Plugin, LookupError())
    rmtree(store.spool)
    journal.close()
    note(journal.writer(Plugin, "add"), 1)
    assert noted(store) == [1]


def test_where_a_page_cannot_be_made_there_are_lines(script, store):
    text = (
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n[call(number) for number in range(100)]"
    )
    assert script(text).communicate(timeout=WAIT_S) == ("", None)
    assert pages(store) == []
    assert len(noted(store)) == 100


def test_the_time_of_day_is_read_again_when_it_may_have_been_set(journal, store):
    writer = journal.writer(Plugin, "add")
    writer._clock.offset_ns -= 10**15
    writer._clock.until_ns = 0
    before = datetime.now(UTC)
    note(writer, 1)
    with Host(store=store.root) as host:
        [call] = host.calls()
    assert abs((call.time - before).total_seconds()) < 60


def test_nothing_is_noted_where_nothing_shall_be(store):
    journal = NoJournal()
    for number in range(LINES + 1):
        note(journal.writer(Plugin, "add"), number)
    journal.close()
    assert not Path(store.spool).exists()
