"""A host that has numpy, pandas and pyarrow: sends values there and back, and prints which did not arrive as they were.

`test_bulk` runs it in an environment of the plugin's, with the store that has the plugins `bulk`, `newest` and `older`.
"""

from __future__ import annotations

import datetime as dt
import json
import sys

import numpy as np
import pandas as pd
import pyarrow as pa

from plughost import Host
from plughost.errors import PlughostError
from plughost.runner import wire

FRAME = pd.DataFrame({"number": [1, 2, 3], "text": ["x", None, "z"], "flag": [True, False, True]})
MOMENTS = pd.date_range("2024", periods=3, freq="D")

ARRAYS = {
    "floats": np.arange(6.0).reshape(2, 3),
    "halves": np.array([1.5, np.nan], "f2"),
    "complex": np.array([1 + 2j]),
    "truths": np.array([True, False]),
    "moments": np.array(["2024-01-01", "NaT"], "M8[ns]"),
    "spans": np.array([1, 2], "m8[s]"),
    "records": np.array([(1, 2.5, b"ab")], [("a", "<i4"), ("b", "<f8"), ("c", "S3")]),
    "nested records": np.zeros(2, [("p", [("x", "f4"), ("y", "f4")]), ("m", "i2", (2, 3))]),
    "padded records": np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "columns first": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "every other": np.arange(20.0).reshape(4, 5)[::2, 1:4],
    "empty": np.zeros((0, 3)),
    "of no dimension": np.array(3.5),
    "texts": np.array(["aé", "b"]),
    "big-endian": np.arange(3, dtype=">i4"),
    "objects": np.array([1, "a", None, [1, 2]], dtype=object),
    "large": np.arange(100_000.0),
    "large and columns first": np.asfortranarray(np.arange(100_000.0).reshape(100, 1000)),
}
SCALARS = {
    "integer": (np.int64(5), 5),
    "float": (np.float32(1.5), 1.5),
    "truth": (np.bool_(True), True),  # noqa: FBT003
    "date": (np.datetime64("2024-02-29"), dt.date(2024, 2, 29)),
    "moment": (np.datetime64("2024-02-29T01:02:03.000004005"), dt.datetime(2024, 2, 29, 1, 2, 3, 4)),  # noqa: DTZ001
    "span": (np.timedelta64(5, "s"), dt.timedelta(seconds=5)),
    "key": ({np.int64(3): 1}, {"3": 1}),
    "arrow": (pa.scalar(5), 5),
}
TABLES = {
    "table": FRAME,
    "numbers": pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}),
    "zones": pd.DataFrame({"t": MOMENTS.tz_localize("Europe/Berlin"), "u": MOMENTS, "v": MOMENTS.tz_localize("UTC")}),
    "times as index": pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=MOMENTS.rename("when")),
    "categories": pd.DataFrame({"c": pd.Categorical(["a", None], categories=["b", "a"], ordered=True)}),
    "missing": pd.DataFrame({"i": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}),
    "levels": pd.DataFrame(
        [[1, 2], [3, 4]],
        columns=pd.MultiIndex.from_product([["a"], ["x", "y"]], names=["l", "m"]),
        index=pd.MultiIndex.from_tuples([("p", 1), ("q", 2)]),
    ),
    "nothing": pd.DataFrame(),
    "no columns": pd.DataFrame(index=[1, 2, 3]),
    "one name twice": pd.DataFrame([[1, "a"]], columns=["x", "x"]),
    "periods": pd.DataFrame({"p": pd.period_range("2024-01", periods=2, freq="D")}),
    "values of all kinds": pd.DataFrame({"o": pd.Series([{"a": 1}, [1], dt.date(2024, 1, 1)], dtype=object)}),
    "large": pd.DataFrame({"a": np.arange(50_000), "b": np.arange(50_000.0), "c": ["text"] * 50_000}),
    "series": pd.Series([1, 2], name="n", index=[3, 4]),
    "texts": pd.Series(["a", "b"]),
    "index": pd.Index([1, 2], name="q"),
    "range": pd.RangeIndex(3),
}
ARROW = {
    "table": pa.table({"a": [1, 2, None], "s": ["x", None, "z"], "d": pa.array(["a", "b", "a"]).dictionary_encode()}),
    "batch": pa.record_batch({"a": [1, 2]}),
    "array": pa.array([1, None, 3]),
    "chunks": pa.chunked_array([[1], [2]]),
    "empty": pa.array([], pa.string()),
    "slice": pa.array(range(10)).slice(3, 4),
    "no columns": pa.table({}),
    "large": pa.table({"a": range(50_000)}),
}
ASSERTIONS = {
    pd.DataFrame: pd.testing.assert_frame_equal,
    pd.Series: pd.testing.assert_series_equal,
    pd.Index: pd.testing.assert_index_equal,
}


