"""Calls and streams that an event loop awaits: without a thread for each, side by side, cancelled with their task."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost.errors import CallTimeout, PluginCrashed, UnknownError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60


@pytest.fixture
def host(lively_store: Path) -> Iterator[plughost.Host]:
    with plughost.Host(store=lively_store) as host:
        yield host


async def wait_for(path: Path) -> int:
    """Until a tool has written the file; the process's number."""
    async with asyncio.timeout(WAIT_S):
        while not (text := written(path)):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.005)
    return int(text)


def written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_calls_are_awaited_one_after_the_other_by_one_worker(host):
    async def main() -> set[object]:
        assert await host.acall("lively", "echo", {"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}
        assert await host.acall("lively", "echo", value="x" * 100_000) == "x" * 100_000
        assert await host.acall("lively", "echo", b"\0\1") == b"\0\1"
        return {await host.acall("lively", "pid") for _ in range(5)}

    assert len(asyncio.run(main())) == 1


def test_many_are_awaited_at_the_same_time_and_no_thread_waits(host, tmp_path):
    async def rest_together(name: str) -> int:
        go, begun = tmp_path / f"{name}-go", [tmp_path / f"{name}-{number}" for number in range(6)]
        calls = [host.acall("lively", "rest_until", str(go), begun=str(path)) for path in begun]
        tasks = [asyncio.ensure_future(call) for call in calls]
        for path in begun:
            await wait_for(path)
        threads = threading.active_count()
        go.touch()
        await asyncio.gather(*tasks)
        return threads

    async def main() -> tuple[int, int]:
        await rest_together("cold")
        return threading.active_count(), await rest_together("warm")

    threads, meanwhile = asyncio.run(main())
    assert meanwhile == threads


def test_no_more_workers_than_may_be_serve_a_loop(lively_store):
    async def main(host: plughost.Host) -> set[object]:
        return set(await asyncio.gather(*(host.acall("lively", "rest", 0.02) for _ in range(12))))

    with plughost.Host(store=lively_store, workers=(0, 2)) as host:
        assert len(asyncio.run(main(host))) <= 2


def test_errors_are_those_of_a_call(host):
    async def main() -> None:
        with pytest.raises(ValueError, match="boom"):
            await host.acall("lively", "boom")
        with pytest.raises(UsageError):
            await host.acall("lively", "rest", "soon")
        with pytest.raises(UsageError):
            await host.acall("lively", "echo", object())
        with pytest.raises(UnknownError):
            await host.acall("lively", "unknown")
        assert await host.acall("lively", "echo", 1) == 1

    asyncio.run(main())


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("tool", ["rest", "arest"])
def test_a_cancelled_task_has_the_tool_end_in_good_order(host, tool, tmp_path):
    async def main() -> None:
        begun, ended = tmp_path / "begun", tmp_path / "ended"
        await host.acall("lively", "pid")
        task = asyncio.ensure_future(host.acall("lively", tool, 60, begun=str(begun), ended=str(ended)))
        busy = await wait_for(begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await wait_for(ended) == busy
        assert await host.acall("lively", "pid") != busy

    asyncio.run(main())


@pytest.mark.usefixtures("unhurried")
def test_deadlines_hold_for_what_is_awaited(host, tmp_path, ever_longer):
    async def main() -> None:
        await host.acall("lively", "pid")
        for limit_s in ever_longer(tmp_path / "begun"):
            with pytest.raises(CallTimeout), host.deadline(limit_s):
                await host.acall("lively", "rest", 3600, begun=str(tmp_path / "begun"), ended=str(tmp_path / "ended"))
        await wait_for(tmp_path / "ended")

    asyncio.run(main())


def test_a_crash_while_awaited_is_that_calls_and_the_next_has_a_new_worker(host, tmp_path):
    async def main() -> None:
        await host.acall("lively", "pid")
        task = asyncio.ensure_future(host.acall("lively", "rest", 60, begun=str(tmp_path / "begun")))
        os.kill(await wait_for(tmp_path / "begun"), signal.SIGKILL)
        with pytest.raises(PluginCrashed):
            await task
        idle = await host.acall("lively", "pid")
        pidfd = os.pidfd_open(idle)
        os.kill(idle, signal.SIGKILL)
        select.select([pidfd], [], [], WAIT_S)
        os.close(pidfd)
        assert await host.acall("lively", "pid") != idle

    asyncio.run(main())


def test_streams_are_read_by_async_for(host, tmp_path):
    async def main() -> None:
        assert [item async for item in host.astream("lively", "count", 5000)] == list(range(5000))
        assert [item async for item in host.astream("lively", "echo", 1)] == [1]
        stream = host.astream("lively", "count", 1_000_000, ended=str(tmp_path / "ended"))
        async for item in stream:
            if item == 3:
                break
        await stream.aclose()
        await wait_for(tmp_path / "ended")
        assert await host.acall("lively", "echo", 1) == 1

    asyncio.run(main())


def test_each_loop_has_workers_of_its_own_and_leaves_none_behind(host):
    first, second = (asyncio.run(host.acall("lively", "pid")) for _ in range(2))
    assert first != second
    assert host.call("lively", "pid") not in {first, second}
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        asyncio.run(host.acall("lively", "pid"))
    host.close()
    assert len(os.listdir("/proc/self/fd")) < before


def test_what_happens_to_a_plugin_is_seen_by_the_next_call(store, session_repository):
    async def main(host: plughost.Host) -> None:
        host.disable("lively")
        with pytest.raises(plughost.PluginDisabled):
            await host.acall("lively", "pid")
        host.enable("lively")
        assert await host.acall("lively", "pid")

    with plughost.Host(store=store) as host:
        host.add(session_repository("lively"))
        assert asyncio.run(host.acall("lively", "pid"))
        asyncio.run(main(host))
