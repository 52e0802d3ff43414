"""What a plugin raised, as plain values.

Above it: the loop; below it: nothing. It is loaded before the plugin is, because afterwards nothing may be left to import it
with. A plugin's exception may be anything: it is read through the classes of Python's own, never through its attributes.
"""

from __future__ import annotations

import builtins
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["record_of"]

_MOST_TEXT = 64 * 1024  # characters of a message or traceback; an exception that holds a file is not to fill the pipe
_MOST_CAUSES = 10
_MOST_CODE = 1 << 63  # a process's exit code has eight bits; what is larger is told as text
_MOST_BITS = 64  # of an argument
_OWN_PACKAGE = "plughost_runner"

_cause, _context, _hides_context = (
    vars(BaseException)[name].__get__ for name in ("__cause__", "__context__", "__suppress_context__")
)
_traceback_of = vars(BaseException)["__traceback__"].__get__
_code = vars(SystemExit)["code"].__get__
_args = vars(BaseException)["args"].__get__
_errno, _filename = (vars(OSError)[name].__get__ for name in ("errno", "filename"))
_module, _qualname = (vars(type)[name].__get__ for name in ("__module__", "__qualname__"))


def record_of(error: BaseException, stage: str) -> dict[str, object]:
    """The `data` of the response for an error, raised at `stage`."""
    record: dict[str, object] = {
        "stage": stage,
        "type": _name(error),
        "builtin": _builtin(error),
        "message": _text(error),
        "traceback": _traceback(error),
        "causes": [{"type": _name(cause), "message": _text(cause)} for cause in _causes(error)],
    }
    args = _args(error)
    if all(map(_is_plain, args)):
        record["args"] = list(args)
    if issubclass(type(error), OSError) and type(_filename(error)) is str:
        record["filename"] = _text(_filename(error))
    if issubclass(type(error), SystemExit):
        code = _code(error)
        plain = code is None or (type(code) is int and abs(code) < _MOST_CODE)
        record["code"] = code if plain else _text(code)
    if _is_own(error):
        record.update(_file_of(_causes(error)))
        for name in ("parameter", "path", "entry_point", "target"):
            value = getattr(error, name, None)
            if isinstance(value, (str, list)):
                record[name] = value
    return record


def _file_of(causes: list[BaseException]) -> dict[str, object]:
    """Which file it was that one of them is about, and what of it."""
    for cause in causes:
        if issubclass(type(cause), OSError) and type(_filename(cause)) is str and type(_errno(cause)) is int:
            return {"filename": _text(_filename(cause)), "errno": _errno(cause)}
    return {}


def _is_plain(value: object) -> bool:
    """Of these types themselves: what a subclass of the plugin's own answers isn't known."""
    if type(value) in (str, bytes):
        assert isinstance(value, (str, bytes))
        return len(value) <= _MOST_TEXT
    if type(value) is int:
        return int.bit_length(value) < _MOST_BITS
    return value is None or type(value) in (bool, float)


def _name(error: BaseException) -> str:
    kind = type(error)
    module, name = _module(kind), str(_qualname(kind))
    return name if module == "builtins" or not isinstance(module, str) else module + "." + name


def _is_own(error: BaseException) -> bool:
    return _name(error).startswith(_OWN_PACKAGE)


def _builtin(error: BaseException) -> str | None:
    for kind in type.mro(type(error)):
        name = str(kind.__name__) if _module(kind) == "builtins" else ""
        if getattr(builtins, name, None) is kind and kind not in (Exception, BaseException, object):
            return name
    return None


def _text(value: object) -> str:
    try:
        return str.__getitem__(str(value), slice(_MOST_TEXT))
    except BaseException as broken:  # noqa: BLE001 - an exception whose __str__ raises is still an exception
        return "<no message: {} in __str__>".format(type(broken).__name__)


def _causes(error: BaseException) -> list[BaseException]:
    """What led to the error, nearest first; of our own only where the plugin's are told as its."""
    met = [error]
    while len(met) <= _MOST_CAUSES:
        following = _cause(met[-1]) or (None if _hides_context(met[-1]) else _context(met[-1]))
        if following is None or any(following is other for other in met):
            break
        met.append(following)
    return [cause for cause in met[1:] if not _is_own(cause)]


def _traceback(error: BaseException) -> str:
    try:
        return _formatted(error)[-_MOST_TEXT:]
    except BaseException:  # noqa: BLE001 - what formats it may be broken or can't be imported; that must not cost us the error
        return _lines(_traceback_of(error))[-_MOST_TEXT:]


def _formatted(error: BaseException) -> str:
    """As Python prints it, without the frames of the runner."""
    import traceback

    own = os.path.dirname(os.path.abspath(__file__))
    record = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = record
    while part is not None:
        part.stack = traceback.StackSummary.from_list([f for f in part.stack if os.path.dirname(f.filename) != own])
        part = part.__cause__ or part.__context__
    return "".join(record.format())


def _lines(traceback: TracebackType | None) -> str:
    text = ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        text += '  File "{}", line {}, in {}\n'.format(code.co_filename, traceback.tb_lineno, code.co_name)
        traceback = traceback.tb_next
    return text
