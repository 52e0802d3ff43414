"""The files of locks that uv reads and writes: what a lock begins with, and what is kept of it.

Above it: `_uv`; below it: the formats. uv keeps the versions of an earlier lock where they still fit, and resolves the rest anew.
One that isn't uv's own, but pip's, a bundle's or a set's, becomes a `uv.lock` that says no more than which versions there are,
which is all that uv takes from one that doesn't fit as a whole.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from urllib.parse import parse_qsl, unquote, urlsplit

from plughost.paths import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from plughost._installing import LockRequest

__all__ = ["begin_with", "write_lock"]


def begin_with(previous: Path, folder: Path, *, exclude_newer: str = "") -> None:
    """Put a `uv.lock` into `folder` from the lock in the folder `previous`; none if there is none that can be read.

    `exclude_newer` is that of the lock to be made: of another one uv takes no versions.
    """
    if (previous / "uv.lock").is_file():
        shutil.copyfile(previous / "uv.lock", folder / "uv.lock")
        return
    try:
        lock = tomllib.loads(read_file(previous / "pylock.toml").decode())
        packages = [_preferred(package) for package in lock["packages"] if "version" in package]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    import tomli_w

    options = {"options": {"exclude-newer": exclude_newer}} if exclude_newer else {}
    text = tomli_w.dumps({"version": 1, "requires-python": ">=3.8", **options, "package": packages})
    (folder / "uv.lock").write_text(text, encoding="utf-8")


def write_lock(exported: str, request: LockRequest) -> None:
    """Put the `pylock.toml` that uv has `exported` into the folder of `request`, which may be moved afterwards.

    uv's paths begin at the folder. Of what lies outside they are made whole; a `uv.lock` can't have those, and goes. Archives
    come into the places of the folders that stand for them.
    """
    import tomli_w

    folder, lock = request.folder, tomllib.loads(exported)
    for package in lock["packages"]:
        if package["name"] in request.digests and "directory" in package:
            del package["directory"]
            package["archive"] = _archive(package["name"], request)
    outside = [place for package in lock["packages"] for place in _places(package) if place.get("path", "").startswith("../")]
    for place in outside:
        place["path"] = os.path.normpath(folder / place["path"])
    if outside:
        (folder / "uv.lock").unlink()
    (folder / "pylock.toml").write_text(tomli_w.dumps(lock) if outside else exported, encoding="utf-8")


def _archive(name: str, request: LockRequest) -> dict[str, object]:
    """An archive on this machine, with a path like those of uv. Source: PEP 751."""
    url = urlsplit(request.places[name])
    archive: dict[str, object] = {
        "path": os.path.relpath(unquote(url.path), request.folder),
        "hashes": {"sha256": request.digests[name]},
    }
    subdirectory = dict(parse_qsl(url.fragment)).get("subdirectory")
    return {**archive, "subdirectory": subdirectory} if subdirectory else archive


def _places(package: dict[str, list[dict[str, str]]]) -> Iterator[dict[str, str]]:
    for kind in ("archive", "directory", "sdist", "wheels"):
        place = package.get(kind, [])
        yield from [place] if isinstance(place, dict) else place


def _preferred(package: Mapping[str, object]) -> dict[str, object]:
    """The package of a `pylock.toml`, as one of a `uv.lock`."""
    index = str(package.get("index") or "https://pypi.org/simple")
    return {"name": str(package["name"]), "version": str(package["version"]), "source": {"registry": index}}
