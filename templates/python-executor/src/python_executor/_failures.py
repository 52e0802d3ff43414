"""An exception that code has raised → its record: what it is, where, and what to do next."""

from __future__ import annotations

import traceback
from itertools import islice
from typing import TYPE_CHECKING

from ._advice import GENERAL, advice
from ._alarm import TimeIsUp, within
from ._instructions import NotOffered
from ._shown import kind
from ._traces import MOST_FRAMES, frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._records import Failure

    IsOwn = Callable[[str], bool]

__all__ = ["NO_PYTHON", "failure", "of_instruction"]

#: What to do where a language model's answer isn't code; with what to do about the code, if it was to be some.
NO_PYTHON = "What `complete` gave is no Python, see `code`: give the instruction again, in other words. Or: {}"

_MOST_MESSAGE = 5_000
_MOST_TRACEBACK = 20_000
_MOST_S = 1.0
#: Of what is deeper than anybody has to see, the beginning is shown.
_SHOWN_FRAMES = 100

_OFFER = (
    "Give `code` in place of `instruction`; or have the app that calls offer what asks a language model: "
    '`host.offer("complete", function)`, where `function(prompt)` gives the answer. The plugin `aipy-bridge` has one, by aipyapp'
)
_COMPLETE = "Look at the app's function `complete`, which was to make code of the instruction; or give `code`"


def failure(error: BaseException, filename: str, *, is_own: IsOwn, names: Iterable[str]) -> Failure:
    """The record of what the code in `filename` has raised; `is_own` says which files are code of the caller's."""
    shown = _shown(error)
    syntax = (error.text or "") if isinstance(error, SyntaxError) and error.filename == filename else ""
    return {
        "type": _unless_it_fails(lambda: _name(type(shown)), kind(error)),
        "message": _unless_it_fails(lambda: _message(shown), "<it can't be shown>"),
        "line": _line(error, filename),
        "suggestion": _unless_it_fails(lambda: advice(error, names, line=syntax), GENERAL),
        "traceback": _unless_it_fails(lambda: _traceback(shown, is_own), ""),
    }


def _unless_it_fails(tell: Callable[[], str], otherwise: str) -> str:
    """Methods of the exception's class, and of what it was given, may be the code's own."""
    try:
        with within(_MOST_S):
            return tell()
    except (Exception, TimeIsUp):
        return otherwise


def _traceback(error: BaseException, is_own: IsOwn) -> str:
    limit = _SHOWN_FRAMES if any(islice(frames(error), MOST_FRAMES, None)) else None
    told = traceback.TracebackException.from_exception(error, limit=limit, lookup_lines=False)
    _reduce(told, is_own, set())
    return _clipped_front("".join(told.format()), _MOST_TRACEBACK)


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
    for trace in islice(frames(error), MOST_FRAMES):
        if trace.tb_frame.f_code.co_filename == filename:
            found = trace.tb_lineno
    return found


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
