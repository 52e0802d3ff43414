"""A page of the spool: what there is to say of calls that went well, in slots of one size.

Above it: the spool, the writers that fill it, and the reader; below it: a mapped file. What calls of a tool have in common
stands once on each page, as a line of JSON in its first part; a slot says which line. A slot is whole once that, its last
field, is there.
"""

from __future__ import annotations

import struct
from operator import length_hint

from plughost.journal._mapped import SIZE_BYTES, MappedFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEADS_BYTES", "PAGE_SUFFIX", "Page", "count", "filled_bytes", "head", "slots"]

#: How the names of pages end. Another form of slots takes another suffix: versions of plughost may share a store.
PAGE_SUFFIX = ".calls"
#: The first part of a page: some hundred tools.
HEADS_BYTES = 1 << 16
#: When the call began (nanoseconds of `time.time_ns()`), how long it took, what was sent, received and printed, and its head.
_SLOT = struct.Struct("<6q")


class Page:
    """Its `slots` are places in `map`, each of which is given once, to whichever thread asks; `pack` fills one.

    Raises: OSError: as `MappedFile`.
    """

    __slots__ = ("_at", "_file", "_numbers", "map", "pack", "slots")

    def __init__(self, folder: str) -> None:
        self._at = 0
        self._numbers: dict[bytes, int] = {}
        self._file = MappedFile(folder, PAGE_SUFFIX)
        self.map = self._file.map
        self.pack = _SLOT.pack_into
        self.slots: Iterator[int] = iter(range(HEADS_BYTES, SIZE_BYTES - _SLOT.size + 1, _SLOT.size))

    @property
    def has_room(self) -> bool:
        return length_hint(self.slots) > 0

    def number(self, head: bytes) -> int:
        """What stands for a head, the inside of a JSON object, in a slot; 0: there is no room for it."""
        known = self._numbers.get(head)
        if known is not None:
            return known
        line = b"{%b}\n" % head
        size = len(line)
        start = self._at
        if start + size > HEADS_BYTES:
            return 0
        self._at = start + size
        self.map[start : start + size] = line
        self._numbers[head] = start + 1
        return start + 1

    def close(self) -> None:
        """Writers find that no slots are left, and what is not used goes back to the disk."""
        left = tuple(self.slots)
        self._file.close(left[0] if left else SIZE_BYTES)

    def forget(self) -> None:
        """In a forked copy of this process: the slots are the original's."""
        tuple(self.slots)
        self._file.forget()


def count(page: bytes) -> int:
    """How many slots there are up to the last that is filled."""
    return max(0, len(page.rstrip(b"\0")) - HEADS_BYTES + _SLOT.size - 1) // _SLOT.size


def filled_bytes(page: bytes, start: int) -> int:
    """Up to where the slots from `start` on are whole."""
    while start + _SLOT.size <= len(page) and _is_whole(_SLOT.unpack_from(page, start)):
        start += _SLOT.size
    return start


def slots(page: bytes, start: int) -> Iterator[tuple[int, ...]]:
    """The whole slots from `start` on."""
    end = len(page) - (len(page) - start) % _SLOT.size
    return filter(_is_whole, _SLOT.iter_unpack(page[start:end]))


def head(page: bytes, number: int) -> bytes:
    """The line that `number` stands for."""
    return page[number - 1 : HEADS_BYTES].partition(b"\n")[0]


def _is_whole(slot: tuple[int, ...]) -> bool:
    return slot[0] > 0 and slot[-1] > 0
