"""`session`: the daemon keeps sessions between commands, for as long as they live."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plughost.paths import Store

SOON_S = 30

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the daemon needs Linux")


class Shell:
    """Runs the command on one store, as processes of their own."""

    def __init__(self, store, environment, folder):
        self.store = store
        self.folder = folder
        self._environment = {**environment, "PLUGHOST_HOME": str(store)}

    def __call__(self, *argv, piped="", cwd=None, under=(), **env):
        completed = subprocess.run(
            [*under, sys.executable, "-m", "plughost", *argv],
            env={**self._environment, **env},
            cwd=cwd or self.folder,
            input=piped,
            capture_output=True,
            text=True,
            check=False,
        )
        return completed.returncode, completed.stdout, completed.stderr

    def json(self, *argv, **options):
        code, out, err = self(*argv, "--json", **options)
        assert code == 0, out + err
        return json.loads(out)

    def start(self, *options, **env):
        code, out, err = self("session", "start", "stateful", *options, **env)
        assert code == 0, err
        return out.strip()


@pytest.fixture
def root(stateful_store):
    return stateful_store


@pytest.fixture
def shell(root, clean_environment, tmp_path):
    shell = Shell(root, clean_environment, tmp_path)
    yield shell
    shell("down")
    place = Path(Store(root).sessions)
    assert not (place.exists() and list(place.iterdir()))


def until(condition):
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        select.select([], [], [], 0.05)


def test_state_lives_on_between_commands_wherever_they_are_run(shell):
    name = shell.start()
    assert shell("session", "call", name, "add", "amount=5") == (0, "5\n", "")
    assert shell("session", "call", name, "add", cwd="/", LANG="C.UTF-8", TERM="dumb") == (0, "6\n", "")
    assert shell("session", "call", name, "add", "--kwargs", "-", piped='{"amount": 4}') == (0, "10\n", "")
    assert shell("session", "call", name, "count", "up_to=2") == (0, "0\n1\n", "")


def test_a_call_tells_what_it_wrote(shell):
    name = shell.start()
    code, out, err = shell("session", "call", name, "append", "path=a.csv", "text=1,2")
    assert (code, out) == (0, "null\n")
    assert err.startswith("Wrote ")
    assert err.endswith("/files/a.csv (text/csv, 3 B)\n")
    envelope = shell.json("session", "call", name, "append", "path=b.csv", "text=3")
    assert (envelope["session"], envelope["result"]) == (name, None)
    assert [(each["path"], each["media_type"], each["size_bytes"]) for each in envelope["artifacts"]] == [
        ("b.csv", "text/csv", 1)
    ]


def test_sessions_are_shown_and_counted(shell):
    one, other = shell.start("--max-tasks", "7"), shell.start("--memory", "64MiB", "--lifetime", "unlimited")
    shell("session", "call", one, "add")
    listed = shell.json("session", "list")
    assert [(each["id"], each["tasks"], each["max_tasks"]) for each in listed] == [(one, 1, 7), (other, 0, 50)]
    assert shell.json("session", "stats", other)["lifetime_s"] is None
    totals = shell.json("session", "stats")
    assert (totals["active"], totals["max_sessions"], totals["opened"], totals["tasks"]) == (2, 100, 2, 1)
    code, out, _ = shell("session", "list")
    assert code == 0
    assert out.splitlines()[0].split() == ["ID", "PLUGIN", "STATE", "CALLS", "RESTARTS", "MEMORY", "AGE", "IDLE"]
    assert out.splitlines()[1].split()[:4] == [one, "stateful", "idle", "1/7"]


def test_a_session_is_stopped_and_its_files_are_kept_where_the_user_stands(shell):
    name = shell.start("--keep", "at-the-end")
    shell("session", "call", name, "append", "path=a.txt", "text=1")
    code, out, err = shell("session", "stop", name, "--keep", "now")
    assert (code, err) == (0, "")
    assert out == f"Ended `{name}` of `stateful`, and kept 1 file in `{shell.folder}/now`\n"
    assert (shell.folder / "now" / "a.txt").read_text() == (shell.folder / "at-the-end" / "a.txt").read_text() == "1"
    code, _, err = shell("session", "call", name, "add")
    assert code == 4
    assert err.startswith(f"error: Session `{name}` of `stateful` has ended: it was closed\n")


def test_all_sessions_are_stopped_each_with_a_folder_for_its_files(shell):
    names = [shell.start(), shell.start()]
    for name in names:
        shell("session", "call", name, "append", "path=a.txt", f"text={name}")
    stopped = shell.json("session", "stop", "--all", "--keep", "kept")
    assert [each["id"] for each in stopped] == names
    assert [(shell.folder / "kept" / name / "a.txt").read_text() for name in names] == names
    assert shell.json("session", "list") == []


def test_the_daemon_stays_while_there_are_sessions_and_no_longer(shell, is_gone):
    began = time.monotonic()
    shell("session", "list")
    idle_s = 1 + 5 * (time.monotonic() - began)  # in which the next command has to come
    daemon = shell.json("up", "--idle", f"{idle_s}")["pid"]
    folder = Path(shell.json("session", "start", "stateful", "--idle-timeout", f"{idle_s + 1}")["folder"])
    status = shell.json("up", "--status")
    assert (status["pid"], status["sessions"]) == (daemon, 1)
    until(lambda: not folder.exists())
    os.kill(daemon, 0)  # it is there
    assert is_gone(daemon)


def test_the_end_of_the_daemon_is_that_of_its_sessions(shell, is_gone):
    pid = shell.json("session", "call", shell.start(), "pid")["result"]
    shell("down")
    assert is_gone(pid)


def test_without_a_daemon_there_are_no_sessions_and_none_is_started_to_say_so(shell):
    assert shell("session", "list") == (0, "No session is open\n", "")
    assert shell.json("session", "stats")["active"] == 0
    assert shell("session", "stop", "--all") == (0, "No session is open\n", "")
    assert shell("session", "stop", "3f2a1c0b")[0] == 3
    assert not shell.json("up", "--status")["running"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["start", "stateful", "--lifetime", "long"], '`--lifetime` is `"long"`, and takes a time such as `30 s` or `5 min`'),
        (["start", "stateful", "--max-tasks", "0"], '`--max-tasks` is `"0"`, and takes a whole number above 0, or `unlimited`'),
        (["start", "stateful", "--policy", "lax"], "`--policy`: `lax` is not one of"),
        (["stop"], "`session stop` takes ids, or `--all`"),
    ],
)
def test_a_mistake_is_the_users(shell, argv, message):
    code, out, err = shell("session", *argv)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes setpriv")
def test_who_has_other_rights_is_not_served(shell):
    shell.start()
    code, _, err = shell("session", "list", under=["setpriv", "--no-new-privs"])
    assert code == 6
    assert err.startswith("error: The daemon doesn't take the command\n")
