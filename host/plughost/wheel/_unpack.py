"""Unpacking what is built: an sdist, or the archive of a repository, from somebody who may be hostile.

Above it: the bench; below it: the archive. Nothing of it leads out of the folder that it is unpacked into, and one that is made
to fill the disk is refused before anything of it is there.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib

from plughost.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["unpack"]

#: What unpacks to more than this is refused if it is also packed tighter than files of a package ever are.
_SUSPECT_BYTES = 1 << 30
_SUSPECT_RATIO = 100
#: What an entry counts as at least, since it takes up room without any contents, too.
_ENTRY_BYTES = 512


def unpack(archive: Path, into: Path) -> Path:
    """Unpack `archive` into the folder `into`, which isn't there yet; the folder of the project. Source: PEP 625.

    Raises: BuildError: it can't be, or it is made to harm whoever does.
    """
    into.mkdir()
    try:
        if archive.suffix == ".zip":
            _check_size(archive, _zip_sizes(archive))
            shutil.unpack_archive(archive, into)
        else:
            _check_size(archive, _tar_sizes(archive))
            _extract(archive, into)
    except (OSError, EOFError, ValueError, LookupError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BuildError(f"`{archive.name}` can't be unpacked", reference="build-failed", causes=[str(error)]) from error
    inside = list(into.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink() else into


def _check_size(archive: Path, sizes: Iterator[int]) -> None:
    """Raises: BuildError: it unpacks to more than is believable."""
    packed = archive.stat().st_size
    allowed = max(_SUSPECT_BYTES, _SUSPECT_RATIO * packed)
    total = 0
    for size in sizes:
        total += max(size, _ENTRY_BYTES)
        if total > allowed:
            raise BuildError(
                f"`{archive.name}` is not unpacked: it would fill the disk",
                reference="build-failed",
                causes=[f"It is {packed:,} bytes and unpacks to more than {allowed:,}"],
            )


def _zip_sizes(path: Path) -> Iterator[int]:
    with zipfile.ZipFile(path) as archive:
        yield from (member.file_size for member in archive.infolist())


def _tar_sizes(path: Path) -> Iterator[int]:
    with tarfile.open(path) as archive:
        yield from (member.size for member in archive)


def _extract(path: Path, into: Path) -> None:
    with tarfile.open(path) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(into, filter="data")
            return
        # Before 3.11.4: without links, nothing leads out.
        plain = [each for each in archive if (each.isreg() or each.isdir()) and ".." not in each.name.split("/")]
        for each in plain:
            each.name, each.uname, each.gname = each.name.lstrip("/"), "", ""
            each.uid, each.gid, each.mode = os.getuid(), os.getgid(), each.mode & 0o755 | 0o600
        archive.extractall(into, plain)  # noqa: S202
