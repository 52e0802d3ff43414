"""The templates: each gives a package that builds, installs, runs and passes its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from plughost import _uv_settings
from plughost._templates import render, templates
from plughost.errors import UsageError


@pytest.fixture
def weather(tmp_path):
    folder = tmp_path / "weather"
    render("tool", folder, name="weather-tools", description="The weather, as text", author="Ada")
    return folder


def test_a_template_leaves_no_placeholder_behind(weather):
    files = {str(path.relative_to(weather)): path.read_text(encoding="utf-8") for path in weather.rglob("*") if path.is_file()}
    assert sorted(files) == [".gitignore", "README.md", "pyproject.toml", "src/weather_tools/__init__.py", "tests/test_slug.py"]
    assert not [name for name, text in files.items() if "${" in text or "__module__" in text]
    assert "weather_tools" in files["tests/test_slug.py"]


def test_what_the_caller_gives_is_quoted_where_it_stands_in_quotes(tmp_path):
    render("tool", tmp_path / "odd", name="odd", description='A "quoted" \\ text\nof $two lines', author='"Q"')
    project = tomllib.loads((tmp_path / "odd" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == 'A "quoted" \\ text of $two lines'
    assert project["authors"] == [{"name": '"Q"'}]
    compile((tmp_path / "odd" / "src" / "odd" / "__init__.py").read_text(encoding="utf-8"), "odd", "exec")


@pytest.mark.parametrize("name", ["", "../x", "1st", "class", "a.b", "-a", "a b", "é", "json"])
def test_a_name_that_can_not_name_a_module_is_refused(tmp_path, name):
    with pytest.raises(UsageError) as raised:
        render("tool", tmp_path / "new", name=name)
    assert raised.value.reference == "name-invalid"
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is not an empty folder"):
        render("tool", tmp_path, name="weather")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unknown_template_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError) as raised:
        render("../tool", tmp_path / "new", name="weather")
    assert raised.value.hint == f"Use one of: {', '.join(templates())}"


def test_the_template_of_a_tool_is_added_and_runs(tmp_path, host, commit):
    folder = tmp_path / "tool"
    render("tool", folder, name="my-tool")
    commit(folder)
    host.add(f"git+{folder.as_uri()}")
    assert host.call("my-tool", text="Crème brûlée, please") == "creme-brulee-please"


def test_a_template_passes_its_own_tests(tmp_path, weather, uv_cache):
    environment = _uv_settings.environment(cache=str(uv_cache), extra={})  # reaches the index as plughost does
    python = tmp_path / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(python.parents[1])],
        [*uv, "pip", "install", "--quiet", "--python", str(python), str(weather), "--group", f"{weather}/pyproject.toml:dev"],
        [str(python), "-m", "pytest", "-q", str(weather)],
    ):
        completed = subprocess.run(command, env=environment, cwd=weather, capture_output=True, text=True, check=False)
        assert completed.returncode == os.EX_OK, completed.stdout + completed.stderr
