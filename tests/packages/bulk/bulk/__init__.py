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


def tables():
    """One after the other, what libraries have for arrays and tables."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    frame = pd.DataFrame({"city": ["Bern", "Thun"], "at": pd.to_datetime(["2024-01-01", "NaT"])}, index=["a", "b"])
    yield from (
        np.arange(4).reshape(2, 2),
        np.array([1.5, np.nan]),
        np.array(["2024-01-01"], "M8[D]"),
        np.array([1, "a"], object),
    )
    yield from (frame, frame["city"], pa.table({"x": [1, None]}), np.zeros(20_000, "u1"))


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
