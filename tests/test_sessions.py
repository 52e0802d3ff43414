"""Sessions: a process and a work directory of one's own, kept between calls, within limits, and gone without a trace."""

from __future__ import annotations

import asyncio
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plughost import Host, Settings
from plughost.errors import (
    CallTimeout,
    LimitExceeded,
    PluginCrashed,
    PluginDisabled,
    SessionEnded,
    SessionError,
    UnknownError,
    UsageError,
)
from plughost.paths import Store

WAIT_S = 60

pytestmark = pytest.mark.usefixtures("confined")


@pytest.fixture(scope="module")
def root(stateful_store):
    return stateful_store


@pytest.fixture
def host(root):
    with Host(store=root, settings=Settings()) as host:
        yield host
    assert folders(root) == []


@pytest.fixture(scope="module")
def enough_s(root):
    """More time than a process needs to start and to answer here and now."""
    began = time.monotonic()
    with Host(store=root, settings=Settings()) as host, host.session("stateful") as session:
        session.call("add")
    return round(1 + 10 * (time.monotonic() - began), 1)


@pytest.fixture
def session(host):
    with host.session("stateful") as session:
        yield session


def folders(root):
    """Those of sessions that are on disk."""
    place = Path(Store(root).sessions)
    return sorted(place.iterdir()) if place.exists() else []


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        select.select([], [], [], 0.01)
    return value


def paths(artifacts):
    return [artifact.path for artifact in artifacts]


# State and files.


def test_state_lives_on_between_calls(session):
    assert [session.call("add"), session.call("add", 5), session.call("add", amount=-1)] == [1, 6, 5]
    assert session.call("pid") == session.call("pid") == session.life.pid


def test_sessions_of_one_plugin_see_nothing_of_each_other(host):
    with host.session("stateful") as one, host.session("stateful") as other:
        one.call("add", 7)
        one.call("write", {"mine.txt": ""})
        one.call("fill", "mine-for-a-while")
        assert other.call("add") == 1
        seen = other.call("around")
        assert seen["folder"] == other.folder != one.folder
        assert seen["files"] == []
        assert "mine-for-a-while" not in seen["temporary"]
        assert "mine-for-a-while" in one.call("around")["temporary"]


def test_sessions_of_a_trusted_plugin_have_folders_of_their_own_too(root):
    trusting = Host(store=root, settings=Settings(), policy="trusted")
    with trusting as host, host.session("stateful") as one, host.session("stateful") as other:
        assert one.policy.is_trusted
        one.call("write", {"mine.txt": ""})
        assert one.call("fill", "mine").startswith(os.path.dirname(one.folder))
        assert other.call("around") == {"folder": other.folder, "files": [], "temporary": []}


def test_a_call_names_the_files_that_it_wrote(session):
    outcome = session.invoke("write", args=[{"table.csv": "a,b\n", "plots/one.png": "…", "data.tar.gz": "", "notes": ""}])
    described = [(artifact.path, artifact.media_type, artifact.size_bytes) for artifact in outcome.artifacts]
    assert described == [
        ("data.tar.gz", "application/gzip", 0),
        ("notes", "application/octet-stream", 0),
        ("plots/one.png", "image/png", 3),
        ("table.csv", "text/csv", 4),
    ]
    assert [Path(artifact.file).read_text() for artifact in outcome.artifacts] == ["", "", "…", "a,b\n"]
    assert outcome.artifacts_complete
    assert paths(session.invoke("append", args=["notes", "more"]).artifacts) == ["notes"]
    assert paths(session.invoke("add").artifacts) == []
    assert paths(session.artifacts()) == ["data.tar.gz", "notes", "plots/one.png", "table.csv"]


