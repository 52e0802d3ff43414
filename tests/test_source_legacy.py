import functools
import json
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from plughost import _interpreters, _process
from plughost.errors import ResolveError, SourceError
from plughost.source._legacy import write_project
from plughost.source._package_file import find_package_file

WEATHER = {
    "name": "town-weather",
    "version": "2.0rc1",
    "description": 'Forecasts, """quoted""" and with a \\ at the end \\',
    "author": "Ada <ada@example.org>",
    "repository_url": "https://example.org/town-weather",
    "entry_point": "weather.api:forecast",
    "dependencies": {"idna": ">=3.4", "attrs": "^23.1"},
    "python_version": "3.8+",
    "tags": ["weather", "towns"],
    "arguments": {
        "unit": {"type": "choice", "choices": ["C", "F", '"""'], "default": "C", "short": "u", "help": "of temperatures"},
        "city": {"required": True, "help": "the name of a town"},
        "days": {"type": "integer"},
        "dry-run": {"type": "flag"},
        "hours": {"type": "list", "default": [6, 18]},
    },
}
FORECAST = """
def forecast(**given):
    given["hours"].append(0)
    return given
"""


def package(folder: Path, text: str, *, file="package.yaml", **modules: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(text)
    for name, code in (modules or {"m": "def f(**given):\n    return given\n"}).items():
        (folder / f"{name}.py").write_text(code)
    return folder / file


def minimal(lines: str) -> str:
    return f"name: n\nentry_point: m.f\n{lines}\n"


def project_of(folder: Path, lines: str) -> str:
    write_project(package(folder, minimal(lines)), project="plughost")
    return (folder / "pyproject.toml").read_text()


@functools.cache
def oldest_python() -> str:
    """Of those on this machine; what stands in the shim must be for 3.8."""
    for minor in range(8, 100):
        try:
            return _interpreters.find(requested=f"3.{minor}").executable
        except ResolveError:
            continue
    pytest.fail("there is no Python")


def run(folder: Path, code: str):
    """What `code` says as JSON, run alone by the oldest Python, with the modules in `folder`."""
    preamble = f"import asyncio, inspect, json, sys\nsys.path.insert(0, {str(folder)!r})\n"
    completed = _process.run([oldest_python(), "-I", "-c", preamble + code], env=_process.base_environment(), timeout_s=60)
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)


def build(folder: Path, into: Path, cache: Path) -> Path:
    """The unpacked wheel of the project in `folder`."""
    from uv import find_uv_bin

    argv = [find_uv_bin(), "build", "--wheel", "--no-config", "-o", str(into / "wheel"), str(folder)]
    completed = _process.run(argv, env=_process.base_environment({"UV_CACHE_DIR": str(cache)}), timeout_s=100)
    assert completed.returncode == 0, completed.stderr
    with zipfile.ZipFile(next((into / "wheel").glob("*.whl"))) as archive:
        archive.extractall(into / "unpacked")
    return into / "unpacked"


