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
#: Commands that end before there is garbage worth the time to look for it: a tenth of theirs, with a thousand plugins.
_SHORT = frozenset({"info", "list", "search"})
_SIGTERM = 15
#: As shells have it: 128 and the signal's number.
_INTERRUPTED, _READER_LEFT, _TERMINATED = 130, 141, 143


class _Terminated(BaseException):
    """SIGTERM came. No Exception, as KeyboardInterrupt is none."""


def main() -> None:
    """Do what the command line says, and end the process."""
    code = run(sys.argv[1:])
    # All is written and closed by now. Taking the interpreter down would take a tenth of a call's time, and after an interrupt it
    # would wait for a reader who doesn't read.
    os._exit(code)


def run(argv: Sequence[str]) -> int:
    """Do what the command line says. The exit code."""
    try:
        _end_in_order_on_sigterm()
        return _read_and_do(argv)
    except KeyboardInterrupt:  # before or after the command itself
        return _INTERRUPTED
    except _Terminated:
        _say("terminated\n")
        return _TERMINATED
    except BrokenPipeError:
        return _READER_LEFT


def _read_and_do(argv: Sequence[str]) -> int:
    if len(argv) <= 1 and (not argv or argv[0] in {"--help", "-h", "--version", "-V"}) and "_PLUGHOST_COMPLETE" not in os.environ:
        return _show(argv[0] if argv else "--help")
    if "run" in argv and not os.environ.get("PLUGHOST_NO_DAEMON") and (code := _hand_over(argv)) is not None:
        return code
    from plughost.cli._context import Context
    from plughost.cli._execute import execute
    from plughost.cli._quick import parse

    parsed = None if "_PLUGHOST_COMPLETE" in os.environ else parse(argv)
    if parsed is None:
        return _by_click(argv, Context(program=_PROGRAM))
    command, values = parsed
    if command.name in _SHORT:
        __import__("gc").disable()
    return execute(command, Context(program=_PROGRAM).given(values), values)


def _hand_over(argv: Sequence[str]) -> int | None:
    """Have the daemon do it, where there is one; None if it is for this process to do."""
    from plughost.daemon._client import Lost, hand_over

    try:
        return hand_over(argv, _PROGRAM)
    except BrokenPipeError:
        raise
    except (Lost, OSError) as error:
        from plughost.cli._context import Context
        from plughost.cli._execute import guarded
        from plughost.cli._quick import parse
        from plughost.cli._terminal import unwritable
        from plughost.errors import PluginCrashed

        told = unwritable(error) if isinstance(error, OSError) else PluginCrashed(str(error), reference="daemon-lost")
        parsed = parse(argv)
        assert parsed is not None  # else the daemon would have declined

        def fail() -> int:
            raise told from None

        return guarded(fail, Context(program=_PROGRAM).given(parsed[1]), as_json="--json" in argv)


def _show(option: str) -> int:
    from plughost.cli._overview import overview, version
    from plughost.cli._terminal import Stream
    from plughost.errors import PlughostError

    out = Stream("stdout")
    try:
        out.write(overview(_PROGRAM, out) if option in {"--help", "-h"} else version(_PROGRAM) + "\n")
    except PlughostError as error:
        _say(f"error: {error}\n")
        return error.exit_code
    return 0


def _by_click(argv: Sequence[str], context: Context) -> int:
    from plughost.cli._execute import guarded

    def read_and_do() -> int:
        from plughost.cli import _click

        if instruction := os.environ.get("_PLUGHOST_COMPLETE"):
            return _click.complete(context, instruction)
        return _click.run(argv, context)

    return guarded(read_and_do, context, as_json="--json" in argv)


def _say(text: str) -> None:
    from plughost.cli._terminal import Stream

    Stream("stderr").write(text)


def _end_in_order_on_sigterm() -> None:
    """Have SIGTERM unwind the stack, as Ctrl-C does, so that what is half done is taken back."""

    def end(*_: object) -> None:
        raise _Terminated

    # The C half: `signal` itself imports `enum`, which takes as long as starting the child.
    __import__("_signal").signal(_SIGTERM, end)


if __name__ == "__main__":
    main()
