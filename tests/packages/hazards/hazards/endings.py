"""Ways of ending a process, and of not ending it."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

FOREVER_S = 3600


def leave() -> None:
    sys.exit(3)


def leave_at_once() -> None:
    os._exit(7)


def segfault() -> None:
    ctypes.string_at(0)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_itself() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(FOREVER_S)


def recurse() -> None:
    recurse()


def sleep(seconds: float = FOREVER_S) -> str:
    time.sleep(seconds)
    return "awake"


def spin() -> None:
    """Be busy in Python."""
    while True:
        pass


def spin_in_c() -> None:
    """Be busy in C, without ever letting another thread run."""
    ctypes.PyDLL(None).sleep(FOREVER_S)


def ignore_signals() -> None:
    """Ask to be killed the hard way."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(FOREVER_S)


def leave_grandchild(session: bool = True) -> int:
    """Start a process that outlives the call, and answer with its number."""
    return subprocess.Popen(["sleep", str(FOREVER_S)], start_new_session=session).pid


def wait_for_grandchild() -> None:
    """Wait for a process in a session of its own that doesn't end."""
    subprocess.check_call(["sleep", str(FOREVER_S)], start_new_session=True)


def leave_thread() -> str:
    """Leave a thread running that keeps the interpreter from ending."""
    threading.Thread(target=time.sleep, args=(FOREVER_S,)).start()
    return "done"
