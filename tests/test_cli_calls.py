"""The commands on a store with plugins in it: what goes to which stream, in which form, with which exit code.

The store is made by hand, so that these tests need no installer: its environments are real, its plugins describe themselves, and
the registry puts them in place.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from plughost import _interpreters, registry
from plughost.call import describe
from plughost.cli._example import arguments, example
from plughost.host import Host
from plughost.paths import Store
from plughost.venv import _create
from plughost.worker import launch

PACKAGES = Path(__file__).parent / "packages"
SOURCES = "git+https://example.org"
COMMIT = "3f2a1c0d" * 5


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    """A store with `echo`, `hazards` and `values`; not to be changed."""
    root = tmp_path_factory.mktemp("cli") / "store"
    for package in ("echo", "hazards", "values"):
        place(Store(root), package)
    return root


@pytest.fixture
def run(plughost_command, plugins):
    """`run("list")` runs the command on the store `plugins`."""

    def run(*argv, env=None, stdin=""):
        return plughost_command(*argv, env={"PLUGHOST_HOME": str(plugins), **(env or {})}, stdin=stdin)

    return run


def place(store: Store, package: str) -> None:
    project = tomllib.loads((PACKAGES / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry_points = project["entry-points"]["plughost"]
    venv = make_venv(Path(store.venvs, f"{package}-venv"), PACKAGES / package / package)
    _create._mark(venv.name, str(venv), _interpreters.own())
    worker = launch(str(venv), name=package, project="plughost", bytecode=store.runner_bytecode)
    manifest = describe(worker, package, entry_points, timeout_s=60)
    worker.stop()
    folder = Path(store.tmp, package)
    folder.mkdir(parents=True)
    lock = [{"name": package, "version": "1.0"}, {"name": "httpx", "version": "0.27.2"}]
    (folder / "pylock.toml").write_text(
        "".join(f'[[packages]]\nname = "{p["name"]}"\nversion = "{p["version"]}"\n' for p in lock)
    )
    common = {"name": package, "package": package, "version": "1.0", "revision": "1.0-3f2a1c0d", "venv": venv.name}
    record = {"format": 1, **common, "editable": False, "entry_points": entry_points, "summary": project["description"]}
    (folder / "manifest.json").write_text(json.dumps({**record, **manifest}))
    receipt = registry.Receipt(
        **common,
        project="plughost",
        added_at="2026-01-02T03:04:05+00:00",
        added_by="plughost",
        kind="git",
        source=f"{SOURCES}/{package}.git@main",
        commit_id=COMMIT,
        digest="",
        direct_url={},
        request={},
        wheel=f"{package}-1.0-py3-none-any.whl",
        wheel_sha256="a" * 64,
        lock_sha256="b" * 64,
        installer="uv",
        built_from_source=(),
        venv_digest="",
        python=sys.executable,
        python_version="3.11.7",
        history=(
            registry.HistoryEntry(revision="0.9-1", version="0.9", commit_id="0" * 40, added_at="2025-01-01T00:00:00+00:00"),
        ),
    )
    registry.place(store, folder, receipt)


def make_venv(folder: Path, module: Path) -> Path:
    base = os.path.realpath(sys._base_executable)
    packages = folder / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / module.name).symlink_to(module)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\n")
    (folder / "plughost-venv.json").write_text("{}")
    return folder


def on_a_terminal(environment, *argv, stdin=None):
    """The command with its output on a terminal: what it printed, without the terminal's line ends."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "plughost", *argv], env=environment, stdout=theirs, stderr=theirs, stdin=stdin
    )
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(ours, 65536):
            printed += chunk
    except OSError:  # EIO: how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, printed
    return printed.decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(clean_environment, plugins):
    """`terminal("list")` is what the command shows on a terminal."""
    environment = {**clean_environment, "PLUGHOST_HOME": str(plugins), "TERM": "xterm"}
    return lambda *argv, **more: on_a_terminal({**environment, **more}, *argv)


