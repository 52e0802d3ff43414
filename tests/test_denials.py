"""What is said where a plugin is denied a host or a file: the same in every way of calling, in words that can be pasted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shlex
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy
import pytest

from plughost import Host, PluginError
from plughost.errors import DescribeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="confines by the Linux kernel"),
    pytest.mark.usefixtures("confined"),
]

CODE = """\
import os
import socket

def look(path):
    with open(path) as file:
        return file.read()

def put(path):
    with open(path, "w") as file:
        file.write("here")

def fill(paths):
    for path in paths:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        put(path)

def reach(host):
    socket.create_connection((host, 443), 5)

def items(path):
    yield look(path)

class Hooks:
    def prospects_seen(self, path):
        return look(path)
    prospects_seen.app_impl = {}

hooks = Hooks()
"""
ENTRY_POINTS = """\
look = scout:look
put = scout:put
reach = scout:reach
fill = scout:fill
items = scout:items
"""


class Specifications:
    @pluggy.HookspecMarker("app")
    def prospects_seen(self, path: str) -> object: ...


@pytest.fixture(scope="module")
def wheel(make_wheel: Callable[[str], str]) -> str:
    """Of the package `scout`, with tools for the command `plughost` and for the app `app`."""
    return make_wheel(CODE)


@pytest.fixture(scope="module")
def make_wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Makes a wheel of `scout` by hand, with that code."""
    return lambda code: written_wheel(tmp_path_factory.mktemp("scout"), code)


