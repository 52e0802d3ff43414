"""What to do about an exception that code has raised: one or two sentences for whoever wrote the code, human or not."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from itertools import islice
from typing import TYPE_CHECKING

from ._alarm import TimeIsUp
from ._missing import of_import, of_name
from ._syntax import of_syntax
from ._traces import MOST_FRAMES, frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["GENERAL", "advice"]

GENERAL = "Look at the line and the message, correct the code, and run it again; what it had set before is still there"

_BY_NUMBER = {
    errno.ENOSPC: "No space is left: delete files that aren't needed, write less, or raise the plugin's `disk_bytes`",
    errno.EDQUOT: "No space is left: delete files that aren't needed, write less, or raise the plugin's `disk_bytes`",
    errno.EFBIG: "The file became too large: write several smaller ones, or raise the plugin's `file_bytes`",
    errno.EMFILE: "Too many files are open: close each with a `with` block, or raise the plugin's `open_files`",
    errno.EROFS: "Write into the working directory, by a relative path: nothing else may be written here",
    errno.EACCES: "Use files in the working directory, by relative paths; others are to be granted (`read`, `write`)",
    errno.EPERM: "This isn't allowed here: do without it, or have it granted by the plugin's policy",
    errno.EISDIR: "This is a folder: name a file in it, or list it with `os.listdir`",
    errno.ENOTDIR: "A part of the path is a file, not a folder: look with `os.listdir` at what there is",
    errno.EEXIST: "It is there already: choose another name, or remove it first",
    errno.EAGAIN: "No more processes or threads may be started: do with fewer, or raise the plugin's `processes` or `threads`",
}

_NETWORK = "The network can't be reached from here, or not this host: do without it and pass data in by `context`; {}"
_GRANT_NETWORK = "or have the host granted to the plugin (its policy's `network`)"
_PROCESSES = "Do it in Python itself, in this one process; {}"
_GRANT_PROCESSES = "others may be started only if the plugin's policy grants `processes`, and programs `execute`"

_BY_TYPE: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (TimeIsUp, "The time was up: work on less at a time, save what is done in variables, or allow more by `timeout_s`"),
    (
        KeyboardInterrupt,
        "It was interrupted, by its caller's deadline or a cancel: work on less at a time, in several calls, or allow more time",
    ),
    (RecursionError, "A function calls itself without an end: give it a case that ends it, or write it as a loop"),
    (UnicodeError, 'The bytes aren\'t of that encoding: name theirs, `open(…, encoding="latin-1")`, or add `errors="replace"`'),
    ((TimeoutError, asyncio.TimeoutError), "It waited for too long: check what it waits for, or wait for longer"),
    (EOFError, "Nobody can answer `input()` here: put the values into `context`, or into the code"),
    (SystemExit, "The code ended itself: let it come to its end, or raise an exception that says what is wrong"),
    (UnboundLocalError, "Set the variable in the function before it is used, or declare it `global` or `nonlocal`"),
    (ZeroDivisionError, "Look at what is divided by, and handle the case that it is 0"),
    (KeyError, "There is no such key: look at those that there are (`list(value)`), or use `.get(key)`"),
    (IndexError, "Look at how many items there are (`len(value)`) before one is taken"),
    (AttributeError, "Look at what the value is (`type(value)`, `dir(value)`): it has no such attribute, or it is None"),
    (TypeError, "Look at the types of the values in that line, and at the function's signature: `help(function)`"),
    (ValueError, "The value isn't one that can be used there: look at it, and at what the message says of it"),
    (AssertionError, "What the code takes for granted isn't so: look at the values in that line"),
    (NotImplementedError, "A part of the code is still missing: write it"),
)

_NO_SCREEN = "There is no screen here: draw with matplotlib, whose figures are saved as files by themselves, or write files"
_BY_NAME = {
    "bdb.BdbQuit": "Nobody can use a debugger here: print what you want to know",
    "_tkinter.TclError": _NO_SCREEN,
}

#: What isn't reachable says so in many ways; errors that come by these modules are about nothing else.
_NETWORK_MODULES = frozenset(
    ("socket", "ssl", "http", "urllib", "urllib3", "requests", "httpx", "httpcore", "aiohttp", "ftplib", "smtplib")
)
_NETWORK_NUMBERS = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ECONNREFUSED,
    errno.ETIMEDOUT,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
}
_PROCESS_MODULES = frozenset(("subprocess", "multiprocessing", "pty"))


def advice(error: BaseException, names: Iterable[str], *, line: str = "") -> str:
    """What to do next. `names` are those that the code may use, `line` is that of a syntax error.

    Of several exceptions in one it is about the first; where there is nothing to say of one, about that which it was raised from.
    """
    inner = getattr(error, "exceptions", None)
    if type(error).__name__.endswith("ExceptionGroup") and inner:
        return advice(inner[0], names)
    told = _advice(error, names, line)
    return _advice(error.__cause__, names, "") if told == GENERAL and error.__cause__ is not None else told


def _advice(error: BaseException, names: Iterable[str], line: str) -> str:
    if isinstance(error, SyntaxError):
        return of_syntax(error, line)
    if isinstance(error, ImportError):
        return of_import(error) or (_NO_SCREEN if "interactive framework" in str(error) else GENERAL)  # of matplotlib's
    if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
        return of_name(error, names)
    if isinstance(error, MemoryError):
        return _of_memory()
    if _is_of_network(error):
        return _NETWORK.format(_way_to_allow(error) or _GRANT_NETWORK)
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, RuntimeError) and (told := _of_running(str(error))):
        return told
    if (told := _BY_NAME.get("{0.__module__}.{0.__qualname__}".format(type(error)))) is not None:
        return told
    return next((text for kinds, text in _BY_TYPE if isinstance(error, kinds)), GENERAL)


def _of_running(message: str) -> str:
    if "can't start new thread" in message:
        return _BY_NUMBER[errno.EAGAIN]
    if "no running event loop" in message:
        return "Only code that awaits has an event loop: make tasks in an `async` function, or `await` something in the same code"
    if "running event loop" in message:
        return "An event loop runs already: write `await …` at the top level, in place of `asyncio.run(…)`"
    return ""


def _of_memory() -> str:
    allowed = _memory_bytes()
    why = "It may have {:,.0f} MiB of memory".format(allowed / 2**20) if allowed else "It needs more memory than there is"
    return (
        why + ": work in parts, with smaller types, and `del` what isn't needed any more; or have it given more, by the limit "
        "`memory` of its session, or of the plugin's policy"
    )


def _memory_bytes() -> int:
    """0 where it isn't limited."""
    try:
        import resource
    except ImportError:
        return 0
    allowed = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return 0 if allowed == resource.RLIM_INFINITY else allowed