@pytest.mark.parametrize(
    ("argv", "stdout"),
    [
        (["echo:add", "a=3"], "5\n"),
        (["echo:add", "--args", "[3, 4]"], "7\n"),
        (["echo:add", "a=3", "--kwargs", '{"b": 4}'], "7\n"),
        (["echo:greet", "name=Föhn", "politely=yes"], '"Good day, Föhn"\n'),
        (["echo:echo", 'value:={"a": [1, null, "\\u20ac"]}'], '{"a":[1,null,"€"]}\n'),
        (["echo:echo", "value:=null"], "null\n"),
        (["echo:echo", 'value:="\\ud800"'], '"\\ud800"\n'),
        (["echo:countdown", "start=3"], "3\n2\n1\n"),
        (["echo:countdown", "start=0"], ""),
        (["echo:ticks", "count=2"], "0\n1\n"),
        (["values:give", "kind=bytes"], '"AP8="\n'),
        (["values:give", "kind=nan"], '"NaN"\n'),
        (["values:give", "kind=dataclass"], '{"x":1,"y":2,"label":null}\n'),
    ],
)
def test_a_result_is_printed_as_compact_json_in_a_pipe(run, argv, stdout):
    completed = run("run", *argv)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, stdout, "")


def test_on_a_terminal_a_result_is_indented_and_a_string_is_printed_as_it_is(terminal):
    assert terminal("run", "echo:echo", 'value:={"a": [1]}') == '{\n  "a": [\n    1\n  ]\n}\n'
    assert terminal("run", "echo:echo", "value=two\nlines") == "two\nlines\n"
    assert terminal("run", "echo:echo", 'value:=[["a"]]') == '[\n  [\n    "a"\n  ]\n]\n'
    assert terminal("run", "echo:countdown", "start=2") == "2\n1\n"


def test_arguments_may_come_from_a_file_or_a_pipe(run, tmp_path):
    path = tmp_path / "arguments.json"
    path.write_text('{"a": 1}')
    assert run("run", "echo:add", "--kwargs", f"@{path}").stdout == "3\n"
    assert run("run", "echo:add", "--kwargs", "-", stdin='{"a": 2}').stdout == "4\n"
    assert run("run", "echo:echo", "--stdin-as", "value", stdin="ä\n").stdout == '"ä\\n"\n'
    assert run("run", "echo:add", "b=3", "--stdin-as", "a", stdin="4\n").stdout == "7\n"


def test_what_the_plugin_prints_goes_to_the_standard_error(run):
    completed = run("run", "hazards:print-partly")
    assert (completed.stdout, completed.stderr) == ('"done"\n', "half a line")
    assert run("run", "hazards:print-partly", "--quiet").stderr == ""


def test_on_a_terminal_a_result_begins_a_line_of_its_own(terminal):
    assert terminal("run", "hazards:print-partly") == "half a line\ndone\n"


def test_text_arrives_as_it_was_typed_also_where_the_locale_has_no_form_for_it(run):
    no_form = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for argv in (["name=Föhn"], ["--kwargs", '{"name": "Föhn"}'], ["--args", '["Föhn"]']):
        assert run("run", "echo:greet", *argv, env=no_form).stdout == '"Hi Föhn"\n'
    not_text = os.fsdecode(b"name=\xff")
    assert run("run", "echo:greet", not_text, env=no_form).stdout == run("run", "echo:greet", not_text).stdout == '"Hi \\udcff"\n'


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_result_arrives_also_where_the_standard_error_takes_nothing(clean_environment, plugins):
    command = [sys.executable, "-m", "plughost", "run", "hazards:print-partly"]
    environment = {**clean_environment, "PLUGHOST_HOME": str(plugins)}
    with open("/dev/full", "wb") as full:
        completed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=full, check=False)
    assert (completed.returncode, completed.stdout) == (0, b'"done"\n')


def test_the_envelope_has_all_of_a_call(run):
    envelope = run("run", "hazards:print-partly", "--json").json()
    assert envelope.pop("duration_s") > 0
    assert envelope == {
        "plugin": "hazards",
        "tool": "print-partly",
        "result": "done",
        "output": "half a line",
        "output_truncated": False,
    }
    assert run("run", "echo:countdown", "start=2", "--json").json()["items"] == [2, 1]


def test_the_envelope_of_a_failed_call_has_the_error_and_what_came_before(run):
    completed = run("run", "hazards:raise-in-stream", "--json")
    envelope = completed.json()
    assert (completed.returncode, completed.stderr) == (1, "")
    assert envelope["items"] == [1]
    assert envelope["error"]["reference"] == "plugin-raised"
    assert "raise ValueError" in envelope["error"]["traceback"]


