"""Looking a name up in the indexes, as `add NAME` does.

Above it: `add`; below it: the indexes as they are kept. Where there are none, it costs nothing but a look for them.
"""

from __future__ import annotations

from plughost._names import is_name, normalized
from plughost.errors import UnknownError
from plughost.indexes._kept import read, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.indexes._entry import Entry
    from plughost.paths import Store

__all__ = ["Found", "is_bare_name", "look_up"]


class Found:
    """A plugin that an index lists."""

    __slots__ = ("entry", "index")

    def __init__(self, entry: Entry, index: str) -> None:
        self.entry = entry
        self.index = index


def is_bare_name(text: str) -> bool:
    """Whether `text` is a name alone: no version, no path, no URL."""
    return is_name(normalized(text.strip()))


def look_up(store: Store, name: str, *, index: str = "") -> Found | None:
    """The plugin of that name: in `index`, or in the first that has it. None: no index has it.

    Raises: UnknownError: `index` is none, or doesn't have it; or two have it from different sources. StoreError: one is damaged.
    """
    wanted = normalized(name.strip())
    found: list[Found] = []
    for kept in [read(store, normalized(index))] if index else read_all(store):
        kept.check()
        if entry := kept.find(wanted):
            found.append(Found(entry, kept.name))
    if index and not found:
        raise UnknownError(
            f"The index `{index}` lists no plugin `{wanted}`", reference="plugin-unknown", hint=f"`search {wanted}` looks for it"
        )
    if len({one.entry.source for one in found}) > 1:
        raise UnknownError(
            f"`{wanted}` is in more than one index, from different sources",
            reference="index-ambiguous",
            causes=[f"`{one.index}`: `{one.entry.source}`" for one in found],
            hint=f"`add {wanted} --index {found[0].index}` takes the first",
        )
    return found[0] if found else None
