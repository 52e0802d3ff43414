"""What somebody's JSON or TOML has, taken for what it should be: things of another kind are left out.

Above it: whoever reads what others wrote, where a fault in it is nobody's business; below it: nothing.
"""

from __future__ import annotations

__all__ = ["mapping", "tables", "texts"]


def mapping(value: object) -> dict[str, object]:
    """The table, or an empty one."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[dict[str, object]]:
    """The tables in an array of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """The items of an array, each as text."""
    return [str(item) for item in value] if isinstance(value, list) else []
