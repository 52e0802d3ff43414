"""Which wheels fit an interpreter on this machine."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from packaging.tags import Tag

    from plughost._interpreters import Interpreter

__all__ = ["tags_in_order", "tags_of"]


def tags_in_order(python: Interpreter) -> list[Tag]:
    """The tags of the wheels that `python` takes, on this machine, the most exact first.

    As if it were CPython: a wheel missed may be built instead.
    """
    from packaging import tags

    series = tuple(int(part) for part in python.series.split("."))
    return [*tags.cpython_tags(series), *tags.compatible_tags(series, f"cp{series[0]}{series[1]}")]


def tags_of(wheel: str) -> frozenset[Tag]:
    """The tags that the wheel of that file name bears; none if it is no wheel's name."""
    from urllib.parse import unquote

    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(unquote(wheel))[3]
    except InvalidWheelFilename:
        return frozenset()