def _way_to_allow(error: BaseException) -> str:
    """What plughost says would allow what it has denied."""
    found = re.search(r"plughost: .*; (`[^`]+` would allow it[^>]*)", str(error))
    return found[1] if found else ""


def _of_system(error: OSError) -> str:
    way = _way_to_allow(error)
    if way or _PROCESS_MODULES.intersection(_modules(error)):
        return _PROCESSES.format(way or _GRANT_PROCESSES)
    if isinstance(error, FileNotFoundError):
        return _of_missing_file(str(error.filename or ""))
    general = next((text for kinds, text in _BY_TYPE if isinstance(error, kinds)), GENERAL)
    return _BY_NUMBER.get(error.errno or 0, general)


def _of_missing_file(path: str) -> str:
    if os.path.isabs(path):
        return (
            "There is no such file, or it is hidden from the plugin: use relative paths in the working directory, pass the "
            "content in by `context`, or have its folder granted (the policy's `read`)"
        )
    try:
        there = sorted(name for name in os.listdir(".") if not name.startswith("."))
    except OSError:
        there = []
    if not there:
        return "There is no such file, the working directory is empty: write it first, or pass the content in by `context`"
    return "There is no such file; the working directory has: {}".format(", ".join(there[:20]))


def _is_of_network(error: BaseException) -> bool:
    for one in _chain(error):
        if isinstance(one, OSError) and re.match(r".*plughost: `\S*` can't be (reached|sent|listened)", str(one)):
            return True
        if isinstance(one, (ConnectionError, socket.gaierror)) and not isinstance(one, BrokenPipeError):
            return True
        if isinstance(one, OSError) and (one.errno in _NETWORK_NUMBERS or _NETWORK_MODULES.intersection(_modules(one))):
            return True
    return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and not any(following is one for one in seen):
        seen.append(following)
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _modules(error: BaseException) -> Iterator[str]:
    """The top names of the modules that have to do with it: of its own class, and those that its way went through."""
    yield _top(type(error).__module__)
    for trace in islice(frames(error), MOST_FRAMES):
        yield _top(trace.tb_frame.f_globals.get("__name__"))


def _top(name: object) -> str:
    return name.partition(".")[0] if isinstance(name, str) else ""
