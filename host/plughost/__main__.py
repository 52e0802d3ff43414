"""The command: `plughost`, or `python -m plughost`.

It takes the quick way where it can, so that a `run` costs little more than the two interpreters that it can't do without.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost.cli._context import Context

__all__ = ["main", "run"]

_PROGRAM = "plughost"
_SIGTERM = 15
_TERMINATED = 143  # 128 + SIGTERM
_READER_LEFT = 141  # 128 + SIGPIPE: what a program without Python's handling of it ends with


def main() -> None:
    """Do what the command line says, and end the process."""
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # closed, full, or never there: it has been said, or can't be
            pass
    # Everything is closed by now. Taking the interpreter down in good order would take as long as half a call.
    os._exit(code)


def run(argv: Sequence[str]) -> int:
    """Do what the command line says. The exit code."""
    try:
        _end_in_order_on_sigterm()
        return _read_and_do(argv)
    except KeyboardInterrupt:  # before or after the command itself
        return 130
    except BrokenPipeError:
        return _READER_LEFT


def _read_and_do(argv: Sequence[str]) -> int:
    if len(argv) <= 1 and (not argv or argv[0] in {"--help", "-h", "--version", "-V"}) and "_PLUGHOST_COMPLETE" not in os.environ:
        return _show(argv[0] if argv else "--help")
    from plughost.cli._context import Context
    from plughost.cli._execute import execute
    from plughost.cli._quick import parse

    parsed = None if "_PLUGHOST_COMPLETE" in os.environ else parse(argv)
    if parsed is None:
        return _by_click(argv, Context(program=_PROGRAM))
    command, values = parsed
    return execute(command, Context(program=_PROGRAM).given(values), values)


def _show(option: str) -> int:
    from plughost.cli._overview import overview, version
    from plughost.cli._terminal import Stream

    out = Stream("stdout")
    out.write(overview(_PROGRAM, out) if option in {"--help", "-h"} else version(_PROGRAM) + "\n")
    return 0


def _by_click(argv: Sequence[str], context: Context) -> int:
    from plughost.cli import _click
    from plughost.cli._execute import report
    from plughost.errors import PlughostError

    try:
        if instruction := os.environ.get("_PLUGHOST_COMPLETE"):
            return _click.complete(context, instruction)
        return _click.run(argv, context)
    except PlughostError as error:
        return report(error, context, as_json="--json" in argv)


def _end_in_order_on_sigterm() -> None:
    """Have SIGTERM unwind the stack, as Ctrl-C does, so that what is half done is taken back."""

    def end(*_: object) -> None:
        raise SystemExit(_TERMINATED)

    # The C half: `signal` itself imports `enum`, which takes as long as starting the child.
    __import__("_signal").signal(_SIGTERM, end)


if __name__ == "__main__":
    main()
