"""What a plugin reports while `run` waits: a progress bar that leaves no trace, warnings that stay; for programs, a list.

Above it: `run`; below it: the printer's standard error.
"""

from __future__ import annotations

import time

from plughost.call import LogEvent, ProgressEvent
from plughost.cli._terminal import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from plughost.call import Event
    from plughost.cli._printer import Printer
    from plughost.cli._terminal import Stream

__all__ = ["KeptEvents", "Reports", "silence_logging"]

_REDRAW_S = 0.05
_LONGEST_BAR = 40
_SHORTEST_BAR = 10  # a shorter one says less than its number
_MOST_KEPT = 1000
_WARNING, _ERROR = 30, 40  # as in `logging`


class Reports:
    """Takes a call's output, items and events, in whatever order they come; as a context manager it leaves no bar behind."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._err = printer.err
        self._draws = printer.err.can_redraw and not printer.quiet
        self._bar = ""
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.erase()

    def output(self, chunk: bytes) -> None:
        self.erase()
        if not self._printer.quiet:
            self._err.write(chunk)

    def item(self, value: object) -> None:
        self.erase()
        self._printer.item(value)

    def event(self, event: Event) -> None:
        if isinstance(event, LogEvent):
            silence_logging()
            if event.level >= _WARNING and not event.is_printed and not self._printer.quiet:
                self._say(event)
        elif isinstance(event, ProgressEvent) and self._draws:
            self._draw(event)

    def _say(self, event: LogEvent) -> None:
        self.erase()
        err = self._err
        err.end_line()
        name = err.paint("red" if event.level >= _ERROR else "yellow", visible(event.level_name.lower()))
        err.write(f"{name}: {visible(event.message)}\n")
        if event.exception:
            err.write(err.paint("dim", visible(event.exception)) + "\n")

    def _draw(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        if now - self._drawn_at >= _REDRAW_S or not self._bar or event.progress == event.total:
            self._drawn_at = now
            self._bar = _bar(event, self._err)
            self._err.draw(self._bar)

    def erase(self) -> None:
        if self._bar:
            self._bar = ""
            self._err.draw("")


class KeptEvents:
    """The last events of a call, what it printed left out: that is told as a whole."""

    def __init__(self) -> None:
        self._records: list[dict[str, object]] = []
        self._is_truncated = False

    def add(self, event: Event) -> None:
        if isinstance(event, LogEvent):
            silence_logging()
        if isinstance(event, LogEvent | ProgressEvent):
            self._records.append(event.record())
            if len(self._records) >= 2 * _MOST_KEPT:
                del self._records[:-_MOST_KEPT]
                self._is_truncated = True

    def record(self) -> dict[str, object]:
        """`events`, and whether there were more; nothing where there was none."""
        if not self._records:
            return {}
        is_truncated = self._is_truncated or len(self._records) > _MOST_KEPT
        return {"events": self._records[-_MOST_KEPT:], "events_truncated": is_truncated}


def silence_logging() -> None:
    """Python would show the records of a process that has set up no `logging`; they are shown here."""
    import logging

    logger = logging.getLogger("plughost.plugin")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _bar(event: ProgressEvent, stream: Stream) -> str:
    """The line: a bar and numbers where the total is known, the number alone elsewhere, and the message as far as it fits."""
    columns = stream.width() - 1  # in the last one, some terminals begin a new line
    counts = _number(event.progress)
    bar = ""
    if event.total is not None and event.total > 0:
        share = min(1.0, max(0.0, event.progress / event.total))
        counts = f"{share:4.0%}  {counts}/{_number(event.total)}"
        length = min(_LONGEST_BAR, columns // 2 - len(counts))
        if length >= _SHORTEST_BAR:
            done = int(share * length)
            bar = f"[{stream.paint('cyan', '#' * done)}{stream.paint('dim', '.' * (length - done))}] "
            columns -= length + 3
    counts = counts[: max(0, columns)]
    message = _fitted(" ".join(visible(event.message).split()), columns - len(counts) - 2)
    return f"{bar}{counts}{'  ' if message else ''}{message}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _fitted(text: str, columns: int) -> str:
    """As much of the text as so many columns of a terminal hold."""
    if text.isascii():
        return text[: max(0, columns)]
    from unicodedata import combining, east_asian_width

    fitted = ""
    for character in text:
        columns -= 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        if columns < 0:
            break
        fitted += character
    return fitted
