"""Each call leaves a record, exactly one, whatever becomes of its process, and none of that costs the call anything."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import random
import re
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pluggy
import pytest

from plughost import CallTimeout, Host, PluginCrashed, PluginError, UsageError
from plughost.errors import StoreError
from plughost.journal import _take_in, refresh, take_in
from plughost.paths import Store
from plughost.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY_NS = 86_400 * 10**9


@pytest.fixture
def host(records_store: Path) -> Iterator[Host]:
    with Host(store=records_store) as host:
        yield host


@pytest.fixture
def script(records_store: Path) -> Callable[..., subprocess.Popen[str]]:
    """`script("print(host.call(…))")` is a process that has a host with these plugins, and all arguments recorded."""

    def start(text: str, *arguments: object, **more: object) -> subprocess.Popen[str]:
        setup = "import os, sys, plughost\nhost = plughost.Host(store=sys.argv[1], record_arguments=True)\n"
        argv = [sys.executable, "-c", setup + text, str(records_store), *map(str, arguments)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **more)

    return start


def spool_files(records_store: Path) -> list[Path]:
    return sorted((records_store / "journal" / "plughost" / "spool").glob("*.jsonl"))


def test_a_call_leaves_what_there_is_to_say_of_it(host):
    before = datetime.now(UTC)
    host.call("echo", "add", a=3)
    [call] = host.calls()
    installed = host.info("echo").receipt
    assert (call.plugin, call.tool, call.version, call.revision) == ("echo", "add", "1.0", installed.revision)
    assert call.commit_id == installed.commit_id
    assert (call.outcome, call.exit_code, call.error_type, call.message) == ("ok", 0, "", "")
    assert before <= call.time <= datetime.now(UTC)
    assert 0 < call.duration_s < (datetime.now(UTC) - before).total_seconds()
    assert (call.arguments, call.traceback) == (None, "")


def test_sizes_are_those_of_the_messages(host):
    host.call("echo", "echo", value="")
    host.call("echo", "echo", value="x" * 1000)
    host.call("echo", "echo", value="x" * 100_000)
    host.call("hazards", "flood", megabytes=1)
    small, text, large, flood = host.calls()
    assert text.request_bytes - small.request_bytes == text.reply_bytes - small.reply_bytes == 1000
    assert 100_000 <= large.reply_bytes <= large.request_bytes < 100_500
    assert 0 < small.reply_bytes < small.request_bytes < 200
    assert flood.output_bytes == 1 << 20
    assert small.output_bytes == 0


@pytest.mark.parametrize(
    ("tool", "arguments", "error", "outcome", "exit_code", "reference", "type_name"),
    [
        ("raise-own", {}, PluginError, "raised", 1, "plugin-raised", "hazards.errors.WeatherError"),
        ("give-unsupported", {}, PluginError, "raised", 1, "result-unsupported", "plughost.WireError"),
        ("kill-itself", {}, PluginCrashed, "crashed", 4, "plugin-crashed", ""),
        ("sleep", {"timeout_s": 0.05}, CallTimeout, "timed-out", 124, "timed-out", ""),
        ("sleep", {"kwargs": {"seconds": "secret"}}, UsageError, "refused", 2, "arguments-invalid", ""),
        ("sleep", {"kwargs": {"seconds": object()}}, UsageError, "refused", 2, "value-unsupported", ""),
    ],
)
def test_a_call_that_does_not_go_well_leaves_why(host, tool, arguments, error, outcome, exit_code, reference, type_name):
    with pytest.raises(error):
        host.invoke("hazards", tool, **arguments)
    [call] = host.calls(failed=True)
    assert (call.outcome, call.exit_code, call.reference) == (outcome, exit_code, reference)
    assert call.error_type in {type_name, type_name.rpartition(".")[2]}
    assert "secret" not in str(call.record(whole=True))
    assert call.traceback.startswith("Traceback") == (reference == "plugin-raised")


def test_a_message_is_one_line_and_short(host):
    with pytest.raises(PluginError):
        host.call("hazards", "raise-unicode-error")
    [call] = host.calls()
    assert call.message.startswith("`hazards:raise-unicode-error` raised UnicodeDecodeError: ")
    assert "\n" not in call.message


def test_a_stream_is_one_call_also_where_its_reader_leaves(host):
    assert list(host.stream("echo", "countdown", start=3)) == [3, 2, 1]
    for _ in host.stream("echo", "countdown", start=1000):
        break
    with pytest.raises(ValueError, match="after the first"):
        list(host.stream("hazards", "raise-in-stream"))
    assert [call.outcome for call in host.calls()] == ["ok", "cancelled", "raised"]


def test_an_interrupt_of_the_call_is_told(host):
    def interrupt(_item: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        host.invoke("echo", "countdown", kwargs={"start": 3}, on_item=interrupt)
    [call] = host.calls()
    assert (call.outcome, call.exit_code, call.error_type) == ("cancelled", 130, "KeyboardInterrupt")


def test_a_call_that_is_cancelled_leaves_that(host):
    async def leave() -> None:
        await asyncio.wait_for(host.acall("hazards", "sleep"), 0.05)

    assert host.submit("hazards", "sleep").cancel()
    with pytest.raises(TimeoutError):
        asyncio.run(leave())
    with pytest.raises(CallTimeout), host.deadline(0.05):
        host.call("hazards", "sleep")
    calls = [(call.outcome, call.exit_code, call.reference, call.error_type) for call in host.calls()]
    assert calls == [
        ("cancelled", 130, "cancelled", ""),
        ("cancelled", None, "", "CancelledError"),
        ("timed-out", 124, "timed-out", ""),
    ]


def test_a_plugin_that_cannot_be_started_leaves_a_record(host, records_store):
    venvs = records_store / "venvs"
    venvs.unlink()
    with pytest.raises(StoreError):
        host.call("echo", "add", a=1)
    [call] = host.calls()
    assert (call.plugin, call.tool, call.outcome, call.reference) == ("echo", "", "failed", "venv-missing")


def test_hook_calls_are_recorded_as_such(host):
    manager = pluggy.PluginManager("plughost")
    host.attach(manager, ["hooks"])
    manager.hook.score(text="banana")
    host.call_hook(manager, "score", text="banana")
    names = [(call.tool, call.outcome) for call in host.calls()]
    assert names == [("hook:score", "ok")] * 4


def test_a_wrapper_is_not_blamed_for_what_it_wraps(host):
    class Local:
        @pluggy.HookimplMarker("plughost")
        def shorten(self, text):
            raise LookupError(text)

    manager = pluggy.PluginManager("plughost")
    manager.register(Local())
    host.attach(manager, ["hooks"])
    with pytest.warns(pluggy.PluggyTeardownRaisedWarning), pytest.raises(LookupError):
        manager.hook.shorten(text="banana")
    assert [(call.tool, call.outcome) for call in host.calls()] == [("hook:shorten", "ok")]


def test_arguments_are_kept_only_if_asked_for_and_come_back_as_they_were(records_store):
    value = {"raw": [b"\0\xff" * 1000, b""], "at": datetime(2026, 1, 31, tzinfo=UTC), "surrogate": "\ud800", "large": 10**30}
    with Host(store=records_store) as plain, Host(store=records_store, record_arguments=True) as keeping:
        plain.call("echo", "echo", value=1)
        keeping.call("echo", "echo", value)
        keeping.call("echo", "echo", value="x" * (1 << 20))
        without, kept, large = plain.calls()
    assert (without.arguments, without.arguments_lost) == (None, "")
    assert (kept.arguments.args, kept.arguments.kwargs) == ([value], {})
    assert large.arguments is None
    assert re.fullmatch(r"They take \d+ bytes, and 1048576 is the most", large.arguments_lost)


def test_the_environment_of_a_call_is_kept_by_its_names(records_store):
    with Host(store=records_store, record_arguments=True) as host:
        host.invoke("echo", "add", kwargs={"a": 1}, env={"TOKEN": "secret"}, timeout_s=60)
        [call] = host.calls()
    assert (call.variables, call.timeout_s) == (("TOKEN",), 60)
    assert b"secret" not in b"".join(path.read_bytes() for path in records_store.glob("journal/**/*") if path.is_file())


def test_nothing_is_recorded_where_nothing_shall_be(records_store):
    with Host(store=records_store, settings=Settings(record_calls=False)) as host:
        host.call("echo", "add", a=1)
        assert host.calls() == []
    assert not (records_store / "journal").exists()


def test_only_their_owner_can_read_the_records(host, records_store):
    for number in range(40):
        host.call("echo", "add", a=number)
    spooled = list((records_store / "journal" / "plughost" / "spool").iterdir())
    for path in spooled:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    host.calls()
    for path in (records_store / "journal" / "plughost").rglob("*.*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(spooled) == 2


def test_a_kill_between_calls_loses_none_that_was_answered(script, host):
    with script("for number in range(10_000):\n  host.call('echo', 'echo', number)\n  print(number, flush=True)") as process:
        answered = [process.stdout.readline() for _ in range(60)]
        process.kill()
        answered += process.stdout.readlines()
    kept = [call.arguments.args[0] for call in host.calls()]
    assert kept[: len(answered)] == list(range(len(answered)))
    assert len(kept) - len(answered) in {0, 1}


def test_records_of_several_processes_are_all_there_once_while_they_are_read(script, host):
    calls = "for number in range(200):\n  host.call('echo', 'echo', [sys.argv[2], number])\nhost.close()"
    processes = [script(calls, name) for name in "abcd"]
    while any(process.poll() is None for process in processes):
        host.calls(limit=1)
    for process in processes:
        process.communicate()
    kept = [tuple(call.arguments.args[0]) for call in host.calls()]
    assert sorted(kept) == [(name, number) for name in "abcd" for number in range(200)]


def test_records_of_many_threads_are_all_there_once(records_store):
    with Host(store=records_store, record_arguments=True) as host:

        def call(name: int) -> None:
            for number in range(20):
                host.call("echo", "echo", [name, number])

        threads = [threading.Thread(target=call, args=(name,)) for name in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = [tuple(call.arguments.args[0]) for call in host.calls()]
    assert sorted(kept) == [(name, number) for name in range(20) for number in range(20)]


def test_a_forked_copy_records_its_own_calls(script, host):
    process = script(
        "call = lambda name: [host.call('echo', 'echo', [name, number]) for number in range(30)]\n"
        "call('before')\n"
        "pid = os.fork()\n"
        "call('copy' if pid == 0 else 'original')\n"
        "host.close()\n"
        "if pid: os.waitpid(pid, 0)"
    )
    process.communicate()
    kept = [tuple(call.arguments.args[0]) for call in host.calls()]
    assert sorted(kept) == [(name, number) for name in ("before", "copy", "original") for number in range(30)]


def test_a_reader_that_is_killed_takes_nothing_twice_and_loses_nothing(records_store):
    folder = records_store / "journal" / "plughost" / "spool"
    folder.mkdir(parents=True)
    now = time.time_ns()
    for part in range(4):
        lines = [record(at=now + part * 5000 + number) for number in range(5000)]
        (folder / f"{part}.jsonl").write_text("".join(lines))
    program = "import sys; from plughost.journal import take_in; from plughost.paths import Store; take_in(Store(sys.argv[1]))"
    chance = random.Random(4)
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", program, str(records_store)])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1 + chance.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if not spool_files(records_store):
            break
    refresh(Store(records_store))
    with contextlib.closing(sqlite3.connect(records_store / "journal" / "plughost" / "calls.sqlite3")) as database:
        counted = database.execute("SELECT count(*), count(DISTINCT started_ns) FROM call").fetchone()
    assert counted == (20_000, 20_000)
    assert spool_files(records_store) == []


def test_a_record_that_is_just_being_written_is_taken_in_when_it_is_whole(host, records_store):
    folder = records_store / "journal" / "plughost" / "spool"
    folder.mkdir(parents=True)
    whole, begun = record(tool="whole").encode(), record(tool="begun").encode()
    with (folder / "1.jsonl").open("w+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        file.write(whole + b"\0" + begun[1:] + bytes(1000))
        assert [call.tool for call in host.calls()] == ["whole"]
        os.pwrite(file.fileno(), b"\n", len(whole))
        assert [call.tool for call in host.calls()] == ["whole", "begun"]


def record(**more: object) -> str:
    line = {"plugin": "echo", "tool": "add", "at": time.time_ns(), "ns": 1000, "sent": 1, "received": 1, "printed": 0, **more}
    return f"\n{json.dumps(line)}\n"


def test_lines_that_are_cut_off_or_of_no_sense_are_left_out(host, records_store):
    host.call("echo", "add", a=1)
    [path] = spool_files(records_store)
    with path.open("a") as file:
        file.write('\n{"plugin":"echo","tool":"cut of')
        file.write(record(tool="whole"))
        file.write(record(tool=["list"], version="\ud800", exit_code=2**64))
        file.write(record(at="never") + '\n[1]\n\n{"worker":1}\n' + record(arguments={"args": 1}) + "[" * 10_000 + "\n")
    assert [call.tool for call in host.calls()] == ["add", "whole", "", "add"]


def test_what_is_old_goes(host, records_store, monkeypatch):
    monkeypatch.setattr(_take_in, "KEPT_CALLS", 10)
    host.call("echo", "add", a=1)
    with spool_files(records_store)[0].open("a") as file:
        file.write(record(at=time.time_ns() - 31 * DAY_NS, tool="old"))
        file.writelines(record(tool=str(number)) for number in range(12))
    assert [call.tool for call in host.calls()] == [str(number) for number in range(2, 12)]


def test_old_arguments_go_before_they_take_much_room(records_store, monkeypatch):
    monkeypatch.setattr(_take_in, "KEPT_ARGUMENTS_BYTES", 30_000)
    with Host(store=records_store, record_arguments=True) as host:
        for _ in range(4):
            host.call("echo", "echo", value="x" * 10_000)
        kept = host.calls()
    assert [call.arguments is not None for call in kept] == [False, False, True, True]
    assert kept[0].arguments_lost == "They were dropped for those of later calls"


def test_a_spool_that_grows_is_taken_in_by_who_writes(host, records_store):
    folder = records_store / "journal" / "plughost" / "spool"
    folder.mkdir(parents=True)
    (folder / "now.jsonl").write_text(record(message="x" * 500) * 8000)
    host.call("echo", "add", a=1)
    host.close()
    with contextlib.closing(sqlite3.connect(records_store / "journal" / "plughost" / "calls.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM call").fetchone()[0] >= 8000


def test_the_files_of_a_long_life_do_not_pile_up(records_store):
    with Host(store=records_store, record_arguments=True) as host:
        for _ in range(100):  # of which each has a file, from the 17th on
            host.call("echo", "echo", value="x" * 140_000)
    assert len(spool_files(records_store)) <= 66
    with Host(store=records_store) as host:
        assert len(host.calls()) == 100
    assert spool_files(records_store) == []


@pytest.mark.parametrize("in_the_way", ["journal", "journal/plughost/spool", "journal/plughost/spool/now.jsonl"])
def test_calls_go_on_where_records_cannot_be_written(host, records_store, in_the_way):
    path = records_store / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.mkdir()
    else:
        path.write_text("")
    assert [host.call("echo", "add", a=number) for number in range(20)] == list(range(2, 22))
    assert host.calls() == []


def test_calls_go_on_where_the_disk_is_full(script, host):
    """As a full disk has it, a limit cuts the file off within a line."""
    process = script(
        "answers = [host.call('echo', 'echo', number) for number in range(60)]\nprint(sum(answers))",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert process.communicate()[0] == "1770\n"
    host.call("echo", "add", a=1)
    calls = host.calls()
    assert calls[-1].tool == "add"
    assert 1 < len(calls) < 10


def test_a_damaged_database_is_set_aside_and_named(host, records_store, caplog):
    host.call("echo", "add", a=1)
    assert len(host.calls()) == 1
    path = records_store / "journal" / "plughost" / "calls.sqlite3"
    path.write_bytes(b"no database" * 1000)
    host.call("echo", "add", a=2)
    host.close()
    assert len(host.calls()) == 2  # a file that the host had open was there still, with the first one
    [aside] = path.parent.glob("calls.sqlite3.damaged-*")
    assert aside.read_bytes().startswith(b"no database")
    assert f"are set aside as `{aside}`" in caplog.text


def test_a_pipe_in_the_place_of_the_database_keeps_nobody_waiting(host, records_store):
    host.call("echo", "add", a=1)
    (records_store / "journal" / "plughost").mkdir(parents=True, exist_ok=True)
    os.mkfifo(records_store / "journal" / "plughost" / "calls.sqlite3")
    with pytest.raises(StoreError) as caught:
        host.calls()
    assert (caught.value.reference, caught.value.causes) == ("records-unreadable", ("Not a regular file",))


def test_records_can_be_queried_by_the_views(records_store):
    with Host(store=records_store, record_arguments=True) as host:
        host.call("echo", "add", a=3)
    take_in(Store(records_store))
    with contextlib.closing(sqlite3.connect(records_store / "journal" / "plughost" / "calls.sqlite3")) as database:
        rows = database.execute(
            "SELECT plugin, tool, outcome, json_extract(arguments, '$.kwargs.a'), time > '2026-01-01' FROM calls"
        ).fetchall()
        workers = database.execute("SELECT plugin, calls, peak_bytes > 1000000 FROM workers").fetchall()
    assert rows == [("echo", "add", "ok", 3, 1)]
    assert workers == [("echo", 1, 1)]


def test_the_memory_of_a_process_is_known_after_its_end(host):
    host.call("hazards", "large", megabytes=50)
    with pytest.raises(CallTimeout):
        host.invoke("hazards", "sleep", timeout_s=0.05)
    host.call("echo", "add", a=1)
    host.close()
    echo, hazards = host.stats()
    assert (hazards.plugin, hazards.workers) == ("hazards", 1)
    assert hazards.peak_bytes > 50 << 20
    assert 1 << 20 < echo.peak_bytes < 50 << 20


def test_calls_are_counted_by_tool(host):
    for number in range(20):
        host.call("echo", "add", a=number)
    for _ in range(2):
        with pytest.raises(PluginError):
            host.call("hazards", "raise-own")
    [echo, hazards] = host.stats()
    [add] = echo.tools
    assert (add.tool, add.calls, add.failed, add.error_rate) == ("add", 20, 0, 0)
    assert 0 < add.median_s <= add.p95_s <= add.max_s
    assert (hazards.tools[0].calls, hazards.tools[0].error_rate) == (2, 1)
    assert [plugin.plugin for plugin in host.stats("hazards")] == ["hazards"]
