"""Of all the files that a lock allows, the ones that this machine takes: one for each package."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from plughost._names import normalized
from plughost.errors import StoreError
from plughost.lock._tags import tags_in_order
from plughost.paths import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.tags import Tag

    from plughost._interpreters import Interpreter

    Table = Mapping[str, object]

__all__ = ["LockedFile", "files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """What a package is installed from: a wheel, or if `wheel` is "", what one is built from.

    `wheel` is the wheel's file name. `url` is where the file is, of a commit `git+URL@COMMIT`; `sha256` is that of the file, ""
    for what has none. `credentials` are those that a server asks for, `USER:PASSWORD`, which no lock has.
    """

    name: str
    version: str
    wheel: str
    url: str
    sha256: str
    credentials: str = field(default="", repr=False)

    @property
    def subdirectory(self) -> str:
        """The folder in the archive or the repository."""
        return self.url.partition("#subdirectory=")[2]

    @property
    def requirement(self) -> str:
        """The place as a requirement, with the credentials, and the hash if there is one."""
        url = self.url.replace("://", f"://{self.credentials}@", 1) if self.credentials else self.url
        return f"{self.name} @ {url}" + (f" --hash=sha256:{self.sha256}" if self.sha256 else "")


def files(folder: Path, *, python: Interpreter) -> tuple[LockedFile, ...]:
    """The file of each package of the lock in `folder`: the wheel that fits `python` best, else the sdist or the commit.

    Raises: StoreError: the lock can't be read, or has nothing for a package.
    """
    order = {tag: rank for rank, tag in enumerate(tags_in_order(python))}
    try:
        lock = tomllib.loads(read_file(folder / "pylock.toml").decode())
        return tuple(_file(table, folder, order) for table in _tables(lock["packages"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"The lock in `{folder}` can't be read", reference="store-corrupt", causes=[str(error)]) from error


def _file(table: Table, folder: Path, order: Mapping[Tag, int]) -> LockedFile:
    name, version = normalized(str(table["name"])), str(table.get("version", ""))
    wheels = [
        *_tables(table.get("wheels", [])),
        *(place for place in _places(table, "archive") if _file_name(place).endswith(".whl")),
    ]
    ranked = sorted((rank, index) for index, wheel in enumerate(wheels) if (rank := _rank(wheel, order)) is not None)
    if ranked:
        wheel = wheels[ranked[0][1]]
        return LockedFile(name=name, version=version, wheel=_file_name(wheel), url=_url(wheel, folder), sha256=_sha256(wheel))
    for kind in ("sdist", "archive", "directory", "vcs"):
        for place in _places(table, kind):
            url = _commit(place) if kind == "vcs" else _url(place, folder)
            return LockedFile(name=name, version=version, wheel="", url=url, sha256=_sha256(place))
    raise ValueError(f"There is no file for `{name}` that fits this machine")


def _rank(wheel: Table, order: Mapping[Tag, int]) -> tuple[int, tuple[int, str]] | None:
    """The lower, the better it fits: by tag, then by the newest build; None if it doesn't fit."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        _name, _version, build, tags = parse_wheel_filename(_file_name(wheel))
    except InvalidWheelFilename:
        return None
    ranks = [order[tag] for tag in tags if tag in order]
    number, letter = build or (0, "")
    return (min(ranks), (-number, letter)) if ranks else None


def _file_name(file: Table) -> str:
    if name := file.get("name"):
        return str(name)
    return os.path.basename(unquote(urlsplit(str(file["url"])).path) if "url" in file else str(file["path"]))


def _url(file: Table, folder: Path) -> str:
    if "url" in file:
        return _with_subdirectory(str(file["url"]), file)
    return _with_subdirectory((folder / str(file["path"])).absolute().as_uri(), file)


def _commit(vcs: Table) -> str:
    return _with_subdirectory(f"{vcs['type']}+{vcs['url']}@{vcs['commit-id']}", vcs)


def _with_subdirectory(url: str, place: Table) -> str:
    return f"{url}#subdirectory={place['subdirectory']}" if "subdirectory" in place else url


def _sha256(file: Table) -> str:
    hashes = file.get("hashes")
    return str(hashes.get("sha256", "")) if isinstance(hashes, dict) else ""


def _places(table: Table, kind: str) -> Iterator[Table]:
    if isinstance(place := table.get(kind), dict):
        yield place


def _tables(value: object) -> list[Table]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError("It has something else where its packages should be")
    return value
