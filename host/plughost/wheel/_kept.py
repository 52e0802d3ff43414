"""Wheels that were built from a commit, kept in the cache for when the same commit is added again, as uv keeps them.

Above it: `add`; below it: the store's cache. An entry is moved in whole; one that doesn't hold what it says is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from plughost.errors import BuildError
from plughost.paths import scan
from plughost.wheel._read import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._interpreters import Interpreter
    from plughost.paths import Store
    from plughost.wheel._read import BuiltWheel

__all__ = ["find_kept", "keep"]

_WEEK_S = 7 * 86400


def find_kept(store: Store, made_from: Sequence[str]) -> tuple[BuiltWheel, str] | None:
    """The wheel that was made from exactly that, and the version of the Python that built it; "" if any Python may have it."""
    folder = _folder(store, made_from)
    try:
        record = json.loads((folder / "kept.json").read_bytes())
        wheel = read(folder / str(record["filename"]))
        if wheel.sha256 != record["sha256"]:
            return None
        return wheel, "" if wheel.path.name.endswith("-none-any.whl") else str(record["python"])
    except (OSError, ValueError, KeyError, TypeError, BuildError):
        return None


def keep(store: Store, made_from: Sequence[str], wheel: BuiltWheel, python: Interpreter, stage: Path) -> None:
    """Put a copy of the wheel into the cache, by way of the folder `stage`. What was kept more than a week ago goes."""
    made = stage / "kept"
    made.mkdir()
    shutil.copyfile(wheel.path, made / wheel.path.name)
    record = {"filename": wheel.path.name, "sha256": wheel.sha256, "python": python.version}
    (made / "kept.json").write_text(json.dumps(record), encoding="utf-8")
    folder = _folder(store, made_from)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for entry in list(scan(str(folder.parent))):
        if entry.path == str(folder) or entry.stat().st_mtime < time.time() - _WEEK_S:
            shutil.rmtree(entry.path, ignore_errors=True)
    try:
        made.rename(folder)
    except OSError:  # another add of the same commit was first
        shutil.rmtree(made)


def _folder(store: Store, made_from: Sequence[str]) -> Path:
    digest = hashlib.sha256(json.dumps([*made_from, os.uname().machine]).encode()).hexdigest()
    return Path(store.kept_wheels, digest[:32])
