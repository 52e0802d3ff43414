"""The index: what `list` shows of every plugin, in one file, made from the receipts and checked against them at each reading.

Whoever changes something moves it out of the way (`_changing`), so an index that is in its place is right, whenever somebody was
killed. All the same an entry counts only while the plugin's files are those it was made from, so that damage shows (`_remade`);
of very many plugins, whose files it would take too long to look at, `doctor` finds that.

Its first line has what is shown, in columns, which are read several times as quickly as objects; its second has what is asked for
more seldom, and is read when it is.
"""

from __future__ import annotations

import os

from plughost.paths import read_file
from plughost.registry._changing import outdated
from plughost.registry._summary import FORMAT, Details, PluginSummary
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.paths import Store

__all__ = ["listed", "summaries"]

#: Up to so many plugins, their files are looked at for each reading. It takes longer than all the rest.
_MOST_LOOKED_INTO = 200


def summaries(store: Store) -> list[PluginSummary]:
    """All plugins, sorted by name. Reads one file, and asks for the state of others unless there are very many; starts nothing.

    Raises: StoreError: this user may not read it.
    """
    kept, details, in_place = _read(store)
    try:
        names = sorted(os.listdir(store.plugins))
    except OSError:  # of which `remade` knows what it means
        names = []
    few = len(names) <= _MOST_LOOKED_INTO
    if in_place and not few and [summary.name for summary in kept] == names:
        return kept
    from plughost.registry._remade import remade

    return remade(store, kept, details, in_place=in_place, few=few)


def listed(store: Store) -> list[PluginSummary]:
    """What the index lists, whether or not that is so; nothing where it is out of date and known to be. Writes nothing."""
    kept, _details, in_place = _read(store)
    return kept if in_place else []


def _read(store: Store) -> tuple[list[PluginSummary], Details, bool]:
    """What the index lists, and whether nothing has changed since it was made."""
    for path in (store.index, outdated(store.index)):
        try:
            data = read_file(path)
            end = data.find(b"\n") + 1
            index = wire.unpack(data[:end])
        except OSError:
            continue
        except wire.WireError:
            _keep_damaged(store, path)
            continue
        details = Details(data, end)
        columns = index.get("columns")
        if index.get("format") == FORMAT and isinstance(columns, list) and (read := PluginSummary.from_columns(columns, details)):
            return read, details, path == store.index
    return [], Details(), False


def _keep_damaged(store: Store, path: str) -> None:
    """Set it aside: it is about to be made again."""
    from plughost.registry._aside import set_aside

    try:
        set_aside(store, [path], name="index")
        os.unlink(path)
    except OSError:  # another user's store, or a read-only one
        return
