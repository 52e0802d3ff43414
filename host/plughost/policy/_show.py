"""Policies for people: the table that a policy is written as, and the words for its values.

Above it: what shows and records policies; below it: the record.
"""

from __future__ import annotations

from plughost.policy._fields import KEYS, PRESET, TIMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Recorded(Protocol):
        """A preset."""

        def as_record(self) -> dict[str, object]: ...


__all__ = ["mapping_of", "shown_value", "written"]

_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def mapping_of(record: Mapping[str, object], presets: Mapping[str, Recorded]) -> dict[str, object]:
    """The shortest table that is read as this policy."""
    tables = []
    for preset, base in presets.items():
        values = base.as_record()
        differing = {name: value for name, value in record.items() if value != values[name]}
        tables.append({**({} if preset == "default" else {PRESET: preset}), **written(differing)})
    return min(tables, key=len)


def written(terms: Mapping[str, object]) -> dict[str, object]:
    """The terms by their keys, with sizes and times for people."""
    return {key: _written(field, terms[field]) for key, field in KEYS.items() if field in terms}


def shown_value(field: str, value: object) -> str:
    """The value of a field, in words."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    written = _written(field, value)
    return f"{written} s" if field in TIMES and isinstance(value, int | float) and not isinstance(written, str) else str(written)


def _written(field: str, value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if value is None:
        return "unlimited"
    if field in TIMES:
        return f"{value:g} s"
    if field.endswith("_bytes") and isinstance(value, int):
        for unit, size in _UNITS:
            if value % size == 0:
                return f"{value // size} {unit}"
    return value
