"""Checking a commit out of a repository: as little of it as will do, and then that exact commit.

Above it: `check_out`; below it: `_command`. It knows nothing of what is in the tree but its submodules.
"""

from __future__ import annotations

import shutil

from plughost.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plughost.source._command import Git
    from plughost.source._records import Origin
    from plughost.source._signatures import Signer
    from plughost.source._signers import AllowedSigners

__all__ = ["check_out_commit", "deepen"]

_SHA256_LENGTH = 64
_BRANCHES_AND_TAGS = ("+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/tags/*")

#: Servers may refuse to give out a commit that no reference names, or to be shallow; then there are other ways.
_REFUSALS = ("not our ref", "unadvertised object", "couldn't find remote ref", "shallow", "dumb http", "remote end hung up")


def check_out_commit(git: Git, origin: Origin, into: Path, *, signers: AllowedSigners | None = None) -> tuple[int, Signer | None]:
    """Fill the empty folder `into` with the commit and its submodules; the commit's time, in seconds, and who signed it.

    Where `signers` are given, it must be one of them, and no file of the commit is on disk before that is known.

    Raises: SourceError: the commit or a submodule can't be had, or it isn't signed by one of `signers`.
    """
    doing = f"check out `{origin.commit_id[:12]}` of `{git.url}`"
    hashes = ["--object-format=sha256"] if len(origin.commit_id) == _SHA256_LENGTH else []
    git.check(["init", "-q", "--template=", *hashes, "--end-of-options", str(into)], doing=doing)
    signer = _fetch_and_switch(git, origin, into, doing, signers)
    if (into / ".gitmodules").is_file():
        _update_submodules(git, into)
    time, commit = git.check(["-C", str(into), "rev-list", "-1", "--timestamp", "HEAD"], doing=doing).split()
    if commit != origin.commit_id:
        raise SourceError(f"Failed to {doing}", reference="git-failed", causes=[f"git checked out `{commit}`"])
    return int(time), signer


def deepen(git: Git, origin: Origin, into: Path) -> None:
    """Fetch the history and the tags, from which the package's version is computed: without them it would be another one.

    Raises: SourceError: they can't be had.
    """
    shallow = ["--unshallow"] if (into / ".git" / "shallow").exists() else []
    # Without the files of old commits, which no version is computed from, where the server can leave them out.
    fetch = ["-C", str(into), "fetch", "-q", "--tags", "--force", "--filter=blob:none", *shallow, *git.upload_pack]
    completed = git.run([*fetch, "--end-of-options", git.url, origin.commit_id])
    if completed.returncode:
        git.check([*fetch, "--end-of-options", git.url, *_BRANCHES_AND_TAGS], doing=f"fetch the history of `{git.url}`")


def _fetch_and_switch(git: Git, origin: Origin, into: Path, doing: str, signers: AllowedSigners | None) -> Signer | None:
    """Fetch the commit: alone, else with the reference it was found by, else with everything; and switch to it."""
    fetch = ["-C", str(into), "fetch", "-q", "--no-tags", *git.upload_pack]
    shallow = [*fetch, "--depth=1", "--end-of-options", git.url]
    by_reference = [origin.requested_revision] if origin.requested_revision else []
    attempts = [
        [*shallow, origin.commit_id],
        *([*shallow, reference] for reference in by_reference),
        [*fetch, "--end-of-options", git.url, *_BRANCHES_AND_TAGS, *by_reference],
        [*fetch, "--end-of-options", git.url, *_BRANCHES_AND_TAGS],
    ]
    for attempt in attempts:
        completed = git.run(attempt)
        if completed.returncode == 0:
            signer = _verify(git, origin, into, signers) if signers else None
            if signers and not signer:
                continue
            # git-lfs asks where the repository came from.
            remote = ["-c", f"remote.origin.url={git.url}"]
            completed = git.run(["-C", str(into), *remote, "checkout", "-q", "--detach", origin.commit_id])
            if completed.returncode == 0:
                return signer
            refused = "reference is not a tree" in completed.stderr or "unable to read tree" in completed.stderr
        else:
            refused = any(sign in completed.stderr for sign in _REFUSALS)
        if not refused:
            raise git.failure(completed, doing)
    raise SourceError(
        f"`{git.url}` has no commit `{origin.commit_id}`",
        reference="git-ref-not-found",
        causes=["No branch and no tag leads to it, and the server doesn't give it out by itself"],
        hint=f"`git ls-remote {git.url}` lists what it has",
    )


def _verify(git: Git, origin: Origin, into: Path, signers: AllowedSigners) -> Signer | None:
    """Who signed the commit; None where it isn't there: the reference that it was found by has moved on."""
    if git.run(["-C", str(into), "cat-file", "-e", origin.commit_id]).returncode:
        return None
    from plughost.source._signatures import verify

    return verify(git, origin, into, signers)


def _update_submodules(git: Git, into: Path) -> None:
    doing = f"check out the submodules of `{git.url}`"
    # Relative URLs of submodules are relative to this one; credentials are not part of it.
    git.check(["-C", str(into), "config", "remote.origin.url", git.url], doing=doing)
    submodule = ["-C", str(into), "submodule", "--quiet"]
    completed = git.run([*submodule, "update", "--init", "--recursive", "--depth=1"])
    if completed.returncode == 0:
        return
    # A server that doesn't give out single commits; what is there by now is of no use.
    git.run([*submodule, "deinit", "--force", "--all"])
    shutil.rmtree(into / ".git" / "modules", ignore_errors=True)
    completed = git.run([*submodule, "update", "--init", "--recursive"])
    if completed.returncode:
        raise git.failure(completed, doing, reference="git-submodule")
