"""Uses as much of everything as it is told to, and then waits a while to be noticed."""

import mmap
import os
import signal
import sys
import tempfile
import threading
import time

MIB = 1 << 20
#: How long is waited to be noticed: far more than it takes.
_NOTICED_WITHIN_S = 20

kept = []


def _wait() -> str:
    time.sleep(_NOTICED_WITHIN_S)
    return "nobody has noticed"


def echo(value: object) -> object:
    return value


def allocate(mib: int) -> str:
    """Memory of its own, in pieces."""
    for _ in range(mib):
        kept.append(bytearray(b"x") * MIB)
    return _wait()


def allocate_later(mib: int) -> str:
    """Returns at once, and allocates after that."""

    def allocate() -> None:
        time.sleep(0.05)
        for _ in range(mib):
            kept.append(bytearray(b"x") * MIB)

    threading.Thread(target=allocate, daemon=True).start()
    return "soon"


def share(mib: int) -> str:
    """Memory that is a file of the memory's own file system."""
    descriptor = os.memfd_create("shared")
    os.ftruncate(descriptor, mib * MIB)
    shared = mmap.mmap(descriptor, mib * MIB)
    kept.append(shared)
    for place in range(0, mib * MIB, mmap.PAGESIZE):
        shared[place] = 1
    return _wait()


def fill_temporary(mib: int) -> str:
    """Memory that is files in the temporary folder."""
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(mib):
            file.write(b"x" * MIB)
        file.flush()
        return _wait()


def spin(threads: int = 1) -> str:
    """Computes, and never ends."""
    import hashlib

    def compute() -> None:
        data = b"x" * MIB
        while True:
            hashlib.sha256(data)  # lets other threads compute meanwhile

    for _ in range(threads):
        threading.Thread(target=compute, daemon=True).start()
    return _wait()


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "awake"


def start_threads(count: int) -> str:
    for _ in range(count):
        threading.Thread(target=_wait, daemon=True).start()
    return _wait()


def start_processes(count: int) -> str:
    for _ in range(count):
        if not os.fork():
            _wait()
            os._exit(0)
    return _wait()


def write(mib: int, mind: bool = True) -> str:
    """One file; who doesn't mind the kernel's signal, as Python does, is ended by it."""
    if not mind:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    with open("one", "wb") as file:
        for _ in range(mib):
            file.write(b"x" * MIB)
    return _wait()


def write_many(files: int, kib: int = 0) -> str:
    os.makedirs("deep/er")
    for number in range(files):
        with open("deep/er/{}".format(number), "wb") as file:
            file.write(b"x" * (kib << 10))
    return _wait()


def write_unnamed(files: int, mib: int) -> str:
    """Files that no folder lists any more."""
    for number in range(files):
        file = open(str(number), "wb")  # noqa: SIM115
        os.unlink(str(number))
        for _ in range(mib):
            file.write(b"x" * MIB)
        file.flush()
        kept.append(file)
    return _wait()


def print_much(mib: int, flush: bool = True) -> str:
    for _ in range(mib):
        sys.stdout.write("x" * MIB)
    if flush:
        sys.stdout.flush()
    return _wait()


def give(mib: int, kind: str = "text") -> object:
    return {"text": "x", "bytes": b"x"}[kind] * (mib * MIB)


def give_items(count: int, kib: int) -> object:
    for _ in range(count):
        yield "x" * (kib << 10)


def open_files(count: int) -> str:
    for _ in range(count):
        kept.append(open(os.devnull, "rb"))  # noqa: SIM115
    return _wait()


def end_by(name: str, mib: int = 0) -> str:
    """By a signal that it sends itself, with that much memory in use for long enough to be seen."""
    if mib:
        kept.append(bytearray(b"x") * (mib * MIB))
        time.sleep(0.2)
    os.kill(os.getpid(), getattr(signal, name))
    return _wait()


def leave(code: int) -> None:
    os._exit(code)
