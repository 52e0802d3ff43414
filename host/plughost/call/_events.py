"""What a plugin reports while it is called: events for whoever asks for them, and records of the host's own `logging`.

Above it: the host and the calls; below it: the notifications of a worker. It is imported by the first that comes.
"""

from __future__ import annotations

import codecs
import sys

from plughost.call._output import Output
from plughost.runner.wire import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plughost.worker import Worker

    OnEvent = Callable[["Event"], object]

__all__ = ["Event", "LogEvent", "OutputEvent", "ProgressEvent", "ReportingOutput", "event_of", "log_again", "log_printed"]

#: Of a number in an event, and of a time: what is beyond them can't be made an integer, or a date.
_MOST, _LATEST = 1e300, 1e11
_WARNING = 30  # `logging.WARNING`: what Python shows where nobody has set up `logging`


class Event:
    """Something that a plugin reports during a call of `tool`, or of the function that implements a hook.

    `call` tells apart what is called in one process of the plugin's.
    """

    __slots__ = ("call", "plugin", "tool")

    kind = ""

    def __init__(self, plugin: str, tool: str, call: int) -> None:
        self.plugin = plugin
        self.tool = tool
        self.call = call

    def record(self) -> dict[str, object]:
        """As JSON has it; what is empty is left out."""
        record: dict[str, object] = {"event": self.kind}
        for name in type(self).__slots__:
            value = getattr(self, name)
            if value or (type(value) is not bool and isinstance(value, int | float)):
                record[name] = value
        return record

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in (*Event.__slots__, *type(self).__slots__))
        return f"{type(self).__name__}({values})"


class OutputEvent(Event):
    """Text that the plugin has printed, as it comes: a line, several, or a part of one."""

    __slots__ = ("text",)

    kind = "output"

    def __init__(self, plugin: str, tool: str, call: int, *, text: str) -> None:
        super().__init__(plugin, tool, call)
        self.text = text


class ProgressEvent(Event):
    """How far the plugin has come: `progress` of `total`, where it knows that, and what it is doing."""

    __slots__ = ("message", "progress", "total")

    kind = "progress"

    def __init__(
        self, plugin: str, tool: str, call: int, *, progress: float, total: float | None = None, message: str = ""
    ) -> None:
        super().__init__(plugin, tool, call)
        self.progress = progress
        self.total = total
        self.message = message


class LogEvent(Event):
    """A record of the plugin's `logging`. `time` is in seconds since 1970; `exception` and `stack` are text.

    `fields` are what the plugin added to it (`extra=`). With `is_printed`, a handler of the plugin's has printed it as well.
    """

    __slots__ = (
        "exception",
        "fields",
        "function",
        "is_printed",
        "level",
        "level_name",
        "line",
        "logger",
        "message",
        "path",
        "stack",
        "thread",
        "time",
    )

    kind = "log"

    def __init__(
        self,
        plugin: str,
        tool: str,
        call: int,
        *,
        level: int,
        level_name: str,
        logger: str,
        message: str,
        time: float,
        path: str = "",
        line: int = 0,
        function: str = "",
        thread: str = "",
        exception: str = "",
        stack: str = "",
        fields: Mapping[str, object] | None = None,
        is_printed: bool = False,
    ) -> None:
        super().__init__(plugin, tool, call)
        self.level = level
        self.level_name = level_name
        self.logger = logger
        self.message = message
        self.time = time
        self.path = path
        self.line = line
        self.function = function
        self.thread = thread
        self.exception = exception
        self.stack = stack
        self.fields = dict(fields or {})
        self.is_printed = is_printed


