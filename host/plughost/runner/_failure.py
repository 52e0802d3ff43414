"""What a plugin raised, as plain values. Imported only once something was raised."""

from __future__ import annotations

import builtins
import os
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._serve import _Staged

__all__ = ["describe"]

_MOST_TEXT = 64 * 1024  # characters of a message or traceback; an exception that holds a file is not to fill the pipe
_MOST_CAUSES = 10


def describe(staged: _Staged) -> dict[str, object]:
    """The `data` of the response for a `_Staged` error."""
    error = staged.error
    record: dict[str, object] = {
        "stage": staged.stage,
        "type": _name(error),
        "builtin": _builtin(error),
        "message": _text(error),
        "traceback": _traceback(error),
        "causes": [{"type": _name(cause), "message": _text(cause)} for cause in _causes(error)],
    }
    if isinstance(error, SystemExit):
        record["code"] = error.code if isinstance(error.code, (int, str, type(None))) else str(error.code)
    for name in ("parameter", "path", "entry_point", "target"):
        value = getattr(error, name, None)
        if isinstance(value, (str, list)) and type(error).__module__.startswith("plughost_runner"):
            record[name] = value
    return record


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else kind.__module__ + "." + kind.__qualname__


def _builtin(error: BaseException) -> str | None:
    for kind in type(error).__mro__:
        named = kind.__module__ == "builtins" and getattr(builtins, kind.__name__, None) is kind
        if named and kind not in (Exception, BaseException, object):
            return str(kind.__name__)
    return None


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MOST_TEXT]
    except BaseException as broken:  # noqa: BLE001 - an exception whose __str__ raises is still an exception
        return "<no message: {} in __str__>".format(type(broken).__name__)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    while len(found) < _MOST_CAUSES:
        following = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if following is None or following in found:
            break
        found.append(following)
        error = following
    return found


def _traceback(error: BaseException) -> str:
    own = os.path.dirname(os.path.abspath(__file__))
    try:
        record = traceback.TracebackException.from_exception(error)
        part: traceback.TracebackException | None = record
        while part is not None:
            part.stack = traceback.StackSummary.from_list([f for f in part.stack if os.path.dirname(f.filename) != own])
            part = part.__cause__ or part.__context__
        text = "".join(record.format())
    except BaseException:  # noqa: BLE001 - a __str__ or a source file that can't be read must not cost us the error itself
        text = "".join(traceback.format_tb(error.__traceback__))
    return text[-_MOST_TEXT:]
