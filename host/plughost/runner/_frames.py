"""Tables, columns and indexes of pandas, as values that travel already: arrays of numpy's, lists, and objects of these.

Above it: `_projection` and `_restoration`; below it: nothing. Each column is its values and the name of their type, so that the
two ends may have different versions, and neither needs pyarrow. Nothing is pickled. pandas is imported where such a value
arrives, and nowhere else.
"""

from __future__ import annotations

import sys

from ._arrays import library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType as Foreign  # what a library gives: of its types nothing is known here

    Parts = dict[str, object]

__all__ = ["MADE", "NoForm", "parts_of", "plain_of"]

#: The classes of columns in which some values may be missing, by the kind of their values.
_MASKED = {"i": "IntegerArray", "u": "IntegerArray", "f": "FloatingArray", "b": "BooleanArray"}


class NoForm(Exception):
    """A column of a type that can't travel."""


def parts_of(value: object) -> tuple[str, Parts] | None:
    """Type and parts; None of anything that is not of pandas.

    Raises: NoForm: a column is of a type that can't travel.
    """
    pandas = _imported()
    if pandas is None:
        return None
    if isinstance(value, pandas.DataFrame):
        return "frame", _parts_of_frame(value)
    if isinstance(value, pandas.Series):
        return "series", {"values": _column(value), "index": _parts_of_index(value.index), "name": value.name}
    return ("index", _parts_of_index(value)) if isinstance(value, pandas.Index) else None


def plain_of(value: object) -> tuple[object] | None:
    """A table as a list of records, a column as a list, in a tuple of one; None of anything else."""
    pandas = _imported()
    if pandas is None:
        return None
    if isinstance(value, pandas.DataFrame):
        names = [str(name) for name in value.columns]
        columns = [_shown(value.iloc[:, place]) for place in range(len(names))]
        return ([dict(zip(names, row)) for row in zip(*columns)],)  # noqa: B905 - `strict` is Python 3.10's
    return (_shown(value),) if isinstance(value, (pandas.Series, pandas.Index)) else None


def _imported() -> Foreign | None:
    """The library, where somebody has imported it, and not only begun to."""
    pandas = sys.modules.get("pandas")
    return pandas if hasattr(pandas, "DataFrame") and hasattr(pandas, "PeriodDtype") else None


def _parts_of_frame(frame: Foreign) -> Parts:
    numpy = sys.modules["numpy"]
    parts: Parts = {"columns": _parts_of_index(frame.columns), "index": _parts_of_index(frame.index)}
    kinds = set(frame.dtypes)
    only = kinds.pop() if len(kinds) == 1 else None
    if isinstance(only, numpy.dtype) and not only.hasobject:
        return {**parts, "block": frame.to_numpy()}
    return {**parts, "values": [_column(frame.iloc[:, place]) for place in range(len(frame.columns))]}


def _parts_of_index(index: Foreign) -> Parts:
    pandas = sys.modules["pandas"]
    if isinstance(index, pandas.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "name": index.name}
    if isinstance(index, pandas.MultiIndex):
        numpy = sys.modules["numpy"]
        levels = [_parts_of_index(level) for level in index.levels]
        return {"levels": levels, "codes": [numpy.asarray(codes) for codes in index.codes], "names": list(index.names)}
    return {"values": _column(index), "name": index.name, "freq": getattr(index, "freqstr", None)}


def _column(series: Foreign) -> object:
    """The values of a column or an index: an array of numpy's, or an object that says of which type they are."""
    numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
    dtype = series.dtype
    if isinstance(dtype, pandas.SparseDtype):
        return numpy.asarray(series)
    if isinstance(dtype, numpy.dtype):
        return {"type": "object", "items": _items(series)} if dtype.hasobject else series.to_numpy()
    array = series.array
    for holds, parts in _FORMS:
        if holds(pandas, array):
            return {"type": str(dtype), **parts(array)}
    raise NoForm(f"has a column of type `{dtype}`, which has no wire form")


def _stamps(array: Foreign) -> Parts:
    fixed = array.tz.utcoffset(None)
    zone = str(array.tz)
    if fixed is not None and zone != "UTC":
        minutes = round(fixed.total_seconds() / 60)
        zone = "{}{:02}:{:02}".format("-" if minutes < 0 else "+", *divmod(abs(minutes), 60))
    return {"type": "zoned", "zone": zone, "stamps": sys.modules["numpy"].asarray(array, f"M8[{array.dtype.unit}]")}


def _masked(array: Foreign) -> Parts:
    numpy = sys.modules["numpy"]
    return {"data": array.to_numpy(dtype=array.dtype.numpy_dtype, na_value=0), "mask": numpy.asarray(array.isna())}


#: Whether an array is of a type, and its parts if it is.
_FORMS: tuple[tuple[Callable[[Foreign, Foreign], bool], Callable[[Foreign], Parts]], ...] = (
    (
        lambda pandas, array: isinstance(array.dtype, pandas.CategoricalDtype),
        lambda array: {
            "type": "category",
            "codes": array.codes,
            "categories": _parts_of_index(array.categories),
            "ordered": array.ordered,
        },
    ),
    (lambda pandas, array: isinstance(array.dtype, pandas.DatetimeTZDtype), _stamps),
    (
        lambda pandas, array: isinstance(array.dtype, pandas.StringDtype),
        lambda array: {"type": array.dtype.name, "items": _items(array)},
    ),
    (lambda pandas, array: isinstance(array.dtype, pandas.PeriodDtype), lambda array: {"ordinals": array.asi8}),
    (lambda _, array: type(array).__name__ in _MASKED.values(), _masked),
    (
        lambda _, array: type(array).__name__ == "ArrowExtensionArray",
        lambda array: {"type": "arrow", "data": sys.modules["pyarrow"].chunked_array(array.__arrow_array__())},
    ),
)


