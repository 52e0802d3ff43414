"""An exception that code has raised → its record: what it is, where, and what to do next."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from ._advice import GENERAL, advice
from ._alarm import TimeIsUp, within
from ._instructions import NotOffered
from ._shown import kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._records import Failure

    IsOwn = Callable[[str], bool]

__all__ = ["failure", "of_instruction"]

_MOST_MESSAGE = 5_000
_MOST_TRACEBACK = 20_000
_MOST_S = 1.0
#: What is deeper than Python lets functions call each other by default says the same many times: its beginning is shown.
_MOST_FRAMES, _SHOWN_FRAMES = 1_000, 100

_OFFER = (
    "Give `code` in place of `instruction`; or have the app that calls offer what asks a language model: "
    '`host.offer("complete", function)`, where `function(prompt)` gives the answer. The plugin `aipy-bridge` has one, by aipyapp'
)
_COMPLETE = "Look at the app's function `complete`, which was to make code of the instruction; or give `code`"


def failure(error: BaseException, filename: str, *, is_own: IsOwn, names: Iterable[str]) -> Failure:
    """The record of what the code in `filename` has raised; `is_own` says which files are code of the caller's."""
    try:
        with within(_MOST_S):
            return _told(error, filename, is_own, names)
    except (Exception, TimeIsUp):  # of methods of an exception class of the code's own
        return {
            "type": kind(error),
            "message": "<it can't be shown>",
            "line": _line(error, filename),
            "suggestion": GENERAL,
            "traceback": "",
        }


def _told(error: BaseException, filename: str, is_own: IsOwn, names: Iterable[str]) -> Failure:
    limit = None if _depth(error) <= _MOST_FRAMES else _SHOWN_FRAMES
    told = traceback.TracebackException.from_exception(_shown(error), limit=limit, lookup_lines=False)
    _reduce(told, is_own, set())
    syntax = (error.text or "") if isinstance(error, SyntaxError) and error.filename == filename else ""
    return {
        "type": _name(type(_shown(error))),
        "message": _message(_shown(error)),
        "line": _line(error, filename),
        "suggestion": advice(error, names, line=syntax),
        "traceback": _clipped_front("".join(told.format()), _MOST_TRACEBACK),
    }


def of_instruction(error: Exception) -> Failure:
    """The record of why there is no code for an instruction."""
    return {
        "type": "LookupError" if isinstance(error, NotOffered) else _name(type(error)),
        "message": _message(error),
        "line": None,
        "suggestion": _OFFER if isinstance(error, NotOffered) else _COMPLETE,
        "traceback": "",
    }


def _name(of: type[BaseException]) -> str:
    return of.__qualname__ if of.__module__ in ("builtins", "__main__") else "{}.{}".format(of.__module__, of.__qualname__)


def _shown(error: BaseException) -> BaseException:
    """What the caller is told of: how we end what takes too long is our own business."""
    if isinstance(error, TimeIsUp):
        return TimeoutError("it took longer than `timeout_s` allows").with_traceback(error.__traceback__)
    return error


def _message(error: BaseException) -> str:
    text = str(error.msg or error) if isinstance(error, SyntaxError) else str(error)
    return text if len(text) <= _MOST_MESSAGE else text[: _MOST_MESSAGE - 1] + "…"


def _line(error: BaseException, filename: str) -> int | None:
    """The line of the code at which it was, the innermost if there are several."""
    if isinstance(error, SyntaxError) and error.filename == filename:
        return error.lineno
    found = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _depth(error: BaseException) -> int:
    """How many frames its traceback has, counted no further than it matters."""
    trace, depth = error.__traceback__, 0
    while trace is not None and depth <= _MOST_FRAMES:
        trace, depth = trace.tb_next, depth + 1
    return depth


def _reduce(told: traceback.TracebackException, is_own: IsOwn, seen: set[int]) -> None:
    """Leave the caller's own code in it, also in the exceptions that led to it."""
    if id(told) in seen:
        return
    seen.add(id(told))
    told.stack[:] = [frame for frame in told.stack if is_own(frame.filename)]
    for other in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if other is not None:
            _reduce(other, is_own, seen)
    if told.__context__ is not None and not told.__context__.stack:
        told.__context__ = None  # what a library met on its way


def _clipped_front(text: str, most: int) -> str:
    return text if len(text) <= most else "…" + text[1 - most :]
