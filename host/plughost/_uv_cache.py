"""Which packages uv's cache holds.

Above it: `_uv`; below it: the cache's layout, of which no more is used than that an unpacked wheel is a link into an archive,
in a folder with the package's name.
"""

from __future__ import annotations

import os

from plughost.paths import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cached_packages"]


def cached_packages(cache: str) -> dict[str, list[str]]:
    """For each package that is there unpacked the folders of its archives."""
    found: dict[str, list[str]] = {}
    for bucket in scan(cache):
        if bucket.name.startswith("wheels-v") and bucket.is_dir(follow_symlinks=False):
            for package, archive in _unpacked(bucket.path):
                found.setdefault(package, []).append(archive)
    return found


def _unpacked(folder: str) -> Iterator[tuple[str, str]]:
    for entry in scan(folder):
        if entry.is_symlink():
            yield os.path.basename(folder), os.path.realpath(entry.path)
        elif entry.is_dir(follow_symlinks=False):
            yield from _unpacked(entry.path)
