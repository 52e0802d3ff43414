"""Taking part in the plugin's `logging`, without its noticing. Imported once the plugin has imported that.

Above it: the events; below it: the standard library's `logging`.
"""

from __future__ import annotations

import logging
import os
import sys

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Params = dict[str, object]
    HandlerList = list[logging.Handler]
else:
    HandlerList = list

__all__ = ["Relay"]

_MOST_TEXT = 1 << 16  # characters of a message, and of a traceback, whose end says more than its beginning
_MOST_FIELD = 1 << 12  # characters of a field
_MOST_FIELDS = 64

_OWN_ATTRIBUTES = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}  # the last since Python 3.12


class Relay(logging.Handler):
    """Gives `log` each record that reaches the root logger. Until the plugin sets a level, that is `level`."""

    def __init__(self, log: Callable[[Params], None], level: int) -> None:
        super().__init__()
        self.is_open = True
        self._log = log
        self._pid = os.getpid()
        if logging.root.level == logging.WARNING:
            logging.root.setLevel(level)
        self.take_part()

    @property
    def is_heard(self) -> bool:
        """Not in a copy of the process: what that logs is shown as it would be without us."""
        return self.is_open and os.getpid() == self._pid

    def adopt(self) -> None:
        """This process was forked to be heard in the place of the one that it is a copy of."""
        self._pid = os.getpid()

    def take_part(self) -> None:
        if type(logging.root.handlers) is not _Handlers:
            logging.root.handlers = _Handlers(logging.root.handlers, self)

    def handle(self, record: logging.LogRecord) -> bool:
        """As any handler, but without a lock, which a record from within this one's making would wait for."""
        try:
            kept = self.filter(record)
            if kept:
                self._log(_params(kept if isinstance(kept, logging.LogRecord) else record))
        except Exception:  # noqa: BLE001 - whatever the record is made of: to log is never an error
            return False
        return bool(kept)


class _Handlers(HandlerList):
    """The root logger's handlers, and one more for whoever goes through them.

    `logging` itself does, to pass a record on. For all else, such as `basicConfig`, which does nothing where there is a handler,
    or `dictConfig`, which takes away those that there are, the list is what the plugin has made of it.
    """

    def __init__(self, handlers: Iterable[logging.Handler], relay: Relay) -> None:
        super().__init__(handlers)
        self._relay = relay

    def __iter__(self) -> Iterator[logging.Handler]:
        yield from super().__iter__()
        if self._relay.is_heard:
            yield self._relay


def _params(record: logging.LogRecord) -> Params:
    """The record as the notification `log` has it; what is empty is left out."""
    params: Params = {
        "level": record.levelno,
        "level_name": _clipped(record.levelname, _MOST_FIELD),
        "logger": _clipped(record.name, _MOST_FIELD),
        "message": _clipped(_message(record), _MOST_TEXT),
        "time": record.created,
        "path": _clipped(record.pathname, _MOST_FIELD),
        "line": record.lineno,
        "function": _clipped(record.funcName or "", _MOST_FIELD),
        "thread": _clipped(record.threadName or "", _MOST_FIELD),
    }
    optional = {
        "exception": _exception(record),
        "stack": _end(record.stack_info or ""),
        "fields": _fields(record),
        "printed": _is_printed(record),
    }
    params.update((name, value) for name, value in optional.items() if value)
    return params


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - the arguments don't fit the message: both are shown
        return "{} {}".format(_repr(record.msg), _repr(record.args))


def _exception(record: logging.LogRecord) -> str:
    if record.exc_text:
        return _end(record.exc_text)
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    try:
        return _end(_FORMATTER.formatException(record.exc_info))
    except Exception:  # noqa: BLE001 - of an exception that can't be shown
        return _repr(record.exc_info[1])


_FORMATTER = logging.Formatter()


def _fields(record: logging.LogRecord) -> Params:
    """What the plugin has added to the record, by `extra` or otherwise."""
    found = [name for name in vars(record) if name not in _OWN_ATTRIBUTES and isinstance(name, str)]
    return {_clipped(name, _MOST_FIELD): _plain(vars(record)[name]) for name in found[:_MOST_FIELDS]}


def _plain(value: object) -> object:
    """The value, where JSON has it and it is of moderate size; else its `repr`."""
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is str:
        return _clipped(value, _MOST_FIELD)
    if type(value) in (int, list, dict):
        try:
            text = wire.encode(value)
        except Exception:  # noqa: BLE001, S110 - something in it is not JSON
            pass
        else:
            if len(text) <= _MOST_FIELD:
                return wire.scan(text, 0)[0]  # a copy: another thread may go on changing it
    return _repr(value)


def _repr(value: object) -> str:
    try:
        return _clipped(repr(value), _MOST_FIELD)
    except Exception:  # noqa: BLE001 - an object's own method
        return object.__repr__(value)


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _end(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else "…" + text[1 - _MOST_TEXT :]


def _is_printed(record: logging.LogRecord) -> bool:
    """Whether a handler of the plugin's prints it too."""
    logger = logging.root.manager.loggerDict.get(record.name)
    place: logging.Logger | None = logger if isinstance(logger, logging.Logger) else logging.root
    while place is not None:
        if any(_prints(handler, record) for handler in place.handlers):
            return True
        place = place.parent if place.propagate else None
    return False


def _prints(handler: logging.Handler, record: logging.LogRecord) -> bool:
    return (
        isinstance(handler, logging.StreamHandler)
        and handler.stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        and record.levelno >= handler.level
    )