@pytest.fixture(scope="module")
def weather(tmp_path_factory, uv_cache):
    """The unpacked wheel of a package with `src`, data, a folder without `__init__.py`, and what nobody wants in a wheel."""
    folder = tmp_path_factory.mktemp("weather")
    path = package(folder, json.dumps(WEATHER), file="package.json")
    wanted = ("src/weather/api.py", "src/weather/data/towns.csv", "src/plain.py", "src/bare/part.py", "src/full/__init__.py")
    for name in (*wanted, "src/tests/test_api.py", "src/docs/conf.py", "src/venv/b.py", "src/.hidden/c.py", "tests/test_more.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(FORECAST if name.endswith("api.py") else "")
    write_project(path, project="weather-station")
    return build(folder, tmp_path_factory.mktemp("built"), uv_cache)


def metadata(unpacked: Path):
    return HeaderParser().parsestr(next(unpacked.glob("*.dist-info/METADATA")).read_text())


def test_the_wheel_has_every_module_and_data_file_and_no_tests(weather):
    found = {str(path.relative_to(weather)) for path in weather.rglob("*") if path.is_file() and ".dist-info" not in str(path)}
    packages = {"bare/part.py", "full/__init__.py", "weather/api.py", "weather/data/towns.csv"}
    assert found == {"_plughost_town_weather.py", "plain.py", *packages}


def test_the_wheel_says_of_itself_what_the_package_file_says(weather):
    found = metadata(weather)
    assert (found["Name"], found["Version"], found["Requires-Python"]) == ("town-weather", "2.0rc1", ">=3.8")
    assert found["Summary"] == WEATHER["description"]
    assert found["Author-email"] == "Ada <ada@example.org>"
    assert found["Project-URL"] == "Repository, https://example.org/town-weather"
    assert set(found["Keywords"].split(",")) == {"weather", "towns"}
    assert sorted(found.get_all("Requires-Dist")) == ["attrs<24,>=23.1", "idna>=3.4"]


def test_the_entry_point_is_in_the_group_of_the_project(weather):
    written = next(weather.glob("*.dist-info/entry_points.txt")).read_text()
    assert written.strip() == "[weather-station]\ntown-weather = _plughost_town_weather:forecast"


def test_only_what_was_given_or_has_a_default_is_passed_on(weather):
    call = "from _plughost_town_weather import forecast as f\nprint(json.dumps([f(city='Bath'), f('Bath', 'F', days=2)]))"
    unset, given = run(weather, call)
    assert unset == {"city": "Bath", "unit": "C", "dry_run": False, "hours": [6, 18, 0]}
    assert given == {"city": "Bath", "unit": "F", "days": 2, "dry_run": False, "hours": [6, 18, 0]}


def test_the_signature_and_the_docstring_are_those_of_the_package_file(weather):
    look = "from _plughost_town_weather import forecast as f\nprint(json.dumps([str(inspect.signature(f)), f.__doc__]))"
    signature, docstring = run(weather, look)
    for parameter in ("(city: str, ", "Literal['C', 'F', '\"\"\"'] = 'C'", "dry_run: bool = False", "hours: list = [6, 18]"):
        assert parameter in signature
    assert docstring == (
        f"{WEATHER['description']}\n\nArgs:\n    city: the name of a town\n    unit: of temperatures (short: -u)"
    )


def test_a_yaml_package_is_installed_and_called_like_any_other(host, git_repository):
    host.add(git_repository("legacy-yaml"))
    assert host.call("legacy_yaml", domain="bücher.example") == "xn--bcher-kva.example"
    assert host.call("legacy_yaml", domain="xn--bcher-kva.example", form="unicode") == "bücher.example"


@pytest.mark.parametrize(
    ("kind", "code", "use"),
    [
        ("iscoroutinefunction", "async def f(a):\n    return a\n", "asyncio.run(f(a='x'))"),
        ("isgeneratorfunction", "def f(a):\n    yield a\n", "next(f(a='x'))"),
        ("isasyncgenfunction", "async def f(a):\n    yield a\n", "asyncio.run(f(a='x').__anext__())"),
        ("isfunction", "async def g(a):\n    return a\nf = g\n", "asyncio.run(f(a='x'))"),
    ],
)
def test_the_shim_is_of_the_same_kind_as_the_function(tmp_path, kind, code, use):
    write_project(package(tmp_path, minimal("arguments: [{name: a, required: true}]"), m=code), project="plughost")
    assert run(tmp_path, f"from _plughost_n import f\nprint(json.dumps([inspect.{kind}(f), {use}]))") == [True, "x"]


def test_without_arguments_the_entry_point_is_the_function_itself(tmp_path):
    assert 'n = "m:f"' in project_of(tmp_path, "version: 1")
    assert not list(tmp_path.glob("_plughost_*"))


def test_numbers_are_read_as_they_are_written(tmp_path):
    written = project_of(tmp_path, "version: 1.10\npython_version: 3.10")
    assert 'version = "1.10"' in written
    assert 'requires-python = "==3.10.*"' in written


def test_a_missing_version_is_0(tmp_path):
    assert 'version = "0"' in project_of(tmp_path, "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (">=3.8", ">=3.8"),
        ("3.9", "==3.9.*"),
        ("3", "==3.*"),
        ("3.9.1", "==3.9.1"),
        ("3.9+", ">=3.9"),
        ("^3.9", ">=3.9,<4"),
        ("~3.9", ">=3.9,<3.10"),
    ],
)
def test_a_python_version_becomes_a_specifier(tmp_path, written, meant):
    assert f'requires-python = "{meant}"' in project_of(tmp_path, f"python_version: '{written}'")


