"""Another program in this process's place, confined before it begins.

Above it: `_start`, where the argument is `exec`; below it: the confinement. Behind `--confined` and the length of the plan stands
the program with its arguments. What is on stdin after the plan is the program's.
"""

from __future__ import annotations

import os
import sys

from . import _confine

__all__ = ["execute"]

#: As a shell has it for a program that isn't there, or can't be executed.
_NOT_EXECUTED = 126


def execute() -> None:
    """Doesn't come back."""
    at = sys.argv.index("--confined")
    os.closerange(4, 256)  # all but the lifeline, by which the kernel ends the program with the host
    _confine.confine(_confine.read_plan(int(sys.argv[at + 1])))
    argv = sys.argv[at + 2 :]
    try:
        os.execv(argv[0], argv)  # noqa: S606 - there is to be no shell
    except OSError as error:
        os.write(2, "plughost: `{}` can't be executed: {}\n".format(argv[0], error).encode())
        os._exit(_NOT_EXECUTED)
