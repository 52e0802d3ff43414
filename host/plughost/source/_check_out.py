"""`resolve` and `check_out`, each by the kind of source; what one kind needs, the others don't import."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from plughost.errors import InstallError, UsageError
from plughost.source._command import Git
from plughost.source._records import Origin, Source, SourceTree
from plughost.source._remote import is_commit, resolve_ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.source._signatures import Signer
    from plughost.source._signers import AllowedSigners

__all__ = ["check_out", "resolve"]


def resolve(source: Source, *, offline: bool = False) -> Origin:
    """The exact commit, or the digest of the exact bytes, that `source` means now.

    Asks a git server for its references, or reads what is on this machine. An archive on a server is fetched, unless its URL says
    the digest.

    Raises: SourceError: there is no such thing. InstallError: it can't be asked, or `offline` forbids to ask.
    """
    if source.kind == "requirement":
        return Origin(kind="requirement", requirement=source.requirement)
    if source.kind == "bundle":
        raise UsageError(
            f"`{source.text}` is a bundle, and can only be added",
            reference="source-invalid",
            hint="Give the source that the plugin was exported from",
        )
    if source.kind == "folder":
        from plughost.source import _folder

        return _folder.resolve(source)
    if offline and not (source.kind == "git" and is_commit(source.requested_revision)):  # of which nobody need be asked
        _refuse_server(source)
    if source.kind != "git":
        from plughost.source import _archive

        return _archive.resolve(source)
    return Origin(
        kind="git",
        url=source.url,
        requested_revision=source.requested_revision,
        commit_id=resolve_ref(Git(source.url, source.credentials), source.requested_revision),
        subdirectory=source.subdirectory,
    )


def check_out(
    source: Source,
    origin: Origin,
    into: Path,
    *,
    project: str = "plughost",
    offline: bool = False,
    signers: AllowedSigners | None = None,
) -> SourceTree:
    """Put what `origin` names into the empty folder `into`, and read its metadata. The user's own folders are not written to.

    `project` is the entry-point group for packages of the older kind, which declare none. An editable source's tree is the
    folder itself. Where `signers` are given, one of them must have signed the commit, or the tag that was asked for.

    Raises: SourceError: it can't be had, is no Python project, or isn't signed as demanded. What is in `into` then is of no use.
    InstallError: `offline` forbids to ask for it.
    """
    if offline:
        _refuse_server(source)
    from plughost.source._tree import has_version_from_git, make_project, project_folder, read_tree

    if origin.kind in {"wheel", "sdist"}:
        from plughost.source import _archive

        return _archive.check_out(source, origin, into)
    signer: Signer | None = None
    epoch: int | None = None
    versioned_by_tags = False
    if origin.kind == "git":
        from plughost.source import _git

        git = Git(source.url, source.credentials)
        epoch, signer = _git.check_out_commit(git, origin, into, signers=signers)
        folder = project_folder(into, origin)
        versioned_by_tags = has_version_from_git(folder)
        if versioned_by_tags:
            _git.deepen(git, origin, into)
    elif origin.editable:
        folder = Path(source.path)
    else:
        from plughost.source import _folder

        history = has_version_from_git(Path(source.path))
        folder, epoch = _folder.copy(origin, Path(source.path), into, history=history)
    make_project(folder, origin, project=project)
    return replace(read_tree(folder, origin, epoch=epoch, signer=signer), versioned_by_tags=versioned_by_tags)


def _refuse_server(source: Source) -> None:
    """Raises: InstallError: `source` is not on this machine."""
    if source.url and not source.url.startswith("file:"):
        raise InstallError(
            f"`{source.url}` can't be asked with `--offline`",
            reference="offline",
            hint="Leave `--offline` out, or give what is on this machine, or the full identifier of a commit added before",
        )