class ReportingOutput(Output):
    """As `Output`, for a call whose events somebody wants."""

    __slots__ = ("_call", "_decoder", "_heard_before", "_on_event", "_plugin", "_tool")

    def __init__(self, pass_on: Callable[[bytes], None] | None, *, plugin: str, tool: str, on_event: OnEvent) -> None:
        super().__init__(pass_on or self._log)
        self._plugin = plugin
        self._tool = tool
        self._on_event = on_event
        self._call = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a chunk may end within a character
        self._heard_before: Callable[[str, dict[str, object], str, int], None] | None = None

    def take_over(self, worker: Worker) -> None:
        super().take_over(worker)
        self._call = worker.next_id
        self._heard_before, worker.on_notification = worker.on_notification, self._notified

    def leave(self, worker: Worker) -> None:
        super().leave(worker)
        worker.on_notification = self._heard_before

    def add(self, chunk: bytes) -> None:
        super().add(chunk)
        text = self._decoder.decode(chunk)
        if text:
            self._on_event(OutputEvent(self._plugin, self._tool, self._call, text=text))

    def _log(self, chunk: bytes) -> None:
        log_printed(self._plugin, chunk)

    def _notified(self, method: str, params: dict[str, object], what: str, number: int) -> None:
        event = event_of(method, params, what or self._plugin, number)
        if what:
            self._on_event(event)
        if isinstance(event, LogEvent):
            log_again(event)


def event_of(method: str, params: Mapping[str, object], what: str, number: int) -> Event:
    """The event of a notification that came while the call `number` of `what`, as messages name it, was under way.

    Raises: WireError: it is none that the runner sends.
    """
    plugin, _, tool = what.strip("`").partition(":")
    if method == "progress":
        total = None if params.get("total") is None else _number(params, "total")
        message = "" if params.get("message") is None else _text(params, "message")
        return ProgressEvent(plugin, tool, number, progress=_number(params, "progress"), total=total, message=message)
    fields = params.get("fields")
    return LogEvent(
        plugin,
        tool,
        number,
        level=int(_number(params, "level")),
        level_name=_text(params, "level_name"),
        logger=_text(params, "logger"),
        message=_text(params, "message"),
        time=_number(params, "time", most=_LATEST),
        path=_text(params, "path"),
        line=int(_number(params, "line")),
        function=_text(params, "function"),
        thread=_text(params, "thread"),
        exception=_text(params, "exception"),
        stack=_text(params, "stack"),
        fields=fields if isinstance(fields, dict) else {},
        is_printed=params.get("printed") is True,
    )


def log_printed(plugin: str, chunk: bytes) -> None:
    """Give the host's `logging` what a plugin has printed: records of the logger `plughost.plugin.NAME`, one a line."""
    import logging

    logger = logging.getLogger(f"plughost.plugin.{plugin}")
    if logger.isEnabledFor(logging.INFO):
        for line in chunk.decode("utf-8", "replace").splitlines():
            logger.info("%s", line)


def log_again(event: LogEvent) -> None:
    """Give the host's `logging` the record, as one of the logger `plughost.plugin.NAME`; its level there decides.

    The name of the plugin's own logger is the record's `plugin_logger`: loggers stay, and a plugin may think up any number.
    """
    if "logging" not in sys.modules and event.level < _WARNING:
        return
    import logging

    logger = logging.getLogger(f"plughost.plugin.{event.plugin}")
    if not logger.isEnabledFor(event.level):
        return
    record = logger.makeRecord(
        logger.name, event.level, event.path, event.line, event.message, (), None, event.function, None, event.stack or None
    )
    record.levelname = event.level_name
    record.relativeCreated += (event.time - record.created) * 1000
    record.created = event.time
    record.msecs = event.time % 1 * 1000
    record.threadName = event.thread
    record.exc_text = event.exception or None
    attributes = vars(record)
    ours = {"plugin": event.plugin, "plugin_tool": event.tool, "plugin_logger": event.logger}
    # Nothing in the place of what a record is or does: a field `getMessage` would have each handler fail.
    attributes.update((name, value) for name, value in {**event.fields, **ours}.items() if not hasattr(record, name))
    logger.handle(record)


def _text(params: Mapping[str, object], name: str) -> str:
    value = params.get(name, "")
    if not isinstance(value, str):
        raise WireError(f"`{name}` of a notification is no text")
    return value


def _number(params: Mapping[str, object], name: str, *, most: float = _MOST) -> float:
    value = params.get(name, 0)
    if not (isinstance(value, int | float) and -most <= value <= most):
        raise WireError(f"`{name}` of a notification is no number")
    return value
