"""The result of a run, in a form that travels to any host.

What JSON has travels as it is, and so do the dates, bytes and sets for which plughost has forms; they are made plain, so that no
method of the code's own runs once the answer is on its way. Arrays and tables become lists, because a host may have no numpy; who
has it may ask for them as they are. Of all else, what is shown is its `repr`.
"""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import enum
import pathlib
import sys
import uuid
from typing import TYPE_CHECKING

from . import _tables
from ._alarm import TimeIsUp, within
from ._shown import TOO_SLOW, kind, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    Text = TypeVar("Text", str, memoryview)

__all__ = ["sendable"]

#: What is larger is shown instead, whether by number of items or by length of text. It belongs into a file.
_MOST_ITEMS = 500_000
_MOST_TEXT = 20_000_000
_MOST_LEVELS = 50
#: So long may all of it take, and so long one value's `repr`, which is anybody's code; a few may take longer.
_MOST_S, _MOST_SHOWN_S, _MOST_SLOW = 10.0, 1.0, 3
_MOST_BITS = 14_000  # of an integer with up to 4,200 digits: Python reads no more than 4,300

_PLAIN = (
    type(None),
    bool,
    float,
    complex,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
)

_NUMBERS = {float, bool, type(None)}
_LARGE = 1 << 64

_LIBRARIES = ("numpy", "pandas", "pyarrow")


class _TooLarge(Exception):
    """There is more in it than travels."""


class _Unsendable(Exception):
    """It has no form that travels."""


def sendable(value: object, *, arrays: bool = False) -> object:
    """The value as it travels; with `arrays`, those of numpy and the tables of pandas and pyarrow as what they are."""
    try:
        with within(_MOST_S):
            return _Form(arrays).of(value, 0)
    except TimeIsUp:
        return TOO_SLOW
    except _TooLarge:
        return "<{}, too large to send: {}>".format(kind(value), _shown(value))
    except Exception:  # of methods of the value's own
        return _shown(value)


class _Form:
    def __init__(self, arrays: bool) -> None:
        self._arrays = arrays
        self._items = 0
        self._text = 0
        self._open: set[int] = set()
        self._slow = 0

    def of(self, value: object, level: int) -> object:
        self._items += 1
        if self._items > _MOST_ITEMS:
            raise _TooLarge
        if type(value) in _PLAIN:
            return value
        if id(value) in self._open or level > _MOST_LEVELS:
            return self._shown(value)
        self._open.add(id(value))
        try:
            return self._of_base(value, level)
        except _Unsendable:
            return self._shown(value)
        finally:
            self._open.discard(id(value))

    def _of_base(self, value: object, level: int) -> object:
        if isinstance(value, enum.Enum):
            return self.of(value.value, level + 1)
        if type(value).__module__.split(".")[0] in _LIBRARIES:
            return self._of_library(value, level)
        if isinstance(value, str):
            return self._measured(str.__str__(value))
        if isinstance(value, int):
            if value.bit_length() > _MOST_BITS:
                raise _Unsendable
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, (bytes, bytearray)):
            return bytes(self._measured(memoryview(value)))
        if isinstance(value, (dict, list, tuple, set, frozenset, array.array)) and self._items + len(value) > _MOST_ITEMS:
            raise _TooLarge
        if isinstance(value, dict):
            return self._of_dict(value, level)
        if isinstance(value, (list, tuple)):
            return self._list(list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value), level)
        if isinstance(value, (set, frozenset)):
            return self._of_set(value, level)
        if isinstance(value, array.array):
            return self._list(value, level)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: self.of(getattr(value, field.name), level + 1) for field in dataclasses.fields(value)}
        raise _Unsendable

    def _of_dict(self, value: dict[object, object], level: int) -> object:
        sent: dict[object, object] = {}
        for key, item in dict.items(value):
            sent[key if type(key) in (str, int, float, bool, type(None)) else self._shown(key)] = self.of(item, level + 1)
        return sent

    def _of_set(self, value: Iterable[object], level: int) -> object:
        items = self._list(value, level)
        try:
            return set(items)
        except TypeError:
            return items

    def _list(self, values: Iterable[object], level: int) -> list[object]:
        items = list(values)
        if _is_plain(items):  # as columns of tables are, which may be long
            self._items += len(items)
            if self._items > _MOST_ITEMS:
                raise _TooLarge
            return items
        return [self.of(item, level + 1) for item in items]

    def _measured(self, value: Text) -> Text:
        self._text += len(value)
        if self._text > _MOST_TEXT:
            raise _TooLarge
        return value

    # numpy, pandas and pyarrow, which are there if a value is theirs.

    def _of_library(self, value: object, level: int) -> object:
        numpy, pandas, pyarrow = (sys.modules.get(name) for name in _LIBRARIES)
        if numpy is not None and isinstance(value, numpy.generic):
            return self.of(value.item(), level + 1)
        if numpy is not None and isinstance(value, numpy.ndarray):
            return self._array(value, value.size, value.tolist, level)
        if pandas is not None:
            if value is pandas.NaT or value is pandas.NA:
                return None
            if isinstance(value, pandas.Timestamp):
                return value.to_pydatetime(warn=False)
            if isinstance(value, pandas.Timedelta):
                return value.to_pytimedelta()
            if isinstance(value, pandas.Index):
                return self._array(value, value.size, value.tolist, level)
            if isinstance(value, pandas.Series):
                return self._array(value, value.size, lambda: _tables.column(value), level)
            if isinstance(value, pandas.DataFrame):
                return self._array(value, value.size, lambda: _tables.rows(value), level)
        if pyarrow is not None:
            if isinstance(value, pyarrow.Scalar):
                return self.of(value.as_py(), level + 1)
            if isinstance(value, (pyarrow.Array, pyarrow.ChunkedArray)):
                return self._array(value, len(value), value.to_pylist, level)
            if isinstance(value, (pyarrow.Table, pyarrow.RecordBatch)):
                return self._array(value, value.num_rows * value.num_columns, value.to_pylist, level)
        raise _Unsendable

    def _array(self, value: object, size: int, listed: Callable[[], object], level: int) -> object:
        if self._arrays and not _has_no_form(value):
            return value
        if self._items + size > _MOST_ITEMS:
            raise _TooLarge
        return self.of(listed(), level + 1)

    def _shown(self, value: object) -> str:
        if self._slow >= _MOST_SLOW:
            return TOO_SLOW
        text = _shown(value)
        self._slow += text is TOO_SLOW
        return text


def _shown(value: object) -> str:
    try:
        with within(_MOST_SHOWN_S):
            return short(value)
    except TimeIsUp:
        return TOO_SLOW


def _is_plain(items: list[object]) -> bool:
    """Whether all of them surely travel as they are: told without looking at each of them by itself."""
    kinds = set(map(type, items))
    if kinds <= _NUMBERS:
        return True
    return kinds == {int} and -_LARGE < min(items) <= max(items) < _LARGE


def _has_no_form(array: object) -> bool:
    """Whether it is an array that doesn't travel as one: of objects, or with a mask."""
    is_masked = hasattr(array, "mask") and hasattr(array, "filled")
    return is_masked or bool(getattr(getattr(array, "dtype", None), "hasobject", False))
