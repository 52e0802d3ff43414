"""`check`: what is wrong with a project, found as its users would meet it; and the page that lists all of it."""

from __future__ import annotations

import json
import re
import tempfile
import textwrap
from pathlib import Path

import pytest

from plughost.authoring import RULES, Finding, project_of
from plughost.authoring._examples import Example, Expected, from_docstring, from_file

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "check.md"

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "under-test"
version = "1.0"
{project}

[project.entry-points.{group}]
{entry_points}

[tool.hatch.build.targets.wheel]
only-include = {files}
"""

GOOD = '''
def double(number: int) -> int:
    """Take a number twice.

    Args:
        number: any number.

    Examples:
        >>> double(2)
        4
        >>> double("x")  # doctest: +SKIP
    """
    return number * 2
'''
GOOD_PROJECT = """description = "Numbers"
license = "MIT"
readme = {text = "Numbers, twice", content-type = "text/plain"}
requires-python = ">=3.8"
authors = [{name = "Ada"}]"""


@pytest.fixture
def make_project(tmp_path):
    """`make_project(files, project=…)` is the folder of a project with the module `under_test` and these files."""

    def make(files, *, project=GOOD_PROJECT, group="plughost", entry_points='double = "under_test:double"'):
        folder = tmp_path / "under-test"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        listed = json.dumps([name for name in files if not name.endswith(".toml")])
        text = PROJECT.format(project=project, group=group, entry_points=entry_points, files=listed)
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
        return folder

    return make


@pytest.fixture
def check(plughost_command):
    """`check(folder)` is the record of the project in it, and the exit code."""

    def run(*arguments):
        ran = plughost_command("check", *map(str, arguments), "--json")
        (project,) = ran.json()["projects"]
        return project, ran.returncode

    return run


def found(project):
    return {(finding["reference"], finding["where"]) for finding in project["findings"]}


def test_a_good_project_has_nothing_to_complain_of(plughost_command, make_project, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = make_project({"under_test.py": GOOD})
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    ran = plughost_command("check", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(
        r"Checked `under-test` for `plughost`: nothing to complain of "
        r"\(1 tool, 1 example, imported in \d\.\d\d s with \d+ MiB\)\n",
        ran.stdout,
    )
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert not list(tmp_path.glob("*plughost-*"))
    assert json.loads(plughost_command("list", "--json").stdout) == []


def test_each_fault_has_its_finding(make_project, check):
    bad = """
        import sys
        print("hello")
        def f(a, b: int = 1): return a
        def g(text: str) -> str:
            '''Give back.

            Args:
                text: any.

            Examples:
                >>> import os
                >>> g(os.name)
            '''
            return text
        """
    folder = make_project(
        {
            "under_test.py": bad,
            "json.py": "",
            "tests/test_a.py": "",
            "x.pth": "",
            "under_test_data/.env": "",
            "idna/core.py": "",
        },
        project='dependencies = ["idna", "attrs>=23"]\n[project.scripts]\nmissing = "under_test:main"',
        entry_points='f = "under_test:f"\ng = "under_test:g"',
    )
    project, code = check(folder)
    assert code == 1
    assert found(project) == {
        ("file-conflict", "idna/core.py"),
        ("script-unresolved", "script missing"),
        ("summary-missing", "pyproject.toml: project.description"),
        ("licence-missing", "pyproject.toml: project.license"),
        ("python-missing", "pyproject.toml: project.requires-python"),
        ("readme-missing", "pyproject.toml: project.readme"),
        ("tool-undocumented", "f"),
        ("parameter-untyped", "f(a)"),
        ("import-prints", "import"),
        ("module-shadowed", "json"),
        ("module-shadowed", "tests"),
        ("file-misplaced", "under_test_data/.env"),
        ("pth-file", "x.pth"),
        ("parameter-undocumented", "f(a)"),
        ("parameter-undocumented", "f(b)"),
        ("result-untyped", "f"),
        ("example-missing", "f"),
        ("example-missing", "g"),
        ("example-skipped", "g"),
        ("dependency-unbounded", "pyproject.toml: project.dependencies"),
        ("author-missing", "pyproject.toml: project.authors"),
    }
    severities = [finding["severity"] for finding in project["findings"]]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    bounds = [finding["message"] for finding in project["findings"] if finding["reference"] == "dependency-unbounded"]
    assert sorted(bounds) == ["`attrs>=23` has no upper bound", "`idna` has no lower and no upper bound"]


def test_examples_are_called_with_the_projects_files_and_can_not_spoil_them(make_project, check):
    code = """
        from pathlib import Path
        def read(path: Path) -> str:
            text = path.read_text()
            path.write_text("spoilt")
            return text
        def items(count: int):
            for number in range(count):
                if number == 3: raise ValueError("no more than 3, but %d" % count)
                yield (number, 0.1 + 0.2)
        """
    examples = """
        [[examples]]
        tool = "read"
        kwargs = { path = "data.txt" }
        result = "mine"

        [[examples]]
        tool = "items"
        args = [2]
        result = [[0, 0.3], [1, 0.3]]

        [[examples]]
        tool = "items"
        args = [4]
        raises = "ValueError"
        matches = "but [0-9]$"

        [[examples]]
        tool = "items"
        args = [1]
        result = []

        [[examples]]
        tool = "items"
        args = [1]
        raises = "KeyError"

        [[examples]]
        tool = "items"
        args = [4]
        raises = "KeyError"

        [[examples]]
        tool = "items"
        args = [4]
        raises = "ValueError"
        matches = "^but"

        [[examples]]
        tool = "items"
        kwargs = { count = "x" }

        [[examples]]
        tool = "other"
        """
    folder = make_project(
        {"under_test.py": code, "plughost-examples.toml": examples, "data.txt": "mine"},
        entry_points='read = "under_test:read"\nitems = "under_test:items"',
    )
    project, exit_code = check(folder)
    assert exit_code == 1
    assert project["examples"] == 8
    assert [finding["message"] for finding in project["findings"] if finding["severity"] == "error"] == [
        "There is no tool `other`",
        "`items(1)` gives `[[0, 0.30000000000000004]]`, and not `[]`",
        "`items(1)` raises no `KeyError`, but gives `[[0, 0.30000000000000004]]`",
        "`items(4)` raises `ValueError: no more than 3, but 4`, and no `KeyError`",
        "`items(4)` raises `ValueError: no more than 3, but 4`, in whose message there is no `^but`",
        "`items(count='x')` fails: The argument `count` of `under-test:items` is `\"x\"`, which is not what it takes",
    ]
    assert (folder / "data.txt").read_text() == "mine"


def test_what_can_not_be_installed_is_one_error(make_project, check):
    project, code = check(make_project({"under_test.py": "import missing_module"}))
    assert (code, found(project)) == (1, {("not-installable", str(project["source"]))})
    assert "missing_module" in project["findings"][0]["message"]
    assert project["name"] is None


HOOKS = """
import pluggy
hookimpl = pluggy.HookimplMarker("app")