def written_wheel(folder: Path, code: str) -> str:
    info = "scout-1.0.dist-info"
    files = {
        "scout.py": code,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: scout\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[plughost]\n{ENTRY_POINTS}\n[app]\n{ENTRY_POINTS}hooks = scout:hooks\n",
    }

    def line(name: str, text: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        return f"{name},sha256={digest},{len(text)}"

    files[f"{info}/RECORD"] = "\n".join([*(line(*file) for file in files.items()), f"{info}/RECORD,,", ""])
    path = folder / "scout-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in files.items():
            archive.writestr(*file)
    return str(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, wheel: str) -> Path:
    store = tmp_path_factory.mktemp("denials") / "store"
    for project in ("plughost", "app"):
        with Host(project, store=store / project) as host:
            host.add(wheel)
    return store


@pytest.fixture
def app(store: Path) -> Iterator[Host]:
    with Host("app", store=store / "app") as host:
        yield host


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file that is there, and that no plugin was granted."""
    notes = tmp_path / "notes.txt"
    notes.write_text("swordfish")
    return notes


def by_hook(host: Host, path: str) -> object:
    manager = pluggy.PluginManager("app")
    manager.add_hookspecs(Specifications)
    host.attach(manager)
    return manager.hook.prospects_seen(path=path)


def by_session(host: Host, path: str) -> object:
    with host.session("scout") as session:
        return session.call("look", path)


WAYS: dict[str, Callable[[Host, str], object]] = {
    "call": lambda host, path: host.call("scout", "look", path),
    "invoke": lambda host, path: host.invoke("scout", "look", args=[path]),
    "acall": lambda host, path: asyncio.run(host.acall("scout", "look", path)),
    "submit": lambda host, path: host.submit("scout", "look", path).result(),
    "stream": lambda host, path: list(host.stream("scout", "items", path)),
    "hook": by_hook,
    "session": by_session,
}


@pytest.mark.parametrize("isolation", ["worker", "call"])
def test_a_file_that_is_kept_from_a_plugin_is_told_in_every_way_of_calling(store, notes, isolation):
    hint = f'The plugin may not use `{notes}`: `host.grant("scout", {{"read": ["{notes}"]}})` lets it read that'
    hint += ", and `write` for `read` also write to it"
    with Host("app", store=store / "app", isolation=isolation) as host:
        for way, call in WAYS.items():
            with pytest.raises(FileNotFoundError) as refused:
                call(host, str(notes))
            assert isinstance(refused.value, PluginError), way
            assert (refused.value.hint, refused.value.filename) == (hint, str(notes)), way


def test_what_an_app_is_told_would_allow_it_does(app, notes):
    notes.parent.chmod(0o755)
    with pytest.raises(FileNotFoundError) as refused:
        app.call("scout", "look", str(notes))
    command = re.search(r"`(host\.grant\(.*\))`", refused.value.hint)[1]
    eval(command, {"host": app})
    assert app.call("scout", "look", str(notes)) == "swordfish"
    app.grant("scout", None)


def test_an_app_is_told_of_hosts_in_python(app):
    told = '; `host.grant("scout", {"network": ["api.example.com:443"]})` would allow it'
    with pytest.raises(PermissionError, match=re.escape(told) + "$"):
        app.call("scout", "reach", "api.example.com")


def test_whoever_else_would_have_to_allow_it_is_named(store):
    with Host("app", store=store / "app", policy={"network": ["a.example.com"]}) as host:
        for caller, who in ((None, "the app"), ({"network": "off"}, "the caller's `policy`")):
            with pytest.raises(PermissionError, match=rf"would allow it if {who} did, too"):
                host.invoke("scout", "reach", args=["b.example.com"], policy=caller)


def test_a_file_that_is_not_there_or_hidden_or_read_only_is_told_as_that(app, notes, tmp_path):
    def hint(tool: str, path: Path | str) -> str:
        with pytest.raises(PluginError) as refused:
            app.call("scout", tool, str(path))
        return refused.value.hint

    assert hint("look", "/usr/lib/nothing-of-the-kind") == ""
    assert hint("look", "nothing-of-the-kind") == ""
    assert hint("put", tmp_path / "new.txt").startswith(f"There is no `{tmp_path}/new.txt`; to make it, `host.grant(")
    assert hint("put", notes).endswith("lets it read that, and `write` for `read` also write to it")
    assert hint("put", "/usr/lib/mine").startswith("The plugin may not write to `/usr/lib`: ")
    app.grant("scout", {"read": [tmp_path], "hide": [notes]})
    assert hint("look", notes) == f"The policy of `scout` hides `{notes}`: `policy show scout` says who wants that"
    app.grant("scout", None)


def test_a_relative_name_is_not_taken_for_a_file_of_the_callers_folder(app, notes, monkeypatch):
    monkeypatch.chdir(notes.parent)
    with pytest.raises(FileNotFoundError) as refused:
        app.call("scout", "look", "notes.txt")
    assert refused.value.hint.endswith(f"; and name it by its whole path, `{notes}`")


def test_the_command_is_told_commands_with_and_without_the_daemon(plughost_command, store, notes):
    home = {"PLUGHOST_HOME": str(store / "plughost")}

    def hints() -> tuple[str, str]:
        file = plughost_command("run", "scout:look", "--args", f'["{notes}"]', env=home)
        host = plughost_command("run", "scout:reach", "host=a.example.com", env=home)
        return file.stderr.partition("hint: ")[2], host.stderr.partition("doesn't name it; ")[2] or host.stderr

    alone = hints()
    assert f"`--read {shlex.quote(str(notes))}` lets it read that" in alone[0]
    assert "`plughost policy set scout --allow-net a.example.com:443` would allow it" in alone[1]
    assert plughost_command("up", env=home).returncode == 0
    try:
        assert hints() == alone
        session = plughost_command("session", "start", "scout", env=home).stdout.strip()
        for name, hint in ((str(notes), f"policy set scout --read {notes}` lets it"), ("notes.txt", f"whole path, `{notes}`")):
            called = plughost_command("session", "call", session, "look", f"path={name}", env=home, cwd=notes.parent)
            assert hint in called.stderr
    finally:
        plughost_command("down", env=home)


def test_a_call_is_made_again_with_what_its_command_line_said_and_never_with_more(plughost_here, store, notes):
    home = {"PLUGHOST_HOME": str(store / "plughost")}
    notes.parent.chmod(0o755)

    def run(*arguments: str) -> tuple[int, str]:
        done = plughost_here(*arguments, env=home)
        return done.returncode, done.stdout + done.stderr

    def latest() -> str:
        return str(plughost_here("logs", "--json", env=home).json()[-1]["id"])

    look = ("run", "scout:look", "--record-arguments", "--args", f'["{notes}"]')
    assert run(*look, "--read", str(notes)) == (0, '"swordfish"\n')
    first = latest()
    code, told = run("replay", first)
    assert code == 1
    assert told.endswith(
        f"`{first}` of `scout:look` ended otherwise before: ok, with leave for more by its command line: `read`\n"
    )
    assert run("policy", "set", "scout", "--read", str(notes))[0] == 0
    assert run("replay", first)[0] == 0
    assert run(*look, "--policy", "strict", "--memory", "256MiB")[0] == 1
    second = latest()
    code, told = run("replay", second)
    assert (code, told.splitlines()[-1].partition("ended ")[2]) == (1, "as it did before: raised (FileNotFoundError)")
    assert "memory = 256 MiB" in run("logs", second)[1]
    assert run("policy", "reset", "scout")[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--read", "nowhere"), "`--read nowhere`: there is nothing at `{0}/nowhere`\n\nhint: `{0}` is there; a relative"),
        (
            ("--write", "a/new.txt"),
            "`--write a/new.txt`: there is nothing at `{0}/a/new.txt`\n\nhint: To have it made: `--write {0}/a`",
        ),
        (("--allow-unenforced", "file-name"), "`--allow-unenforced`: `file-name` is not one of `files`, `file-names`,"),
        (("--allow-unenforced", "files,file-name"), "`--allow-unenforced`: `file-name` is not one of `files`, `file-names`,"),
        (("--allow-unenforced", "files, file-names", "--read", "nowhere"), "`--read nowhere`: there is nothing at"),
        (("--allow-net", "http://a.example.com/"), "\n\nhint: A host is a name or an address, no URL; `:PORT` may follow"),
    ],
)
def test_a_limit_that_can_be_none_is_refused_before_anything_is_called(plughost_here, store, tmp_path, options, said):
    done = plughost_here("run", "scout:look", "path=x", *options, env={"PLUGHOST_HOME": str(store / "plughost")})
    assert done.returncode == 2
    assert said.format(tmp_path) in done.stderr


def test_what_was_granted_everything_reads_it_but_for_the_temporary_files_of_others(plughost_here, store, notes):
    home = {"PLUGHOST_HOME": str(store / "plughost")}
    done = plughost_here("run", "scout:look", "path=/etc/os-release", "--read", "/", env=home)
    assert (done.json(), done.stderr) == (Path("/etc/os-release").read_text(), "")
    if notes.is_relative_to("/tmp"):
        done = plughost_here("run", "scout:look", "--args", f'["{notes}"]', "--read", "/", env=home)
        assert f"`--read {notes}` lets it read that" in done.stderr


def test_an_entry_point_that_names_nothing_is_to_be_corrected(plughost_here, wheel):
    done = plughost_here("add", wheel, "--entry-point", "look=scout:nothing")
    assert done.returncode == 5
    assert done.stderr.endswith("hint: Correct the entry point, or name what is there: `--entry-point NAME=MODULE:OBJECT`\n")


def test_a_name_that_is_a_folder_too_is_asked_of_the_index_and_that_is_said(plughost_here, tmp_path):
    (tmp_path / "scout-of-nobody").mkdir()
    (tmp_path / "scout-of-nobody" / "pyproject.toml").touch()
    done = plughost_here("add", "scout-of-nobody", "--offline")
    assert done.stderr.startswith(
        "note: `scout-of-nobody` is asked of the index; the folder of that name is `./scout-of-nobody`\nerror: "
    )


def test_what_an_add_did_is_shown_in_a_line(tmp_path, wheel):
    with Host(store=tmp_path / "store") as host:
        assert repr(host.add(wheel)) == "Added(name='scout', version='1.0', changed=True)"


def test_files_that_libraries_keep_for_themselves_are_no_artifacts(app):
    with app.session("scout") as session:
        made = session.invoke("fill", args=[[".cache/fonts/list", "__pycache__/scout.pyc", "plots/.last", "plots/one.png"]])
        for artifacts in (made.artifacts, session.artifacts()):
            assert [artifact.path for artifact in artifacts] == ["plots/.last", "plots/one.png"]


def test_what_a_plugin_is_denied_while_it_is_added_is_to_be_granted_there(plughost_here, tmp_path, make_wheel):
    wheel = make_wheel("import socket\nsocket.create_connection(('a.example.com', 80))\n")
    refused = plughost_here("add", wheel, "--entry-point", "look=scout:look")
    assert "`--grant network=a.example.com:80` would allow it" in refused.stderr
    with Host("app", store=tmp_path / "app") as host, pytest.raises(DescribeError) as told:
        host.add(wheel)
    assert '`grant={"network": ["a.example.com:80"]}` would allow it' in str(told.value)


def test_a_file_that_a_plugin_is_denied_when_it_is_imported_is_to_be_granted_too(plughost_command, tmp_path, make_wheel):
    words = tmp_path / "words.txt"
    wheel = make_wheel(f"open({str(words)!r}).close()\n{CODE}")
    words.write_text("words")
    refused = plughost_command("add", wheel, "--entry-point", "look=scout:look")
    assert f"The plugin may not use `{words}`: `--grant read={words}` lets it read that" in refused.stderr
    with Host("app", store=tmp_path / "app") as host:
        with pytest.raises(DescribeError) as told:
            host.add(wheel)
        assert f'`grant={{"read": ["{words}"]}}` lets it read that' in told.value.hint
        host.add(wheel, grant={"read": [str(words)]})
    with Host("app", store=tmp_path / "app", policy={"read": []}) as host:
        for way in (lambda: host.call("scout", "look", "."), lambda: host.warm("scout")):
            with pytest.raises(PluginError, match="can't be imported") as denied:
                way()
            assert f"The plugin may not use `{words}`" in denied.value.hint
