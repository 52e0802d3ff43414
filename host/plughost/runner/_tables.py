"""Tables and columns of pandas and pyarrow, as values that travel already: arrays, lists and objects of these.

Above it: `_projection` and `_restoration`; below it: the rules for arrays. As there, nothing is imported on the way out, and nothing
is pickled. A pandas table travels column by column, each as its values and the name of its type, so that the two ends may have
different versions, and neither needs pyarrow. A pyarrow table travels in Arrow's own format for streams.
"""

from __future__ import annotations

import sys

from ._arrays import library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType as Foreign  # what a library gives, of whose types nothing is known here

    from ._arrays import Buffer

    Parts = dict[str, object]

__all__ = ["ARROW", "PANDAS", "NoForm", "arrow_leaf_of", "parts_of", "plain_of"]

_ARROW_TYPES = (
    ("Table", "arrow-table"),
    ("RecordBatch", "arrow-batch"),
    ("ChunkedArray", "arrow-chunks"),
    ("Array", "arrow-array"),
)
_PANDAS_TYPES = (("DataFrame", "frame"), ("Series", "series"), ("Index", "index"))
_MASKED = {"i": "IntegerArray", "u": "IntegerArray", "f": "FloatingArray", "b": "BooleanArray"}


class NoForm(Exception):
    """A column of a type that can't travel."""


# The way out.


def arrow_leaf_of(value: Foreign) -> tuple[str, object, Buffer] | None:
    """Type, projection and bytes of a table or array of pyarrow's; None of anything else."""
    arrow = sys.modules.get("pyarrow")
    for name, kind in _ARROW_TYPES if arrow is not None else ():
        if isinstance(value, getattr(arrow, name, ())):
            return kind, None, _stream_of(sys.modules["pyarrow"], value, is_column=kind in {"arrow-array", "arrow-chunks"})
    return None


def _stream_of(arrow: Foreign, value: Foreign, *, is_column: bool) -> memoryview:
    if is_column:
        value = arrow.table({"": value})
    sink = arrow.BufferOutputStream()
    with arrow.RecordBatchStreamWriter(sink, value.schema) as writer:
        writer.write(value)
    return memoryview(sink.getvalue()).cast("B")


