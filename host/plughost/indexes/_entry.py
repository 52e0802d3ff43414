"""What an index lists.

Above it: the file's format, and the form in which it is kept; below it: nothing. It is light, because `search` has ten thousand.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

__all__ = ["Entry", "Listing"]


class Entry:
    """A plugin that an index lists. `signers` are lines of an allowed-signers file; where there are any, one must have signed.

    Source: ssh-keygen(1), ALLOWED SIGNERS.
    """

    __slots__ = ("name", "signers", "source", "summary", "tags")

    def __init__(
        self, name: str, source: str, summary: str = "", tags: tuple[str, ...] = (), signers: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.source = source
        self.summary = summary
        self.tags = tags
        self.signers = signers

    def record(self) -> dict[str, object]:
        """As plain values, the empty ones left out: what stands in the file."""
        texts = {"name": self.name, "source": self.source, "summary": self.summary}
        lists = {"tags": list(self.tags), "signers": list(self.signers)}
        return {key: value for key, value in {**texts, **lists}.items() if value}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Self:
        def text(key: str) -> str:
            return str(record.get(key) or "")

        def texts(key: str) -> tuple[str, ...]:
            values = record.get(key)
            return tuple(map(str, values)) if isinstance(values, list) else ()

        return cls(text("name"), text("source"), text("summary"), texts("tags"), texts("signers"))


class Listing:
    """What an index lists, under the name that it has for itself."""

    __slots__ = ("entries", "name")

    def __init__(self, name: str, entries: tuple[Entry, ...]) -> None:
        self.name = name
        self.entries = entries