def test_files_that_the_caller_puts_there_are_no_artifacts(session):
    user = os.stat(session.folder).st_uid
    given = Path(session.folder, "given.txt")
    given.write_text("given")
    os.chown(given, user, user)
    assert paths(session.invoke("append", args=["made.txt", "…"]).artifacts) == ["made.txt"]
    assert session.call("around")["files"] == ["given.txt", "made.txt"]


def test_files_are_kept_where_that_is_asked_for(host, tmp_path):
    with host.session("stateful", keep=tmp_path / "at-the-end") as session:
        session.call("write", {"a.txt": "1", "b/c.txt": "2"})
        kept = session.keep(tmp_path / "now")
        assert paths(kept) == ["a.txt", "b/c.txt"]
        session.call("write", {"a.txt": "3"})
    assert (tmp_path / "now" / "a.txt").read_text() == "1"
    assert (tmp_path / "at-the-end" / "a.txt").read_text() == "3"
    assert (tmp_path / "at-the-end" / "b" / "c.txt").read_text() == "2"
    assert not Path(session.folder).exists()


def test_a_folder_that_can_t_be_written_is_refused_before_there_are_files_to_keep(host, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="The files of the session can't be kept in"):
        host.session("stateful", keep=tmp_path / "file" / "kept")
    assert len(host.sessions) == 0


def test_the_record_of_a_call_has_what_was_said_of_its_session(root):
    with Host(store=root, settings=Settings(), record_arguments=True, allow_unenforced=["file-names"]) as host:
        given = {"policy": {"open-files": 100}, "memory_bytes": 300 << 20, "env": {"COLOUR": "red"}}
        with host.session("stateful", **given) as session:
            session.call("around")
        record = host.calls()[-1]
        assert record.arguments.policy == {"open-files": 100, "memory": "300 MiB"}
        assert record.variables == ("COLOUR",)
        assert record.record(whole=True)["allow_unenforced"] == ["file-names"]
        assert host.replay(record.id).error is None


def test_names_and_paths_as_long_as_can_be_keep_no_other_file_from_being_kept(session, tmp_path):
    longest, deepest = "n" * 255, "/".join(["d" * 250] * 15)
    session.call("write", {"a.txt": "", longest: "", f"{deepest}/f": ""})
    assert paths(session.close(keep=tmp_path / "kept" / ("k" * 200) / ("k" * 200))) == ["a.txt", longest]


def test_close_keeps_files_too_and_does_nothing_twice(session, tmp_path):
    session.call("write", {"a.txt": "1"})
    assert paths(session.close(keep=tmp_path / "kept")) == ["a.txt"]
    assert session.close(keep=tmp_path / "again") == []
    assert (tmp_path / "kept" / "a.txt").read_text() == "1"
    with pytest.raises(SessionEnded, match="it was closed"):
        session.artifacts()


