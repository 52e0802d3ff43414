"""What a plugin may say and leave behind once it has the runner's place: the host believes little of it, and nothing stays."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plughost import Host
from plughost.errors import LimitExceeded, PluginCrashed
from plughost.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20
#: Takes the place of `plughost run`, in namespaces in which its store can only be read and nobody else's number is to be had.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps all of a policy"),
    pytest.mark.usefixtures("confined"),
]


@pytest.fixture(scope="module")
def root(store_with: Callable[..., Path]) -> Path:
    return store_with("forger", grant=Policy(environment=["FORGER_WISH"]))


def line(method: str, **params: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).replace("Infinity", "1e999")


def log(**values: object) -> str:
    return line("log", **{"level": 50, "level_name": "ERROR", "logger": "forger", "message": "m", "time": 1.0, **values})


@pytest.mark.parametrize(
    ("said", "times", "cause"),
    [
        ('{"jsonrpc":"2.0","method":"memory","memory":0,"frames":[]}', 1000, "one offer of memory after the other"),
        (log(level=float("inf")), 1, "`level` of a notification is no number"),
        (log(time=1e300), 1, "`time` of a notification is no number"),
        (log(message=5), 1, "`message` of a notification is no text"),
        ('{"method":["log"]}', 1, "an unexpected message: {'method': ['log']}"),
    ],
    ids=["offers", "level", "time", "text", "method"],
)
def test_what_no_runner_says_is_the_plugins_fault(root: Path, said: str, times: int, cause: str) -> None:
    with Host(store=root) as host:
        with pytest.raises(PluginCrashed) as caught:
            host.call("forger", "say", said, times)
        assert (caught.value.reference, list(caught.value.causes)) == ("protocol-violated", [cause])
        assert host.call("forger", "run", 1) == 1


def test_an_answer_of_a_few_bytes_does_not_become_more_memory_than_the_plugin_may_have(root: Path) -> None:
    with Host(store=root, policy=Policy(memory_bytes=128 * MIB)) as host:
        assert len(host.call("forger", "run", [[]] * 400_000)) == 400_000
        with pytest.raises(PluginCrashed) as caught:
            host.call("forger", "swell", 3_000_000)
        assert caught.value.causes[0].startswith("a message that takes 19200")


def test_a_field_of_a_log_record_takes_the_place_of_nothing(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Host(store=root) as host, caplog.at_level(logging.INFO):
        assert host.call("forger", "say", log(message="heard", fields={"getMessage": "x", "mine": 5})) == "said"
    (record,) = (record for record in caplog.records if record.name == "plughost.plugin.forger")
    assert (record.getMessage(), vars(record)["mine"]) == ("heard", 5)


def test_a_nursery_is_not_believed_that_a_process_is_its_fork(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = subprocess.Popen(["sleep", "60"], process_group=0)
    try:
        monkeypatch.setenv("FORGER_WISH", str(victim.pid))
        with Host(store=root, isolation="call") as host:
            assert [host.call("forger", "run", number) for number in range(3)] == [0, 1, 2]
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("end", ["host.close()", "os.kill(os.getpid(), 9)"], ids=["closed", "killed"])
def test_what_a_nurserys_import_has_left_is_gone_with_it_or_at_the_next_start(
    root: Path, is_gone: Callable[[int], bool], end: str
) -> None:
    program = f"""
import os
from plughost import Host
host = Host(store={str(root)!r}, isolation="call")
left = []
while not left:
    left = host.call("forger", "left")
print(*left, flush=True)
{end}
"""
    environment = {**os.environ, "FORGER_WISH": "copy", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True, timeout=60, check=False
    )
    (copy,) = map(int, done.stdout.split())
    if "kill" in end:
        with Host(store=root) as host:
            host.call("forger", "run")
    assert is_gone(copy)


def test_a_thread_that_is_left_behind_has_no_more_time_than_a_call(root: Path, is_gone: Callable[[int], bool]) -> None:
    with Host(store=root, policy=Policy(cpu_s=0.2)) as host:
        session = host.session("forger")
        in_the_pool, in_a_session = host.call("forger", "burn"), session.call("burn")
        assert is_gone(in_the_pool)
        assert is_gone(in_a_session)
        assert host.call("forger", "run", 1) == 1
        with pytest.raises(LimitExceeded) as caught:
            session.call("run", 1)
        assert (caught.value.reference, caught.value.allowed) == ("limit-cpu", 0.2)
        assert session.call("run", 2) == 2


def test_a_plugin_is_called_from_a_store_that_can_only_be_read_and_where_there_is_one_user_alone(
    root: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "plughost", "run", "--store", str(root), "forger:run", "--kwargs", '{"value": "as ever"}']
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, str(root)]
    if subprocess.run([*argv, "true"], check=False, capture_output=True).returncode:
        pytest.skip("there are no namespaces here, or no program that makes them")
    done = subprocess.run([*argv, *command], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ('"as ever"\n', "")
    assert list(tmp_path.iterdir()) == []
