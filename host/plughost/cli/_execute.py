"""Doing a command, and turning whatever goes wrong into one printed error and an exit code.

Above it: both readers of the command line; below it: the commands' functions, which are loaded here.
"""

from __future__ import annotations

import os

from plughost.errors import PlughostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.cli._context import Context
    from plughost.cli._declaration import Command, Values

    Handler = Callable[[Context, Values], int]

__all__ = ["execute", "guarded"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def execute(command: Command, context: Context, values: Values) -> int:
    """Call the command's function. The exit code: 0, or that of the error, which is printed by then."""
    return guarded(lambda: _load(command.handler)(context, values), context, as_json=values.flag("json"))


def guarded(action: Callable[[], int], context: Context, *, as_json: bool) -> int:
    """The exit code of `action`, or of its error, which is printed by then.

    A `BrokenPipeError` goes through: whether the reader's leaving is an error is for the program to say, not for a command.
    """
    try:
        return action()
    except PlughostError as error:  # first: a plugin's error may be an instance of any of the others too
        return _report(error, context, as_json=as_json)
    except KeyboardInterrupt:
        context.printer.err.end_line()
        context.printer.err.write("interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - nobody is to meet a traceback
        return _report(_internal(error, context), context, as_json=as_json)


def _report(error: PlughostError, context: Context, *, as_json: bool) -> int:
    if context.surroundings.environment.get("PLUGHOST_DEBUG"):
        import traceback

        context.printer.err.write("".join(traceback.format_exception(error)))
    try:
        context.printer.error(error, as_json=as_json)
    except PlughostError:  # the standard output can't be written, which may be what the error says
        context.printer.error(error)
    return error.exit_code


def _load(handler: str) -> Handler:
    module, _, function = handler.partition(":")
    __import__(module)  # importlib would take longer than the rest of this module
    import sys

    loaded: Handler = getattr(sys.modules[module], function)
    return loaded


def _internal(error: Exception, context: Context) -> PlughostError:
    """The error for what should not have happened; the traceback goes to a log."""
    import time
    import traceback

    text = "".join(traceback.format_exception(error))
    cause = traceback.format_exception_only(error)[-1].strip()
    path = os.path.join(context.paths().logs, f"internal-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        path = ""
    internal = PlughostError(
        "plughost failed in a way that it should not",
        reference="internal",
        causes=[cause],
        hint="Please report it, with the log" if path else "`PLUGHOST_DEBUG=1` shows the traceback; please report it",
        log=path,
    )
    internal.__cause__ = error
    return internal