def test_nothing_but_files_of_its_own_is_kept_and_nothing_outside_is_deleted(root, tmp_path):
    secret = tmp_path / "secrets" / "key"
    secret.parent.mkdir()
    secret.write_text("secret")
    with Host(store=root, settings=Settings(), policy="trusted") as host, host.session("stateful") as session:
        session.call("write", {"own.txt": "own"})
        traps = session.call("lay-traps", str(secret))
        assert {"link", "folder", "pipe", "deep", "locked"} <= set(traps)
        assert paths(session.artifacts()) == ["own.txt"]
        assert paths(session.keep(tmp_path / "kept")) == ["own.txt"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["own.txt"]
    assert secret.read_text() == "secret"
    assert folders(root) == []


def test_a_file_full_of_holes_stays_so(host, tmp_path):
    with host.session("stateful") as session:
        path = Path(session.folder, "large")
        with path.open("wb") as file:
            file.seek(1 << 20)
            file.write(b"here")
            file.truncate(1 << 34)
        session.close(keep=tmp_path)
    kept = (tmp_path / "large").stat()
    assert kept.st_size == 1 << 34
    assert kept.st_blocks * 512 < 1 << 22
    with (tmp_path / "large").open("rb") as file:
        file.seek(1 << 20)
        assert file.read(5) == b"here\0"


# Losing the process.


def test_a_crash_is_said_once_and_the_next_call_starts_afresh_with_the_files(session):
    session.call("add", 5)
    session.call("write", {"a.txt": ""})
    with pytest.raises(PluginCrashed) as caught:
        session.call("die")
    assert caught.value.causes[-1] == "The state of its session is lost; the session's files are kept"
    assert session.call("add") == 1
    assert session.call("around")["files"] == ["a.txt"]
    assert (session.stats.restarts, session.stats.failed, session.stats.tasks) == (1, 1, 5)


@pytest.mark.parametrize("policy", ["trusted", None])
def test_a_work_directory_that_is_spoilt_is_mended_for_the_next_process(root, policy):
    with Host(store=root, settings=Settings(), policy=policy) as host, host.session("stateful") as session:
        session.call("spoil-folder")
        with pytest.raises(PluginCrashed):
            session.call("die")
        session.call("write", {"a.txt": ""})
        assert paths(session.artifacts()) == ["a.txt"]


@pytest.mark.parametrize(
    "call",
    [lambda session: session.call("add"), lambda session: asyncio.run(session.acall("add"))],
    ids=["call", "acall"],
)
def test_a_process_that_ends_between_two_calls_is_no_secret(session, is_gone, call):
    pid = session.call("pid")
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid)
    with pytest.raises(PluginCrashed) as caught:
        call(session)
    assert caught.value.reference == "session-lost"
    assert session.call("add") == 1


@pytest.mark.parametrize(
    "call",
    [lambda session: session.call("sleep"), lambda session: session.invoke("sleep", timeout_s=3600)],
    ids=["call", "invoke"],
)
def test_a_call_that_takes_too_long_loses_the_state_and_may_be_given_less_time_but_not_more(host, enough_s, call):
    with host.session("stateful", task_timeout_s=enough_s) as session:
        session.call("add", 5)
        with pytest.raises(CallTimeout, match=f"longer than {enough_s:g} s") as caught:
            call(session)
        assert caught.value.causes[-1] == "The state of its session is lost; the session's files are kept"
        assert "task_timeout_s=" in caught.value.hint
        assert session.call("add") == 1
        with pytest.raises(CallTimeout, match=r"longer than 0\.1 s"):
            session.invoke("sleep", timeout_s=0.1)


@pytest.mark.parametrize("time_s", [1e9, math.inf])
def test_a_session_may_have_all_the_time_there_is(host, time_s):
    with host.session("stateful", task_timeout_s=time_s, lifetime_s=time_s, idle_timeout_s=time_s) as session:
        assert [session.call("add"), session.call("add"), session.invoke("add", timeout_s=time_s).result] == [1, 2, 3]


