"""Wheels that were built from a commit, kept in the cache for when the same commit is added again, as uv keeps them.

Above it: `add`; below it: the store's cache. An entry is moved in whole; one that doesn't hold what it says is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from plughost.paths import KEPT_DAYS, older, read_file, sha256_of
from plughost.wheel._record import BuiltWheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plughost._interpreters import Interpreter

__all__ = ["KeptWheel", "find_kept", "keep"]

#: As long as PyPI lets its answers be reused (Cache-Control: max-age), uv would resolve to the same versions anyway.
_LOCK_AGE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWheel:
    """A wheel from the cache. `python` is the version that built it, "" if any may have it.

    `lock` is the folder of the lock it had a moment ago, without options; None if that is too long ago. Of a wheel that is
    `versioned_by_tags` the commit doesn't tell the version. `declared` is what the source tree says of how the plugin is run.
    """

    wheel: BuiltWheel
    python: str
    lock: Path | None
    versioned_by_tags: bool
    declared: dict[str, object]


def find_kept(among: str, made_from: Sequence[str]) -> KeptWheel | None:
    """The wheel that was made from exactly that, if it is kept in the folder `among`, and is whole."""
    folder = _folder(among, made_from)
    try:
        record = json.loads(read_file(folder / "kept.json"))
        path = folder / str(record["filename"])
        if sha256_of(path) != record["sha256"]:
            return None
        wheel = BuiltWheel(
            path=path,
            name=str(record["name"]),
            version=str(record["version"]),
            sha256=str(record["sha256"]),
            requires_python=str(record["requires_python"]),
            requires_dist=tuple(record["requires_dist"]),
            extras=tuple(record["extras"]),
            summary=str(record["summary"]),
            entry_points=dict(record["entry_points"]),
        )
        python = "" if path.name.endswith("-none-any.whl") else str(record["python"])
        lock = _fresh_lock(folder, str(record["lock_sha256"]))
        by_tags = record["versioned_by_tags"] is not False
        return KeptWheel(wheel=wheel, python=python, lock=lock, versioned_by_tags=by_tags, declared=dict(record["declared"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def keep(
    among: str,
    made_from: Sequence[str],
    wheel: BuiltWheel,
    python: Interpreter,
    *,
    stage: Path,
    lock: Path | None,
    versioned_by_tags: bool = False,
    declared: Mapping[str, object] | None = None,
    days: int = KEPT_DAYS,
    first_stays: bool = False,
) -> None:
    """Put a copy of the wheel into the folder `among`, by way of the folder `stage`, with what uv locked in the folder `lock`.

    What was kept more than `days` ago goes. If the `first_stays`, a whole wheel that is there already isn't replaced.
    """
    made = stage / "kept"
    made.mkdir()
    shutil.copyfile(wheel.path, made / wheel.path.name)
    record = {
        "filename": wheel.path.name,
        "python": python.version,
        "lock_sha256": "",
        "versioned_by_tags": versioned_by_tags,
        "declared": dict(declared or {}),
        **{name: getattr(wheel, name) for name in BuiltWheel.__slots__ if name != "path"},
    }
    if lock and (lock / "uv.lock").is_file():
        shutil.copyfile(lock / "uv.lock", made / "uv.lock")
        record["lock_sha256"] = hashlib.sha256((made / "uv.lock").read_bytes()).hexdigest()
    (made / "kept.json").write_text(json.dumps(record), encoding="utf-8")
    folder = _folder(among, made_from)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in older(str(folder.parent), days):
        shutil.rmtree(old, ignore_errors=True)
    try:
        made.rename(folder)
    except OSError:  # it is kept already: built once more, or by another add that was first
        if not (first_stays and find_kept(among, made_from)):
            _renew(folder, made)


def _renew(folder: Path, made: Path) -> None:
    """Put what was made in the place of what is kept, file by file.

    A wheel of the same bytes stays where it is, since another process may be about to take it.
    """
    new = json.loads((made / "kept.json").read_bytes())
    try:
        same = json.loads(read_file(folder / "kept.json"))["sha256"] == new["sha256"]
        for name in ("uv.lock", "kept.json") if same else (new["filename"], "uv.lock", "kept.json"):
            if (made / name).exists():
                (made / name).replace(folder / name)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # Damaged, or being deleted: the next add that builds it keeps it.
        shutil.rmtree(folder, ignore_errors=True)


def _fresh_lock(folder: Path, sha256: str) -> Path | None:
    path = folder / "uv.lock"
    try:
        age_s = time.time() - path.stat().st_mtime
        fresh = 0 <= age_s < _LOCK_AGE_S and hashlib.sha256(read_file(path)).hexdigest() == sha256
    except OSError:
        return None
    return folder if fresh else None


def _folder(among: str, made_from: Sequence[str]) -> Path:
    digest = hashlib.sha256(json.dumps([*made_from, os.uname().machine]).encode()).hexdigest()
    return Path(among, digest[:32])