def test_dependencies_come_from_the_requirements_file_where_none_are_named(tmp_path):
    (tmp_path / "requirements.txt").write_text("-i https://example.org\nidna>=3.4  # names\n\nattrs\n")
    written = project_of(tmp_path, "")
    assert '"idna>=3.4",\n    "attrs",' in written
    assert "requirements.txt" not in written


def test_text_never_becomes_code(tmp_path):
    evil = "'''\"\"\"\\\nimport sys; sys.exit(3)\n"
    arguments = [{"name": "a", "help": evil, "choices": [evil, "b"], "default": evil}, {"name": "dict"}]
    text = json.dumps({"name": "n", "entry_point": "m.f", "description": evil, "arguments": arguments})
    write_project(package(tmp_path, text, file="package.json"), project="plughost")
    assert run(tmp_path, "from _plughost_n import f\nprint(json.dumps(f()))") == {"a": evil}


def test_who_leaves_out_a_required_argument_that_has_a_default_gets_that(tmp_path):
    lines = "arguments:\n- {name: city, required: true, default: Bath}\n- {name: days, type: int, required: true}"
    write_project(package(tmp_path, minimal(lines)), project="plughost")
    assert run(tmp_path, "from _plughost_n import f\nprint(json.dumps(f(days=2)))") == {"city": "Bath", "days": 2}


def test_the_tool_has_the_name_by_which_the_package_is_installed(tmp_path):
    write_project(package(tmp_path, "name: Town_Weather\nentry_point: m.f\n"), project="plughost")
    assert 'town-weather = "m:f"' in (tmp_path / "pyproject.toml").read_text()


def test_a_tag_constructs_nothing(tmp_path):
    with pytest.raises(SourceError, match="description"):
        project_of(tmp_path, f"description: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']")
    assert not (tmp_path / "made").exists()


def test_links_do_not_lead_the_writing_out_of_the_copy(tmp_path):
    outside = {name: tmp_path / name for name in ("pyproject.toml", "_plughost_n.py")}
    (tmp_path / "copy").mkdir()
    for name, path in outside.items():
        path.write_text("mine")
        (tmp_path / "copy" / name).symlink_to(path)
    assert "_plughost_n:f" in project_of(tmp_path / "copy", "arguments: {a: str}")
    assert [path.read_text() for path in outside.values()] == ["mine", "mine"]


def test_a_src_that_leads_out_of_the_copy_is_not_written_to(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "m.py").write_text("def f(a): pass\n")
    path = package(tmp_path / "copy", minimal("arguments: {a: str}"), other="")
    (tmp_path / "copy" / "src").symlink_to(tmp_path / "outside")
    with pytest.raises(SourceError, match="entry_point"):
        write_project(path, project="plughost")
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["m.py"]


def test_the_first_of_the_package_files_is_taken(tmp_path):
    assert find_package_file(tmp_path) is None
    for name in ("package.json", "package.yml", "package.yaml"):
        (tmp_path / name).touch()
        assert find_package_file(tmp_path) == tmp_path / name


def test_an_error_names_the_key_the_value_and_what_is_allowed(tmp_path):
    with pytest.raises(SourceError) as caught:
        project_of(tmp_path, "arguments:\n- {name: a}\n- {name: b, choices: [x, y], default: z}")
    assert caught.value.record() == {
        "reference": "package-file-invalid",
        "message": "`package.yaml: arguments[1].default` can't be `z`",
        "causes": ["Allowed: one of the choices: `x`, `y`"],
        "hint": "Correct `package.yaml`, or tell the package's author",
        "log": None,
        "exit_code": 5,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", "no mapping"),
        ("name: n\nversion: [", "line 2"),
        ("entry_point: m.f", "name` is missing"),
        ("name: n", "entry_point` is missing"),
        ("name: n\nentry_point: other.f", "entry_point` can't be `other.f`"),
        ("name: n\nentry_point: m.class", "entry_point` can't be `m.class`"),
        ("name: n\nentry_point: two", "`two` is a module"),
        ("name: '?'\nentry_point: m.f", "name` can't be `\\?`"),
        (minimal("python_version: new"), "python_version` can't be `new`"),
        (minimal("dependencies: ['a b']"), r"dependencies\[0\]` can't be `a b`"),
        (minimal("arguments: [{name: a}, {name: a}]"), "no other argument has"),
        (minimal("arguments: [{name: a-b}, {name: a_b}]"), "no other argument has"),
        (minimal("arguments: [{type: int}]"), r"arguments\[0\].name` is missing"),
        (minimal("arguments: [{name: a, type: colour}]"), r"arguments\[0\].type` can't be `colour`\n.*`string`"),
        (minimal("arguments: {a: {type: int, default: 1.5}}"), r"arguments.a.default` can't be `1.5`"),
    ],
)
def test_a_package_file_that_makes_no_sense_is_refused(tmp_path, text, expected):
    (tmp_path / "two.py").write_text("def a(): pass\ndef b(): pass\n")
    with pytest.raises(SourceError, match=expected) as caught:
        write_project(package(tmp_path, text), project="plughost")
    assert caught.value.reference == "package-file-invalid"
    assert "`package.yaml" in caught.value.message