def parts_of(value: Foreign) -> tuple[str, Parts] | None:
    """Type and parts of a table, column or index of pandas; None of anything else.

    Raises: NoForm: a column of it is of a type that can't travel.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None
    if isinstance(value, getattr(pandas, "DataFrame", ())):
        return "frame", _frame_parts(pandas, value)
    if isinstance(value, getattr(pandas, "Series", ())):
        return "series", {"values": _column(pandas, value.array), "index": _index(pandas, value.index), "name": value.name}
    return ("index", _index(pandas, value)) if isinstance(value, getattr(pandas, "Index", ())) else None


def _frame_parts(pandas: Foreign, frame: Foreign) -> Parts:
    kinds = set(frame.dtypes)
    numpy = sys.modules["numpy"]
    if len(kinds) == 1 and isinstance(next(iter(kinds)), numpy.dtype) and next(iter(kinds)) != object:
        values: Parts = {"block": frame.to_numpy()}
    else:
        values = {"values": [_column(pandas, frame.iloc[:, number].array) for number in range(len(frame.columns))]}
    return {"columns": _index(pandas, frame.columns), "index": _index(pandas, frame.index), **values}


def _index(pandas: Foreign, index: Foreign) -> Parts:
    if isinstance(index, pandas.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "name": index.name}
    if isinstance(index, pandas.MultiIndex):
        levels = [_index(pandas, level) for level in index.levels]
        return {"levels": levels, "codes": [pandas.array(codes).to_numpy() for codes in index.codes], "names": list(index.names)}
    parts: Parts = {"values": _column(pandas, index.array), "name": index.name}
    if getattr(index, "freqstr", None) is not None and isinstance(index, (pandas.DatetimeIndex, pandas.TimedeltaIndex)):
        parts["freq"] = index.freqstr
    return parts


def _column(pandas: Foreign, array: Foreign) -> object:
    """The values of a column: an array of numpy's, or an object that says of which type they are."""
    dtype = array.dtype
    numpy = sys.modules["numpy"]
    if isinstance(dtype, pandas.SparseDtype):
        array = numpy.asarray(array)
        dtype = array.dtype
    if isinstance(dtype, numpy.dtype):
        return {"dtype": "object", "items": _items(pandas, array)} if dtype == object else numpy.asarray(array)
    name = str(dtype)
    if isinstance(dtype, pandas.CategoricalDtype):
        return {"dtype": "category", "codes": array.codes, "categories": _index(pandas, array.categories), "ordered": array.ordered}
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return {"dtype": f"datetime64[{dtype.unit}, {_zone(dtype.tz)}]", "stamps": numpy.asarray(array, "M8[" + dtype.unit + "]")}
    if isinstance(dtype, pandas.StringDtype):
        return {"dtype": dtype.name if name != "str" else name, "items": _items(pandas, array)}
    if isinstance(dtype, pandas.PeriodDtype):
        return {"dtype": name, "ordinals": array.asi8}
    if type(array).__name__ in _MASKED.values():
        mask = numpy.asarray(array.isna())
        return {"dtype": name, "data": array.to_numpy(dtype=dtype.numpy_dtype, na_value=0), "mask": mask}
    if type(array).__name__ == "ArrowExtensionArray":
        return {"dtype": "arrow", "data": sys.modules["pyarrow"].chunked_array(array.__arrow_array__())}
    raise NoForm(f"has a column of type `{name}`, which has no wire form")


def _items(pandas: Foreign, array: Foreign) -> list[object]:
    """The values as Python objects; None for those that pandas has marks of its own for."""
    missing = (pandas.NA, pandas.NaT)
    return [None if any(item is mark for mark in missing) else item for item in sys.modules["numpy"].asarray(array, object).tolist()]


def _zone(zone: Foreign) -> str:
    fixed = zone.utcoffset(None)
    if fixed is None or str(zone) == "UTC":
        return str(zone)
    minutes = round(fixed.total_seconds() / 60)
    return "{}{:02}:{:02}".format("-" if minutes < 0 else "+", *divmod(abs(minutes), 60))


def plain_of(value: Foreign) -> tuple[object] | None:
    """A table as a list of records, a column as a list, in a tuple of one; None of anything else."""
    arrow, pandas = sys.modules.get("pyarrow"), sys.modules.get("pandas")
    if arrow is not None and isinstance(value, tuple(getattr(arrow, name) for name, _ in _ARROW_TYPES)):
        return (value.to_pylist(),)
    if pandas is not None and isinstance(value, pandas.DataFrame):
        columns = [_items(pandas, value.iloc[:, number].array) for number in range(len(value.columns))]
        names = [str(name) for name in value.columns]
        return ([dict(zip(names, row)) for row in zip(*columns)],)
    if pandas is not None and isinstance(value, (pandas.Series, pandas.Index)):
        return (_items(pandas, value.array),)
    return None


# The way back: from the parts, whose own values are made already.


def _frame(parts: Parts) -> object:
    pandas = library("pandas", "pandas.DataFrame")
    index = _made_index(pandas, parts["index"])
    columns = _made_index(pandas, parts["columns"])
    if "block" in parts:
        return pandas.DataFrame(parts["block"], index=index, columns=columns)
    values = parts["values"]
    assert isinstance(values, list)
    frame = pandas.DataFrame({number: _made_column(pandas, each) for number, each in enumerate(values)}, index=index)
    frame.columns = columns
    return frame


