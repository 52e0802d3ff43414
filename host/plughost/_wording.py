"""How messages name things, count them, and guess what somebody meant.

Above it: whoever has something to say; below it: nothing. Where it is said only if something goes wrong, it is imported then.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["counted", "did_you_mean", "listed", "said", "shortened", "shown"]

_LONGEST_VALUE = 60


def listed(names: Iterable[object], *, most: int | None = None, between: str = ", ") -> str:
    """The names in backticks; of more than `most` of them the first, and that there are others."""
    quoted = [f"`{name}`" for name in names]
    return between.join(quoted[:most]) + (f"{between}…" if most is not None and len(quoted) > most else "")


def counted(number: int, noun: str) -> str:
    """`1 package`, `2 packages`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def did_you_mean(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> str:
    """A hint with those of the names that come near; "" where none does."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=most, cutoff=cutoff)
    return f"Did you mean {listed(near, between=' or ')}?" if near else ""


def said(error: BaseException) -> str:
    """What an error says; of one of the system's only its words, without its number and the path."""
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


def shown(value: object) -> str:
    """A value about as TOML has it, on one line, shortened."""
    text = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
    line = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return shortened(line, _LONGEST_VALUE)


def shortened(text: str, characters: int) -> str:
    """So many of its characters, and that there are more."""
    return text if len(text) <= characters else f"{text[:characters]}…"