HELLO = "def hello(name='x'):\n    return 'hi ' + name\n"
TOOL = "class Tool:\n    greeting = 'hi '\n    def {method}(self, name='x'):\n        return self.greeting + name\n"


def called(tmp_path, entry_point, files, arguments=""):
    """What the tool of such a package gives, called without an argument and with one."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "package.yaml").write_text(f"name: n\nentry_point: {entry_point}\n{arguments}\n")
    write_project(tmp_path / "package.yaml", project="plughost")
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    module, _, function = project["project"]["entry-points"]["plughost"]["n"].partition(":")
    base = project["tool"]["hatch"]["build"]["targets"]["wheel"].get("sources", ["."])[0]
    call = f"import importlib\nf = importlib.import_module({module!r}).{function}\nf = f() if inspect.isclass(f) else f"
    return run(tmp_path / base, f"{call}\nprint(json.dumps([f(), f(name='y')]))")


@pytest.mark.parametrize(
    ("entry_point", "files"),
    [
        ("main.py:hello", {"main.py": HELLO}),
        ("./main.py", {"main.py": HELLO}),
        ("main", {"main.py": "def run(name='x'):\n    return 'hi ' + name\n\ndef other(): pass\n"}),
        ("src/app/main.py:hello", {"src/app/main.py": "from . import part\n" + HELLO, "src/app/part.py": ""}),
        ("src.main.hello", {"src/main.py": "from src import part\n" + HELLO, "src/part.py": "", "src/__init__.py": ""}),
        ("src.main.hello", {"src/main.py": "import part\n" + HELLO, "src/part.py": ""}),
        ("app.main.hello", {"app/main.py": "import part\n" + HELLO, "app/part.py": "", "app/__init__.py": ""}),
        ("deep.er.main.hello", {"deep/er/main.py": "from ..part import x\n" + HELLO, "deep/part.py": "x = 1"}),
        ("app:hello", {"lib/app/__init__.py": "from .core import hello", "lib/app/core.py": HELLO}),
        ("my-tool:hello", {"my-tool.py": HELLO}),
        ("main:Tool", {"main.py": TOOL.format(method="run")}),
        ("main.Tool.greet", {"main.py": TOOL.format(method="greet")}),
        ("main.Tool", {"main.py": TOOL.format(method="__call__")}),
    ],
)
def test_an_entry_point_is_found_however_it_is_written(tmp_path, entry_point, files):
    assert called(tmp_path, entry_point, files) == ["hi x", "hi y"]


@pytest.mark.parametrize("entry_point", ["main:Tool", "main.Tool.run", "my-tool:Tool"])
def test_with_arguments_a_function_stands_before_it(tmp_path, entry_point):
    files = {f"{entry_point[:-5]}.py" if "-" in entry_point else "main.py": TOOL.format(method="run")}
    assert called(tmp_path, entry_point, files, "arguments: {name: str}") == ["hi x", "hi y"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("version: one", 'version = "0+one"'),
        ("version: 1.0.0-SNAPSHOT", 'version = "1.0.0+snapshot"'),
        ("license: MIT", 'text = "MIT"'),
        ("keywords: [a]", 'keywords = [\n    "a",\n]'),
        ("python_version: 3.8 or higher", 'requires-python = ">=3.8"'),
        ("python_version: ['3.12', '3.11']", 'requires-python = ">=3.11,<3.13"'),
        ("dependencies: {python: '>=3.9', idna: ^3.4}", 'requires-python = ">=3.9"\ndependencies = [\n    "idna<4,>=3.4",\n]'),
        ("dependencies: {python: [idna], system: [curl]}", 'dependencies = [\n    "idna",\n]'),
        ("dependencies: [{name: idna, version: '>=3'}]", 'dependencies = [\n    "idna>=3",\n]'),
        ("dependencies: |\n  idna\n  attrs>=23,<26", 'dependencies = [\n    "idna",\n    "attrs<26,>=23",\n]'),
        ("requirements: [json, idna]", 'dependencies = [\n    "idna",\n]'),
    ],
)
def test_what_people_write_is_understood(tmp_path, lines, expected):
    assert expected in project_of(tmp_path, lines)


@pytest.mark.parametrize("written", ["Text Tools", "@text/tools", "text tools!"])
def test_a_name_becomes_one_that_a_package_can_have(tmp_path, written):
    write_project(package(tmp_path, f'name: "{written}"\nentry_point: m.f\n'), project="plughost")
    assert 'text-tools = "m:f"' in (tmp_path / "pyproject.toml").read_text()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_files_are_read_in_the_encodings_that_editors_write(tmp_path, encoding):
    path = package(tmp_path, "")
    path.write_bytes("name: n\r\ndescription: Größe\r\nentry_point: m.f\r\n".encode(encoding))
    (tmp_path / "requirements.txt").write_bytes("idna>=3  # für Namen\r\n".encode(encoding))
    write_project(path, project="plughost")
    written = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    assert "Größe" in written
    assert '"idna>=3"' in written


def test_files_of_requirements_that_are_named_are_read_and_none_elsewhere(tmp_path):
    (tmp_path / "secret.txt").write_text("attrs\n")
    package(tmp_path / "n", minimal("dependencies: []"))
    (tmp_path / "n" / "requirements.txt").write_text("-r base.txt\n-r ../secret.txt\n")
    (tmp_path / "n" / "base.txt").write_text("-r requirements.txt\nidna\n")
    write_project(tmp_path / "n" / "package.yaml", project="plughost")
    dependencies = tomllib.loads((tmp_path / "n" / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(dependencies) == {"idna"}


@pytest.mark.parametrize(
    ("written", "annotation"),
    [
        ("List[str]", "list"),
        ("str[]", "list"),
        ("Optional[int]", "Optional[int]"),
        ("int | None", "Optional[int]"),
        ("any", "Any"),
    ],
)
def test_types_of_other_languages_are_understood(tmp_path, written, annotation):
    project_of(tmp_path, f"arguments: [{{name: a, type: '{written}', required: false}}]")
    assert annotation in (tmp_path / "_plughost_n.py").read_text()


@pytest.mark.parametrize(
    ("lines", "signature"),
    [
        ("arguments: [{city: str}, {days: {type: int, default: 2.0}}]", "(city: Optional[str] = None, days: int = 2)"),
        ("arguments: {a: {type: list, default: 'x, y'}}", "(a: list = ['x', 'y'])"),
        ("arguments: {a: {type: dict, default: '{\"b\": 1}'}}", "(a: dict = {'b': 1})"),
        ("arguments: {a: {type: int, default: ''}}", "(a: Optional[int] = None)"),
        (
            "parameters: {type: object, required: [b], properties: {a: {type: string, enum: [x]}, b: {type: number}}}",
            "(b: float, a: Optional[Literal['x']] = None)",
        ),
    ],
)
def test_arguments_are_understood_as_people_write_them(tmp_path, lines, signature):
    project_of(tmp_path, lines)
    assert signature in (tmp_path / "_plughost_n.py").read_text().replace("_typing.", "")


def test_aliases_are_refused_before_they_grow(tmp_path):
    laughs = "a: &a [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else '*a'] * 9)}]\n" for n in range(12))
    with pytest.raises(SourceError, match=r"aliases .* line 4"):
        project_of(tmp_path, laughs)


def test_a_file_of_more_than_a_mebibyte_is_not_parsed(tmp_path):
    with pytest.raises(SourceError, match="larger than 1048576 bytes"):
        project_of(tmp_path, f"description: {'x' * (1 << 20)}")


@pytest.mark.parametrize("file", ["package.json", "package.yaml"])
def test_half_a_surrogate_pair_is_refused(tmp_path, file):
    text = '{"name": "n", "entry_point": "m.f", "description": "\\ud800"}'
    with pytest.raises(SourceError, match=f"`{file}` can't be read"):
        write_project(package(tmp_path, text, file=file), project="plughost")