def _series(parts: Parts) -> object:
    pandas = library("pandas", "pandas.Series")
    made = pandas.Series(_made_column(pandas, parts["values"]), index=_made_index(pandas, parts["index"]))
    return made.rename(_name(parts["name"]))


def _index_made(parts: Parts) -> object:
    return _made_index(library("pandas", "pandas.Index"), parts)


def _made_index(pandas: Foreign, parts: object) -> Foreign:
    assert isinstance(parts, dict)
    if "range" in parts:
        return pandas.RangeIndex(*parts["range"], name=_name(parts["name"]))
    if "levels" in parts:
        levels = [_made_index(pandas, level) for level in parts["levels"]]
        names = [_name(name) for name in parts["names"]]
        return pandas.MultiIndex(levels=levels, codes=parts["codes"], names=names, verify_integrity=True)
    values = _made_column(pandas, parts["values"])
    index = pandas.Index(values, dtype=values.dtype, name=_name(parts["name"]))
    try:
        index.freq = parts["freq"]
    except (KeyError, ValueError, AttributeError):  # there is none, or this version calls it otherwise
        pass
    return index


def _made_column(pandas: Foreign, column: object) -> Foreign:
    if not isinstance(column, dict):
        return pandas.Series(column).array if column is None else column  # an array of numpy's
    dtype = column["dtype"]
    if dtype == "object":
        made = library("numpy", "numpy.ndarray").empty(len(column["items"]), dtype=object)
        made[:] = column["items"]
        return made
    if "items" in column:
        return pandas.Series(column["items"], dtype=dtype).array
    if dtype == "category":
        categories = _made_index(pandas, column["categories"])
        return pandas.Categorical.from_codes(column["codes"], categories=categories, ordered=column["ordered"])
    if "stamps" in column:
        zone = dtype.partition(", ")[2].rstrip("]")
        return pandas.DatetimeIndex(column["stamps"]).tz_localize("UTC").tz_convert(zone).array
    if "ordinals" in column:
        return pandas.PeriodIndex.from_ordinals(column["ordinals"], freq=dtype[7:-1]).array
    if dtype == "arrow":
        return pandas.arrays.ArrowExtensionArray(column["data"])
    return getattr(pandas.arrays, _MASKED[column["data"].dtype.kind])(column["data"], column["mask"])


def _name(name: object) -> object:
    return tuple(_name(each) for each in name) if isinstance(name, list) else name


def _arrow_made(view: Buffer, name: str) -> Foreign:
    arrow = library("pyarrow", "pyarrow." + name)
    with arrow.ipc.open_stream(arrow.py_buffer(bytes(view))) as reader:
        table = reader.read_all()
    # It may come from a hostile plugin: Arrow trusts the offsets in a column that nobody has looked at.
    table.validate(full=True)
    return table


def _arrow_table(view: Buffer) -> object:
    return _arrow_made(view, "Table")


def _arrow_batch(view: Buffer) -> object:
    table = _arrow_made(view, "RecordBatch")
    batches: Sequence[object] = table.combine_chunks().to_batches()
    return batches[0] if batches else sys.modules["pyarrow"].RecordBatch.from_pylist([], schema=table.schema)


def _arrow_chunks(view: Buffer) -> object:
    return _arrow_made(view, "ChunkedArray").column(0)


def _arrow_array(view: Buffer) -> object:
    column = _arrow_made(view, "Array").column(0)
    return column.chunk(0) if column.num_chunks == 1 else sys.modules["pyarrow"].concat_arrays([*column.chunks, column.slice(0, 0).combine_chunks()])


#: Types that have a frame, and types that are made of parts.
ARROW: dict[str, Callable[[Buffer], object]] = {
    "arrow-array": _arrow_array,
    "arrow-batch": _arrow_batch,
    "arrow-chunks": _arrow_chunks,
    "arrow-table": _arrow_table,
}
PANDAS: dict[str, Callable[[Parts], object]] = {"frame": _frame, "index": _index_made, "series": _series}
