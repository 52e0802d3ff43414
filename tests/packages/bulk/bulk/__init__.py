"""Values that are large, or are arrays and tables."""

import array
import os


def echo(value):
    return value


def kind(value):
    """What a value arrived as, and whether it is the tool's own to change."""
    flags = getattr(value, "flags", None)
    own = [bool(flags.writeable), bool(flags.owndata)] if hasattr(flags, "owndata") else None
    return ["{}.{}".format(type(value).__module__, type(value).__qualname__), str(getattr(value, "dtype", "")), own]


def make(size: int, kind: str = "bytes"):
    """As many bytes, of that kind."""
    made = bytes(size)
    return {"bytes": made, "bytearray": bytearray(made), "array": array.array("d", made), "str": made.decode()}[kind]


def grid(rows: int):
    """An array of numpy's, which the plugin has and its host may lack."""
    import numpy as np

    return {"grid": np.zeros((rows, 2))}


def stream(count: int, size: int):
    for number in range(count):
        yield bytes([number % 256]) * size


def forbid():
    """From now on this process makes no memory to share."""
    del os.memfd_create


def crash(data: bytes):
    os._exit(len(data) % 7)


def measure():
    """What of the process's memory is shared, how many descriptors it has, and its number."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    shared_bytes = int(lines["RssShmem"].split()[0]) << 10
    return {"shared": shared_bytes, "descriptors": len(os.listdir("/proc/self/fd")), "pid": os.getpid()}
