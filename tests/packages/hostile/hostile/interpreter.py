"""Tools that change the interpreter they run in, and then answer. What they answer with needs more than plain JSON."""

import builtins
import os
import signal
import sys
import tempfile
from typing import List

ANSWER = [b"x", 1.5, {1, 2}]


def replace_built_ins() -> list:
    for name in ("dict", "getattr", "isinstance", "len", "list", "open", "print", "repr", "str", "type"):
        setattr(builtins, name, None)
    return ANSWER


def replace_import() -> list:
    def refuse(*_args, **_kwargs):
        raise ImportError("nothing is imported any more")

    builtins.__import__ = refuse
    return ANSWER


def break_imports() -> list:
    sys.path[:] = []
    sys.meta_path[:] = []
    sys.path_hooks[:] = []
    return ANSWER


def break_imports_and_raise() -> None:
    break_imports()
    raise ValueError("no way")


def lose_folder() -> list:
    """Work in a folder that is gone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
    return ANSWER


def replace_os_functions() -> list:
    os.read = os.write = os.fstat = os.getpid = None
    return ANSWER


def use_up_descriptors() -> list:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    return ANSWER


def unblock_descriptors() -> str:
    """Give more than a pipe takes, through pipes that don't wait."""
    for descriptor in range(100):
        try:
            os.set_blocking(descriptor, False)
        except OSError:
            continue
    return "x" * (5 << 20)


def delete_streams() -> list:
    del sys.stdout, sys.stderr
    return ANSWER


def break_streams() -> list:
    class Broken:
        def flush(self):
            raise SystemExit(3)

        @property
        def closed(self):
            raise SystemExit(4)

    sys.stdout = sys.stderr = Broken()
    return ANSWER


def raise_in_tracer() -> list:
    def trace(*_args):
        raise RuntimeError("traced")

    sys.settrace(trace)
    return ANSWER


def lower_recursion_limit() -> list:
    sys.setrecursionlimit(60)
    return ANSWER


def raise_recursion_limit() -> list:
    """Give what holds itself, with leave to recurse until the stack is used up."""
    sys.setrecursionlimit(10**8)
    value = []
    value.append(value)
    return value


def lower_digits_limit(number: int = 0) -> str:
    """Read no longer integers than a Python has to, from now on."""
    getattr(sys, "set_int_max_str_digits", int)(640)
    return str(number)


def lift_digits_limit() -> int:
    getattr(sys, "set_int_max_str_digits", int)(0)
    return 10**5000


def raise_when_alarmed(note: str) -> int:
    """Have a signal handler raise, which is for a time when nobody asks for anything; it writes to the pipe `note` first."""

    def tick(*_args):
        with open(note, "w") as pipe:
            pipe.write("tick")
        raise ZeroDivisionError("tick")

    signal.signal(signal.SIGALRM, tick)
    return os.getpid()


def die_when_alarmed() -> int:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return os.getpid()


def run_out_of_memory() -> str:
    """Give a text for whose JSON there is no room."""
    import resource

    text = "x" * (100 << 20)
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (20 << 20), -1))
    return text


def own_environment() -> List[str]:
    """The names of the variables that the process was started with."""
    with open("/proc/self/environ") as file:
        return [variable.partition("=")[0] for variable in file.read().split("\0") if variable]


def plughost_tools():
    own = [tool for tool in globals().values() if getattr(tool, "__module__", "") == __name__]
    return [tool for tool in own if tool is not plughost_tools]
