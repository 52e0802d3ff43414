"""A folder on this machine: what of it belongs to the project, a digest of that, and a copy to build in."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

from plughost.errors import SourceError
from plughost.source._records import Origin, Source
from plughost.source._remote import Git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["copy", "copy_history", "resolve"]

#: Never part of a project; a git work tree says so itself in its ignore files.
_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".venv", "venv", "node_modules", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "dist"}
)


def resolve(source: Source) -> Origin:
    """The folder's address, the digest of its files, and if it is a clean git work tree its commit."""
    folder = Path(source.path)
    files = sorted(_files(folder))
    return Origin(
        kind="folder",
        url=folder.as_uri(),
        sha256=_digest(folder, files),
        commit_id=_clean_commit(folder),
        editable=source.editable,
    )


def copy(folder: Path, into: Path) -> Path:
    """Copy what belongs to the project into the empty folder `into`; and give that."""
    for name in _files(folder):
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(folder / name, target)
    return into


def copy_history(folder: Path, into: Path) -> None:
    """Make `into`, a copy of the work tree `folder`, a work tree of the same repository, for versions computed from its tags."""
    if into == folder or not (top := _work_tree(folder)):
        return
    git = Git(top.as_uri())
    if folder != top:
        return  # a project below the top: its backend looks for the repository above it, where a copy has none
    git.check(["clone", "-q", "--no-checkout", "--end-of-options", str(top), str(into / ".git-copy")], doing=f"copy the history of `{top}`")
    (into / ".git-copy" / ".git").rename(into / ".git")
    (into / ".git-copy").rmdir()
    head = git.check(["-C", str(top), "rev-parse", "HEAD"], doing=f"read `{top}`").strip()
    git.check(["-C", str(into), "update-ref", "--no-deref", "HEAD", head], doing=f"copy the history of `{top}`")
    git.check(["-C", str(into), "reset", "-q"], doing=f"copy the history of `{top}`")


def _files(folder: Path) -> Iterator[str]:
    """The paths of the project's files, relative to the folder."""
    if _work_tree(folder):
        git = Git(folder.as_uri())
        arguments = ["-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
        for name in git.check(arguments, doing=f"list the files of `{folder}`").split("\0"):
            path = folder / name
            if name and (path / ".git").exists():
                yield from (f"{name}/{inner}" for inner in _files(path))  # a submodule
            elif name and os.path.lexists(path) and not (path.is_dir() and not path.is_symlink()):
                yield name
        return
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.endswith(".egg-info")]
        for name in names:
            yield os.path.relpath(os.path.join(root, name), folder)


def _work_tree(folder: Path) -> Path | None:
    """The top of the git work tree that the folder is in, and is not ignored by; None if it is in none, or there is no git."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    try:
        git = Git(folder.as_uri())
    except SourceError:
        return None
    top = git.run(["-C", str(folder), "rev-parse", "--show-toplevel"])
    ignored = git.run(["-C", str(folder), "check-ignore", "-q", "."])
    return Path(top.stdout.rstrip("\n")) if top.returncode == 0 and ignored.returncode != 0 else None


def _clean_commit(folder: Path) -> str:
    top = _work_tree(folder)
    if not top:
        return ""
    git = Git(top.as_uri())
    head = git.run(["-C", str(folder), "rev-parse", "-q", "--verify", "HEAD"])
    changes = git.run(["-C", str(folder), "status", "--porcelain", "--", "."])
    return head.stdout.strip() if head.returncode == 0 and changes.returncode == 0 and not changes.stdout.strip() else ""


def _digest(folder: Path, files: list[str]) -> str:
    digest = hashlib.sha256()
    for name in files:
        path = folder / name
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            kind, content = b"l", os.fsencode(os.readlink(path))
        elif stat.S_ISREG(state.st_mode):
            kind, content = b"x" if state.st_mode & stat.S_IXUSR else b"f", hashlib.sha256(_read(path)).digest()
        else:
            continue
        digest.update(b"%s %d %s %d %s" % (kind, len(os.fsencode(name)), os.fsencode(name), len(content), content))
    return digest.hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"`{path}` can't be read", reference="source-missing", causes=[str(error)]) from error


def _copy_file(source: Path, target: Path) -> None:
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(os.readlink(source))
    elif stat.S_ISREG(mode):
        shutil.copy2(source, target)
