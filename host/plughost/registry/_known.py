"""What `info` shows of a plugin, kept from the last time that somebody asked: to read its TOML files takes several times as long.

Above it: the command line; below it: the store's paths. What is kept counts only while the files are those that it was made from.
"""

from __future__ import annotations

import os

from plughost.paths import read_file, replace_file
from plughost.registry._read import pointed_to
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost.paths import Store
    from plughost.registry._read import Installed

__all__ = ["keep_record", "kept_record"]

FORMAT = 2
_FILES = ("receipt.toml", "manifest.json", "pylock.toml")


def kept_record(store: Store, installed: Installed) -> dict[str, object] | None:
    """The record of a plugin as it is; None if it has to be read."""
    try:
        kept = wire.unpack(read_file(store.index_of(installed.name)))
    except (OSError, wire.WireError):
        return None
    record = kept.get("record")
    is_sound = kept.get("format") == FORMAT and kept.get("files") == _files(store, installed) != ""
    return record if is_sound and isinstance(record, dict) else None


def keep_record(store: Store, installed: Installed, record: Mapping[str, object]) -> None:
    """Keep what was read after `installed` was found, if that is in force. Best effort: else it is read again."""
    if pointed_to(store.plugin(installed.name)) != installed.revision:
        return
    kept: dict[str, object] = {"format": FORMAT, "files": _files(store, installed), "record": record}
    path = store.index_of(installed.name)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        replace_file(path, b"".join(wire.pack(kept)), durable=False)
    except (OSError, wire.WireError):  # among them: a default value that JSON has not
        return


def _files(store: Store, installed: Installed) -> str:
    """What changes when a file does that the record is made from; "" if one is missing."""
    paths = (f"{store.plugin(installed.name)}/current", *(f"{installed.folder}/{name}" for name in _FILES))
    try:
        states = [os.stat(path) for path in paths]
    except OSError:
        return ""
    return " ".join(f"{state.st_mtime_ns}-{state.st_ino}-{state.st_size}" for state in states)
