"""Beginning a lock with an earlier one: uv keeps its versions where they still fit, and resolves the rest anew.

Above it: `_uv`; below it: the files of locks. A lock that isn't uv's own, but pip's, a bundle's or a set's, becomes a `uv.lock`
that says no more than which versions there are, which is all that uv takes from one that doesn't fit as a whole.
"""

from __future__ import annotations

import shutil
import tomllib

from plughost._installing import UNTOLD_VERSION
from plughost.paths import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plughost._installing import LockRequest, SourceMetadata

__all__ = ["begin_with", "write_metadata"]


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


def write_metadata(request: LockRequest) -> str:
    """The path of a file of settings that says what there is to know of the packages `from_source`; uv builds none of these.

    An entry without a version is for all versions but those that have one of their own. What is from a place of its own has a
    single entry, with any version: uv heeds no other, and where there are several, none.
    """
    import tomli_w

    exact: dict[str, list[dict[str, object]]] = {}
    for built in request.built:
        exact.setdefault(built.name, []).append(_metadata(built))
    entries: list[dict[str, object]] = []
    for name in sorted(request.from_source):
        known = exact.get(name, [])
        if name in request.places:
            entries.append(known[-1] if known else {"name": name, "version": UNTOLD_VERSION})
        else:
            entries += [{"name": name}, *known]
    path = request.folder / "uv-metadata.toml"
    path.write_text(tomli_w.dumps({"dependency-metadata": entries}), encoding="utf-8")
    return str(path)


def _metadata(built: SourceMetadata) -> dict[str, object]:
    table: dict[str, object] = {"name": built.name, "version": built.version, "requires-dist": list(built.requires_dist)}
    if built.requires_python:
        table["requires-python"] = built.requires_python
    return {**table, "provides-extra": list(built.extras)}


def _preferred(package: Mapping[str, object]) -> dict[str, object]:
    """The package of a `pylock.toml`, as one of a `uv.lock`."""
    index = str(package.get("index") or "https://pypi.org/simple")
    return {"name": str(package["name"]), "version": str(package["version"]), "source": {"registry": index}}