def _items(values: Foreign) -> list[object]:
    """Python's objects; None for those that pandas has marks of its own for."""
    pandas, numpy = sys.modules["pandas"], sys.modules["numpy"]
    return [None if item is pandas.NA or item is pandas.NaT else item for item in numpy.asarray(values, dtype=object).tolist()]


def _shown(values: Foreign) -> list[object]:
    """As `_items`, with text for what only pandas has."""
    pandas = sys.modules["pandas"]
    own = (pandas.Period, pandas.Interval)
    return [str(item) if isinstance(item, own) else item for item in _items(values)]


# The way back: of parts that are made already.


def _frame(parts: Parts) -> object:
    pandas = library("pandas", "pandas.DataFrame")
    index, columns = _index(parts["index"]), _index(parts["columns"])
    if "block" in parts:
        return pandas.DataFrame(parts["block"], index=index, columns=columns)
    values = parts["values"]
    assert isinstance(values, list)
    frame = pandas.DataFrame({place: _values(column) for place, column in enumerate(values)}, index=index)
    frame.columns = columns
    return frame


def _series(parts: Parts) -> object:
    pandas = library("pandas", "pandas.Series")
    values = _values(parts["values"])
    return pandas.Series(values, index=_index(parts["index"]), name=_name(parts["name"]), dtype=values.dtype)


def _index(parts: object) -> object:
    pandas = library("pandas", "pandas.Index")
    assert isinstance(parts, dict)
    if "range" in parts:
        return pandas.RangeIndex(*parts["range"], name=_name(parts["name"]))
    if "levels" in parts:
        levels, names = [_index(level) for level in parts["levels"]], [_name(name) for name in parts["names"]]
        return pandas.MultiIndex(levels=levels, codes=parts["codes"], names=names)
    values = _values(parts["values"])
    if values.dtype == "object":
        values = _of_items(pandas, {"type": "object", "items": [_name(item) for item in values.tolist()]})
    index = pandas.Index(values, dtype=values.dtype, name=_name(parts["name"]), tupleize_cols=False)
    if parts["freq"] is not None:
        try:
            index.freq = parts["freq"]
        except (ValueError, AttributeError):  # this version calls it otherwise; it can be inferred again
            pass
    return index


def _values(column: object) -> Foreign:
    if not isinstance(column, dict):
        made: Foreign = library("numpy", "numpy.ndarray").asarray(column)
        return made
    return _MAKERS[next(part for part in _MAKERS if part in column)](library("pandas", "pandas.DataFrame"), column)


def _of_items(pandas: Foreign, column: Parts) -> Foreign:
    items, kind = column["items"], column["type"]
    assert isinstance(items, list)
    if kind != "object":
        made: Foreign = pandas.Series(items, dtype=kind).array
        return made
    made = library("numpy", "numpy.ndarray").empty(len(items), dtype=object)
    for place, item in enumerate(items):
        made[place] = item
    return made


def _of_codes(pandas: Foreign, column: Parts) -> Foreign:
    made: Foreign = pandas.Categorical.from_codes(
        column["codes"], categories=_index(column["categories"]), ordered=column["ordered"]
    )
    return made


def _of_stamps(pandas: Foreign, column: Parts) -> Foreign:
    made: Foreign = pandas.DatetimeIndex(column["stamps"]).tz_localize("UTC").tz_convert(column["zone"]).array
    return made


def _of_ordinals(pandas: Foreign, column: Parts) -> Foreign:
    kind = str(column["type"])
    ordinals: Foreign = library("numpy", "numpy.ndarray").asarray(column["ordinals"])
    make = getattr(pandas.PeriodIndex, "from_ordinals", None)  # pandas 2.2
    freq = kind[len("period[") : -1]
    made: Foreign = (make(ordinals, freq=freq) if make else pandas.PeriodIndex(ordinal=ordinals, freq=freq)).array
    return made


def _of_mask(pandas: Foreign, column: Parts) -> Foreign:
    data: Foreign = library("numpy", "numpy.ndarray").asarray(column["data"])
    made: Foreign = getattr(pandas.arrays, _MASKED[data.dtype.kind])(data, column["mask"])
    return made


def _of_arrow(pandas: Foreign, column: Parts) -> Foreign:
    made: Foreign = pandas.arrays.ArrowExtensionArray(column["data"])
    return made


def _name(name: object) -> object:
    """A name as it was: one that can be looked up."""
    return tuple(_name(each) for each in name) if isinstance(name, list) else name


#: By a part that only it has. Arrow's have no part but the data.
_MAKERS: dict[str, Callable[[Foreign, Parts], Foreign]] = {
    "items": _of_items,
    "codes": _of_codes,
    "stamps": _of_stamps,
    "ordinals": _of_ordinals,
    "mask": _of_mask,
    "data": _of_arrow,
}
#: How each type is made of its parts.
MADE: dict[str, Callable[[Parts], object]] = {"frame": _frame, "index": _index, "series": _series}
