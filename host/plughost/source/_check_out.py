"""`resolve` and `check_out`, each by the kind of source."""

from __future__ import annotations

from pathlib import Path

from plughost.errors import InstallError
from plughost.source import _archive, _folder, _git
from plughost.source._records import Origin, Source, SourceTree
from plughost.source._remote import Git, resolve_ref
from plughost.source._tree import read_tree

__all__ = ["check_out", "resolve"]


def resolve(source: Source, *, offline: bool = False) -> Origin:
    """The exact commit, or the digest of the exact bytes, that `source` means now.

    Asks a git server for one list of references, or reads what is on this machine; an archive on a server is fetched, since its
    digest is not to be had otherwise.

    Raises: SourceError: there is no such thing. InstallError: it can't be asked, or `offline` forbids to ask.
    """
    if source.kind == "requirement":
        return Origin(kind="requirement", requirement=source.requirement)
    if source.kind == "folder":
        return _folder.resolve(source)
    if offline and source.url and not source.url.startswith("file://"):
        raise InstallError(
            f"`{source.url}` can't be asked with `--offline`",
            reference="offline",
            hint="Leave `--offline` out, or give a folder, a file or a repository on this machine",
        )
    if source.kind == "git":
        git = Git(source.url, source.credentials)
        return Origin(
            kind="git",
            url=source.url,
            requested_revision=source.requested_revision,
            commit_id=resolve_ref(git, source.requested_revision) or _git.find_short_commit(git, source.requested_revision),
            subdirectory=source.subdirectory,
        )
    return _archive.resolve(source)


def check_out(source: Source, origin: Origin, into: Path, *, project: str = "plughost") -> SourceTree:
    """Put what `origin` names into the empty folder `into`, and read its metadata. The user's own folders are not written to.

    `project` is the entry-point group for packages of the older kind, which declare none.

    Raises: SourceError: it can't be had, or is no Python project. What is in `into` then is of no use.
    """
    if origin.kind in {"wheel", "sdist"}:
        return SourceTree(path=_archive.fetch(source, origin, into), origin=origin)
    if origin.kind == "git":
        git = Git(source.url, source.credentials)
        epoch = _git.check_out(git, origin, into)
        return read_tree(into, origin, project=project, epoch=epoch, deepen=lambda: _git.deepen(git, origin, into))
    folder = Path(source.path) if origin.editable else _folder.copy(Path(source.path), into)
    return read_tree(
        folder, origin, project=project, epoch=None, deepen=lambda: _folder.copy_history(Path(source.path), folder)
    )