def test_an_interrupt_ends_a_call_and_the_session_says_so_and_goes_on(session):
    session.call("add", 5)
    started = Path(session.folder, "started")

    def interrupt() -> None:
        until(started.exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.call("sleep", "started")
    thread.join(WAIT_S)
    with pytest.raises(PluginCrashed) as caught:
        session.call("add")
    assert caught.value.reference == "session-lost"
    assert session.call("add") == 1


def test_an_error_of_the_plugin_and_a_mistake_of_the_caller_leave_the_state_alone(session):
    session.call("add", 5)
    with pytest.raises(UsageError):
        session.call("add", "five")
    with pytest.raises(UnknownError) as caught:
        session.call("ad")
    assert caught.value.hint == "Did you mean `add`?"
    assert session.stats.tasks == 1
    with pytest.raises(TypeError):
        session.call("write", {"a.txt": 3})
    assert session.call("add") == 6
    assert session.stats.failed == 1


def test_a_first_call_that_is_refused_is_none_and_what_the_process_says_of_its_start_is_no_end(session):
    with pytest.raises(UnknownError):
        session.call("subtract")
    until(lambda: select.select([session.life.run().channel.out_fd], [], [], 0)[0])
    assert session.call("add") == 1
    assert (session.stats.tasks, session.stats.restarts) == (1, 0)


def test_a_limit_of_the_policy_loses_the_state_and_is_called_by_its_name(host):
    with host.session("stateful", policy={"cpu": "0.5 s"}) as session:
        session.call("add", 5)
        with pytest.raises(LimitExceeded) as caught:
            session.call("spin")
        assert (caught.value.limit, caught.value.allowed) == ("cpu_s", 0.5)
        assert "`policy show stateful`" in caught.value.hint
        assert caught.value.hint.endswith("; the next call starts afresh")
        assert caught.value.causes[-1] == "The state of its session is lost; the session's files are kept"
        assert session.call("add") == 1


def test_memory_that_is_used_up_is_the_plugins_to_give_back(host):
    with host.session("stateful", memory_bytes=100 << 20) as session:
        session.call("add", 5)
        with pytest.raises(MemoryError) as caught:
            session.call("hoard", 400)
        assert "`memory_bytes=`" in caught.value.hint
        assert session.call("add") == 6


def test_a_plugin_that_keeps_nearly_all_memory_is_still_asked(host):
    with host.session("stateful", memory_bytes=100 << 20, policy={"wall": "60 s"}) as session:
        session.call("add", 5)
        with pytest.raises(MemoryError):
            session.call("hoard-all", 1 << 14)
        assert session.call("add") == 6


# Calls of every kind.


def test_a_stream_gives_its_items_and_leaves_the_state(session):
    session.call("add", 5)
    assert list(session.stream("count", 3)) == [0, 1, 2]
    for item in session.stream("count", 10**9):
        assert item == 0
        break
    assert session.call("add") == 6


def test_a_call_in_the_middle_of_a_stream_is_refused_and_does_not_wait_for_itself(session):
    items = session.stream("count", 10**9)
    next(items)
    with pytest.raises(SessionError) as caught:
        session.call("add")
    assert caught.value.reference == "session-busy"
    items.close()
    assert session.call("add") == 1


def test_arguments_of_any_size_arrive(session):
    more_than_a_pipe_takes = {"./" * depth + "deep.txt": "x" for depth in range(500)}
    for _ in range(2):
        session.call("append", "long.txt", "x" * 100_000)
        session.call("write", more_than_a_pipe_takes)
    assert {artifact.path: artifact.size_bytes for artifact in session.artifacts()} == {"deep.txt": 1, "long.txt": 200_000}
    assert session.stats.failed == 0


def test_calls_of_several_threads_take_turns(session):
    with ThreadPoolExecutor(8) as pool:
        totals = list(pool.map(lambda _: session.call("add"), range(24)))
    assert sorted(totals) == list(range(1, 25))


def test_a_plugin_that_calls_the_app_back_finds_its_own_state(host, session):
    host.offer("again", lambda amount: session.call("add", amount))
    assert session.call("forward", 3) == 3
    assert session.call("add") == 4


def test_an_event_loop_goes_on_and_a_call_that_is_cancelled_ends(session):
    started = os.path.join(session.folder, "started")

    async def both():
        assert await session.acall("add", 5) == 5
        call = asyncio.ensure_future(session.acall("sleep", started))
        await asyncio.to_thread(until, lambda: os.path.exists(started))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(PluginCrashed) as caught:
            await session.acall("add")
        assert caught.value.reference == "session-lost"
        assert caught.value.causes[0] == "A call was cancelled in the middle"
        return await session.acall("add")

    assert asyncio.run(both()) == 1


def test_tasks_of_an_event_loop_take_turns_and_one_in_its_own_stream_is_refused(host):
    async def use():
        async with host.session("stateful") as session:
            items = session.astream("count", 10**9)
            assert await anext(items) == 0
            with pytest.raises(SessionError):
                await session.acall("add")
            with pytest.raises(SessionError):  # the stream would wait for this thread
                session.call("add")
            other = asyncio.ensure_future(session.acall("add", 5))
            await items.aclose()
            assert await other == 5
            assert [item async for item in session.astream("count", 3)] == [0, 1, 2]
            assert session.stats.failed == 0
            return session, session.astream("count", 10**9)

    session, items = asyncio.run(use())
    assert not Path(session.folder).exists()
    with pytest.raises(SessionEnded):
        asyncio.run(anext(items))


def test_what_is_awaited_has_the_sessions_time_and_its_deadlines(host, enough_s):
    async def use():
        async with host.session("stateful", task_timeout_s=enough_s) as session:
            await session.acall("add", 5)
            with pytest.raises(CallTimeout) as caught, host.deadline(0.5):
                await session.acall("sleep")
            assert caught.value.causes[-1] == "The state of its session is lost; the session's files are kept"
            assert caught.value.hint == "The next call starts afresh"
            assert await session.acall("add", 5) == 5
            with pytest.raises(CallTimeout, match=f"longer than {enough_s:g} s") as caught:
                [item async for item in session.astream("sleep")]
            assert "task_timeout_s=" in caught.value.hint
            assert await session.acall("add") == 1

    asyncio.run(use())


def test_a_call_that_is_cancelled_before_its_turn_leaves_the_state(session):
    started = os.path.join(session.folder, "started")

    async def use():
        first = asyncio.ensure_future(session.acall("rest", started))
        await asyncio.to_thread(until, lambda: os.path.exists(started))
        second = asyncio.ensure_future(session.acall("add"))
        await asyncio.sleep(0)  # it waits now
        second.cancel()
        os.unlink(started)
        await first
        assert await session.acall("add", 5) == 5
        assert second.cancelled()
        assert session.stats.restarts == 0

    asyncio.run(use())


def test_a_call_waits_for_its_turn_no_longer_than_its_deadline(host, session):
    started = os.path.join(session.folder, "started")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(session.call, "sleep", started)
        until(lambda: os.path.exists(started))
        with host.deadline(0.1), pytest.raises(CallTimeout, match="was busy until the deadline"):
            session.call("add")
        session.close()


# Limits.


def test_no_more_calls_than_it_may_make_and_the_files_are_there_still(host, tmp_path):
    with host.session("stateful", max_tasks=2) as session:
        session.call("add")
        session.call("write", {"a.txt": ""})
        assert session.stats.state == "used-up"
        with pytest.raises(SessionEnded) as caught:
            session.call("add")
        assert (caught.value.reference, caught.value.figure, caught.value.limit) == ("session-tasks", 2, 2)
        until(lambda: not session.life.pid)
        assert paths(session.keep(tmp_path)) == ["a.txt"]


def test_a_session_that_nobody_calls_ends_by_itself(host, root, is_gone):
    session = host.session("stateful", idle_timeout_s=1.5)
    pid = session.call("pid")
    assert is_gone(pid)
    until(lambda: not host.sessions)
    assert folders(root) == []
    with pytest.raises(SessionEnded) as caught:
        session.call("add")
    assert (caught.value.reference, caught.value.limit) == ("session-idle", 1.5)
    assert caught.value.figure >= 1.5


def test_a_session_that_is_called_does_not_end_for_being_idle(host):
    with host.session("stateful", idle_timeout_s=1.5) as session:
        session.call("sleep", seconds=2.0)
        assert session.call("add") == 1


@pytest.mark.parametrize("tool", ["add", "sleep"])
def test_a_session_ends_with_its_lifetime_also_in_the_middle_of_a_call(host, tool):
    session = host.session("stateful", lifetime_s=0.4, max_tasks=math.inf)

    def call_on():
        while True:
            session.call(tool)

    with pytest.raises(SessionEnded) as caught:
        call_on()
    assert (caught.value.reference, caught.value.limit) == ("session-lifetime", 0.4)
    until(lambda: not host.sessions)


def test_threads_that_ask_for_sessions_at_the_same_moment_have_them_in_one_place(tmp_path):
    with Host(store=tmp_path) as host, ThreadPoolExecutor(8) as pool:
        together = threading.Barrier(8)

        def ask(_):
            together.wait(WAIT_S)
            return host.sessions

        assert {id(sessions) for sessions in pool.map(ask, range(8))} == {id(host.sessions)}


def test_of_too_many_sessions_the_one_ends_that_is_idle_for_the_longest(root):
    with Host(store=root, settings=Settings(), max_sessions=2) as host:
        first, second = host.session("stateful"), host.session("stateful")
        first.call("add")  # so the second is idle for longer
        third = host.session("stateful")
        assert [session.id for session in host.sessions] == [first.id, third.id]
        with pytest.raises(SessionEnded) as caught:
            second.call("add")
        assert (caught.value.reference, caught.value.limit) == ("session-evicted", 2)
        with pytest.raises(SessionEnded, match="made room"):
            host.sessions.find(second.id)


def test_where_all_are_busy_no_other_is_opened(root):
    with Host(store=root, settings=Settings(), max_sessions=1) as host, ThreadPoolExecutor(1) as pool:
        session = host.session("stateful")
        started = os.path.join(session.folder, "started")
        call = pool.submit(session.call, "sleep", started)
        until(lambda: os.path.exists(started))
        with pytest.raises(SessionError) as caught:
            host.session("stateful")
        assert caught.value.reference == "sessions-busy"
        session.close()
        with pytest.raises(SessionEnded, match="it was closed"):
            call.result(WAIT_S)


def test_memory_is_of_the_narrowest(host):
    with host.session("stateful") as session:
        assert session.policy.memory_bytes == 512 << 20
    with host.session("stateful", policy="strict", memory_bytes=1 << 30) as session:
        assert session.policy.memory_bytes == 512 << 20  # as `strict` has it
        assert session.policy.environment == ()
    with host.session("stateful", policy={"memory": "64 MiB"}) as session:
        assert session.policy.memory_bytes == 64 << 20
    with host.session("stateful", memory_bytes=math.inf) as session:
        assert session.policy.memory_bytes == 4 << 30


def test_limits_come_from_the_settings(root):
    settings = Settings(
        session_tasks=3, session_lifetime=7.0, session_idle_timeout=5.0, session_task_timeout=2.0, session_count=4
    )
    with Host(store=root, settings=settings) as host, host.session("stateful", lifetime_s=9) as session:
        assert (session.limits.max_tasks, session.limits.lifetime_s, session.limits.idle_timeout_s) == (3, 9, 5.0)
        assert (session.limits.task_timeout_s, session.limits.max_sessions) == (2.0, 4)


@pytest.mark.parametrize("name", ["idle_timeout_s", "task_timeout_s", "lifetime_s", "max_tasks", "memory_bytes"])
def test_a_limit_that_can_not_be_kept_is_refused(host, name):
    with pytest.raises(UsageError, match=f"`{name}=0` can't be"):
        host.session("stateful", **{name: 0})


def test_a_call_has_a_time_that_is_one_and_a_session_a_whole_number_of_calls(host):
    with pytest.raises(UsageError, match=r"`max_tasks=1\.5` can't be"):
        host.session("stateful", max_tasks=1.5)
    with host.session("stateful") as session, pytest.raises(UsageError, match=r"`timeout_s=-1` is no number of seconds above 0"):
        session.invoke("add", timeout_s=-1)


def test_memory_in_another_unit_than_bytes_is_refused(host):
    with pytest.raises(UsageError, match="`memory_bytes=512` is less than any process needs"):
        host.session("stateful", memory_bytes=512)


# Counting.


def test_sessions_are_counted_one_by_one_and_together(host):
    with host.session("stateful") as one:
        one.call("add")
        with host.session("stateful") as other:
            other.call("add")
            with pytest.raises(PluginCrashed):
                other.call("die")
            other.call("add")
            mine = other.stats
            assert (mine.plugin, mine.version, mine.state, mine.tasks, mine.failed, mine.restarts) == (
                "stateful", "1.0", "idle", 3, 1, 1,
            )  # fmt: skip
            assert mine.memory_bytes > 1 << 20
            assert 0 <= mine.idle_s < mine.age_s
            totals = host.sessions.stats()
            assert [each.id for each in totals.sessions] == [one.id, other.id]
            assert totals.memory_bytes > mine.memory_bytes
    totals = host.sessions.stats()
    assert (totals.active, totals.opened, totals.tasks, totals.failed, totals.restarts) == (0, 2, 4, 1, 1)


def test_what_a_plugin_starts_counts_as_its_memory(root):
    with Host(store=root, settings=Settings(), policy="trusted") as host, host.session("stateful") as session:
        before = session.stats.memory_bytes
        session.call("have-child")
        assert session.stats.memory_bytes > before + (1 << 20)


# Ending.


def test_a_plugin_that_is_disabled_is_not_called_in_a_session_either(host, session):
    host.disable("stateful")
    try:
        with pytest.raises(PluginDisabled):
            session.call("add")
    finally:
        host.enable("stateful")
    assert session.call("add") == 1


def test_a_host_that_closes_ends_its_sessions(root, is_gone):
    with Host(store=root, settings=Settings()) as host:
        session = host.session("stateful")
        pid = session.call("pid")
    assert is_gone(pid)
    with pytest.raises(SessionEnded):
        session.call("add")


def test_a_session_of_a_host_that_was_forked_is_the_originals(session):
    session.call("add", 5)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            session.call("add")
        except SessionEnded:
            os.write(writer, b"ended")
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    assert os.read(reader, 9) == b"ended"
    os.close(reader)
    assert session.call("add") == 6


HOLDER = """
import sys
from plughost import Host, Settings
host = Host(store=sys.argv[1], settings=Settings())
session = host.session("stateful")
session.call("write", {"a.txt": ""})
print(session.id, session.call("pid"), flush=True)
sys.stdin.read()
"""


def test_what_a_killed_host_leaves_goes_with_the_next_session_or_gc(root, is_gone):
    for clear_up in (lambda host: host.session("stateful").close(), lambda host: host.collect_garbage()):
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        name, pid = holder.stdout.readline().split()
        with Host(store=root, settings=Settings()) as host:
            clear_up(host)
            assert [path.name for path in folders(root)] == [name]  # somebody holds it
            holder.kill()
            holder.communicate()
            assert is_gone(int(pid))
            clear_up(host)
        assert folders(root) == []


def test_many_sessions_some_of_them_killed_in_mid_call_leave_nothing(root):
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    pids = set()

    def use(number):
        session = host.session("stateful", max_tasks=5)
        pids.add(session.life.pid)
        try:
            session.call("write", {f"{number}.txt": "…"})
        except SessionEnded:  # while this thread had no turn, the others have opened so many that it made room
            return
        if number % 4 == 0:
            started = os.path.join(session.folder, "started")
            with ThreadPoolExecutor(1) as caller:
                call = caller.submit(session.call, "sleep", started)
                until(lambda: os.path.exists(started))
                os.kill(session.life.pid, signal.SIGKILL)
                with pytest.raises(PluginCrashed):
                    call.result(WAIT_S)

    with Host(store=root, settings=Settings(), max_sessions=6) as host:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(use, range(20)))
        assert len(host.sessions) <= 6
        assert host.sessions.stats().opened == 20
    assert folders(root) == []
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
    until(lambda: threading.active_count() <= threads)
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
