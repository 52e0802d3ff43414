"""What a plugin reports while it is called: progress, log records and output, as the app and the operator meet them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost
from plughost import LogEvent, OutputEvent, ProgressEvent, _interpreters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plughost import Event, Host

LOGGER = "plughost.plugin.reporting"


@pytest.fixture(scope="module", params=["3.8", ""], ids=["3.8", "own"])
def reporting(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    session_repository: Callable[[str], str],
    uv_cache: Path,
) -> Iterator[Host]:
    """A host that has the plugin `reporting`, on an old Python and on this one."""
    if request.param and not any(found.series == request.param for found in _interpreters.available()):
        pytest.skip(f"there is no Python {request.param}")
    store = tmp_path_factory.mktemp("reporting") / "store"
    (store / "cache").mkdir(parents=True)
    (store / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
    with plughost.Host(store=store) as host:
        host.add(session_repository("reporting"), python=request.param)
        yield host


@pytest.fixture(autouse=True)
def _operator(caplog: pytest.LogCaptureFixture) -> None:
    """An operator who wants to see what is of interest."""
    caplog.set_level(logging.INFO, LOGGER)


def events_of(host: Host, tool: str, **kwargs: object) -> list[Event]:
    events: list[Event] = []
    host.invoke("reporting", tool, kwargs=kwargs, on_event=events.append)
    return events


def logged(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, LogEvent)]


def printed(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, OutputEvent))


# Progress.


def test_a_generator_reports_its_progress_and_returns_its_result(reporting: Host) -> None:
    events: list[Event] = []
    threads = set()

    def take(event: Event) -> None:
        events.append(event)
        threads.add(threading.get_ident())

    outcome = reporting.invoke("reporting", "work", on_event=take)
    assert outcome.result == {"steps": 3}
    progress = [event for event in events if isinstance(event, ProgressEvent)]
    assert [(event.progress, event.total, event.message) for event in progress] == [
        (1, 3, "step 1"),
        (2, 3, "step 2"),
        (3, 3, "step 3"),
    ]
    assert printed(events) == "step 1\nstep 2\nstep 3\n" == outcome.output
    assert {(event.plugin, event.tool, event.call) for event in events} == {("reporting", "work", progress[0].call)}
    assert threads == {threading.get_ident()}


def test_progress_is_no_item_whether_anybody_asks_for_it_or_not(reporting: Host) -> None:
    assert reporting.call("reporting", "mix") == [0, 1, 2]
    assert list(reporting.stream("reporting", "mix")) == [0, 1, 2]
    assert reporting.call("reporting", "work", steps=0) == {"steps": 0}
    assert list(reporting.stream("reporting", "work", steps=1)) == [{"steps": 1}]


def test_a_stream_that_finds_nothing_is_empty(reporting: Host) -> None:
    assert reporting.call("reporting", "find") == []
    assert list(reporting.stream("reporting", "find")) == []
    assert reporting.call("reporting", "find", most=2) == [0, 1]


def test_events_come_in_order_with_items(reporting: Host) -> None:
    seen: list[object] = []

    def take(event: Event) -> None:
        seen.append(event.progress if isinstance(event, ProgressEvent) else getattr(event, "message", None))

    reporting.invoke("reporting", "mix", on_item=lambda item: seen.append([item]), on_event=take)
    assert seen == ["before 0", [0], 0, "before 1", [1], 1, "before 2", [2], 2]


def test_what_looks_like_progress_and_is_not_is_an_item(reporting: Host) -> None:
    items = [{"progress": "half"}, {"progress": 1, "city": "Bern"}, {"progress": True}, {"progress": 1, "total": "3"}]
    assert reporting.call("reporting", "yield-lookalikes") == items


def test_progress_without_end_waits_for_a_reader_that_is_slow_and_ends_with_it(reporting: Host) -> None:
    seen: list[float] = []
    reporting.on_event = lambda event: seen.append(event.progress) if isinstance(event, ProgressEvent) else None
    try:
        stream = reporting.stream("reporting", "count", most=20_000)
        assert next(stream) == "counted"
        assert seen[:20_000] == list(range(20_000))
        stream.close()
    finally:
        reporting.on_event = None
    assert reporting.call("reporting", "find", most=1) == [0]


# The app's callbacks.


def test_what_a_callback_raises_ends_the_call_and_is_raised(reporting: Host) -> None:
    def refuse(event: Event) -> None:
        raise LookupError(event.tool)

    with pytest.raises(LookupError, match="work"):
        reporting.invoke("reporting", "work", on_event=refuse)
    assert reporting.call("reporting", "work") == {"steps": 3}


def test_a_host_has_the_events_of_all_calls_but_of_those_that_have_a_callback_of_their_own(reporting: Host) -> None:
    for _ in range(2):  # the second takes the quick way, which must then be left
        assert reporting.call("reporting", "log", times=0) is None
    of_all: list[Event] = []
    reporting.on_event = of_all.append
    try:
        own = events_of(reporting, "log", text="a")
        reporting.call("reporting", "log", text="b")
        list(reporting.stream("reporting", "mix", items=1))
        reporting.call("reporting", "show", text="c")
    finally:
        reporting.on_event = None
    assert logged(own) == ["says a"]
    assert logged(of_all) == ["says b", "before 0"]
    assert [event.tool for event in of_all] == ["log", "mix", "mix", "show"]
    assert printed(of_all) == "c"


def test_calls_that_are_awaited_and_calls_that_are_submitted_report_too(reporting: Host) -> None:
    of_all: list[Event] = []

    async def call_several() -> list[object]:
        several = [reporting.acall("reporting", "log", text=str(number)) for number in range(3)]
        results = [await reporting.acall("reporting", "work", steps=1), *await asyncio.gather(*several)]
        return [*results, [item async for item in reporting.astream("reporting", "mix", items=1)]]

    assert asyncio.run(call_several()) == [{"steps": 1}, None, None, None, [0]]
    reporting.on_event = of_all.append
    try:
        asyncio.run(call_several())
        awaited = list(of_all)
        of_all.clear()
        assert reporting.submit("reporting", "work", steps=1).result() == {"steps": 1}
    finally:
        reporting.on_event = None
    assert sorted(logged(awaited)) == ["before 0", "says 0", "says 1", "says 2"]
    assert [event.progress for event in awaited if isinstance(event, ProgressEvent)] == [1, 0]
    assert len({event.call for event in awaited if isinstance(event, LogEvent)}) == 4
    assert {type(event) for event in of_all} == {OutputEvent, ProgressEvent}


def test_a_process_that_was_forked_for_a_call_reports_too(reporting: Host) -> None:
    with plughost.Host(store=reporting.store.root, isolation="call") as host:
        for number in range(3):
            assert logged(events_of(host, "log", text=str(number))) == [f"says {number}"]


def test_a_character_that_comes_in_parts_is_one(reporting: Host) -> None:
    text = "x" + "é" * 100_000
    assert printed(events_of(reporting, "show", text=text)) == text


def test_events_of_hooks_reach_the_host_and_the_log(reporting: Host, caplog: pytest.LogCaptureFixture) -> None:
    class Specifications:
        @pluggy.HookspecMarker("plughost")
        def score(self, text: str) -> None: ...

    manager = pluggy.PluginManager("plughost")
    manager.add_hookspecs(Specifications)
    reporting.attach(manager)
    of_all: list[Event] = []
    reporting.on_event = of_all.append
    try:
        assert manager.hook.score(text="four") == [4]
    finally:
        reporting.on_event = None
    assert manager.hook.score(text="again") == [5]
    assert logged(of_all) == ["score of four"]
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "score of four",
        "score of again",
    ]


# Log records.


def test_a_record_arrives_with_all_that_it_had(reporting: Host, caplog: pytest.LogCaptureFixture) -> None:
    (event,) = events_of(reporting, "log", text="hello")
    (record,) = caplog.records
    assert isinstance(event, LogEvent)
    assert (record.name, record.levelname, record.levelno) == (LOGGER, "WARNING", logging.WARNING)
    assert record.getMessage() == event.message == "says hello"
    assert record.created == event.time
    assert record.msecs == pytest.approx(event.time % 1 * 1000)
    assert (record.funcName, record.filename, record.lineno) == ("log", "__init__.py", event.line)
    assert (record.threadName, event.thread) == ("MainThread", "MainThread")
    assert event.fields == {"city": "Bern", "place": "(1, 2)", "kind": "<class 'object'>"}
    for name, value in {**event.fields, "plugin": "reporting", "plugin_tool": "log", "plugin_logger": "reporting"}.items():
        assert getattr(record, name) == value


def test_an_exception_arrives_as_its_text(reporting: Host, caplog: pytest.LogCaptureFixture) -> None:
    (event,) = events_of(reporting, "log-error", text="no such city")
    assert isinstance(event, LogEvent)
    assert event.level == logging.ERROR
    assert event.exception.startswith("Traceback (most recent call last)")
    assert event.exception.endswith("ValueError: invalid literal for int() with base 10: 'no such city'")
    shown = logging.Formatter().format(caplog.records[0])
    assert event.exception in shown
    assert "Stack (most recent call last)" in shown


def test_the_level_of_who_listens_decides(reporting: Host, caplog: pytest.LogCaptureFixture) -> None:
    events = events_of(reporting, "log-all-levels")
    assert logged(events) == ["at 20", "at 25", "at 50"]
    assert [event.logger for event in events if isinstance(event, LogEvent)] == ["reporting.inner"] * 3
    assert [(record.levelno, record.levelname) for record in caplog.records] == [
        (20, "INFO"),
        (25, "Level 25"),
        (50, "CRITICAL"),
    ]
    caplog.clear()
    caplog.set_level(logging.ERROR, LOGGER)
    reporting.call("reporting", "log-all-levels")
    assert [record.levelno for record in caplog.records] == [50]


def test_debug_records_come_where_they_are_wanted_when_the_process_starts(
    reporting: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    outcome = reporting.invoke("reporting", "log-all-levels", env={"A": "new process"})
    assert outcome.output == ""
    assert [record.levelno for record in caplog.records] == [10, 20, 25, 50]


@pytest.mark.parametrize(
    ("how", "messages", "output"),
    [
        ("nothing", ["error"], ""),
        ("basicConfig", ["debug", "error"], "own: debug\nown: error\n"),
        ("force", ["error"], "own: error\n"),
        ("dictConfig", ["debug", "error"], ""),
        ("clear", ["error"], ""),
    ],
)
def test_a_plugin_sets_up_its_logging_as_anywhere(reporting: Host, how: str, messages: list[str], output: str) -> None:
    events: list[Event] = []
    new_process = {"A": "new process"}
    outcome = reporting.invoke("reporting", "set-up", kwargs={"how": how}, env=new_process, on_event=events.append)
    assert outcome.result == [0, False]
    assert logged(events) == messages
    assert outcome.output == output
    assert {event.is_printed for event in events if isinstance(event, LogEvent)} == {bool(output)}


def test_records_come_again_after_a_plugin_has_replaced_the_handlers(reporting: Host) -> None:
    assert logged(events_of(reporting, "set-up", how="replace")) == []
    assert logged(events_of(reporting, "log", text="again")) == ["says again"]


def test_logging_that_is_imported_within_a_call_is_heard(reporting: Host) -> None:
    events: list[Event] = []
    outcome = reporting.invoke("reporting", "late", env={"A": "new process"}, on_event=events.append)
    assert outcome.output == ""
    assert logged(events) == ["at last"]


def test_to_log_never_fails(reporting: Host) -> None:
    events = events_of(reporting, "log-awkwardly")
    first, second, *others = logged(events)
    assert first == "'%d arguments' ('no',)"
    assert second.startswith("'%s' <tuple object at")
    assert others[:2] == ["within", "talkative"]
    assert others[2].startswith("\ud800 and yyy")
    assert len(others[2]) == 1 << 16
    assert others[3].startswith("<reporting.Awkward object at")
    fields = next(event.fields for event in events if isinstance(event, LogEvent) and event.fields)
    assert str(fields["field"]).startswith("<reporting.Awkward object at")
    assert str(fields["deep"]).startswith("[[<object object at")
    assert len(str(fields["large"])) == 1 << 12


# Whenever and wherever it is logged.


def test_a_flood_of_records_arrives_whole(reporting: Host) -> None:
    messages = logged(events_of(reporting, "log-much", times=3000, size=1000))
    assert [int(message.split()[0]) for message in messages] == list(range(3000))


def test_threads_that_log_while_a_large_result_is_sent_harm_nobody(reporting: Host) -> None:
    events: list[Event] = []
    for _ in range(5):
        outcome = reporting.invoke("reporting", "log-from-threads", kwargs={"threads": 4, "times": 50}, on_event=events.append)
        assert outcome.result == "r" * 300000
    assert logged(events_of(reporting, "log", text="last"))[-1] == "says last"


def test_a_signal_handler_that_logs_while_a_message_is_written_harms_nobody(reporting: Host) -> None:
    assert reporting.call("reporting", "log-while-writing", size=1 << 20) == [list(range(1 << 20))]
    assert "says on" in logged(events_of(reporting, "log", text="on"))


def test_what_is_logged_between_two_calls_comes_with_the_later_one(reporting: Host, tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path + ".in")
    os.mkfifo(path + ".out")
    reporting.call("reporting", "log-between-calls", path=path)
    with open(path + ".in", "wb"):
        pass
    with open(path + ".out", "rb") as done:
        done.read()
    assert logged(events_of(reporting, "log", text="later")) == ["between", "says later"]


def test_a_copy_of_the_process_logs_as_it_would_anywhere(reporting: Host) -> None:
    events = events_of(reporting, "log-from-a-copy")
    assert logged(events) == ["in the original"]
    assert printed(events) == "in a copy\n"


def test_a_call_that_is_ended_while_it_logs_tidies_up_and_says_so(reporting: Host, caplog: pytest.LogCaptureFixture) -> None:
    for most in range(10, 15):
        left = iter(range(most))

        def take(event: Event, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise LookupError(event)

        caplog.clear()
        with pytest.raises(LookupError):
            reporting.invoke("reporting", "log-until-cancelled", on_event=take)
        assert caplog.messages[-1] == "tidied up"


def test_what_was_logged_before_a_crash_says_why(reporting: Host, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(plughost.PluginCrashed) as caught:
        reporting.call("reporting", "log-and-crash", text="the database is gone")
    assert caught.value.causes[-1] == "It printed last: the database is gone"
    assert caplog.messages == ["the database is gone"]


def test_after_the_last_request_logging_is_what_it_is_elsewhere(reporting: Host, tmp_path: Path) -> None:
    reporting.invoke("reporting", "log-at-exit", kwargs={"path": str(tmp_path / "stderr")}, env={"A": "new process"})
    assert (tmp_path / "stderr").read_text() == "at exit\n"


# The command.


@pytest.fixture
def environment(reporting: Host, clean_environment: dict[str, str]) -> dict[str, str]:
    return {**clean_environment, "PLUGHOST_HOME": str(reporting.store.root), "TERM": "xterm", "COLUMNS": "60"}


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[..., tuple[str, str]]:
    """`run("reporting:log")` is what `plughost run` prints to its standard output, and to its standard error."""

    return lambda *argv: plughost_printed(environment, "run", *argv)


def plughost_printed(environment: dict[str, str], *argv: str) -> tuple[str, str]:
    """What the command prints to its standard output, and to its standard error."""
    completed = subprocess.run([sys.executable, "-m", "plughost", *argv], env=environment, capture_output=True, check=True)
    return completed.stdout.decode(), completed.stderr.decode()


@pytest.fixture
def terminal(environment: dict[str, str]) -> Callable[..., str]:
    """`terminal("reporting:work")` is what `plughost run` shows on a terminal, in the order in which it does."""

    def show(*argv: str, **more: str) -> str:
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "plughost", "run", *argv]
        process = subprocess.Popen(command, env={**environment, **more}, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: how Linux says that the other end is closed
            while chunk := os.read(ours, 65536):
                shown += chunk
        os.close(ours)
        assert process.wait() == 0, shown
        return shown.decode().replace("\r\n", "\n")

    return show


ERASED = "\r\x1b[K"


def test_run_shows_a_bar_on_a_terminal_and_leaves_none(terminal: Callable[..., str]) -> None:
    shown = terminal("reporting:work", "steps=2", NO_COLOR="1")
    result = '{\n  "steps": 2\n}\n'
    assert shown.endswith(f"{ERASED}{result}")
    assert f"{ERASED}[####################] 100%  2/2  step 2" in shown
    assert "\x1b[3" not in shown
    assert "\x1b[36m####" in terminal("reporting:work", "steps=2")


def test_a_bar_goes_out_of_the_way_of_what_stays(terminal: Callable[..., str]) -> None:
    shown = terminal("reporting:mix", "items=2", NO_COLOR="1")
    drawn = shown.split(ERASED)
    assert [line for part in drawn for line in part.splitlines(keepends=True) if line.endswith("\n")] == [
        "warning: before 0\n",
        "0\n",
        "warning: before 1\n",
        "1\n",
    ]
    assert drawn[-1] == ""


@pytest.mark.parametrize("columns", ["1", "8", "25", "300"])
def test_a_bar_fits_the_terminal(terminal: Callable[..., str], columns: str) -> None:
    shown = terminal("reporting:work", "steps=1", NO_COLOR="1", COLUMNS=columns)
    assert all(len(part.split("\n")[0]) < int(columns) for part in shown.split(ERASED)[1:-1])


@pytest.mark.parametrize(("argv", "more"), [(("--quiet",), {}), ((), {"TERM": "dumb"})])
def test_no_bar_is_shown_where_nobody_wants_one(
    terminal: Callable[..., str], argv: tuple[str, ...], more: dict[str, str]
) -> None:
    assert "\x1b" not in terminal("reporting:work", *argv, NO_COLOR="1", **more)


def test_run_says_warnings_and_prints_results_where_there_is_no_terminal(run: Callable[..., tuple[str, str]]) -> None:
    assert run("reporting:work", "steps=1") == ('{"steps":1}\n', "step 1\n")
    assert run("reporting:log", "text=hello") == ("null\n", "warning: says hello\n")
    assert run("reporting:log", "text=hello", "level=INFO") == ("null\n", "")
    assert run("reporting:log", "text=hello", "--quiet") == ("null\n", "")
    assert run("reporting:log", "text=\x1b[2J") == ("null\n", "warning: says \\x1b[2J\n")
    assert run("reporting:set-up", "how=basicConfig") == ("[0,false]\n", "own: debug\nown: error\n")
    output = run("reporting:log-error", "text=rain")[1]
    assert output.startswith("error: it failed\nTraceback (most recent call last):\n")
    assert output.endswith("with base 10: 'rain'\n")


def test_the_envelope_has_events(run: Callable[..., tuple[str, str]]) -> None:
    envelope = json.loads(run("reporting:mix", "items=1", "--json")[0])
    (record, progress) = envelope["events"]
    assert progress == {"event": "progress", "progress": 0}
    assert {name: record[name] for name in ("event", "level", "level_name", "logger", "message")} == {
        "event": "log",
        "level": 30,
        "level_name": "WARNING",
        "logger": "reporting",
        "message": "before 0",
    }
    assert (envelope["items"], envelope["output"], envelope["events_truncated"]) == ([0], "", False)
    assert json.loads(run("reporting:work", "steps=1", "--json")[0])["result"] == {"steps": 1}
    many = json.loads(run("reporting:log", "times:=3000", "--json")[0])
    assert (len(many["events"]), many["events_truncated"]) == (1000, True)


def test_a_call_that_is_made_again_shows_the_same(environment: dict[str, str], run: Callable[..., tuple[str, str]]) -> None:
    run("reporting:log", "text=hello", "--record-arguments")
    run("reporting:work", "steps=1", "--record-arguments")
    listed = json.loads(plughost_printed(environment, "logs", "--json")[0])
    log, work = (max(call["id"] for call in listed if call["tool"] == tool) for tool in ("log", "work"))
    shown = plughost_printed(environment, "replay", str(log))
    assert shown[1].startswith("warning: says hello\n")
    document = json.loads(plughost_printed(environment, "replay", str(work), "--json")[0])
    assert (document["result"], document["events"][0]["event"]) == ({"steps": 1}, "progress")
    assert plughost_printed(environment, "replay", str(log), "--json")[1] == ""
