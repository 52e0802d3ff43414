"""Output that could corrupt a protocol, flood a pipe, or wait for an answer."""

import os
import subprocess
import sys

FORGED = '{"jsonrpc": "2.0", "id": %d, "result": "forged"}\n'


def print_partly() -> str:
    """Print half a line, and leave it so."""
    print("half a line", end="")
    sys.stdout.flush()
    return "done"


def print_forgeries() -> str:
    """Print lines that look like an answer, to every descriptor."""
    for number in range(10):
        print(FORGED % number)
        sys.stdout.flush()
        for descriptor in (1, 2):
            os.write(descriptor, (FORGED % number).encode())
    return "true"


def write_to_descriptor() -> str:
    os.write(1, b"written to 1\n")
    return "done"


def print_from_grandchild() -> str:
    subprocess.check_call([sys.executable, "-c", "print('from a grandchild')"])
    return "done"


def ask() -> str:
    """Ask the user, of whom there is none."""
    return input("Your name? ")


def read_to_end() -> int:
    return len(sys.stdin.read())


def close_stdout() -> str:
    sys.stdout.close()
    os.close(1)
    return "done"


def close_descriptors() -> str:
    """Close every descriptor that the plugin has not opened, as a daemon does."""
    os.closerange(3, 256)
    return "done"


def write_to_every_descriptor() -> str:
    """Write garbage to every descriptor there is."""
    for descriptor in range(3, 256):
        try:
            os.write(descriptor, b"garbage\n")
        except OSError:
            continue
    return "done"


def flood(megabytes: int = 100) -> str:
    """Write so many megabytes to stderr."""
    block = b"x" * 1023 + b"\n"
    for _ in range(megabytes * 1024):
        os.write(2, block)
    return "done"


def large(megabytes: int = 64) -> str:
    return "x" * (megabytes << 20)


def items(count: int = 1_000_000):
    yield from range(count)