def is_same_array(arrived: object, sent: np.ndarray) -> bool:
    assert isinstance(arrived, np.ndarray)
    assert arrived.flags.owndata
    assert arrived.flags.writeable
    assert (arrived.dtype, arrived.shape) == (sent.dtype, sent.shape)
    assert arrived.flags.f_contiguous == (sent.flags.f_contiguous or sent.ndim < 2)
    return repr(arrived.tolist()) == repr(sent.tolist())  # in which NaN is NaN


def is_same_table(arrived: object, sent: object) -> bool:
    kind = next(kind for kind in ASSERTIONS if isinstance(sent, kind))
    ASSERTIONS[kind](arrived, sent)
    return True


def is_same_table_of_an_earlier_version(arrived: object, sent: object) -> bool:
    """Before pandas 3 there was no type of its own for text."""
    if isinstance(sent, pd.DataFrame):
        own = {"check_dtype": False, "check_column_type": False, "check_index_type": False, "check_categorical": False}
        pd.testing.assert_frame_equal(arrived, sent, **own)
        return True
    return arrived.equals(sent.astype(arrived.dtype))


def failures(host: Host, plugin: str) -> list[str]:
    """Those of the values that don't come back as they were from the plugin."""
    cases = [(name, sent, sent, is_same_array) for name, sent in ARRAYS.items()]
    table = is_same_table_of_an_earlier_version if plugin == "older" else is_same_table
    cases += [(name, sent, sent, table) for name, sent in TABLES.items()]
    cases += [
        (name, *pair, lambda arrived, sent: (arrived, type(arrived)) == (sent, type(sent))) for name, pair in SCALARS.items()
    ]
    if plugin == "newest":
        cases += [(name, sent, sent, lambda arrived, sent: arrived.equals(sent)) for name, sent in ARROW.items()]
    found = []
    for name, sent, expected, is_same in cases:
        try:
            wire.encode(wire.plain(sent))
            is_right = is_same(host.call(plugin, "echo", sent), expected)
        except (AssertionError, PlughostError, wire.WireError) as error:
            found.append(f"{plugin}: {name}: {type(error).__name__}: {error}")
        else:
            found += [] if is_right else [f"{plugin}: {name}"]
    return found


def refusals(host: Host) -> list[str]:
    """What is said of values that the other end has no library for, or that have no wire form."""
    said = []
    for value in (ARRAYS["floats"], TABLES["table"], ARROW["table"], np.ma.array([1], mask=[True])):
        try:
            host.call("bulk", "echo", {"here": value})
        except PlughostError as error:
            said.append(str(error))
    return said


def swellings() -> list[str]:
    """What is said of tables of a few bytes that would become any number."""
    said = []
    for codec in ("zstd", "lz4"):
        for table in (pa.table({"": np.zeros(10**7)}), pa.table({"": pa.array(["a", "b", "a"]).dictionary_encode()})):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
                writer.write(table)
            message = {"result": None, "types": {"arrow-table": [[]]}}
            wire.restore(message, [memoryview(sink.getvalue())])
            said.append(message["error"]["message"])
    return said


if __name__ == "__main__":
    with Host(store=sys.argv[1]) as host:
        found = failures(host, "newest") + failures(host, "older")
        json.dump({"failures": found, "refusals": refusals(host), "swellings": swellings()}, sys.stdout)
