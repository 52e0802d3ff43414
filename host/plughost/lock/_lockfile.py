"""The lock as it lies on disk: `pylock.toml` (PEP 751), and beside it what the installer made it from."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass

from plughost._names import normalized
from plughost.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.tags import Tag

    from plughost._interpreters import Interpreter

__all__ = ["LockedPackage", "Lockfile", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One package of a lock. `url` is where it comes from if that is no index; `sha256s` are those of all its files."""

    name: str
    version: str
    url: str
    sha256s: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """A lock in `folder`; `digest` is the SHA-256 of its `pylock.toml`. `built_from_source` names what has no wheel that fits."""

    folder: Path
    digest: str
    packages: tuple[LockedPackage, ...]
    built_from_source: tuple[str, ...]


def read(folder: Path, *, python: Interpreter) -> Lockfile:
    """The lock in `folder`, made for `python`.

    Raises: StoreError: there is none, or it can't be read.
    """
    try:
        data = (folder / "pylock.toml").read_bytes()
        tables: list[dict[str, object]] = tomllib.loads(data.decode()).get("packages", [])
        packages = tuple(_package(table) for table in tables)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"The lock in `{folder}` can't be read", reference="store-corrupt", causes=[str(error)]) from error
    fitting: frozenset[Tag] | None = None
    from_source: list[str] = []
    for table in tables:
        names = [*_wheel_names(table)]
        if any(name.endswith("-none-any.whl") for name in names):
            continue
        fitting = fitting if fitting is not None or not names else _tags(python)
        if not any(_tags_of(name) & (fitting or frozenset()) for name in names):
            from_source.append(normalized(str(table["name"])))
    return Lockfile(
        folder=folder,
        digest=hashlib.sha256(data).hexdigest(),
        packages=packages,
        built_from_source=tuple(sorted(from_source)),
    )


def _package(table: Mapping[str, object]) -> LockedPackage:
    url = ""
    for kind in ("vcs", "archive", "directory"):
        place = table.get(kind)
        if isinstance(place, dict):
            url = str(place.get("url") or place.get("path") or "")
    return LockedPackage(
        name=normalized(str(table["name"])),
        version=str(table.get("version", "")),
        url=url,
        sha256s=tuple(str(file["hashes"]["sha256"]) for file in _files(table) if "sha256" in file.get("hashes", {})),
    )


def _files(table: Mapping[str, object]) -> Iterator[dict[str, dict[str, object]]]:
    for kind in ("archive", "sdist", "wheels"):
        found = table.get(kind, [])
        for file in found if isinstance(found, list) else [found]:
            if isinstance(file, dict):
                yield file


def _wheel_names(table: Mapping[str, object]) -> Iterator[str]:
    for file in _files(table):
        name = str(file.get("name") or file.get("url") or file.get("path") or "").split("#")[0].split("?")[0].rpartition("/")[2]
        if name.endswith(".whl"):
            yield name


def _tags_of(name: str) -> frozenset[Tag]:
    from urllib.parse import unquote

    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(unquote(name))[3]
    except InvalidWheelFilename:
        return frozenset()


def _tags(python: Interpreter) -> frozenset[Tag]:
    """The tags of the wheels that `python` takes, on this machine, as if it were CPython: a wheel missed may be built instead."""
    from packaging import tags

    series = tuple(int(part) for part in python.series.split("."))
    return frozenset(tags.cpython_tags(series)) | frozenset(tags.compatible_tags(series, f"cp{series[0]}{series[1]}"))
