"""`logs`, `replay` and `stats`: what people see of the calls that were made."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plughost import Host, PluginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEADLINE_S = 60


@pytest.fixture
def host(records_store: Path) -> Iterator[Host]:
    """It records arguments."""
    with Host(store=records_store, record_arguments=True) as host:
        yield host


@pytest.fixture
def run(plughost_command, records_store: Path) -> Callable[..., object]:
    return lambda *argv: plughost_command(*argv, env={"PLUGHOST_HOME": str(records_store)})


def fail(host: Host) -> None:
    with pytest.raises(PluginError):
        host.call("hazards", "raise-value-error")


def test_the_list_has_the_latest_calls_and_what_went_wrong(host, run):
    host.call("echo", "add", a=1)
    fail(host)
    with pytest.raises(UsageError):
        host.call("echo", "add", a="x")
    heads, *rows = [re.split(r"  +", line.strip()) for line in run("logs").stdout.splitlines()]
    assert heads == ["ID", "TIME", "CALL", "OUTCOME", "DURATION"]
    assert [[row[0], *row[2:4], *row[5:]] for row in rows] == [
        ["1", "echo:add", "ok"],
        ["2", "hazards:raise-value-error", "raised", "ValueError: not a city"],
        ["3", "echo:add", "refused", 'The argument `a` of `echo:add` is `"x"`, which is not what it takes'],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row[1]) for row in rows)


def test_nothing_recorded_is_said_so(run):
    completed = run("logs")
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "No calls are recorded\n")
    assert run("logs", "--json").json() == run("stats", "--json").json() == []


@pytest.mark.parametrize(
    ("options", "tools"),
    [
        ([], ["add", "raise-value-error", "greet"]),
        (["hazards"], ["raise-value-error"]),
        (["Echo", "hazards", "--limit", "2"], ["raise-value-error", "greet"]),
        (["--failed"], ["raise-value-error"]),
        (["--since", "1h"], ["add", "raise-value-error", "greet"]),
        (["--since", "2100-01-01"], []),
    ],
    ids=" ".join,
)
def test_the_list_can_be_narrowed(host, run, options, tools):
    host.call("echo", "add", a=1)
    fail(host)
    host.call("echo", "greet", name="Ada")
    assert [call["tool"] for call in run("logs", *options, "--json").json()] == tools


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["logs", "--limit", "0"], 2, "`--limit 0` is no whole number above 0"),
        (["logs", "--since", "yesterday"], 2, "`yesterday` is not a date"),
        (["logs", "haz"], 3, "No plugin named `haz` is installed"),
        (["stats", "haz"], 3, "No plugin named `haz` is installed"),
        (["replay", "haz"], 2, "`haz` is no call's number"),
    ],
)
def test_what_cannot_be_answered_is_refused(run, argv, code, message):
    completed = run(*argv, "--json")
    assert (completed.returncode, completed.json()["error"]["message"]) == (code, message)


def test_arguments_are_shown_of_one_call_alone(host, run):
    host.call("echo", "echo", {"token": "secret", "raw": b"\0\1"})
    assert "secret" not in run("logs").stdout + run("logs", "--json").stdout
    page = run("logs", "1").stdout
    assert page.startswith("echo:echo  ok\n")
    assert '"token": "secret"' in page
    assert run("logs", "1", "--json").json()["arguments"] == {"args": [{"token": "secret", "raw": "AAE="}], "kwargs": {}}


def test_a_traceback_is_shown_of_one_call_alone(host, run):
    fail(host)
    assert "Traceback" not in run("logs").stdout + run("logs", "--json").stdout
    assert run("logs", "1").stdout.endswith('    raise ValueError("not a city")\nValueError: not a city\n')


def test_what_a_plugin_says_cannot_steer_the_terminal(host, run):
    with pytest.raises(UsageError):
        host.call("echo", "add", a="\x1b[2J")
    assert "\x1b" not in run("logs").stdout + run("logs", "1").stdout


def test_run_records_arguments_if_asked(run):
    run("run", "echo:add", "a=3")
    run("run", "echo:add", "a=3", "--record-arguments")
    assert [run("logs", number, "--json").json()["arguments"] for number in "12"] == [None, {"args": [], "kwargs": {"a": 3}}]


def test_the_settings_decide_where_nobody_else_does(plughost_command, records_store):
    env = {"PLUGHOST_HOME": str(records_store), "PLUGHOST_RECORD_ARGUMENTS": "true"}
    plughost_command("run", "echo:add", "a=1", env=env)
    plughost_command("run", "echo:add", "a=2", env={**env, "PLUGHOST_RECORD_CALLS": "false"})
    with Host(store=records_store) as host:
        assert [call.arguments.kwargs for call in host.calls()] == [{"a": 1}]


def test_a_run_does_not_load_the_database(records_store, clean_environment):
    program = f"import sys; sys.path[:] = {sys.path!r}; from plughost.__main__ import run; "
    program += "run(['run', 'echo:add', 'a=1']); print('sqlite3' in sys.modules)"
    env = {**clean_environment, "PLUGHOST_HOME": str(records_store)}
    completed = subprocess.run([sys.executable, "-I", "-S", "-c", program], env=env, capture_output=True, text=True, check=True)
    assert completed.stdout == "3\nFalse\n"


def test_follow_shows_calls_as_they_end(host, records_store, clean_environment):
    host.call("echo", "add", a=1)
    argv = [sys.executable, "-m", "plughost", "logs", "--follow", "--json"]
    env = {**clean_environment, "PLUGHOST_HOME": str(records_store)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["tool"] == "add"
        host.call("echo", "greet", name="Ada")
        assert json.loads(process.stdout.readline())["tool"] == "greet"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130


def test_a_replay_of_a_failure_fails_as_it_did(host, run):
    fail(host)
    completed = run("replay", "1")
    assert completed.returncode == 1
    assert completed.stdout == ""
    assert "error: `hazards:raise-value-error` raised ValueError: not a city\n" in completed.stderr
    assert completed.stderr.endswith("The call `1` of `hazards:raise-value-error` ended as it did before: raised (ValueError)\n")
    assert [call.outcome for call in host.calls()] == ["raised", "raised"]


@pytest.mark.parametrize(
    ("tool", "arguments", "printed"),
    [
        ("echo", {"value": {"a": [1.5, None], "b": "é"}}, '{"a":[1.5,null],"b":"é"}\n'),
        ("add", {"a": 1}, "3\n"),
        ("countdown", {"start": 2}, "2\n1\n"),
        ("echo", {"value": None}, "null\n"),
    ],
)
def test_a_replay_of_a_success_gives_the_same_result(host, run, tool, arguments, printed):
    host.call("echo", tool, **arguments)
    completed = run("replay", "1")
    assert (completed.returncode, completed.stdout) == (0, printed)
    assert completed.stderr == f"The call `1` of `echo:{tool}` ended as it did before: ok\n"


def test_another_result_is_told(host, run):
    host.call("echo", "context")
    completed = run("replay", "1", "--env", "CITY=Bern")
    assert completed.stderr == "The call `1` of `echo:context` went well before, too, but with another result\n"
    assert run("replay", "1", "--env", "CITY=Bern", "--json").json()["same"] is False


def test_another_end_is_told(host, run):
    host.invoke("hazards", "sleep", kwargs={"seconds": 0.3}, timeout_s=60)
    completed = run("replay", "1", "--timeout", "0.05", "--json")
    assert completed.returncode == 124
    document = completed.json()
    assert (document["same"], document["error"]["reference"], document["replayed"]["outcome"]) == (False, "timed-out", "ok")
    assert "ended otherwise before: ok" in run("replay", "1", "--timeout", "0.05").stderr


def test_a_replay_has_the_time_that_the_call_had(host):
    with pytest.raises(TimeoutError):
        host.invoke("hazards", "sleep", timeout_s=0.1)
    assert host.replay(1).same is True


def test_a_replay_runs_on_the_revision_that_the_call_was_made_on(git_repository, plughost_command, store):
    env = {"PLUGHOST_RECORD_ARGUMENTS": "1"}
    with Host(store=store, record_arguments=True) as mine:
        mine.add(git_repository("echo"))
        mine.call("echo", "context")
        mine.add(git_repository("echo", version="2.0"))
        old, new = mine.replay(1), mine.replay(1, current=True)
        versions = [call.version for call in mine.calls()]
        assert versions == ["1.0", "1.0", "2.0"]
        assert old.outcome.result["prefix"] != new.outcome.result["prefix"]
        assert plughost_command("replay", "1", "--json", env=env).json()["replayed"]["version"] == "1.0"


def test_statistics_are_a_table(host, run):
    for number in range(3):
        host.call("echo", "add", a=number)
    fail(host)
    host.close()
    heads, *rows = [re.split(r"  +", line.strip()) for line in run("stats").stdout.splitlines()]
    assert heads == ["CALL", "CALLS", "FAILED", "MEDIAN", "P95", "MAX", "MEMORY"]
    assert [row[:3] for row in rows] == [["echo:add", "3", "0"], ["hazards:raise-value-error", "1", "1 (100.0%)"]]
    assert all(re.fullmatch(r"[\d.]+ (µs|ms|s)", cell) for row in rows for cell in row[3:6])
    assert all(re.fullmatch(r"[\d.]+ MiB", row[6]) for row in rows)
    [echo, _] = run("stats", "--since", "1h", "--json").json()
    assert echo["tools"][0] | {"median_s": 0, "p95_s": 0, "max_s": 0} == {
        "tool": "add",
        "calls": 3,
        "failed": 0,
        "error_rate": 0,
        "median_s": 0,
        "p95_s": 0,
        "max_s": 0,
    }
