"""`search`: what fits, in which order, from where; and that it costs next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import errors, indexes, registry
from plughost._search import search
from plughost.indexes import Entry, Kept, Origin
from plughost.paths import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRIES = (
    Entry("weather", "weather==1.0", "Says how warm it will be", ("climate", "Europe")),
    Entry("weather-map", "weather-map==1.0", "Draws maps"),
    Entry("space-weather", "space-weather==1.0", "Watches the sun"),
    Entry("umbrella", "umbrella==1.0", "Tells whether to take one", ("weather", "rain")),
    Entry("farm", "farm==1.0", "Plans by weather and season", ("weatherproof",)),
    Entry("almanac", "almanac==1.0", "Old rules about the Weather"),
    Entry("strasse", "strasse==1.0", "Straßen zählen", ("Größe",)),
)


def keep(store: Store, name: str, entries: Sequence[Entry], *, added: int = 1) -> None:
    path = Path(store.plugin_index(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Kept.pack(Origin(name, f"/{name}.toml", added=added, count=len(entries)), entries))


def install(store: Store, name: str, *, summary: str = "", tools: Sequence[str] = ()) -> None:
    values: dict[str, object] = dict.fromkeys(registry.Receipt.__slots__, "")
    values |= {"name": name, "package": name, "project": "plughost", "version": "1.0", "revision": "1.0-x", "kind": "requirement"}
    values |= {"direct_url": {}, "request": {}, "signer": {}, "built_from_source": (), "history": (), "source": f"{name}==1.0"}
    values |= {"grant": None, "unenforced": ()}
    receipt = registry.Receipt(**values)
    folder = Path(store.plugin(name), "1.0-x")
    folder.mkdir(parents=True)
    manifest = {"venv": "v", "package": name, "summary": summary, "tools": [{"name": tool} for tool in tools]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "pylock.toml").write_text("")
    (folder / "receipt.toml").write_bytes(receipt.to_toml())
    (folder.parent / "current").write_text("1.0-x\n")


@pytest.fixture
def place(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def found(store: Store, *words: str, **options: object) -> list[str]:
    return [match.name for match in search(store, words, **options).shown]


def test_names_come_first_then_tags_then_summaries(place: Store) -> None:
    keep(place, "team", ENTRIES)
    assert found(place, "weather") == ["weather", "weather-map", "space-weather", "umbrella", "farm", "almanac"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["WEATHER", "map"], ["weather-map"]),
        (["weather map"], ["weather-map"]),
        (["weather", "rain"], ["umbrella"]),
        (["weather", "snow"], []),
        (["straßen"], ["strasse"]),
        (["STRASSE"], ["strasse"]),
        (["größe"], ["strasse"]),
        (["1.0"], []),
        (["\t"], [entry.name for entry in sorted(ENTRIES, key=lambda entry: entry.name)]),
    ],
)
def test_every_word_must_be_there_in_any_case(place: Store, words: list[str], names: list[str]) -> None:
    keep(place, "team", ENTRIES)
    assert found(place, *words) == names


def test_tags_are_whole_words(place: Store) -> None:
    keep(place, "team", ENTRIES)
    assert found(place, tags=["europe"]) == ["weather"]
    assert found(place, tags=["europ"]) == []
    assert found(place, "warm", tags=["Climate", "EUROPE"]) == ["weather"]
    assert found(place, "warm", tags=["climate", "rain"]) == []


def test_what_is_installed_is_found_by_its_tools_and_marked_where_an_index_lists_it(place: Store) -> None:
    keep(place, "team", ENTRIES)
    install(place, "weather", tools=["forecast"])
    install(place, "clock", summary="Tells the time", tools=["now", "forecast_hour"])
    matches = search(place, ["forecast"]).shown
    assert [(match.name, match.installed, match.index) for match in matches] == [("weather", "1.0", ""), ("clock", "1.0", "")]
    (weather,) = search(place, ["warm"]).shown
    assert (weather.installed, weather.index, weather.tools) == ("1.0", "team", ("forecast",))
    assert found(place, installed=True) == ["clock", "weather"]
    assert found(place, installed=True, tags=["climate"]) == ["weather"]
    assert found(place, index="team", tags=["rain"]) == ["umbrella"]


def test_indexes_are_told_apart_and_limited(place: Store) -> None:
    keep(place, "second", ENTRIES[:1], added=2)
    keep(place, "first", ENTRIES, added=1)
    assert [match.index for match in search(place, ["warm"]).shown] == ["first", "second"]
    assert found(place, "warm", index="second") == ["weather"]
    limited = search(place, ["weather"], limit=2)
    assert ([match.index for match in limited.shown], limited.total) == (["first", "second"], 7)
    with pytest.raises(errors.UnknownError):
        search(place, [], index="third")


def test_one_of_ten_thousand_entries_is_found_with_many_installed(place: Store) -> None:
    words = ("csv", "map", "chart", "mail", "route", "stock", "audio", "video")
    entries = [
        Entry(
            f"{words[number % 8]}-{words[number // 8 % 8]}-{number}",
            f"git+https://example.org/team/{number}.git",
            f"{words[number % 7]} and {words[number % 5]} for people",
            (words[number % 3], words[number % 6]),
        )
        for number in range(10_000)
    ]
    entries[5000] = Entry("weather", "weather==1.0", "Says how warm it will be")
    keep(place, "team", entries)
    for number in range(210):
        install(place, f"plugin-{number}")
    assert found(place, "weather") == ["weather"]  # and makes the index of what is installed
    assert found(place, "weather") == ["weather"]


def test_a_search_imports_nothing_slow(place: Store) -> None:
    keep(place, "team", ENTRIES)
    slow = {"click", "dataclasses", "enum", "hashlib", "json", "pathlib", "re", "tomllib", "typing"}
    program = f"import sys; sys.path[:] = {sys.path!r}; from plughost.__main__ import run; run(['search', 'warm'])"
    completed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{program}; print(*sys.modules)"],
        env={**os.environ, "PLUGHOST_HOME": place.root},
        capture_output=True,
        text=True,
        check=True,
    )
    shown, modules = completed.stdout.splitlines()[0], completed.stdout.splitlines()[-1]
    assert shown == "weather  [team]  Says how warm it will be"
    assert set(modules.split()) & {*slow, "plughost.host", "plughost.source"} == set()


def test_the_command_shows_a_page_or_all_as_json(plughost_command, store: Path) -> None:
    keep(Store(store), "team", [Entry(f"plugin-{number:02}", "x==1", "One of many", ("many",)) for number in range(30)])
    page = plughost_command("search", "many").stdout.splitlines()
    assert (len(page), page[0], page[1], page[-1]) == (
        41,
        "plugin-00  [team]  One of many",
        "           x==1  tags: many",
        "… and 10 more; `--limit 0` shows all",
    )
    assert len(plughost_command("search", "many", "--limit", "0").stdout.splitlines()) == 60
    assert plughost_command("search", "plugin-07", "--json").json() == [
        {
            "name": "plugin-07",
            "summary": "One of many",
            "tags": ["many"],
            "tools": [],
            "source": "x==1",
            "index": "team",
            "installed": None,
            "signers": [],
        }
    ]
    assert plughost_command("search", "many", "--limit", "x").returncode == 2
    nothing = plughost_command("search", "nothing")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "Nothing fits\n")


def test_a_store_without_indexes_says_how_to_add_one(plughost_command) -> None:
    hint = "\nhint: `plughost index add NAME SOURCE` adds an index to look into\n"
    assert plughost_command("search", "weather").stderr == f"Nothing fits\n{hint}"


def test_names_of_indexes_are_completed(place: Store) -> None:
    from plughost.cli._complete import words

    keep(place, "team", ENTRIES)
    assert indexes.names(place) == words("index", place, "te", {}) == ["team"]
