"""The lock as it lies on disk: `pylock.toml` (PEP 751), and beside it what the installer made it from."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field

from plughost._names import normalized
from plughost.errors import StoreError
from plughost.lock._tags import tags_in_order, tags_of
from plughost.paths import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.tags import Tag

    from plughost._interpreters import Interpreter

__all__ = ["SUMS", "LockedPackage", "Lockfile", "read", "sums"]

#: Beside a lock whose wheels all lie there too: their digests, as sha256sum(1) writes and checks them.
SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One package of a lock. `url` is where it comes from if that is no index; `sha256s` are those of all its files."""

    name: str
    version: str
    url: str
    sha256s: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """A lock in `folder`; `digest` is the SHA-256 of its `pylock.toml`. `built_from_source` names what has no wheel that fits.

    `wheels` are the files in `folder` that it is installed from, with their SHA-256; none where they are still to be fetched.
    """

    folder: Path
    digest: str
    packages: tuple[LockedPackage, ...]
    built_from_source: tuple[str, ...]
    wheels: Mapping[str, str] = field(default_factory=dict)

    def fault_of_wheels(self) -> str:
        """What of `wheels` isn't as locked, named; "" where each package has its one wheel, or `wheels` is empty."""
        missing = {package.name: package for package in self.packages} if self.wheels else {}
        for filename, sha256 in self.wheels.items():
            name, _, rest = filename.partition("-")
            package = missing.pop(normalized(name), None)
            if package is None:
                return f"`{filename}` is of no package in the lock, or of one that has another wheel already"
            if sha256 not in package.sha256s and package.name not in self.built_from_source:
                return f"`{filename}` is not what is locked: its SHA-256 is `{sha256}`"
            if package.version and not _is_version(rest.partition("-")[0], package.version):  # of a folder it has none
                return f"`{filename}` is not what is locked: `{package.name}` {package.version}"
        return f"There is no wheel of `{min(missing)}`, which is locked" if missing else ""


def versions(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """The name and the version of each package in the lock at `path`; of what is no release the version may be "".

    Raises: OSError, ValueError: it can't be read.
    """
    try:
        packages = tomllib.loads(read_file(path).decode())["packages"]
        return [(str(package["name"]), str(package.get("version", ""))) for package in packages]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read(folder: Path, *, python: Interpreter) -> Lockfile:
    """The lock in `folder`, made for `python`.

    Raises: StoreError: there is none, it can't be read, or it and the wheels beside it contradict each other.
    """
    try:
        data = read_file(folder / "pylock.toml")
        tables: list[dict[str, object]] = tomllib.loads(data.decode()).get("packages", [])
        packages = tuple(_package(table) for table in tables)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"The lock in `{folder}` can't be read", reference="store-corrupt", causes=[str(error)]) from error
    fitting: frozenset[Tag] | None = None
    from_source: list[str] = []
    for table in tables:
        names = [*_wheel_names(table)]
        if any(name.endswith("-none-any.whl") for name in names):
            continue
        fitting = fitting if fitting is not None or not names else frozenset(tags_in_order(python))
        if not any(tags_of(name) & (fitting or frozenset()) for name in names):
            from_source.append(normalized(str(table["name"])))
    lock = Lockfile(
        folder=folder,
        digest=hashlib.sha256(data).hexdigest(),
        packages=packages,
        built_from_source=tuple(sorted(from_source)),
        wheels=sums(folder),
    )
    if fault := lock.fault_of_wheels():
        raise StoreError(f"The lock in `{folder}` and the wheels beside it differ", reference="store-corrupt", causes=[fault])
    return lock


def sums(folder: Path) -> dict[str, str]:
    """The digests of the wheels that are kept beside the lock, by file name; empty where none are.

    Raises: StoreError: the file that says so can't be read.
    """
    try:
        lines = read_file(folder / SUMS).decode().splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StoreError(f"`{folder / SUMS}` can't be read", reference="store-corrupt", causes=[str(error)]) from error
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}


def _is_version(written: str, version: str) -> bool:
    from packaging.utils import canonicalize_version

    return canonicalize_version(written) == canonicalize_version(version)


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
