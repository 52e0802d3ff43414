"""The wheels of a lock, as the very files that it has the hashes of, gathered in one folder.

An installer keeps what it fetched unpacked, and a wheel that is packed again has another hash. So they come, in this order, from
beside the lock, from the folder or the cache where they lie, and from where the lock says, by pip, which knows indexes that ask
for a password. What has no wheel in the lock is taken as it was built when the plugin was added, or built again.

Above it: the export; below it: the lock, and the store's cache.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from plughost import lock as locks
from plughost._names import normalized
from plughost.errors import ResolveError
from plughost.paths import KEPT_DAYS, older, scan, sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plughost._interpreters import Interpreter
    from plughost.lock import LockedFile, Lockfile
    from plughost.paths import Store
    from plughost.wheel import BuiltWheel

    Build = Callable[[LockedFile], BuiltWheel]
    Fetch = Callable[[list[LockedFile]], None]

__all__ = ["Gathered", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The wheels, by file name; `built` are those that the lock has no hash of."""

    files: dict[str, Path]
    built: tuple[str, ...]


def gather(lock: Lockfile, *, store: Store, python: Interpreter, into: Path, fetch: Fetch, build: Build) -> Gathered:
    """Put the wheel of every package of `lock` into the folder `into`.

    `fetch` is asked for those that are not on this machine, and puts them there; `build` for one that the lock has none of.

    Raises: InstallError: one can't be had, or is not what is locked.
    """
    if lock.wheels:
        found = {name: _copied(lock.folder / name, sha256, into) for name, sha256 in lock.wheels.items()}
        return _gathered(found.values(), lock.built_from_source)
    for old in older(store.fetched_wheels, KEPT_DAYS):
        shutil.rmtree(old, ignore_errors=True)
    wanted = locks.files(lock.folder, python=python)
    absent = [file for file in wanted if file.wheel and not _take(file, store, into)]
    if absent:
        fetch(absent)
        for file in absent:
            _keep(store, file, _fetched(file, into))
    sources = [file for file in wanted if not file.wheel]
    for wheel in map(build, sources):
        _copied(wheel.path, wheel.sha256, into)
    return _gathered(into.glob("*.whl"), [file.name for file in sources])


def _gathered(paths: Iterable[Path], built: Iterable[str]) -> Gathered:
    files = {path.name: path for path in sorted(paths)}
    return Gathered(files=files, built=tuple(name for name in files if normalized(name.partition("-")[0]) in set(built)))


def _take(file: LockedFile, store: Store, into: Path) -> bool:
    """Copy the wheel into `into`, if it is on this machine."""
    if file.url.startswith("file:"):
        _copied(Path(unquote(urlsplit(file.url).path)), file.sha256, into, name=file.wheel)
        return True
    for folder in scan(os.path.join(store.fetched_wheels, file.sha256)):
        for kept in scan(folder.path):
            with suppress(ResolveError):  # damaged: it is fetched again
                _copied(Path(kept.path), file.sha256, into)
                return True
    return False


def _fetched(file: LockedFile, into: Path) -> Path:
    """The wheel of `file` that has been fetched into `into`."""
    found = [path for path in into.glob("*.whl") if normalized(path.name.partition("-")[0]) == file.name]
    if len(found) != 1:
        raise ResolveError(f"No wheel of `{file.name}` {file.version} could be had", reference="wheel-missing")
    _check(found[0], sha256_of(found[0]), file.sha256)
    return found[0]


def _copied(path: Path, sha256: str, into: Path, *, name: str = "") -> Path:
    """A copy of the file in `into`, where its digest is `sha256`."""
    copy = into / (name or path.name)
    try:
        shutil.copyfile(path, copy)
    except FileNotFoundError as error:
        raise ResolveError(
            f"`{path}` is locked, and not there any more", reference="wheel-missing", hint="Put it back, or add the plugin again"
        ) from error
    try:
        _check(path, sha256_of(copy), sha256)
    except ResolveError:
        copy.unlink()
        raise
    return copy


def _check(path: Path, found: str, locked: str) -> None:
    if found != locked:
        raise ResolveError(
            f"`{path.name}` is not what is locked",
            reference="hash-mismatch",
            causes=[f"The SHA-256 of `{path}` is `{found}`, and it should be `{locked}`"],
            hint="Add the plugin again with `--force`",
        )


def _keep(store: Store, file: LockedFile, wheel: Path) -> None:
    """Keep a copy, for the next export of what has the same lock."""
    folder = Path(store.fetched_wheels, file.sha256, file.sha256)
    folder.mkdir(parents=True, exist_ok=True)
    beside = wheel.with_name(f"{wheel.name}.copy")
    shutil.copyfile(wheel, beside)
    beside.replace(folder / wheel.name)
