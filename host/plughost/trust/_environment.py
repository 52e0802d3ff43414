"""The packages in an environment as their metadata describes them, and the files that are really there.

Above it: the checks and the bill of materials; below it: the disk. Nothing is imported.

Source: the specification of recording installed projects; that of core metadata.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from email.parser import HeaderParser

from plughost.paths import regular
from plughost.venv._contents import package_of
from plughost.venv._standing import dist_infos, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

__all__ = ["Distribution", "Environment", "RecordedFile", "read_environment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """A file that a package lists as its own. `path` is absolute and plain, `digest` as it is listed, "" where it isn't."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed package. `files` is None where it has no list of them."""

    name: str
    version: str
    metadata: Message
    files: tuple[RecordedFile, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment at `root`."""

    root: str
    site_packages: tuple[str, ...]
    distributions: tuple[Distribution, ...]

    def within(self, path: str) -> str:
        """The path as it is inside the environment; outside of it, the path itself."""
        inside = path.startswith(self.root + os.sep)
        return os.path.relpath(path, self.root) if inside else path

    def below_site_packages(self, path: str) -> str:
        """The path as it is inside `site-packages`; "" outside of it."""
        for folder in self.site_packages:
            if path.startswith(folder + os.sep):
                return os.path.relpath(path, folder)
        return ""

    def walk(self) -> Iterator[os.DirEntry[str]]:
        """Every file in it, links not followed."""
        folders = [self.root]
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        yield entry


def read_environment(root: str) -> Environment:
    """Raises: OSError: it isn't there."""
    folders = dist_infos(root)
    return Environment(
        root=root,
        site_packages=tuple(sorted({os.path.dirname(folder) for folder in folders})),
        distributions=tuple(_distribution(folder) for folder in sorted(folders)),
    )


def _distribution(folder: str) -> Distribution:
    metadata = HeaderParser().parsestr(_text(folder, "METADATA") or "")
    record = _text(folder, "RECORD")
    return Distribution(
        name=package_of(folder),
        version=str(metadata.get("Version") or os.path.basename(folder).removesuffix(".dist-info").partition("-")[2]),
        metadata=metadata,
        files=None if record is None else tuple(_files(os.path.dirname(folder), record)),
    )


def _files(site_packages: str, record: str) -> Iterator[RecordedFile]:
    for path, digest, _size in rows(record):
        yield RecordedFile(path=os.path.normpath(os.path.join(site_packages, path)), digest=digest)


def _text(folder: str, name: str) -> str | None:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace", newline="", opener=regular) as file:
            return file.read()
    except OSError:
        return None
