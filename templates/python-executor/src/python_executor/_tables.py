"""Tables and columns of pandas → lists and objects. The labels of rows come along where they say something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["column", "rows"]

_PLAIN = (str, int, float, bool)


def rows(table: Any) -> list[dict[object, object]]:
    """Each row as an object: its labels, where they say something, and then its values."""
    labels = _labels(table.index)
    columns = [table.iloc[:, place].tolist() for place in range(table.shape[1])]
    names = _distinct([*labels, *table.columns.tolist()])
    if not names:
        return [{} for _ in range(len(table))]
    return [dict(zip(names, row)) for row in zip(*labels.values(), *columns)]


def column(series: Any) -> list[object] | dict[object, object]:
    """The values; by their labels, where these say something."""
    values: list[object] = series.tolist()
    if not _labels(series.index):
        return values
    return dict(zip(_distinct(series.index.tolist()), values))


def _labels(index: Any) -> dict[object, list[object]]:
    """What stands in front of the rows, by names. That they are numbered, and nothing else, says nothing."""
    names = list(index.names)
    if names == [None] and getattr(index.dtype, "kind", "") in "iu":
        return {}
    if len(names) == 1:
        return {"index" if names[0] is None else names[0]: index.tolist()}
    return {
        "level {}".format(place) if name is None else name: index.get_level_values(place).tolist()
        for place, name in enumerate(names)
    }


def _distinct(names: Iterable[object]) -> list[object]:
    """The names as keys; of those that are there twice, the later ones with a number."""
    taken: dict[object, None] = {}
    for name in names:
        key = name if type(name) in _PLAIN else str(name)
        distinct, number = key, 1
        while distinct in taken:
            distinct, number = "{}.{}".format(key, number), number + 1
        taken[distinct] = None
    return list(taken)
