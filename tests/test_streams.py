"""Items that flow one by one: out of generators, and into functions that are given iterators. With real children, on an old
Python too.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost.call import Output, ToolCall, describe, invoke, stream, tools_of
from plughost.errors import PluginError, UsageError
from plughost.testing import Direct
from plughost.worker import Pool, Worker, launch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

PACKAGE = Path(__file__).parent / "packages" / "streams"
PYTHONS = Path("~/.pyenv/versions").expanduser()
TIMEOUT_S = 60.0
#: What the runner may be ahead of the reader, and what may wait in its buffer besides.
MOST_AHEAD = 1024 + 512


class Plugin:
    """The package under one Python, and the worker that serves it: a new one where the last has ended."""

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.pool = Pool()
        worker = self.launch()
        modules = {name: f"streams.{name}" for name in ("given", "gives")}
        self.tools = tools_of(describe(worker, "streams", modules, timeout_s=60))
        self.pool.give_back(("streams", ""), worker)

    def launch(self) -> Worker:
        return launch(str(self.venv), name="streams", project="plughost", bytecode=str(self.venv / "bytecode"))

    def stream(self, tool: str, *args: object) -> Iterator[object]:
        worker = self.pool.take(("streams", ""), self.launch)
        try:
            yield from stream(worker, self.asked(tool, args))
        finally:
            self.pool.give_back(("streams", ""), worker)

    def call(self, tool: str, *args: object) -> object:
        worker = self.pool.take(("streams", ""), self.launch)
        try:
            return invoke(worker, self.asked(tool, args)).result
        finally:
            self.pool.give_back(("streams", ""), worker)

    def asked(self, tool: str, args: Sequence[object]) -> ToolCall:
        return ToolCall("streams", self.tools[tool], args, {}, output=Output(None), timeout_s=TIMEOUT_S)


@pytest.fixture(scope="module", params=["3.8", ""], ids=["3.8", "own"])
def plugin(request: pytest.FixtureRequest, make_venv: Callable[[Path, str], Path]) -> Iterator[Plugin]:
    found = sorted(PYTHONS.glob(f"{request.param}.*/bin/python")) if request.param else [Path(os.path.realpath(sys.executable))]
    if not found:
        pytest.skip(f"no Python {request.param} in {PYTHONS}")
    plugin = Plugin(make_venv(found[-1], "streams"))
    yield plugin
    plugin.pool.close()


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def number_once_it_rests(path: Path, above: int = -1) -> int:
    """The number in the file, once it is above that and nobody makes it larger."""
    seen = [-1, -2]
    while len(set(seen[-20:])) > 1 or seen[-1] <= above:
        seen.append(int(text_of(path) or 0))
        time.sleep(0.005)
    return seen[-1]


# Out of generators.


@pytest.mark.parametrize("tool", ["count", "acount"])
def test_every_item_comes_once_and_in_its_order(plugin: Plugin, tool: str) -> None:
    assert list(plugin.stream(tool, 20_000)) == list(range(20_000))
    assert plugin.call(tool, 20_000) == list(range(20_000))
    assert list(plugin.stream(tool, 0)) == []


def test_values_of_all_kinds_keep_their_order(plugin: Plugin) -> None:
    items = [1, b"two", "three \ud800", {4, 5}, [date(2024, 5, 6)], "7" * 100_000, 10**30, None]

    assert list(plugin.stream("mix")) == items


def test_an_item_is_sent_as_it_was_when_it_was_yielded(plugin: Plugin) -> None:
    assert list(plugin.stream("mutate", 3)) == [{"numbers": [0]}, {"numbers": [0, 1]}, {"numbers": [0, 1, 2]}]


@pytest.mark.parametrize("before", [0, 1, 700])
def test_an_error_comes_after_the_items_before_it(plugin: Plugin, before: int) -> None:
    items = plugin.stream("fail_after", before)

    assert [next(items) for _ in range(before)] == list(range(before))
    with pytest.raises(KeyError, match="spent"):
        next(items)


def test_an_item_without_a_wire_form_is_an_error_that_names_it(plugin: Plugin) -> None:
    items = plugin.stream("cannot_send")

    assert next(items) == 1
    with pytest.raises(PluginError, match=r"can't be sent: `items\[1\].place` is a `object`"):
        next(items)
    assert plugin.call("count", 1) == [0]


def test_what_a_generator_has_yielded_does_not_wait_while_it_computes(plugin: Plugin, tmp_path: Path) -> None:
    items = plugin.stream("wait_after", 3, str(tmp_path / "go"))

    assert [next(items) for _ in range(3)] == [0, 1, 2]
    (tmp_path / "go").touch()
    assert list(items) == ["went on"]


def test_what_was_yielded_before_a_call_of_the_app_comes_before_it(plugin: Plugin) -> None:
    seen: list[object] = []

    def told(_: object) -> dict[str, object]:
        seen.append("told")
        return {"result": None}

    worker = plugin.launch()
    worker.on_callback = told
    for item in stream(worker, plugin.asked("tell", [])):
        seen.append(item)  # noqa: PERF402 - while the callback does, too
    worker.stop()

    assert seen == [1, 2, "told", 3]


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("tool", ["note_end", "anote_end"])
@pytest.mark.parametrize("how", ["close", "break", "raise", "forget"])
def test_a_generator_ends_when_its_reader_leaves(plugin: Plugin, tmp_path: Path, tool: str, how: str) -> None:
    path = tmp_path / "end"

    def read() -> None:
        items = plugin.stream(tool, str(path))
        for number, _ in enumerate(items):
            if number == 5:
                if how == "close":
                    items.close()
                if how == "raise":
                    raise LookupError
                if how in {"break", "forget"}:
                    break

    if how == "raise":
        with pytest.raises(LookupError):
            read()
    else:
        read()
    gc.collect()

    assert text_of(path) == "ended"
    assert plugin.call("count", 2) == [0, 1]


@pytest.mark.usefixtures("unhurried")
def test_a_generator_that_is_busy_ends_too_when_its_reader_leaves(plugin: Plugin, tmp_path: Path) -> None:
    items = plugin.stream("wait_in_vain", str(tmp_path / "end"))
    assert next(items) == 0
    while text_of(tmp_path / "end") != "busy":  # until then it would be closed at its `yield`
        time.sleep(0.005)

    started = time.monotonic()
    items.close()

    assert text_of(tmp_path / "end") == "ended"
    assert time.monotonic() - started < TIMEOUT_S / 2


def test_a_generator_is_only_so_far_ahead_of_its_reader(plugin: Plugin, tmp_path: Path) -> None:
    items = plugin.stream("note_ahead", str(tmp_path / "asked"))
    next(items)
    ahead = number_once_it_rests(tmp_path / "asked", above=512)
    for _ in range(5000):
        next(items)
    later = number_once_it_rests(tmp_path / "asked", above=5001)
    items.close()

    assert ahead <= MOST_AHEAD
    assert later <= 5001 + MOST_AHEAD


@pytest.mark.parametrize("item", ["x" * 300_000, b"x" * 300_000, ["x" * 100] * 3000], ids=["str", "bytes", "nested"])
def test_large_items_do_not_pile_up(plugin: Plugin, tmp_path: Path, item: object) -> None:
    items = plugin.stream("note_ahead", str(tmp_path / "asked"), item)
    next(items)
    ahead = number_once_it_rests(tmp_path / "asked")
    for _ in range(20):
        assert next(items) == item
    items.close()

    assert ahead <= 8


# Into functions.


class Numbers:
    """An iterator that counts what is drawn from it, and knows whether it was closed."""

    def __init__(self, most: int = 10**9, error: Exception | None = None) -> None:
        self.most = most
        self.error = error
        self.drawn = 0
        self.is_closed = False

    def __iter__(self) -> Numbers:
        return self

    def __next__(self) -> int:
        if self.drawn == self.most:
            raise self.error or StopIteration
        self.drawn += 1
        return self.drawn - 1

    def close(self) -> None:
        self.is_closed = True


def test_an_iterator_arrives_as_an_iterator(plugin: Plugin) -> None:
    assert plugin.call("total", iter(range(20_000))) == sum(range(20_000))
    assert plugin.call("total", iter([])) == 0
    assert plugin.call("total", [1, 2]) == 3
    assert plugin.call("asum", (number for number in range(3000))) == sum(range(3000))
    assert plugin.call("total_of_any", iter([1, 2]), iter([3])) == [3, 3]


def test_items_of_all_kinds_arrive_in_their_order(plugin: Plugin) -> None:
    items = [1, b"two", "three \ud800", {4, 5}, date(2024, 5, 6), "7" * 100_000, None]

    assert plugin.call("kinds", iter(items)) == ["int", "bytes", "str", "set", "date", "str", "NoneType"]


def test_items_are_made_what_the_annotation_asks_for(plugin: Plugin) -> None:
    assert plugin.call("days", iter(["2024-05-06", "2024-05-07"])) == 13
    with pytest.raises(UsageError, match=r"An argument of `streams:days` is not of the type it takes") as caught:
        plugin.call("days", iter(["2024-05-06", 5]))
    assert "`dates[1]`" in str(caught.value)


def test_an_item_is_sent_as_it_was_when_it_was_drawn(plugin: Plugin) -> None:
    def numbers() -> Iterator[list[int]]:
        given: list[int] = []
        for number in range(3):
            given.append(number)
            yield given

    assert plugin.call("pairs", numbers(), iter("abc")) == [[[0], "a"], [[0, 1], "b"], [[0, 1, 2], "c"]]


def test_no_more_is_drawn_than_is_likely_to_be_used(plugin: Plugin) -> None:
    ignored, few, many = Numbers(), Numbers(), Numbers()

    assert plugin.call("ignore", ignored) == "ignored"
    assert plugin.call("first", few) == [0]
    assert plugin.call("first", many, 1000) == list(range(1000))

    assert ignored.drawn == 0
    assert few.drawn == 1
    assert many.drawn < 3000
    assert all(each.is_closed for each in (ignored, few, many))


def test_what_an_iterator_has_given_does_not_wait_for_what_comes_after(plugin: Plugin, tmp_path: Path) -> None:
    def numbers() -> Iterator[int]:
        for number in range(1, 8):
            yield number
            while number % 3 == 0 and text_of(tmp_path / "last") != str(number):
                time.sleep(0.001)

    assert plugin.call("note_each", numbers(), str(tmp_path / "last")) == 7


def test_an_iterators_error_arrives_after_its_items_and_comes_back_as_it_was(plugin: Plugin) -> None:
    class Own(LookupError):
        pass

    error = Own("spent")

    assert plugin.call("until_error", Numbers(5, LookupError("spent"))) == [[0, 1, 2, 3, 4], "LookupError", "spent"]
    with pytest.raises(Own) as caught:
        plugin.call("total", Numbers(5, error))
    assert caught.value is error
    assert plugin.call("total", Numbers(5)) == 10


def test_an_item_of_an_argument_without_a_wire_form_is_the_callers_error(plugin: Plugin) -> None:
    with pytest.raises(UsageError, match=r"Item 1 of the argument `values` can't be sent") as caught:
        plugin.call("kinds", iter([1, [object()]]))
    assert "`values[1][0]` is a `object`" in str(caught.value)


def test_a_parameter_for_a_list_takes_no_iterator(plugin: Plugin) -> None:
    with pytest.raises(UsageError):
        plugin.call("listed", iter([1, 2]))
    assert plugin.call("listed", [1, 2]) == 3


@pytest.mark.parametrize("tool", ["double", "adouble"])
def test_a_pipeline_flows(plugin: Plugin, tool: str) -> None:
    numbers = Numbers(20_000)
    items = plugin.stream(tool, numbers)

    assert [next(items) for _ in range(100)] == list(range(0, 200, 2))
    assert numbers.drawn < 100 + 2 * MOST_AHEAD
    assert list(items) == list(range(200, 40_000, 2))


@pytest.mark.usefixtures("unhurried")
def test_a_pipeline_that_is_left_early_ends_on_both_sides(plugin: Plugin, tmp_path: Path) -> None:
    numbers = Numbers()
    items = plugin.stream("double", numbers, str(tmp_path / "end"))
    assert [next(items) for _ in range(3)] == [0, 2, 4]
    items.close()

    assert numbers.is_closed
    assert text_of(tmp_path / "end") == "ended"
    assert plugin.call("total", Numbers(3)) == 3


def test_an_iterator_is_of_no_use_after_its_call(plugin: Plugin) -> None:
    plugin.call("keep", Numbers())

    with pytest.raises(RuntimeError, match="the call is over"):
        plugin.call("next_kept")


# Awaited, and in this process.


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Direct]:
    monkeypatch.syspath_prepend(str(PACKAGE))
    with Direct("streams", {"given": "streams.given", "gives": "streams.gives"}) as twin:
        yield twin


def test_streams_flow_in_an_event_loop(twin: Direct, tmp_path: Path) -> None:
    closed = []

    async def numbers(most: int, error: Exception | None = None) -> AsyncIterator[int]:
        try:
            for number in range(1, most):
                if number % 3 == 0:
                    await asyncio.sleep(0)
                yield number
            if error is not None:
                raise error
        finally:
            closed.append(most)

    async def follow() -> None:
        error = LookupError("spent")
        assert [item async for item in twin.astream("streams", "count", 3000)] == list(range(3000))
        assert [item async for item in twin.astream("streams", "adouble", numbers(2000))] == list(range(2, 4000, 2))
        assert await twin.acall("streams", "asum", numbers(5)) == 10
        assert await twin.acall("streams", "first", numbers(6)) == [1]
        with pytest.raises(LookupError) as caught:
            await twin.acall("streams", "total", numbers(7, error))
        assert caught.value is error
        items = twin.astream("streams", "double", numbers(10**9), str(tmp_path / "end"))
        assert [await anext(items) for _ in range(3)] == [2, 4, 6]
        await items.aclose()
        assert await twin.acall("streams", "asum", numbers(5)) == 10

    asyncio.run(follow())

    assert closed == [2000, 5, 6, 7, 10**9, 5]
    assert text_of(tmp_path / "end") == "ended"


def test_a_plugin_is_called_by_the_reader_of_its_stream_whom_it_has_called(twin: Direct) -> None:
    def seen() -> list[object]:
        items = twin.stream("streams", "count", 3000)
        return [item if number % 1000 else twin.call("streams", "total", [number, 1]) for number, item in enumerate(items)]

    twin.offer("seen", seen)

    expected: list[object] = list(range(3000))
    expected[::1000] = [1, 1001, 2001]
    assert twin.call("streams", "look") == expected


def test_an_async_iterator_has_to_be_awaited(twin: Direct) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(UsageError, match="draws from an async iterator, and was not awaited"):
        twin.call("streams", "asum", numbers())
