"""At more time, disk and output than there may be. Whoever looks from outside ends it."""

# ruff: noqa: ARG001 - all are called the same way

import os
import signal
import sys
import threading
import time

from . import kernel

_ENDS_S = 20
_STEP = 4 << 20


def spin(outside):
    end = time.monotonic() + _ENDS_S
    while time.monotonic() < end:
        pass
    return "spun"


def spin_in_threads(outside):
    for _ in range(4):
        threading.Thread(target=spin, args=(outside,), daemon=True).start()
    return spin(outside)


def spin_in_c(outside):
    return sum(range(1 << 40)) and "spun"


def spin_without_signals(outside):
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    return spin(outside)


def sleep(outside):
    time.sleep(_ENDS_S)
    return "slept"


def sleep_without_signals(outside):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    return sleep(outside)


def sleep_whatever_is_raised(outside):
    end = time.monotonic() + _ENDS_S
    while time.monotonic() < end:
        try:
            time.sleep(1)
        except BaseException:  # noqa: BLE001
            pass
    return "slept"


def stop_itself(outside):
    os.kill(os.getpid(), signal.SIGSTOP)
    return "went on"


def print_much(outside):
    for _ in range(64):
        print("x" * (1 << 20))
    return "printed"


def write_much(outside):
    for _ in range(64):
        os.write(2, b"x" * (1 << 20))
    return "written"


def write_much_to_errors(outside):
    for _ in range(64):
        sys.stderr.write("x" * (1 << 20))
    return "written"


def write_a_line_without_end(outside):
    for _ in range(1 << 14):
        os.write(1, b"x" * 4096)
    return "written"


def give_much(outside):
    return "x" * (64 << 20)


def one_file(outside):
    with open("large", "wb", buffering=0) as file:
        return _write(file, outside.file_bytes)


def one_file_by_truncating(outside):
    with open("sparse", "wb") as file:
        file.truncate(1 << 40)
    return "sparse"


def one_file_by_allocating(outside):
    descriptor = os.open("allocated", os.O_CREAT | os.O_WRONLY, 0o600)
    os.posix_fallocate(descriptor, 0, outside.file_bytes * 2)
    return "allocated"


def one_file_by_allocating_beyond_its_end(outside):
    """Room on the disk that no size of a file tells of, and that is there at once."""
    descriptor = os.open("allocated-beyond", os.O_CREAT | os.O_WRONLY, 0o600)
    kernel.call("fallocate", descriptor, 1, 0, outside.disk_bytes * 4)
    return "{} blocks".format(os.fstat(descriptor).st_blocks)


def many_files_by_allocating(outside):
    """Each as large as it may be, before anybody has looked."""
    size = 0
    while size < outside.disk_bytes + outside.late_bytes:
        descriptor = os.open("allocated-{}".format(size), os.O_CREAT | os.O_WRONLY, 0o600)
        kernel.call("fallocate", descriptor, 0, 0, outside.file_bytes)
        size += os.fstat(descriptor).st_blocks * 512
        os.close(descriptor)
    return "{} MiB".format(size >> 20)


def one_file_after_the_signal(outside):
    """Written on after the kernel has said that it's too large."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return one_file(outside)


def many_files(outside):
    size = 0
    while size < outside.disk_bytes + outside.late_bytes:
        with open("many-{}".format(size), "wb", buffering=0) as file:
            size += file.write(b"x" * _STEP)
    return "{} MiB".format(size >> 20)


def many_deleted_files(outside):
    """Files without a name, which nobody finds by looking."""
    held, size = [], 0
    while size < outside.disk_bytes + outside.late_bytes:
        file = open("nameless-{}".format(len(held)), "wb", buffering=0)  # noqa: SIM115
        os.unlink(file.name)
        held.append(file)
        size += file.write(b"x" * _STEP)
    return "{} MiB".format(size >> 20)


def many_empty_files(outside):
    """Entries of folders take up the disk, too."""
    for number in range(outside.disk_bytes // 2048):
        os.close(os.open("empty-{}".format(number), os.O_CREAT | os.O_WRONLY, 0o600))
    return "made"


def folders_too_deep_to_delete(outside):
    """The test looks at whether they're gone once the worker has ended."""
    for _ in range(outside.many * 3):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)


def folder_that_nobody_may_enter(outside):
    """As before."""
    os.makedirs("closed/inner")
    os.chmod("closed/inner", 0)
    os.chmod("closed", 0)


def _write(file, limit):
    size = 0
    while size <= limit * 2:
        size += file.write(b"x" * _STEP)
    return "{} MiB".format(size >> 20)
