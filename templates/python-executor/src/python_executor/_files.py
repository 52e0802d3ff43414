"""Which files below the working directory are new, or have changed."""

from __future__ import annotations

import mimetypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._records import Artifact

    #: Size, times of the content and of the entry, number: one of them differs after any write.
    Stamp = tuple[int, int, int, int]

__all__ = ["Files"]

#: In a folder with more than these, only these are looked at, those nearest to the top first.
_MOST_FILES = 20_000

_NO_FILES = "__pycache__"


class Files:
    """The files of a folder, as they were when this was made. Hidden ones, and what links lead to, don't count."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._stamps = dict(_stamps(folder))

    def changed(self) -> list[Artifact]:
        """What has come or changed since then, by path."""
        return [
            {"path": path, "type": _kind(path), "size": stamp[0]}
            for path, stamp in sorted(_stamps(self._folder))
            if self._stamps.get(path) != stamp
        ]


def _stamps(root: str) -> Iterator[tuple[str, Stamp]]:
    """Each file's path from the root on, with slashes, and its stamp."""
    left, folders = _MOST_FILES, [""]
    for folder in folders:  # which grows meanwhile
        try:
            entries = list(os.scandir(os.path.join(root, folder)))
        except OSError:  # gone, or closed to us
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name == _NO_FILES:
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(folder + entry.name + "/")
                elif entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    yield folder + entry.name, (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            except OSError:
                continue
            left -= 1
            if not left:
                return


def _kind(path: str) -> str:
    # The name alone, and not at the beginning, where it could pass for a URL.
    return mimetypes.guess_type("./" + path.rpartition("/")[2])[0] or "application/octet-stream"
