"""Whether this process can be forked with what it has imported: only while it has one thread.

Above it: the description of a plugin, and the nursery; below it: the interpreter and the kernel.
"""

from __future__ import annotations

import os
import sys

__all__ = ["why_unsafe"]


def why_unsafe() -> str:
    """Why a fork is unsafe now, to stand behind "fork is"; empty if it isn't."""
    if sys.platform != "linux" or not hasattr(os, "fork"):
        return "unsafe on this platform, whose own libraries may have threads"
    others = max(len(sys._current_frames()), _kernel_threads()) - 1  # noqa: SLF001 - counts those that `threading` doesn't know
    if others <= 0:
        return ""
    return "unsafe: {} alive after import".format("1 thread is" if others == 1 else "{} threads are".format(others))


def _kernel_threads() -> int:
    """All there are, those of C libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1
