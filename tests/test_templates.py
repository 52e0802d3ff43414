"""The templates: each gives a package that builds, installs, runs and passes its own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib

import pytest

from plughost import _uv_settings
from plughost._templates import render, templates
from plughost.cli.table import COMMANDS
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


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("tool", "test"),
        ("tool", "slugify"),
        ("tool", "python-slugify"),
        ("hooks", "pluggy"),
        ("data-analyzer", "Pandas"),
        ("app", "pytest"),
    ],
)
def test_a_name_that_would_take_the_place_of_what_the_project_needs_is_refused(tmp_path, template, name):
    with pytest.raises(UsageError, match=f"`{name}` can't name a plugin") as raised:
        render(template, tmp_path / "new", name=name)
    assert raised.value.hint == f"Use a name with more words, such as `{name}-tools`"
    assert not (tmp_path / "new").exists()


def test_an_app_is_not_called_a_plugin(tmp_path):
    render("app", tmp_path / "desk", name="desk")
    assert "The desk app." in (tmp_path / "desk" / "README.md").read_text(encoding="utf-8")


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


def test_the_command_offers_every_template():
    (choices,) = (parameter.choices for parameter in COMMANDS["new"].parameters if parameter.name == "template")
    assert choices == tuple(templates())


def test_no_template_has_a_file_that_installers_would_compile():
    """What is Python as it stands, they may compile."""
    filled_in = (template for template in templates().values() if not template.is_project)
    assert not [path for template in filled_in for path in template.folder.rglob("*.py")]


@pytest.mark.parametrize("template", templates())
def test_every_template_gives_python_and_toml_without_placeholders(tmp_path, template):
    render(
        template,
        tmp_path / "made",
        name="two-words",
        description='A "quoted" text',
        author="Ada <ada@example.org>",
        project="my.app",
    )
    stand_ins = ("${", "__module__", ".in/")
    if templates()[template].is_project:
        stand_ins = (template, template.replace("-", "_"), "The plughost authors")
    for path in (path for path in (tmp_path / "made").rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        assert not any(left in f"{path}{text}" for left in stand_ins)
        assert path.suffix != ".in"
        if path.suffix == ".py":
            compile(text, str(path), "exec")
        elif path.suffix == ".toml":
            tomllib.loads(text)


@pytest.mark.parametrize("template", templates())
def test_the_next_steps_are_those_of_the_readme(tmp_path, template):
    steps = render(template, tmp_path / "made", name="my-plugin", project="myapp")
    readme = (tmp_path / "made" / "README.md").read_text(encoding="utf-8")
    assert [run for run, what in steps if what and run not in readme] == []


def run_tests(folder, command, uv_cache):
    environment = {**_uv_settings.environment(cache=str(uv_cache), extra={}), "GIT_CONFIG_GLOBAL": os.devnull}
    completed = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert completed.returncode == os.EX_OK, completed.stdout + completed.stderr
    assert re.search(r"\d+ passed", completed.stdout)


def test_the_readmes_one_line_runs_the_tests(weather, uv_cache):
    assert "$ uv run pytest " in (weather / "README.md").read_text(encoding="utf-8")
    run_tests(weather, [sys.executable, "-m", "uv", "run", "--python", sys.executable, "pytest"], uv_cache)


@pytest.mark.parametrize("template", ["hooks", "code-review"])
def test_templates_that_need_nothing_more_pass_their_own_tests(tmp_path, uv_cache, template):
    render(template, tmp_path / "made", name="my-plugin", project="myapp")
    run_tests(tmp_path / "made", [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"], uv_cache)


def test_the_data_analyzer_passes_its_own_tests(tmp_path, uv_cache):
    """With the packages that it asks for, in an environment without it: it is found by pytest's own setting."""
    render("data-analyzer", tmp_path / "made", name="sales")
    dependencies = tomllib.loads((tmp_path / "made" / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    with_them = [word for requirement in (*dependencies, "pytest") for word in ("--with", requirement)]
    uv_run = [sys.executable, "-m", "uv", "run", "--no-project", "--isolated", "--python", sys.executable, *with_them]
    run_tests(tmp_path / "made", [*uv_run, "python", "-m", "pytest"], uv_cache)