@pytest.mark.parametrize(
    ("argv", "code", "stderr"),
    [
        (["nix"], 3, "error: No plugin named `nix` is installed\n\nhint: Installed are `echo`, `hazards`, `values`\n"),
        (["../x"], 2, None),
        ([":add"], 2, "error: `:add` names no plugin\n\nhint: The plugin comes first, as in `weather:forecast`\n"),
        (
            ["echo:greet", "Ada"],
            2,
            (
                "error: `Ada` is no argument\n"
                "  Caused by: Arguments are given as `KEY=VALUE`, or as `KEY:=JSON`\n\n"
                "hint: Did you mean `name=Ada`?\n"
            ),
        ),
        (["echo:ad"], 3, None),
        (["echo"], 3, None),
        (["echo:add"], 2, None),
        (["echo:add", "a=x"], 2, None),
        (["echo:add", "a=1", "c=1"], 2, None),
        (
            ["echo:add", "a=1", "--kwargs", '{"a": 1}'],
            2,
            (
                "error: The argument `a` of `echo:add` is given twice\n"
                "  Caused by: `--kwargs`, `--stdin-as` and `KEY=VALUE` can't give the same argument\n"
            ),
        ),
        (
            ["echo:add", "--kwargs", '{"a": 1'],
            2,
            "error: What `--kwargs` gives is not JSON\n  Caused by: Expecting ',' delimiter: line 1 column 8 (char 7)\n",
        ),
        (
            ["echo:add", "--kwargs", "[1]"],
            2,
            'error: What `--kwargs` gives is not a JSON object\n\nhint: `--kwargs \'{"city": "Bern"}\'`\n',
        ),
        (["echo:add", "--args", "{}"], 2, "error: What `--args` gives is not a JSON array\n\nhint: `--args '[\"Bern\", 3]'`\n"),
        (
            ["echo:add", "--kwargs", "@/no/such"],
            2,
            "error: The file `/no/such` of `--kwargs` can't be read\n  Caused by: No such file or directory\n",
        ),
        (
            ["echo:add", "--kwargs", "-", "--stdin-as", "a"],
            2,
            "error: The standard input can be read once, and is asked for twice\n",
        ),
        (["echo:add", "a=1", "--timeout", "0"], 2, "error: `--timeout 0` is no number of seconds above 0\n"),
        (["echo:add", "a=1", "--timeout", "nan"], 2, "error: `--timeout nan` is no number of seconds above 0\n"),
        (["echo:add", "a=1", "--env", "PLUGHOST_UNSET"], 2, None),
        (["hazards:segfault"], 4, None),
        (["hazards:leave"], 1, None),
        (["hazards:sleep", "--timeout", "0.2"], 124, None),
    ],
)
def test_a_failed_run_says_why_and_ends_with_its_code(run, argv, code, stderr):
    completed = run("run", *argv)
    assert (completed.returncode, completed.stdout) == (code, ""), completed.stderr
    assert stderr in (None, completed.stderr)
    assert "error: " in completed.stderr
    record = run("run", *argv, "--json")
    assert (record.returncode, record.json()["error"]["exit_code"], record.stderr) == (code, code, "")


def test_the_plugins_traceback_comes_before_the_error(run):
    lines = run("run", "hazards:raise-value-error").stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "error: `hazards:raise-value-error` raised ValueError: not a city"


def test_a_variable_is_passed_only_on_purpose(run):
    def seen(*argv):
        return run("run", "echo:context", *argv, env={"SECRET": "s"}).json()["environment"].get("SECRET")

    assert (seen(), seen("--env", "SECRET"), seen("--env", "SECRET=t")) == (None, "s", "t")


