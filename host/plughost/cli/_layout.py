"""How sizes, durations and tables are written for people.

Above it: the commands; below it: nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["columns", "duration_text", "size_text"]

_STEP = 1024


def columns(rows: Sequence[Sequence[str]], *, left: int | None = None) -> Iterator[str]:
    """A line for each row. The first `left` columns, by default all, begin below each other, and the others end so."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        at = len(row) if left is None else left
        yield "  ".join([*map(str.ljust, row[:at], widths), *map(str.rjust, row[at:], widths[at:])]).rstrip()


def size_text(size_bytes: float) -> str:
    """A size for people: `12.3 MiB`."""
    units = iter(("KiB", "MiB", "GiB"))
    unit = "B"
    while size_bytes >= _STEP and (larger := next(units, None)):
        size_bytes, unit = size_bytes / _STEP, larger
    return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"


def duration_text(seconds: float) -> str:
    """A duration for people, with three digits or so."""
    if seconds < 1e-3:  # noqa: PLR2004 - a millisecond
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"  # noqa: PLR2004
