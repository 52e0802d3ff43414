"""What a plugin may do to its interpreter, its process and its values, on the Pythons that there are: the right result or one
clear error, and the next call works.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost.call import Output, ToolCall, describe, invoke, tools_of
from plughost.worker import Pool, Worker, launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYTHONS = Path("~/.pyenv/versions").expanduser()
AT_ONCE_S = 60
ANSWER = [b"x", 1.5, {1, 2}]


class Plugin:
    """The hostile package under one Python, and the worker that serves it: a new one where the last has ended."""

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.pool = Pool()
        worker = self.launch()
        modules = {name: f"hostile.{name}" for name in ("copies", "interpreter", "objects", "protocol")}
        self.tools = tools_of(describe(worker, "hostile", modules, timeout_s=60))
        self.pool.give_back(("hostile", ""), worker)

    def launch(self) -> Worker:
        return launch(str(self.venv), name="hostile", project="plughost", bytecode=str(self.venv / "bytecode"))

    def call(self, tool: str, **kwargs: object) -> object:
        worker = self.pool.take(("hostile", ""), self.launch)
        try:
            asked = ToolCall("hostile", self.tools[tool], [], kwargs, output=Output(None), timeout_s=AT_ONCE_S)
            return invoke(worker, asked).result
        finally:
            self.pool.give_back(("hostile", ""), worker)


@pytest.fixture(scope="module", params=["3.8", "", "3.13"], ids=["3.8", "own", "3.13"])
def plugin(request: pytest.FixtureRequest, make_venv: Callable[[Path, str], Path]) -> Iterator[Plugin]:
    found = sorted(PYTHONS.glob(f"{request.param}.*/bin/python")) if request.param else [Path(os.path.realpath(sys.executable))]
    if not found:
        pytest.skip(f"no Python {request.param} in {PYTHONS}")
    plugin = Plugin(make_venv(found[-1], "hostile"))
    yield plugin
    plugin.pool.close()


@pytest.mark.parametrize(
    ("tool", "result"),
    [
        ("replace_built_ins", ANSWER),
        ("replace_import", ANSWER),
        ("break_imports", ANSWER),
        ("lose_folder", ANSWER),
        ("replace_os_functions", ANSWER),
        ("use_up_descriptors", ANSWER),
        ("unblock_descriptors", "x" * (5 << 20)),
        ("delete_streams", ANSWER),
        ("break_streams", ANSWER),
        ("lower_recursion_limit", ANSWER),
        ("return_twice", "the original"),
        ("raise_in_copy", 1),
        ("exit_in_copy", 3),
        ("fork_in_stream", ["a", "b"]),
    ],
)
def test_a_tool_that_changes_its_interpreter_answers_all_the_same(plugin: Plugin, tool: str, result: object) -> None:
    assert plugin.call(tool) == result
    plugin.pool.close()  # what it did to its process is its own affair


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_a_pool_of_processes_works(plugin: Plugin, start: str) -> None:
    assert plugin.call("pool", start=start) == [1, 4, 9]


RAISED = "`hostile:{}` raised "
UNSENT = "`hostile:{}` returned a value that can't be sent: "


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("break_imports_and_raise", RAISED + "ValueError: no way"),
        ("raise_in_tracer", RAISED + "RuntimeError: traced"),
        ("raise_recursion_limit", UNSENT + "`result[0]` contains itself"),
        ("lift_digits_limit", UNSENT + "`result` is an integer of more than 4300 digits, which has no wire form"),
        ("run_out_of_memory", UNSENT + "reading it raised MemoryError"),
        ("give_untouchable", RAISED + "KeyboardInterrupt"),
        ("give_exiting", UNSENT + "reading it raised SystemExit: 3"),
        ("give_anything", UNSENT + "`result` is a `hostile.objects.Anything`, which has no wire form"),
        ("give_unsupported_in_stream", UNSENT + "`items[1].when` is a `object`, which has no wire form"),
        ("raise_unequal", RAISED + "hostile.objects.Unequal: second"),
        ("raise_causeless", RAISED + "hostile.objects.Causeless: why"),
        ("raise_nameless", RAISED + "Nameless: who"),
        ("raise_odd_exit", RAISED + "hostile.objects.OddExit: 3"),
        ("raise_large_exit", "`hostile:{}` called `sys.exit("),
        ("raise_in_circle", RAISED + "ValueError: first"),
    ],
)
def test_a_hostile_value_or_error_is_one_clear_error_and_the_worker_lives_on(plugin: Plugin, tool: str, message: str) -> None:
    with pytest.raises(plughost.PluginError) as caught:
        plugin.call(tool)
    assert caught.value.message.startswith(message.format(tool))
    assert len(caught.value.causes) <= 1
    assert plugin.call("exit_in_copy") == 3
    plugin.pool.close()


def test_an_error_without_room_for_a_traceback_still_has_its_place(plugin: Plugin) -> None:
    with pytest.raises(ValueError, match="no way") as caught:
        plugin.call("break_imports_and_raise")
    assert isinstance(caught.value, plughost.PluginError)
    assert "interpreter.py" in caught.value.remote_traceback
    plugin.pool.close()


def test_an_argument_that_this_python_cannot_read_is_the_callers_error(plugin: Plugin) -> None:
    assert plugin.call("lower_digits_limit") == "0"
    with pytest.raises(plughost.UsageError) as caught:
        plugin.call("lower_digits_limit", number=10**700)
    assert caught.value.message == "An argument of `hostile:lower_digits_limit` can't be sent"
    assert caught.value.reference == "value-unsupported"
    assert plugin.call("lower_digits_limit", number=10**600) == str(10**600)
    plugin.pool.close()


def alarm_at_rest(pid: int) -> None:
    """Send the signal once the process waits for the next request: it has answered before it is done with the last one."""
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        select.select([], [], [], 0.001)
    os.kill(pid, signal.SIGALRM)


def test_what_a_signal_handler_raises_between_two_calls_harms_neither(plugin: Plugin, tmp_path: Path) -> None:
    note = tmp_path / "note"
    os.mkfifo(note)
    pid = plugin.call("raise_when_alarmed", note=str(note))
    alarm_at_rest(pid)
    assert note.read_text() == "tick"
    assert plugin.call("raise_when_alarmed", note=str(note)) == pid
    alarm_at_rest(pid)
    assert note.read_text() == "tick"
    plugin.pool.close()


def test_a_worker_that_ends_between_two_calls_is_replaced(plugin: Plugin, is_gone: Callable[[int], bool]) -> None:
    pid = plugin.call("die_when_alarmed")
    os.kill(pid, signal.SIGALRM)
    assert is_gone(pid)
    assert plugin.call("exit_in_copy") == 3


def test_after_an_import_that_fails_the_next_call_has_a_new_process(plugin: Plugin) -> None:
    plugin.call("replace_built_ins")
    with pytest.raises(plughost.PluginError, match="can't be imported"):
        plugin.call("raise_nameless")
    assert plugin.call("exit_in_copy") == 3


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("tool", ["leave_daemon", "leave_pool"])
def test_what_a_plugin_left_is_gone_when_its_worker_is(plugin: Plugin, tool: str, is_gone: Callable[[int], bool]) -> None:
    pid = plugin.call(tool)
    started = time.monotonic()
    plugin.pool.close()
    assert time.monotonic() - started < AT_ONCE_S / 2  # less than the time after which it is killed
    assert is_gone(pid)


@pytest.mark.usefixtures("unhurried")
def test_a_copy_of_the_process_holds_nothing_up(plugin: Plugin) -> None:
    assert plugin.call("sleep_in_copy") == "done"
    started = time.monotonic()
    plugin.pool.close()
    assert time.monotonic() - started < AT_ONCE_S / 2


@pytest.mark.parametrize("tool", ["forge", "announce_bytes", "greet_for_ever", "begin_a_line"])
def test_what_a_plugin_writes_to_the_protocol_is_an_error_and_no_answer(plugin: Plugin, tool: str) -> None:
    with pytest.raises(plughost.PluginCrashed) as caught:
        plugin.call(tool)
    assert caught.value.reference == "protocol-violated"
    assert plugin.call("exit_in_copy") == 3


def test_a_process_that_became_another_program_is_a_crash(plugin: Plugin) -> None:
    with pytest.raises(plughost.PluginCrashed, match="ended with exit code 0 before it answered"):
        plugin.call("become_another_program")


@pytest.mark.usefixtures("unhurried")
def test_a_forked_copy_of_the_host_does_not_hold_up_the_end_of_a_worker(plugin: Plugin) -> None:
    assert plugin.call("exit_in_copy") == 3
    r, w = os.pipe()
    copy = os.fork()
    if not copy:
        os.close(w)
        os.read(r, 1)  # holds what it inherited until the test is over
        os._exit(0)
    os.close(r)
    started = time.monotonic()
    plugin.pool.close()
    taken_s = time.monotonic() - started
    os.close(w)
    os.waitpid(copy, 0)
    assert taken_s < AT_ONCE_S / 2


def test_a_child_is_given_nothing_but_what_the_list_allows(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "/no/such/place")
    plugin.pool.close()
    given = plugin.call("own_environment")
    assert isinstance(given, list)
    allowed = {"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TERM", "TMPDIR", "TZ", "USER"}
    own = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "PLUGHOST_FAMILY", "VIRTUAL_ENV"}
    assert {name for name in given if not name.startswith("LC_")} - allowed == own
