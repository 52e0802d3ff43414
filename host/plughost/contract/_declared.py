"""What a plugin declares of how it is run: keys of its own in `[tool.plughost]` of its `pyproject.toml`.

Above it: the source tree, which reads them, the settings, which leave them alone, and the host, whose app has the last word;
below it: nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DECLARED_KEYS", "declared_in", "misfit"]

#: The keys of that table that are a plugin's word on itself, and no settings of whoever works in its folder.
DECLARED_KEYS = ("isolation", "concurrency", "permissions")

_ISOLATIONS = ("worker", "call")
_MOST_CONCURRENT = 1024


def misfit(key: str, value: object) -> str:
    """What `key` takes, in words, if that is not `value`; else the empty text."""
    if key == "isolation":
        return "" if value in _ISOLATIONS else '`"call"`, for a fresh process for each call, or `"worker"`'
    if key == "concurrency":
        fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_CONCURRENT
        return "" if fits else f"a whole number from 1 to {_MOST_CONCURRENT}"
    if key == "permissions":  # whoever reads them knows what may be in it
        return "" if isinstance(value, dict) else "a table of what a policy has, such as `network` and `read`"
    return ""


def declared_in(record: Mapping[str, object]) -> dict[str, object]:
    """The declarations in a table or a manifest, as far as they are sound."""
    return {key: record[key] for key in DECLARED_KEYS if key in record and not misfit(key, record[key])}
