"""A folder on this machine: what of it belongs to the project, a digest of that, and a copy to build in.

Above it: `resolve`, `check_out`; below it: git, where the folder is in a work tree, and the disk. It writes into copies alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

from plughost.errors import ResolveError, SourceError
from plughost.source._records import Origin, Source
from plughost.source._work_tree import WorkTree, find_work_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["copy", "resolve"]

#: At any depth; in a git work tree only where they are neither tracked nor ignored.
_LEFT_OUT = frozenset(
    (
        ".git",
        ".hg",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
        "venv",
    )
)
#: At the top, where builds leave their results; further down these may be packages.
_LEFT_OUT_AT_TOP = frozenset(("build", "dist"))


def resolve(source: Source) -> Origin:
    """The folder's address, the digest of its files, and its commit if it is a git work tree without changes."""
    folder = Path(source.path)
    work_tree = find_work_tree(folder)
    return Origin(
        kind="folder",
        url=folder.as_uri(),
        sha256=_digest(folder, _names(folder, work_tree)),
        commit_id=work_tree.clean_commit() if work_tree else "",
        editable=source.editable,
    )


def copy(origin: Origin, folder: Path, into: Path, *, history: bool) -> tuple[Path, int | None]:
    """Copy what belongs to the project into the empty folder `into`: where it is there, and its commit's time if it has one.

    With `history`, from which versions are computed, that is the whole work tree that `folder` is in.

    Raises: ResolveError: it is no longer what `origin` says. SourceError: a file can't be read.
    """
    work_tree = find_work_tree(folder)
    copied, names = into, _names(folder, work_tree)
    if history and work_tree:
        top = work_tree.top
        copied = into / folder.resolve().relative_to(top)
        _copy_files(top, _names(top, find_work_tree(top)), into)
        work_tree.copy_history(into)
    else:
        _copy_files(folder, names, into)
    if _digest(copied, names) != origin.sha256:
        raise ResolveError(
            f"`{folder}` changed while it was being added",
            reference="hash-mismatch",
            hint="Repeat the command once it is at rest",
        )
    return copied, work_tree.commit_time() if work_tree and origin.commit_id else None


def _names(folder: Path, work_tree: WorkTree | None) -> list[str]:
    """The paths of the project's files and links, relative to the folder, in order."""
    listed = None if work_tree is None else work_tree.tracked_and_new()
    if listed is None:
        names = set(_walk(folder))
    else:
        tracked, new = listed
        names = {*tracked, *(name for name in new if not _is_left_out(name))}
    return sorted(name for name in names if not _is_device(folder / name))


def _walk(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        below = "" if root == str(folder) else os.path.relpath(root, folder) + "/"
        kept = [name for name in folders if not _is_left_out(f"{below}{name}/")]
        folders[:] = [name for name in kept if not os.path.islink(os.path.join(root, name))]
        yield from (below + name for name in (*files, *kept) if name not in folders)


def _is_left_out(name: str) -> bool:
    *folders, file = name.split("/")
    return (
        not _LEFT_OUT.isdisjoint(folders)
        or (bool(folders) and folders[0] in _LEFT_OUT_AT_TOP)
        or any(part.endswith(".egg-info") for part in folders)
        or file in {".git", ".DS_Store"}
    )


def _is_device(path: Path) -> bool:
    """Whether it is a pipe, a socket or the like, which can't be copied."""
    return path.exists() and not (path.is_file() or path.is_dir())


def _is_kept_link(folder: Path, name: str) -> bool:
    """Whether it is a link that means the same in a copy of the folder."""
    path = folder / name
    if not path.is_symlink():
        return False
    target = os.readlink(path)
    leads_to = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return not os.path.isabs(target) and leads_to.partition("/")[0] != ".."


def _digest(folder: Path, names: Iterable[str]) -> str:
    """SHA-256 over names, kinds and contents. What a link that leads out of the folder stands for counts as if it were here."""
    digest = hashlib.sha256()
    for name in names:
        path = folder / name
        try:
            mode = path.stat().st_mode if path.exists() else stat.S_IFLNK
            if _is_kept_link(folder, name) or stat.S_ISLNK(mode):
                kind, content = b"link", os.fsencode(os.readlink(path))
            elif stat.S_ISDIR(mode):
                kind, content = b"folder", os.fsencode(path.resolve())
            else:
                kind = b"program" if mode & stat.S_IXUSR else b"file"
                content = hashlib.sha256(path.read_bytes()).digest()
        except OSError as error:
            raise SourceError(f"`{path}` can't be read", reference="source-missing", causes=[str(error)]) from error
        for part in (kind, os.fsencode(name), content):
            digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest()


def _copy_files(folder: Path, names: Iterable[str], into: Path) -> None:
    for name in names:
        source, target = folder / name, into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is_kept_link(folder, name) or not source.exists():
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            target.symlink_to(source.resolve())
        else:
            shutil.copy2(source, target)
