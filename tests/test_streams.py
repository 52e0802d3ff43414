"""Items that flow one by one: out of generators, and into functions that are given iterators. With real children, on an old
Python too.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import _process
from plughost.call import Output, describe, invoke, stream, tools_of
from plughost.errors import PluginError
from plughost.worker import Pool, Worker, launch

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parent / "packages" / "streams"
PYTHONS = Path("~/.pyenv/versions").expanduser()
TIMEOUT_S = 10.0
#: What the runner may be ahead of the reader, and what may wait in its buffer besides.
MOST_AHEAD = 1024 + 512


class Plugin:
    """The package under one Python, and the worker that serves it: a new one where the last has ended."""

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.pool = Pool()
        worker = self.launch()
        modules = {name: f"streams.{name}" for name in ("gives",)}
        self.tools = tools_of(describe(worker, "streams", modules, timeout_s=60))
        self.pool.give_back(("streams", ""), worker)

    def launch(self) -> Worker:
        return launch(str(self.venv), name="streams", project="plughost", bytecode=str(self.venv / "bytecode"))

    def stream(self, tool: str, *args: object) -> Iterator[object]:
        worker = self.pool.take(("streams", ""), self.launch)
        try:
            yield from stream(worker, "streams", self.tools[tool], args=args, kwargs={}, timeout_s=TIMEOUT_S, output=Output(None))
        finally:
            self.pool.give_back(("streams", ""), worker)

    def call(self, tool: str, *args: object) -> object:
        worker = self.pool.take(("streams", ""), self.launch)
        try:
            return invoke(
                worker, "streams", self.tools[tool], args=args, kwargs={}, timeout_s=TIMEOUT_S, output=Output(None)
            ).result
        finally:
            self.pool.give_back(("streams", ""), worker)


@pytest.fixture(scope="module", params=["3.8", ""], ids=["3.8", "own"])
def plugin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    found = sorted(PYTHONS.glob(f"{request.param}.*/bin/python")) if request.param else [Path(os.path.realpath(sys.executable))]
    if not found:
        pytest.skip(f"no Python {request.param} in {PYTHONS}")
    plugin = Plugin(make_venv(tmp_path_factory.mktemp("venv"), found[-1]))
    yield plugin
    plugin.pool.close()


def make_venv(venv: Path, python: Path) -> Path:
    """An environment as `venv` makes them, with the package on its path."""
    version = _process.run([str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], env={}).stdout.strip()
    site_packages = venv / "lib" / f"python{version}" / "site-packages"
    site_packages.mkdir(parents=True)
    (site_packages / "packages.pth").write_text(str(PACKAGE))
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(python)
    (venv / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
    (venv / "plughost-venv.json").touch()
    return venv


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def number_once_it_rests(path: Path) -> int:
    """The number in the file, once nobody makes it larger."""
    seen = [-1, -2]
    while len(set(seen[-20:])) > 1:
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


def test_a_generator_that_is_busy_ends_too_when_its_reader_leaves(plugin: Plugin, tmp_path: Path) -> None:
    items = plugin.stream("wait_in_vain", str(tmp_path / "end"))
    assert next(items) == 0

    started = time.monotonic()
    items.close()

    assert text_of(tmp_path / "end") == "ended"
    assert time.monotonic() - started < TIMEOUT_S / 2


def test_a_generator_is_only_so_far_ahead_of_its_reader(plugin: Plugin, tmp_path: Path) -> None:
    items = plugin.stream("note_ahead", str(tmp_path / "asked"))
    next(items)
    ahead = number_once_it_rests(tmp_path / "asked")
    for _ in range(5000):
        next(items)
    later = number_once_it_rests(tmp_path / "asked")
    items.close()

    assert 512 < ahead <= MOST_AHEAD
    assert 5001 < later <= 5001 + MOST_AHEAD


@pytest.mark.parametrize("item", ["x" * 300_000, b"x" * 300_000, ["x" * 100] * 3000], ids=["str", "bytes", "nested"])
def test_large_items_do_not_pile_up(plugin: Plugin, tmp_path: Path, item: object) -> None:
    items = plugin.stream("note_ahead", str(tmp_path / "asked"), item)
    next(items)
    ahead = number_once_it_rests(tmp_path / "asked")
    for _ in range(20):
        assert next(items) == item
    items.close()

    assert ahead <= 8
