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

__all__ = ["main"]

_PROGRAM = "plughost"
_SIGTERM = 15
_TERMINATED = 143  # 128 + SIGTERM
_READER_LEFT = 141  # 128 + SIGPIPE: what a program without Python's handling of it ends with


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says. The exit code."""
    try:
        _end_in_order_on_sigterm()
        return _main(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # before or after the command itself
        return 130
    except BrokenPipeError:
        _silence_output()
        return _READER_LEFT


def _main(argv: Sequence[str]) -> int:
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


def _silence_output() -> None:
    """Nobody reads what is still buffered; without this, Python would complain about it at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


if __name__ == "__main__":
    sys.exit(main())
