"""What the plugin prints: its two text streams, kept usable whatever it does to them.

Above it: the loop; below it: descriptors 1 and 2.
"""

from __future__ import annotations

import io
import os
import sys

__all__ = ["flush", "set_up"]


def set_up() -> None:
    """As the plugin prints, so it arrives."""
    for stream in (sys.stdout, sys.stderr):
        _set_up(stream)


def flush() -> None:
    """Send on what was printed; and reopen what the plugin closed, so that the next call can print."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name, None)
        try:
            if stream is None:
                _reopen(name, descriptor)
            else:
                stream.flush()
        except BaseException:  # noqa: BLE001 - closed, replaced or broken by the plugin: its output is lost, its result is not
            if not isinstance(stream, io.TextIOBase) or stream.closed:
                _reopen(name, descriptor)


def _set_up(stream: object) -> None:
    if isinstance(stream, io.TextIOWrapper):
        # A lone surrogate in a log line is no reason to fail a call.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _reopen(name: str, descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        try:
            os.dup2(2 if descriptor == 1 else 1, descriptor)
        except OSError:  # both are gone, and there is nowhere left to print to
            return
    stream = os.fdopen(descriptor, "w", encoding="utf-8", closefd=False)
    setattr(sys, name, stream)
    setattr(sys, "__" + name + "__", stream)
    _set_up(stream)
