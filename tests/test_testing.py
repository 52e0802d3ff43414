"""What plughost has for the tests of others: a plugin in process, an app's kit, fixtures."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost
from plughost.testing import Direct, PluginKit

if TYPE_CHECKING:
    from pathlib import Path

hookspec = pluggy.HookspecMarker("app")

CODE = """
import decimal, os, pathlib
import pluggy

hookimpl = pluggy.HookimplMarker("app")
calls = []

def forecast(city: str, days: int = 1) -> str:
    "The weather."
    calls.append(city)
    return f"{city} {days} {os.getpid()}"

def half(value: decimal.Decimal) -> decimal.Decimal:
    return value / 2

def count():
    try:
        n = 0
        while True:
            yield n
            n += 1
    finally:
        calls.append("closed")

def seen():
    return (*calls,)

async def fail(path: pathlib.Path):
    raise FileNotFoundError(path.name)

@hookimpl(wrapper=True)
def score(text):
    results = yield
    return [*results, text]

@hookimpl
def ask(n):
    from plughost_app import further
    return further(n)
"""

POINTS = {name: f"skies:{name}" for name in ("forecast", "half", "count", "seen", "fail", "score", "ask")}


class Specifications:
    @hookspec
    def score(self, text):
        """Rate a text."""

    @hookspec
    def ask(self, n):
        """Ask the app."""


@pytest.fixture
def direct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "skies.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    with Direct("skies", POINTS, project="app") as host:
        yield host
    sys.modules.pop("skies")


def test_a_direct_twin_has_no_sessions_since_its_state_is_this_processs(direct):
    with pytest.raises(plughost.UsageError, match="has no sessions"):
        direct.session("skies")


def test_a_direct_twin_calls_in_this_process_with_the_values_of_the_wire(direct):
    assert direct.call("skies", "forecast", "Bern") == f"Bern 1 {os.getpid()}"
    assert str(direct.call("skies", "half", value="3.0")) == "1.5"
    assert direct.call("skies", "seen") == ["Bern"]
    with pytest.raises(plughost.UsageError, match="days"):
        direct.call("skies", "forecast", "Bern", days="soon")
    with pytest.raises(FileNotFoundError, match=r"`skies:fail` raised FileNotFoundError: x\.txt"):
        direct.call("skies", "fail", path="folder/x.txt")
    with pytest.raises(plughost.UnknownError, match="No plugin named `other`"):
        direct.call("other")


def test_a_direct_twin_streams_and_closes_what_is_left(direct):
    items = direct.stream("skies", "count")
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert direct.call("skies", "seen") == ["closed"]


def test_a_direct_twin_is_attached_and_calls_back(direct):
    manager = pluggy.PluginManager("app")
    manager.add_hookspecs(Specifications)
    direct.attach(manager)
    direct.offer("further", lambda n: [n, *manager.hook.score(text="inner")])
    assert manager.hook.score(text="x") == ["x"]
    assert manager.hook.ask(n=1) == [[1, "inner"]]
    assert direct.call_hook(manager, "ask", n=2) == [[2, "inner"]]


def test_an_entry_point_that_can_not_be_imported_is_an_error_at_once():
    with pytest.raises(plughost.PluginError, match="no_such_module"):
        Direct("skies", {"skies": "no_such_module:tool"})


def test_a_kit_runs_the_checks_of_an_app_on_a_plugin_as_users_get_it(tmp_path):
    def scores_are_text(under_test) -> None:
        assert under_test.manager.hook.score(text="x") == ["x"]

    def never_content(under_test) -> None:
        raise ValueError(f"not with {under_test.plugin.name}")

    folder = _project(tmp_path)
    kit = PluginKit(project="app", hookspecs=Specifications, checks=[scores_are_text])
    assert kit.check(folder) == ["scores_are_text"]
    kit = PluginKit(project="app", hookspecs=Specifications, checks=[never_content, scores_are_text])
    with pytest.raises(ExceptionGroup, match="1 of 2 checks failed") as raised:
        kit.check(folder)
    (error,) = raised.value.exceptions
    assert (str(error), error.__notes__) == ("not with skies", ["in the check `never_content` of `app`"])


def test_a_kit_refuses_what_does_not_fit(tmp_path):
    class Others:
        @hookspec
        def rate(self, text):
            """Rate a text."""

    with pytest.raises(plughost.ContractError, match=r"`score` as `score\(text\)`: there is no such hook"):
        PluginKit(project="app", hookspecs=[Others]).check(_project(tmp_path))


def test_the_fixtures_make_a_plugins_test_three_lines(tmp_path, clean_environment):
    folder = _project(tmp_path)
    (folder / "pytest.ini").write_text("[pytest]\nplughost_project = app\n")
    (folder / "test_skies.py").write_text(
        textwrap.dedent(
            """
            def test_forecast(plughost_host, plugin_venv):
                assert plughost_host.call(plugin_venv.name, "forecast", city="Bern").startswith("Bern 1 ")

            def test_the_environment_is_its_own(plugin_venv):
                assert (plugin_venv.environment / "bin" / "python").exists()
            """
        )
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "plughost.testing.pytest_plugin"],
        cwd=folder,
        env={**clean_environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def _project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "skies").mkdir(parents=True)
    (folder / "skies" / "__init__.py").write_text(CODE)
    points = "\n".join(f'{name} = "{target}"' for name, target in POINTS.items())
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n\n'
        '[project]\nname = "skies"\nversion = "1.0"\ndependencies = ["pluggy>=1"]\n\n'
        f'[project.entry-points.app]\n{points}\n\n[tool.uv.build-backend]\nmodule-name = "skies"\nmodule-root = ""\n'
    )
    return folder
