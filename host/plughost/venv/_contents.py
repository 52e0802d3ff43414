"""What is in a venv, and whether it is what was to be installed."""

from __future__ import annotations

import base64
import hashlib
import os

from plughost._names import normalized
from plughost.errors import VenvError
from plughost.paths import regular
from plughost.venv._standing import dist_infos, rows

TYPE_CHECKING = False

__all__ = ["entry_points", "file_fault", "files_of", "is_anothers", "package_of", "size_bytes", "verify"]

#: How much is hashed; beyond it only existence and size are checked. SHA-256 does about 1 GB/s, reading small files less.
_HASHED_BYTES = 8 << 20


def entry_points(path: str | os.PathLike[str], package: str) -> dict[str, dict[str, str]]:
    """What the `package` in the venv at `path` declares: from group to name to `module:object`."""
    from importlib.metadata import distributions

    groups: dict[str, dict[str, str]] = {}
    for distribution in distributions(path=[os.path.dirname(folder) for folder in dist_infos(path)[:1]]):
        if normalized(distribution.metadata["Name"]) == package:
            for point in distribution.entry_points:
                groups.setdefault(point.group, {})[point.name] = point.value
    return groups


def files_of(path: str | os.PathLike[str], package: str) -> list[str]:
    """The files of `package` in the venv at `path`, from its `site-packages` on."""
    for folder in dist_infos(path):
        if package_of(folder) == package:
            with open(os.path.join(folder, "RECORD"), newline="", encoding="utf-8") as file:
                return [name for name, _digest, _size in rows(file.read())]
    return []


def size_bytes(path: str | os.PathLike[str]) -> int:
    """The space that the files under `path` take on disk, each inode counted once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    folders = [os.fspath(path)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
    return total


def verify(path: str, *, first: str, log: str | os.PathLike[str]) -> None:
    """Hold every file of the venv against its package's RECORD.

    Existence and size of each; the content too, beginning with that of the package `first`, as far as it costs little.

    Raises: VenvError: a file is missing or another one. Source: the specification of recording installed projects.
    """
    budget = _HASHED_BYTES
    for folder in sorted(dist_infos(path), key=lambda folder: (package_of(folder) != first, folder)):
        record = os.path.join(folder, "RECORD")
        try:
            with open(record, newline="", encoding="utf-8", opener=regular) as file:
                text = file.read()
        except OSError:
            raise _damaged(path, record, "It is missing", package=package_of(folder), log=log) from None
        for name, digest, size in rows(text):
            fault, cost = file_fault(path, os.path.join(os.path.dirname(folder), name), digest, size, hashed=budget > 0)
            budget -= cost
            if fault and not is_anothers(path, os.path.join(os.path.dirname(folder), name), folder):
                raise _damaged(path, name, fault, package=package_of(folder), log=log)


def file_fault(root: str, path: str, digest: str, size: str, *, hashed: bool = True) -> tuple[str, int]:
    """What is wrong with one file, "" if nothing, and how many bytes were hashed to know."""
    path = os.path.normpath(path)
    if not path.startswith(root + os.sep):
        return "It lies outside of the virtual environment", 0
    try:
        found_bytes = os.stat(path).st_size
        if size and found_bytes != int(size):
            return f"It has {found_bytes} bytes and should have {size}", 0
        algorithm, _, expected = digest.partition("=")
        if not hashed or not expected:
            return "", 0
        with open(path, "rb", opener=regular) as file:
            found = hashlib.file_digest(file, algorithm).digest()
    except OSError:
        return "It is missing", 0
    except ValueError:  # an algorithm or a size that is none: the backend's fault, and no damage
        return "", 0
    same = base64.urlsafe_b64encode(found).rstrip(b"=").decode() == expected
    return "" if same else "Its content is another one", found_bytes


def is_anothers(root: str, path: str, folder: str) -> bool:
    """Whether the file is as another package has it than the one whose metadata are in `folder`.

    Packages may bring files of the same name, such as `tests/__init__.py`; then the one that is installed last has it.
    """
    path = os.path.normpath(path)
    for other in dist_infos(root):
        if other == folder:
            continue
        try:
            with open(os.path.join(other, "RECORD"), newline="", encoding="utf-8", opener=regular) as file:
                text = file.read()
        except OSError:
            continue
        for name, digest, size in rows(text):
            claimed = os.path.normpath(os.path.join(os.path.dirname(other), name))
            if claimed == path and not file_fault(root, claimed, digest, size)[0]:
                return True
    return False


def package_of(dist_info: str) -> str:
    """The normalized name of the package whose folder of metadata that is."""
    return normalized(os.path.basename(dist_info).partition("-")[0])


def _damaged(path: str, name: str, fault: str, *, package: str, log: str | os.PathLike[str]) -> VenvError:
    error = VenvError(
        f"The virtual environment `{path}` is not what was to be installed",
        reference="venv-damaged",
        causes=[f"`{name}`: {fault}"],
        hint="Repeat the command; if it fails again, delete the store's `cache` folder",
        log=log,
    )
    error.package = package
    return error
