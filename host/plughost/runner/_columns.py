"""Arrays and tables of what JSON has instead of them: lists, and records as a list of objects.

Above it: `_making`; below it: the plugin's own libraries, which it has imported, since it has an annotation of theirs.
"""

from __future__ import annotations

import array
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._annotations import Meaning

__all__ = ["MAKERS"]


def _numbers(_meaning: Meaning, value: object) -> object:
    if not isinstance(value, list):
        raise TypeError("it is made of a list of numbers")
    return array.array("q" if all(isinstance(number, int) for number in value) else "d", value)


def _ndarray(_meaning: Meaning, value: object) -> object:
    return sys.modules["numpy"].asarray(value)


def _series(meaning: Meaning, value: object) -> object:
    return meaning.type(value)


def _frame(meaning: Meaning, value: object) -> object:
    to_pandas: Callable[[], object] | None = getattr(value, "to_pandas", None)
    return meaning.type(value) if to_pandas is None else to_pandas()


def _arrow_table(meaning: Meaning, value: object) -> object:
    kind = sys.modules["pyarrow"].RecordBatch if meaning.type.__name__ == "RecordBatch" else sys.modules["pyarrow"].Table
    return kind.from_pylist(value) if isinstance(value, list) else kind.from_pandas(value)


def _arrow_array(meaning: Meaning, value: object) -> object:
    arrow = sys.modules["pyarrow"]
    return arrow.chunked_array([value]) if meaning.type.__name__ == "ChunkedArray" else arrow.array(value)


#: By the kind of an annotation: what makes a value of it that is none yet.
MAKERS: dict[str, Callable[[Meaning, object], object]] = {
    "arrow-array": _arrow_array,
    "arrow-table": _arrow_table,
    "frame": _frame,
    "ndarray": _ndarray,
    "numbers": _numbers,
    "series": _series,
}