def started(environment, plugins, *argv):
    """The command, running; it has printed its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "plughost", *argv],
        env={**environment, "PLUGHOST_HOME": str(plugins)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    return process


def test_a_reader_that_leaves_ends_the_command_quietly(clean_environment, plugins):
    process = started(clean_environment, plugins, "run", "echo:countdown", "start=1000000")
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b"", 141)
    process.stderr.close()


@pytest.mark.parametrize(
    ("number", "code", "stderr"), [(signal.SIGINT, 130, b"interrupted\n"), (signal.SIGTERM, 143, b"terminated\n")]
)
def test_a_signal_ends_the_command_and_the_plugin(clean_environment, plugins, number, code, stderr):
    process = started(clean_environment, plugins, "run", "echo:countdown", "start=100000000")
    process.send_signal(number)
    assert (process.stderr.read(), process.wait()) == (stderr, code)  # although nobody reads its output
    process.stderr.close()
    process.stdout.close()


def test_list_is_a_table(run):
    rows = [
        ("NAME", "VERSION", "TOOLS", "SOURCE"),
        ("echo", "1.0", "echo, add, countdown +4", f"{SOURCES}/echo.git@main (3f2a1c0)"),
        ("hazards", "1.0", "print-partly, print-forgeries, write-to-descriptor +33", f"{SOURCES}/hazards.git@main (3f2a1c0)"),
        ("values", "1.0", "give, take, nested", f"{SOURCES}/values.git@main (3f2a1c0)"),
    ]
    assert run("list").stdout == "".join(
        f"{name:7}  {version:7}  {tools:54}  {source}\n" for name, version, tools, source in rows
    )
    assert [plugin["name"] for plugin in run("list", "--json").json()] == ["echo", "hazards", "values"]


def test_an_empty_list_says_what_to_do(plughost_command):
    completed = plughost_command("list")
    assert (completed.returncode, completed.stdout) == (0, "")
    assert completed.stderr == "Nothing is installed yet\n\nhint: `plughost add SOURCE` adds a plugin\n"
    assert plughost_command("list", "--json").json() == []


def test_info_shows_what_is_known(run):
    page = run("info", "echo").stdout
    assert page.startswith(f"echo 1.0\nOne tool of every kind\n\nsource        {SOURCES}/echo.git@main\n")
    assert f"\ncommit        {COMMIT}\n" in page
    assert "\n  add → integer\n    Add two numbers.\n      a  integer  required   the first.\n      b  integer  default 2" in page
    assert "\nDependencies\n  httpx  0.27.2\n\nBefore it\n  0.9  0000000  2025-01-01T00:00:00+00:00\n" in page
    assert re.search(
        r"^ +points +array of object with `x`, `y`, `label` or null +default null$", run("info", "values").stdout, re.MULTILINE
    )
    record = run("info", "echo", "--json").json()
    assert [tool["name"] for tool in record["tools"]][:2] == ["echo", "add"]


def test_the_home_folder_is_shown_as_a_tilde(run, plugins):
    lines = run("info", "echo", env={"HOME": str(plugins)}).stdout.splitlines()
    assert "environment   ~/venvs/echo-venv" in lines
    assert str(plugins) not in "\n".join(lines)
    assert run("info", "echo", "--json", env={"HOME": str(plugins)}).json()["environment"] == f"{plugins}/venvs/echo-venv"


def test_remove_takes_plugins_away_and_names_the_one_that_is_not_there(plughost_command, store):
    for package in ("echo", "values"):
        place(Store(store), package)
    completed = plughost_command("remove", "echo", "nix", "values")
    assert completed.returncode == 3
    assert [line.partition(" (")[0] for line in completed.stdout.splitlines()] == ["Removed `echo`", "Removed `values`"]
    assert completed.stderr.startswith("error: No plugin named `nix` is installed\n")
    assert plughost_command("list", "--json").json() == []


def test_the_example_that_add_shows_can_be_run(plugins, run):
    with Host(store=plugins) as host:
        shown = example(host.info("echo"))
    assert shown == "echo:echo value='…'"
    assert run("run", *shlex.split(shown)).stdout == '"…"\n'


@pytest.mark.parametrize(
    ("schema", "typed"),
    [
        ({"type": "integer"}, "x=1"),
        ({"type": "string", "format": "date"}, "x=2026-01-31"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x=1"),
        ({"enum": ["C", "F"]}, "x=C"),
        ({"examples": ["Bern"]}, "x=Bern"),
        ({"type": ["boolean", "null"]}, "x=true"),
        ({"$ref": "#/$defs/Point"}, "x='{\"at\": 1}'"),
        ({"$ref": "#/$defs/Round"}, "x='…'"),
    ],
)
def test_an_example_has_a_value_of_the_right_type(schema, typed):
    point = {"type": "object", "properties": {"at": {"type": "integer"}, "label": {}}, "required": ["at"]}
    definitions = {"Point": point, "Round": {"$ref": "#/$defs/Round"}}
    parameters = {"properties": {"x": schema}, "required": ["x"], "$defs": definitions}
    assert " ".join(arguments(parameters)) == typed


def test_an_example_of_what_requires_nothing_has_the_first_argument_unless_there_is_a_default():
    text = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert arguments({"properties": {"code": text, "instruction": text}}) == ["code='…'"]
    assert arguments({"properties": {"days": {"type": "integer", "default": 3}, "city": text}}) == []
    assert arguments({"properties": {}}) == []
