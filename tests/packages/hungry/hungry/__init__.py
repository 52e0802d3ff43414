"""Uses as much of everything as it is told to, and then waits a while to be noticed."""

import mmap
import os
import signal
import stat
import sys
import tempfile
import threading
import time

MIB = 1 << 20
#: How long is waited to be noticed: far more than it takes.
_NOTICED_WITHIN_S = 60
#: How long something lasts that has to be seen before it ends.
_SEEN_WITHIN_S = 0.7

kept = []


def _wait() -> str:
    time.sleep(_NOTICED_WITHIN_S)
    return "nobody has noticed"


def echo(value: object) -> object:
    return value


def pid() -> int:
    return os.getpid()


def allocate(mib: int) -> str:
    """Memory of its own, in pieces."""
    kept.extend(bytearray(b"x") * MIB for _ in range(mib))
    return _wait()


def allocate_in_children(count: int, mib: int) -> str:
    """Memory of processes of its own, each of which has some."""
    for _ in range(count):
        if not os.fork():
            allocate(mib)
            os._exit(0)
    return _wait()


def fork_after_allocating(count: int, mib: int) -> str:
    """Memory that all of its processes share, since none writes to it."""
    kept.append(bytearray(b"x") * (mib * MIB))
    children = [os.fork() or _read_for_a_while() for _ in range(count)]
    for child in children:
        os.waitpid(child, 0)
    del kept[:]
    return "done"


def _read_for_a_while() -> int:
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        sum(kept[0][:: mmap.PAGESIZE])
    os._exit(0)


def fill_memory_files(mib: int) -> str:
    """Memory that is a file which was made for something else, without mapping it."""
    for fd in range(3, 64):
        try:
            known = os.fstat(fd)
        except OSError:
            continue
        if stat.S_ISREG(known.st_mode) and not known.st_nlink:
            for place in range(mib):
                os.pwrite(fd, b"x" * MIB, place * MIB)
    return _wait()


def fill_temporary(mib: int) -> str:
    """Memory that is files in the temporary folder."""
    with tempfile.NamedTemporaryFile() as file:
        _fill(file, mib)
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
        _fill(file, mib)
    return _wait()


def allot(mib: int) -> str:
    """One file, by one call of the kernel."""
    with open("one", "wb") as file:
        file.truncate(mib * MIB)
    return _wait()


def write_many(files: int, kib: int = 0) -> str:
    _write_many(files, kib)
    return _wait()


def write_later(files: int) -> str:
    """Returns at once, and goes on."""
    threading.Thread(target=_write_many, args=(files, 0), daemon=True).start()
    return "soon"


def _write_many(files: int, kib: int) -> None:
    os.makedirs("deep/er", exist_ok=True)
    for number in range(files):
        with open("deep/er/{}".format(number), "wb") as file:
            file.write(b"x" * (kib << 10))


def write_unnamed(files: int, mib: int, close: bool = False) -> str:
    """Files that no folder lists any more: they are open, or only mapped."""
    for number in range(files):
        file = open(str(number), "w+b")  # noqa: SIM115
        os.unlink(str(number))
        _fill(file, mib)
        kept.append(mmap.mmap(file.fileno(), mib * MIB) if close else file)
        if close:
            file.close()
    return _wait()


def write_deep(levels: int, mib: int) -> str:
    """A file further down than any path reaches, in a folder that nobody may list."""
    for _ in range(levels):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    os.mkdir("dark", 0o300)
    with open("dark/file", "wb") as file:
        _fill(file, mib)
    return _wait()


def _fill(file: object, mib: int) -> None:
    file.writelines(b"x" * MIB for _ in range(mib))
    file.flush()


def print_much(mib: int, flush: bool = True) -> str:
    for _ in range(mib):
        sys.stdout.write("x" * MIB)
    if flush:
        sys.stdout.flush()
    return _wait()


def log_much(mib: int) -> str:
    import logging

    for _ in range(mib * 16):
        logging.getLogger(__name__).warning("x" * (MIB // 16))
    return _wait()


def report_much(mib: int):
    for step in range(mib * 16):
        yield {"progress": step, "message": "x" * (MIB // 16)}
    yield _wait()


def give(mib: int, kind: str = "text") -> object:
    return {"text": "x", "bytes": b"x"}[kind] * (mib * MIB)


def give_items(count: int, kib: int) -> object:
    for _ in range(count):
        yield "x" * (kib << 10)


def open_files(count: int) -> str:
    kept.extend(open(os.devnull, "rb") for _ in range(count))  # noqa: SIM115
    return _wait()


def end_by(name: str, mib: int = 0) -> str:
    """By a signal that it sends itself, with that much memory in use for long enough to be seen."""
    kept.append(bytearray(b"x") * (mib * MIB))
    time.sleep(_SEEN_WITHIN_S if mib else 0)
    os.kill(os.getpid(), getattr(signal, name))
    return _wait()


def allocate_natively(mib: int, slowly_from: int) -> str:
    """By functions of the C library, without looking at what they give."""
    import ctypes

    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    for taken in range(mib):
        ctypes.memset(library.malloc(MIB), 1, MIB)
        time.sleep(_SEEN_WITHIN_S / 7 if taken > slowly_from else 0)
    return _wait()


def map_memory(mib: int) -> str:
    kept.append(mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    return _wait()


def map_temporary(mib: int, slowly_from: int) -> str:
    """A file in the temporary folder, by memory that shows it."""
    with tempfile.TemporaryFile() as file:
        file.truncate(mib * MIB)
        shown = mmap.mmap(file.fileno(), mib * MIB)
        for taken in range(mib):
            shown[taken * MIB : (taken + 1) * MIB] = b"x" * MIB
            time.sleep(_SEEN_WITHIN_S / 7 if taken > slowly_from else 0)
    return _wait()


def give_up(name: str, text: str) -> str:
    """End as a program does that was given no memory, and says so."""
    os.write(2, text.encode())
    os.kill(os.getpid(), getattr(signal, name))
    return _wait()


def leave(code: int) -> None:
    os._exit(code)
