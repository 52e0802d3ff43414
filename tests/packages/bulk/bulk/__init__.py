"""Values that are large, or are arrays and tables."""

import array
import os


def echo(value):
    return value


def kind(value):
    """What a value arrived as, and what can be done to it."""
    flags = getattr(value, "flags", None)
    return [
        "{}.{}".format(type(value).__module__, type(value).__qualname__),
        str(getattr(value, "dtype", "")),
        None if flags is None or not hasattr(flags, "owndata") else [bool(flags.writeable), bool(flags.owndata)],
    ]


def make(size: int, kind: str = "bytes"):
    """As many bytes, of that kind."""
    made = bytes(size)
    return {"bytes": made, "bytearray": bytearray(made), "array": array.array("d", made), "str": made.decode()}[kind]


def measure():
    """The process's own memory, that which it shares, its descriptors, and its number."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {name: int(lines[name].split()[0]) for name in ("RssAnon", "RssShmem")}, len(os.listdir("/proc/self/fd")), os.getpid()
