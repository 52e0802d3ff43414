"""How the process ends where the interpreter's own way would not do.

Above it: the loop and its connection; below it: the plugin's exit handlers. Each ends the process, or returns and leaves it to
the interpreter.
"""

from __future__ import annotations

import os
import sys

from . import _printed

__all__ = ["leave_fork", "leave_threads"]

_POOL_GRACE_S = 0.5  # what an idle pool needs is a fraction of it; the host waits a little longer


def leave_threads() -> None:
    """End at once where the interpreter would wait for threads that the plugin left running; exit handlers run either way."""
    threading = sys.modules.get("threading")
    if threading is None or not any(
        thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()
    ):
        return
    import atexit

    # What pools of workers have in place of exit handlers, which would wait for the workers for ever.
    for release in reversed(getattr(threading, "_threading_atexits", ())):
        thread = threading.Thread(target=release, daemon=True)
        thread.start()
        thread.join(_POOL_GRACE_S)
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way
    _printed.flush()
    os._exit(0)


def leave_fork(answer: dict[str, object]) -> None:
    """End a copy of the process that the plugin has forked, once it has done what it was forked for: as a script would end."""
    error = answer.get("error")
    data = error.get("data") if isinstance(error, dict) else None
    status = 0
    if isinstance(data, dict):
        code = data.get("code", data.get("traceback"))
        status = code if isinstance(code, int) else int(code is not None)
        if isinstance(code, str):
            os.write(2, code.encode("utf-8", "replace"))
    _printed.flush()
    os._exit(status & 0xFF)