@hookimpl
def score(text, wrong): return 1
"""
APP = """
import pluggy
manager = pluggy.PluginManager("app")
class Specs:
    @pluggy.HookspecMarker("app")
    def score(self, text): ...
manager.add_hookspecs(Specs)
"""


def test_with_an_app_the_hooks_are_held_against_it(plughost_command, make_project, tmp_path):
    project = GOOD_PROJECT + '\ndependencies = ["pluggy>=1,<2"]'
    folder = make_project({"under_test.py": HOOKS}, project=project, group="app", entry_points='hooks = "under_test"')
    (tmp_path / "myapp.py").write_text(APP)
    ran = plughost_command("check", str(folder), "--app", "myapp:manager", cwd=tmp_path)
    assert ran.returncode == 1
    first, last = ran.stdout.splitlines()
    assert first.startswith("error: hook score: ")
    assert "`wrong`" in first
    assert first.endswith("[hook-mismatch]")
    assert last.startswith("Checked `under-test` for `app`: 1 error (0 tools, 1 hook, 0 examples")


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("[app]", "app"),
        ('["my.app"]\n[console_scripts]', "my.app"),
        ("[plughost]\n[app]", "plughost"),
        ("[app]\n[other]", "plughost"),
        ("[", "plughost"),
    ],
)
def test_the_project_that_it_is_for_is_found_in_its_entry_points(tmp_path, groups, expected):
    (tmp_path / "pyproject.toml").write_text(groups.replace("[", "[project.entry-points."))
    assert project_of(str(tmp_path)) == expected


def examples_of(docstring):
    return list(from_docstring({"name": "add", "target": "m:plus", "description": textwrap.dedent(docstring).strip()}))


@pytest.mark.parametrize(
    ("docstring", "args", "kwargs", "parts", "expected"),
    [
        (">>> add(1, b=[2])\n3", (1,), {"b": [2]}, (), Expected(has_value=True, value=3, text="3")),
        (">>> plus('a')\n'b'\ntext", ("a",), {}, (), Expected(text="'b'\ntext")),
        (">>> add(\n...     1,\n... )\n{'a':\n 1}", (1,), {}, (), Expected(has_value=True, value={"a": 1}, text="{'a':\n1}")),
        (">>> m.add(1)['a'][-1]\n2", (1,), {}, ("a", -1), Expected(has_value=True, value=2, text="2")),
        (">>> add(1)\n\ntext", (1,), {}, (), Expected()),
        (">>> add(1)  # why\ndatetime.date(2024, 1, ...)", (1,), {}, (), Expected(text="datetime.date(2024, 1, ...)")),
        (
            ">>> add()\nTraceback (most recent call last):\n    ...\nm.BadError: so it is",
            (),
            {},
            (),
            Expected(raises="BadError", message="so it is"),
        ),
        ("Examples:\n    add(1) == 2", (1,), {}, (), Expected(has_value=True, value=2, text="2")),
        ("Example\n-------\nadd(1) -> [2]", (1,), {}, (), Expected(has_value=True, value=[2], text="[2]")),
    ],
)
def test_examples_in_docstrings(docstring, args, kwargs, parts, expected):
    (example,) = examples_of(docstring)
    assert isinstance(example, Example)
    assert (example.args, example.kwargs, example.parts, example.expected) == (args, kwargs, parts, expected)


@pytest.mark.parametrize("docstring", ["Add.", "It is add(1) == 2", ">>> add(1)  # doctest: +SKIP\n2"])
def test_what_is_no_example_is_left_alone(docstring):
    assert examples_of(docstring) == []


@pytest.mark.parametrize("docstring", [">>> x = 1\n>>> add(x)\n2", ">>> add(*[1])\n2", ">>> add(**{'a': 1})", ">>> other(1)\n2"])
def test_examples_that_are_no_plain_calls_are_told(docstring):
    assert [item.reference for item in examples_of(docstring)] == ["example-skipped"]


def test_an_example_that_is_no_python_is_told():
    (finding,) = examples_of(">>> add(1")
    assert finding == Finding(reference="example-invalid", where="add", message="`add(1` is no Python: '(' was never closed")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[examples", "It can't be read: "),
        ("examples = [1]", "It is no table: write `[[examples]]`"),
        ("[[examples]]", "`tool` must be a text"),
        ('[[examples]]\ntool = "a"\nresults = 1', "It has no key `results`; there are `args`"),
        ('[[examples]]\ntool = "a"\nargs = 1', "`args` must be an array"),
        ('[[examples]]\ntool = "a"\nresult = 1\nraises = "E"', "It has `result`, and `raises` or `matches` too"),
        ('[[examples]]\ntool = "a"\nmatches = "("', "`matches` is no regular expression: "),
    ],
)
def test_a_file_of_examples_that_makes_no_sense_is_told(tmp_path, text, message):
    path = tmp_path / "plughost-examples.toml"
    path.write_text(text)
    (finding,) = from_file(path)
    assert finding.reference == "example-invalid"
    assert finding.message.startswith(message)


def test_what_killed_checks_have_left_is_taken_away(tmp_path, monkeypatch):
    from plughost.authoring._throw_away import throw_away_host
    from plughost.paths import Store, locked

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, used = tmp_path / "plughost-looking-1", tmp_path / "plughost-looking-2"
    for folder in (left, used):
        folder.mkdir()
        (folder / "lock").touch()
    with locked(str(used / "lock")), throw_away_host("plughost", downloads=Store(tmp_path / "store")) as (host, _):
        assert not left.exists()
        assert used.exists()
        assert Path(host.store.uv_cache).resolve() == tmp_path / "store" / "cache" / "uv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plughost-looking-2", "store"]


def test_the_page_has_every_finding_under_its_severity():
    page = PAGE.read_text(encoding="utf-8")
    for heading, severity in (("Errors", "error"), ("Warnings", "warning"), ("Notes", "note")):
        section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
        assert section
        told = dict(re.findall(r"^### ([\w-]+)\n\n(.*)$", section[1], re.MULTILINE))
        assert set(told) == {reference for reference, rule in RULES.items() if rule.severity == severity}
        assert all(RULES[reference].advice in text for reference, text in told.items())
