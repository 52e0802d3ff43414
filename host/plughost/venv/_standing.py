"""Whether a venv still stands as it was finished: a look at names alone, for whoever is about to use it.

Above it: whoever puts a revision in force; below it: the disk. It imports little, because a rollback takes no longer than that.
Contents are `_fingerprint`'s.
"""

from __future__ import annotations

import os

from plughost._names import normalized
from plughost.paths import read_file, regular, scan
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.paths import Store

__all__ = ["MARKER", "dist_infos", "installed", "is_whole", "missing", "rows"]

#: Written last into a venv: it marks it as whole.
MARKER = "plughost-venv.json"


def is_whole(store: Store, key: str) -> bool:
    """Whether the venv `key` was finished, its base interpreter is still where it was, and no file of its packages is missing."""
    path = os.path.join(store.venvs, key)
    if not os.access(os.path.join(path, "bin", "python"), os.X_OK):  # follows the link to the base interpreter
        return False
    try:
        marker = wire.unpack(read_file(os.path.join(path, MARKER)))
    except (OSError, wire.WireError):
        return False
    packages = [list(package) for package in installed(path)]
    return marker.get("key") == key and marker.get("packages") == packages and not missing(path)


def installed(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Normalized name and version of every package in the venv at `path`, in alphabetical order."""
    return sorted(
        (normalized(name), version)
        for folder in dist_infos(path)
        for name, _, version in [os.path.basename(folder).removesuffix(".dist-info").partition("-")]
    )


def missing(path: str | os.PathLike[str]) -> str:
    """The first file that a package's RECORD names and that isn't there; "" if there is none. Reads no file but the RECORDs."""
    root = os.fspath(path)
    for folder in dist_infos(root):
        try:
            with open(os.path.join(folder, "RECORD"), newline="", encoding="utf-8", opener=regular) as file:
                names = [name for name, _digest, _size in rows(file.read())]
        except (OSError, UnicodeDecodeError):
            return os.path.relpath(os.path.join(folder, "RECORD"), root)
        for name in names:
            file_path = os.path.normpath(os.path.join(os.path.dirname(folder), name))
            if not os.path.lexists(file_path):
                return os.path.relpath(file_path, root)
    return ""


def dist_infos(path: str | os.PathLike[str]) -> list[str]:
    """The folders of metadata of the packages in the venv at `path`."""
    return [
        entry.path
        for python in scan(os.path.join(path, "lib"))
        if python.name.startswith("python3")
        for entry in scan(os.path.join(python.path, "site-packages"))
        if entry.name.endswith(".dist-info")
    ]


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Path, digest and size of each line of a RECORD that names a file."""
    for record in _quoted(text) if '"' in text else (tuple(line.split(",")) for line in text.splitlines()):
        name, digest, size = (*record, "", "", "")[:3]
        if name:
            yield name, digest, size


def _quoted(text: str) -> Iterator[tuple[str, ...]]:
    import csv

    try:
        yield from (tuple(row) for row in csv.reader(text.splitlines()))
    except csv.Error:  # a field that is longer than any path: nothing can be told of what follows
        return
