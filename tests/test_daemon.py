"""The daemon: a `run` through it can't be told from one without, and it comes and goes in order."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plughost import Host
from plughost.daemon import _link
from plughost.paths import Store

NOBODY = 65534
SOON_S = 60

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the daemon needs Linux")


class Shell:
    """Runs the command on one store, as processes of their own."""

    def __init__(self, store: Path, environment: dict[str, str], folder: Path) -> None:
        self.store = store
        self.environment = {**environment, "PLUGHOST_HOME": str(store)}
        self.folder = folder
        self.socket = Path(Store(store).daemon_socket)
        self.started = []

    def start(self, *argv, env=None, **options):
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "cwd": self.folder,
        } | options
        process = subprocess.Popen(
            [sys.executable, "-m", "plughost", *argv], env={**self.environment, **(env or {})}, text=True, **options
        )
        self.started.append(process)
        return process

    def __call__(self, *argv, piped=None, **options):
        process = self.start(*argv, **({} if piped is None else {"stdin": subprocess.PIPE}), **options)
        out, err = process.communicate(piped)
        return process.returncode, out, err

    def json(self, *argv):
        code, out, err = self(*argv, "--json")
        assert code == 0, err
        return json.loads(out)

    def close(self):
        self("down")
        for process in self.started:
            process.kill()
            with process:  # which waits, and closes its pipes
                pass

    def status(self):
        return self.json("up", "--status")


@pytest.fixture(scope="module")
def root(tmp_path_factory, uv_cache, session_repository):
    root = tmp_path_factory.mktemp("daemon") / "store"
    (root / "cache").mkdir(parents=True)
    (root / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
    with Host(store=root) as host:
        for package in ("echo", "hazards", "patient"):
            host.add(session_repository(package))
    return root


@pytest.fixture
def shell(root, clean_environment, tmp_path):
    shell = Shell(root, clean_environment, tmp_path)
    yield shell
    shell.close()


@pytest.fixture
def up(shell):
    assert shell.json("up")["started"]
    return shell


def wait_until(condition):
    """What `condition` gives once that is true."""
    deadline = time.monotonic() + SOON_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "nothing happened"
        select.select([], [], [], 0.01)
    return value


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# A run through the daemon and one without.

#: A command line, what is piped into it, and whether the daemon performs it.
SAME = [
    ("run echo:add a=3", None, True),
    ("run echo:add a=3 b=4 --json", None, True),
    ("--quiet run echo:add a=3", None, True),
    ("run echo:echo value=Zürich", None, True),
    ("run echo:echo value:=[1,{}]", None, True),
    ("run echo:countdown start=3", None, True),
    ("run echo:countdown start=3 --json", None, True),
    ('run echo:greet --args ["Ada"]', None, True),
    ("run echo:add --kwargs -", '{"a":4}', True),
    ("run echo:add --kwargs -", "{", True),
    ("run echo:echo --stdin-as value", "a\nb", True),
    ("run echo:add --kwargs @arguments.json", None, True),
    ("run echo:add --kwargs @missing.json", None, True),
    ("run echo:context", None, True),
    ("run echo:context --env GREETING=hi --env SECRET", None, True),
    ("run echo:context --env NO_SUCH_VARIABLE", None, True),
    ("run echo", None, True),
    ("run nosuch --json", None, True),
    ("run echo:nosuch", None, True),
    ("run echo:add a=x", None, True),
    ("run echo:add a=1 --timeout 0", None, True),
    ("run hazards:leave-at-once", None, True),
    ("run hazards:kill-itself --json", None, True),
    ("run hazards:print-partly", None, True),
    ("run hazards:print-partly --json", None, True),
    ("run hazards:print-partly -q", None, True),
    ("run hazards:raise-value-error", None, True),
    ("run hazards:raise-value-error --color", None, True),
    ("run hazards:raise-chained --json", None, True),
    ("run hazards:raise-in-stream", None, True),
    ("run hazards:sleep --timeout 2", None, True),
    ("run echo:add a=3 --no-daemon", None, False),
    ("run --help", None, False),
    ("run echo:add a=1 --jsn", None, False),
    ("run echo:add a=1 --store elsewhere", None, False),
    ("run echo:echo value=run -- --store", None, True),
    ("list", None, False),
]


@pytest.fixture(scope="module")
def twins(root, tmp_path_factory):
    """How each of the lines ended without the daemon, and with it; and how many runs it had performed after either kind."""
    folder = tmp_path_factory.mktemp("twins")
    (folder / "arguments.json").write_text('{"a": 5}')
    passed = {name: value for name, value in os.environ.items() if name in {"PATH", "PLUGHOST_POLICY", "PYTHONPATH", "TMPDIR"}}
    shell = Shell(root, {**passed, "HOME": str(folder), "LANG": "C.UTF-8", "SECRET": "s"}, folder)

    def run_all(lines):
        with ThreadPoolExecutor(4) as pool:
            ended = pool.map(lambda row: shell(*row[0].split(), piped=row[1]), lines)
            return dict(zip(lines, ended, strict=True))

    without = run_all(SAME)
    shell.json("up")
    through, counts = {}, []
    for performed in (True, False):
        through |= run_all([row for row in SAME if row[2] is performed])
        counts.append(shell.status()["calls"])
    shell.close()
    return without, through, counts


#: What differs from process to process.
VARIABLE = re.compile(r'("duration_s":|"PLUGHOST_FAMILY":)[^,}]*')


@pytest.mark.parametrize("row", SAME, ids=[line for line, _, _ in SAME])
def test_a_run_through_the_daemon_is_as_one_without(twins, row):
    without, through, _ = twins
    assert [VARIABLE.sub(r"\1…", str(part)) for part in through[row]] == [
        VARIABLE.sub(r"\1…", str(part)) for part in without[row]
    ]


def test_the_daemon_performs_runs_and_leaves_alone_what_it_is_not_sure_of(twins):
    assert twins[2] == [sum(performed for _, _, performed in SAME)] * 2


def test_a_run_has_the_folder_and_the_variables_of_its_own_process(up, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    _, out, _ = up("run", "echo:context", cwd=folder, env={"TZ": "Asia/Tokyo", "SECRET": "s"})
    context = json.loads(out)
    assert context["folder"] == str(folder)
    assert context["environment"]["TZ"] == "Asia/Tokyo"
    assert "SECRET" not in context["environment"]


def test_a_store_may_be_named_by_a_relative_path(up):
    relative = os.path.relpath(up.store, up.folder)
    assert up("run", "echo:add", "a=1", "--store", relative, env={"PLUGHOST_HOME": ""})[:2] == (0, "3\n")
    assert up("run", "echo:add", "a=x", f"--store={relative}", env={"PLUGHOST_HOME": ""})[2].count(f"--store {relative}") == 1
    assert up.status()["calls"] == 2


def test_runs_share_a_worker_where_they_find_the_same(up):
    pid, count = map(int, up("run", "patient:serial")[1].split())
    again, second = map(int, up("run", "patient:serial")[1].split())
    other, first = map(int, up("run", "patient:serial", env={"TZ": "Asia/Tokyo"})[1].split())
    assert (count, second, first) == (1, 2, 1)
    assert pid == again != other


def test_workers_that_nobody_has_used_for_the_longest_make_room(up, tmp_path):
    pids = []
    for number in range(9):
        folder = tmp_path / str(number)
        folder.mkdir()
        pids.append(int(up("run", "patient:serial", cwd=folder)[1].split()[0]))
    wait_until(lambda: is_gone(pids[0]))
    assert not any(map(is_gone, pids[1:]))


def test_a_run_through_the_daemon_imports_next_to_nothing(up):
    program = "import sys; from plughost.__main__ import run; run(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-S", "-c", program, "run", "echo:add", "a=1"]
    env = {**up.environment, "PYTHONPATH": str(Path(_link.__file__).parents[2])}
    out = subprocess.run(command, env=env, cwd=up.folder, capture_output=True, text=True, check=True).stdout
    result, modules = out.splitlines()
    assert (result, up.status()["calls"]) == ("3", 1)
    ours = {name for name in modules.split() if name.startswith("plughost.")}
    assert ours == {f"plughost.{name}" for name in ("__main__", "_lazy", "daemon", "daemon._client", "daemon._link", "paths")}
    assert not {"click", "enum", "json", "re", "signal", "socket", "typing"} & set(modules.split())


def test_a_terminal_is_one_through_the_daemon_too(up):
    def on_a_terminal(*options):
        here, there = pty.openpty()
        process = up.start("run", "hazards:raise-value-error", *options, stdout=there, stderr=there)
        os.close(there)
        printed = b""
        while True:
            try:
                chunk = os.read(here, 1 << 16)
            except OSError:  # nobody has the other end any more
                break
            printed += chunk
        os.close(here)
        return process.wait(), printed

    code, printed = on_a_terminal()
    assert (code, printed) == on_a_terminal("--no-daemon")
    assert b"\x1b[1;31merror" in printed


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_is_closed_stays_closed(up, closed):
    def run(*options):
        return up("run", "echo:echo", "--stdin-as", "value", *options, preexec_fn=lambda: os.close(closed))

    assert run() == run("--no-daemon")


def test_a_full_disk_is_told_as_without(up):
    def run(*options):
        with open("/dev/full", "w") as full:
            return up("run", "echo:add", "a=1", *options, stdout=full)

    assert run()[::2] == run("--no-daemon")[::2]
    assert run()[0] != 0


def test_items_come_as_they_are_made_and_a_reader_may_leave(up, tmp_path):
    process = up.start("run", "patient:drip", f"told={tmp_path / 'told'}")
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    with up.start("run", "hazards:items", "count=1000000") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 141
    wait_until(lambda: not up.status()["calls_running"])


@pytest.mark.parametrize("umask", [0o077])
def test_what_a_child_inherits_and_cannot_be_told_makes_a_run_its_own(up, umask):
    import resource

    assert up("run", "echo:add", "a=1", umask=umask)[1] == "3\n"
    assert up("run", "echo:add", "a=1", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))[1] == "3\n"
    assert up.status()["calls"] == (2 if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else 1) - 1


# Interrupts.


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")]
)
@pytest.mark.parametrize("options", [[], ["--env", "A=1"], ["--no-daemon"]], ids=" ".join)
def test_a_signal_cancels_the_call(up, tmp_path, number, code, said, options):
    told = tmp_path / "told"
    process = up.start("run", "patient:wait", f"told={told}", *options)
    pid = int(wait_until(lambda: lines_of(told))[0])
    process.send_signal(number)
    _, err = process.communicate()
    assert (process.returncode, err) == (code, said)
    assert lines_of(told)[1:] == ["ended"]  # what it does at its end was done
    wait_until(lambda: is_gone(pid))
    assert up.json("logs", "--limit=1")[0]["outcome"] == "cancelled"


def test_a_client_that_is_killed_cancels_its_call(up, tmp_path):
    told = tmp_path / "told"
    process = up.start("run", "patient:wait", f"told={told}")
    pid = int(wait_until(lambda: lines_of(told))[0])
    process.kill()
    process.communicate()
    wait_until(lambda: is_gone(pid))
    wait_until(lambda: not up.status()["calls_running"])


def test_a_client_is_told_when_the_daemon_dies_under_its_call(up, tmp_path):
    told = tmp_path / "told"
    process = up.start("run", "patient:wait", f"told={told}")
    pid = int(wait_until(lambda: lines_of(told))[0])
    os.kill(up.status()["pid"], signal.SIGKILL)
    out, err = process.communicate()
    assert (process.returncode, out) == (4, "")
    assert err.startswith("error: The daemon ended before the call did\n")
    wait_until(lambda: is_gone(pid))


def test_a_run_that_has_not_begun_is_made_by_its_own_process_when_the_daemon_dies(up):
    pid = up.status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    process = up.start("run", "echo:add", "a=1")
    wait_until(lambda: len([row for row in Path("/proc/net/unix").read_text().splitlines() if str(up.socket) in row]) > 1)
    os.kill(pid, signal.SIGKILL)
    out, _ = process.communicate()
    assert (process.returncode, out) == (0, "3\n")


def test_a_daemon_that_hangs_holds_nobody_up(up):
    pid = up.status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert up("run", "echo:add", "a=1")[:2] == (0, "3\n")
    assert up("up")[0] == 6
    assert up("down")[1] == "The daemon and its workers have ended\n"
    assert is_gone(pid)


def test_large_values_and_large_inputs_come_through(up, tmp_path):
    text = "é" * 3_000_000
    (tmp_path / "text").write_text(text)
    with open(tmp_path / "text", "rb") as file:
        code, out, _ = up("run", "echo:echo", "--stdin-as", "value", stdin=file)
    assert code == 0
    assert json.loads(out) == text


# Coming and going.


def test_several_that_start_it_at_once_have_the_same_one(shell):
    started = [shell.start("up", "--json") for _ in range(4)]
    told = [json.loads(process.communicate()[0]) for process in started]
    assert len({record["pid"] for record in told}) == 1
    assert sum(record["started"] for record in told) == 1


def test_one_that_was_killed_is_replaced(up):
    pid = up.status()["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid))
    assert up("run", "echo:add", "a=1")[:2] == (0, "3\n")
    assert not up.status()["running"]
    assert up.json("up")["started"]
    up("run", "echo:add", "a=1")
    assert up.status()["calls"] == 1


def test_down_ends_it_with_its_workers_and_its_calls(up, tmp_path):
    told = tmp_path / "told"
    idle = int(up("run", "patient:serial")[1].split()[0])
    process = up.start("run", "patient:wait", f"told={told}")
    busy = int(wait_until(lambda: lines_of(told))[0])
    pid = up.status()["pid"]
    assert up("down") == (0, "The daemon and its workers have ended\n", "")
    assert [is_gone(number) for number in (pid, idle, busy)] == [True] * 3
    process.communicate()
    assert process.returncode == 4
    assert not up.socket.exists()
    assert up("down") == (0, "The daemon is not up\n", "")


def test_it_ends_by_itself_when_nobody_calls(shell):
    pid = shell.json("up", "--idle", "2")["pid"]
    wait_until(lambda: is_gone(pid))
    assert not shell.socket.exists()


def test_a_service_manager_may_run_it(shell):
    process = shell.start("up", "--foreground")
    assert process.stdout.readline() == f"Serving `{shell.store}`\n"
    assert shell("run", "echo:add", "a=1")[1] == "3\n"
    assert shell.status()["calls"] == 1
    code, _, err = shell("up", "--foreground")
    assert (code, err) == (6, "error: The daemon can't be started\n  Caused by: Another one runs\n")
    process.terminate()
    process.communicate()
    assert process.returncode == 143
    assert not shell.socket.exists()


def test_one_of_another_version_is_left_alone_by_runs_and_replaced_by_up(up, tmp_path):
    twin = tmp_path / "twin"
    twin.mkdir()
    package = Path(_link.__file__).parents[1]
    subprocess.run(["cp", "-r", package, twin], check=True)
    env = {"PYTHONPATH": str(twin)}
    told = tmp_path / "told"
    before = up.status()["pid"]
    running = up.start("run", "patient:wait", f"told={told}")
    wait_until(lambda: lines_of(told))
    assert up("run", "echo:add", "a=1", env=env)[:2] == (0, "3\n")
    assert up.status()["calls"] == 1
    assert json.loads(up("up", "--json", env=env)[1])["started"]
    assert running.poll() is None  # it is let finish
    assert up.status()["pid"] != before
    running.send_signal(signal.SIGINT)
    running.communicate()
    assert running.returncode == 130
    wait_until(lambda: is_gone(before))


def test_an_update_by_another_process_is_seen(up):
    assert up("run", "echo:add", "a=1")[1] == "3\n"
    up("disable", "echo")
    try:
        code, _, err = up("run", "echo:add", "a=1")
    finally:
        up("enable", "echo")
    assert (code, "disabled" in err) == (3, True)
    assert up("run", "echo:add", "a=1")[1] == "3\n"


def test_a_path_too_long_for_a_socket_is_none_too_long(root, clean_environment, tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / "store").symlink_to(root)
    shell = Shell(deep / "store", clean_environment, tmp_path)
    assert shell.json("up")["started"]
    assert shell("run", "echo:add", "a=1")[1] == "3\n"
    assert shell.status()["calls"] == 1
    shell.close()


# Who may use it.


def test_only_its_owner_can_reach_the_socket(up):
    assert stat.S_IMODE(up.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(up.socket.parent.stat().st_mode) == 0o700


@as_root
def test_nothing_is_handed_to_somebody_elses_socket(shell):
    shell.socket.parent.mkdir(exist_ok=True)
    shell.socket.unlink(missing_ok=True)
    taken, given = os.pipe()
    pid = os.fork()
    if not pid:  # somebody else, who listens in its place
        os.setuid(NOBODY)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\0{shell.socket}")
        listener.listen()
        os.write(given, b".")
        signal.pause()
    try:
        os.read(taken, 1)
        assert _link.connect(f"\0{shell.socket}") is None
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@as_root
def test_somebody_else_is_not_served(up):
    up.socket.parent.chmod(0o755)
    up.socket.chmod(0o666)
    for folder in up.socket.parents:
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    program = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(9); s.connect(sys.argv[1]); print(s.recv(1))"
    stranger = subprocess.run(
        ["/usr/bin/python3", "-c", program, up.socket], user=NOBODY, capture_output=True, text=True, check=False
    )
    assert stranger.stdout == "b''\n", stranger.stderr


def test_what_is_no_request_is_not_answered(up):
    for sent in (b"q\0\0\0\1x", b"qx", b"z\0\0\0\0", b"x\0\0\0\1\0"):
        link = _link.connect(str(up.socket))
        link.sendall(sent)
        link.shutdown(socket.SHUT_WR)
        assert link.recv(1) == b""
        link.close()
    assert up("run", "echo:add", "a=1")[1] == "3\n"
