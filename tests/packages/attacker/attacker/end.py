"""What is tried when all is over: at exit, in a finalizer, in a thread that goes on."""

# ruff: noqa: ARG001 - all are called the same way

import atexit
import os
import threading
import time

from . import files, network, starting


def _try_all(outside):
    for act in (files.write, network.tcp, starting.daemon):
        try:
            act(outside)
        except OSError:
            pass


class _Last:
    def __init__(self, outside):
        self._outside = outside

    def __del__(self):
        _try_all(self._outside)


def at_exit(outside):
    """The test looks at what there is outside once the worker has ended."""
    atexit.register(_try_all, outside)


def in_finalizer(outside):
    globals()["_last"] = _Last(outside)


def in_thread(outside):
    def go_on():
        time.sleep(0.05)
        _try_all(outside)

    threading.Thread(target=go_on).start()


def never(outside):
    """An exit that doesn't come."""
    atexit.register(time.sleep, 20)


def in_a_signal_handler(outside):
    import signal

    signal.signal(signal.SIGTERM, lambda *_: _try_all(outside))
    os.kill(os.getpid(), signal.SIGTERM)
