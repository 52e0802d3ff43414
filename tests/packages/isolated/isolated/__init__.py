"""What shows in which process a call runs, and what it leaves there."""

import atexit
import ctypes
import os
import random
import subprocess
import sys
import time

STATE = {"calls": 0}
IMPORTED_BY = os.getpid()


def implementation(function=None, **options):
    def mark(function):
        function.plughost_impl = {"optionalhook": True, **options}
        return function

    return mark if function is None else mark(function)


def count() -> int:
    STATE["calls"] += 1
    return STATE["calls"]


def draw() -> float:
    return random.random()


def where() -> dict:
    """In which process the call runs, which one imported the plugin, and whose group it is in."""
    descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    return {"pid": os.getpid(), "imported_by": IMPORTED_BY, "group": os.getpgid(0), "descriptors": descriptors}


def die(how: str) -> None:
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "_exit":
        os._exit(7)
    elif how == "exit":
        sys.exit("enough")
    elif how == "kill":
        os.kill(os.getpid(), 9)
    elif how == "kill the parent":
        os.kill(os.getppid(), 9)


def leave(note: str) -> list:
    """Leave two processes in other sessions, whose parents are gone, and a word at exit: a copy of this one, and a program."""

    def at_exit():
        with open(note, "a") as file:
            file.write("exit handler\n")

    atexit.register(at_exit)
    script = "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!"
    said = subprocess.check_output(["setsid", "sh", "-c", script], env=dict(os.environ), universal_newlines=True)
    return [int(said), daemon(), os.getpid()]


def daemon() -> int:
    """Fork twice, as a daemon does; the number of the process that stays."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            time.sleep(1000)
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(read, 20))


def stream(count: int):
    for number in range(count):
        STATE["calls"] += 1
        yield [number, STATE["calls"], os.getpid()]


def ask() -> list:
    from plughost_app import again

    STATE["calls"] += 1
    return [STATE["calls"], again(), os.getpid()]


def spin(note: str) -> None:
    with open(note, "a") as file:
        file.write("{} {}\n".format(os.getpid(), os.getppid()))
    while True:
        pass


class Hooks:
    @implementation
    def score(self, text):  # noqa: ARG002
        STATE["calls"] += 1
        return STATE["calls"]

    @implementation(wrapper=True)
    def wrapped(self, text):  # noqa: ARG002
        STATE["calls"] += 1
        before = os.getpid()
        result = yield
        STATE["calls"] += 1
        return [result, STATE["calls"], before == os.getpid()]
