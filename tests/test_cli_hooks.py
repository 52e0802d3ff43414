"""The commands that an app's users and authors have for its hooks."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from plughost.cli import commands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

APP = """
import pluggy

hookspec = pluggy.HookspecMarker("app")
hookimpl = pluggy.HookimplMarker("app")


class Specifications:
    @hookspec
    def score(self, text, weight=1):
        "Rate a text."

    @hookspec(firstresult=True)
    def choose(self, options):
        "Pick one."


class Local:
    @hookimpl(trylast=True)
    def score(self, text):
        return 0


def manager():
    made = pluggy.PluginManager("app")
    made.add_hookspecs(Specifications)
    made.register(Local(), name="local")
    return made


wrong = "text"
"""

PLUGIN = """
def hookimpl(**options):
    def mark(function):
        function.app_impl = options
        return function
    return mark

@hookimpl(wrapper=True)
def score({arguments}):
    return (yield)
"""


@pytest.fixture
def make_plugin(tmp_path: Path, commit: Callable[[Path], str]) -> Callable[..., str]:
    """`make_plugin("name", arguments="text")` is the source string of a repository with a plugin that wraps `score`."""

    def make(name: str, *, arguments: str = "text", version: str = "1.0") -> str:
        folder = tmp_path / "repositories" / name
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "__init__.py").write_text(PLUGIN.format(arguments=arguments))
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n\n'
            f'[project]\nname = "{name}"\nversion = "{version}"\n\n[project.entry-points.app]\n{name} = "{name}"\n\n'
            f'[tool.uv.build-backend]\nmodule-name = "{name}"\nmodule-root = ""\n'
        )
        commit(folder)
        return f"git+{folder.as_uri()}"

    return make


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "myapp.py").write_text(APP)
    return folder


@pytest.fixture
def myapp(app_folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`myapp("plugins", "list")` is what an app's own command prints; with `code=5`, where it ends with that code."""
    monkeypatch.syspath_prepend(app_folder)
    import myapp as module

    app = click.Group("myapp")
    app.add_command(commands(project="app", hookspecs=module.Specifications, store=store), "plugins")

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, arguments, prog_name="myapp")
        assert result.exit_code == code, result.output
        return result.output

    yield run
    del sys.modules["myapp"]


def test_an_app_has_the_commands_among_its_own(myapp, make_plugin):
    source = make_plugin("alpha")
    assert "Added `alpha` 1.0" in myapp("plugins", "add", source)
    assert "It implements the hooks `score`" in myapp("plugins", "add", source, "--force")
    assert "alpha" in myapp("plugins", "list")
    assert "score(text)" in myapp("plugins", "info", "alpha")
    assert myapp("plugins", "check") == "`alpha` fits the hooks of `app`\n"
    assert myapp("plugins", "update").endswith(" is up to date\n")
    make_plugin("alpha", version="2.0")
    assert re.match(r"Updated `alpha` 1\.0 \(\w{7}\) → 2\.0 \(\w{7}\)\n", myapp("plugins", "update", "alpha"))
    assert "Removed `alpha`" in myapp("plugins", "remove", "alpha")


def test_an_app_does_not_install_what_does_not_fit_its_hooks(myapp, make_plugin):
    told = myapp("plugins", "add", make_plugin("alpha", arguments="text, mood"), code=5)
    assert told.startswith(
        "error: `alpha` doesn't fit the hooks of `app`\n"
        "  Caused by: `alpha` implements `score` as `score(text, mood)`: "
        "the specification has no argument `mood`; it has `text`, `weight`\n"
    )
    assert json.loads(myapp("plugins", "list", "--json")) == []


def test_an_update_that_does_not_fit_leaves_what_was_installed(myapp, make_plugin):
    myapp("plugins", "add", make_plugin("alpha"))
    make_plugin("alpha", arguments="mood", version="2.0")
    assert "error: `alpha` doesn't fit the hooks of `app`" in myapp("plugins", "update", code=5)
    (plugin,) = json.loads(myapp("plugins", "list", "--json"))
    assert plugin["version"] == "1.0"


def test_hooks_shows_who_implements_what_in_the_order_of_calls(plughost_command, make_plugin, app_folder, store):
    from plughost import Host

    with Host("app", store=store) as host:
        host.add(make_plugin("alpha"))
    shown = plughost_command("hooks", "--app", "myapp:manager", cwd=app_folder)
    assert shown.stdout == (
        "choose(options)  firstresult\n"
        "  nobody implements it\n"
        "score(text, weight)\n"
        "  alpha  isolated, wrapper\n"
        "  local  local, trylast\n"
    )
    score = plughost_command("hooks", "--app", "myapp:manager", "--json", cwd=app_folder).json()[1]
    assert score["implementations"][0] == {
        "plugin": "alpha",
        "isolated": True,
        "function": "score",
        "parameters": ["text"],
        "options": ["wrapper"],
    }


def test_check_names_the_plugin_the_hook_and_the_argument(plughost_command, make_plugin, app_folder, store):
    from plughost import Host

    with Host("app", store=store) as host:
        host.add(make_plugin("alpha"))
        host.add(make_plugin("beta", arguments="mood"))
    ran = plughost_command("check", "--app", "myapp:manager", cwd=app_folder)
    assert (ran.returncode, ran.stdout) == (5, "`alpha` fits the hooks of `app`\n")
    assert ran.stderr == (
        "error: 1 of 2 plugins don't fit the hooks of `app`\n"
        "  Caused by: `beta` implements `score` as `score(mood)`: "
        "the specification has no argument `mood`; it has `text`, `weight`\n"
        "\n"
        "hint: Their authors can correct them by the app's hook specifications\n"
    )
    record = plughost_command("check", "beta", "--app", "myapp:manager", "--json", cwd=app_folder)
    assert record.returncode == 5
    (fault,) = record.json()["faults"]
    assert (fault["plugin"], fault["hook"], fault["argument"]) == ("beta", "score", "mood")


@pytest.mark.parametrize(
    ("app", "cause"),
    [
        ("nosuchapp:manager", "ModuleNotFoundError: No module named 'nosuchapp'"),
        ("myapp:nothing", "AttributeError: module 'myapp' has no attribute 'nothing'"),
    ],
)
def test_an_app_that_can_not_be_loaded_is_a_usage_error(app, cause, plughost_command, app_folder):
    ran = plughost_command("hooks", "--app", app, cwd=app_folder)
    assert ran.returncode == 2
    assert ran.stderr == (
        f"error: `--app {app}` can't be loaded\n"
        f"  Caused by: {cause}\n"
        "\n"
        "hint: Give `MODULE:NAME` of a PluginManager, or of a function that makes one\n"
    )


def test_what_is_no_plugin_manager_is_said_to_be_none(plughost_command, app_folder):
    ran = plughost_command("hooks", "--app", "myapp:wrong", cwd=app_folder)
    assert (ran.returncode, ran.stderr.splitlines()[0]) == (2, "error: `--app myapp:wrong` is a `str`, and no PluginManager")


def test_without_an_app_there_are_no_hooks_to_show(plughost_command):
    ran = plughost_command("hooks")
    assert (ran.returncode, ran.stderr.splitlines()[0]) == (2, "error: Whose hooks?")
