"""Checking a commit out of a repository: as little of it as will do, and then that exact commit."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from plughost.errors import SourceError
from plughost.source._remote import Git, unknown_ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.source._records import Origin

__all__ = ["check_out", "deepen", "find_short_commit"]


def check_out(git: Git, origin: Origin, into: Path) -> int:
    """Fill the empty folder `into` with the commit and its submodules; the commit's time, in seconds.

    Raises: SourceError: the commit or a submodule can't be had.
    """
    doing = f"check out `{origin.commit_id[:12]}` of `{git.url}`"
    git.check(["init", "-q", "--end-of-options", str(into)], doing=doing)
    # For submodules with relative URLs; credentials are not part of this one.
    git.check(["-C", str(into), "config", "remote.origin.url", git.url], doing=doing)
    _fetch(git, origin, into, doing)
    git.check(["-C", str(into), "checkout", "-q", "--detach", origin.commit_id], doing=doing)
    if (into / ".gitmodules").is_file():
        _update_submodules(git, into)
    shown = git.check(["-C", str(into), "log", "-1", "--format=%H %ct"], doing=doing).split()
    if shown[0] != origin.commit_id:
        raise SourceError(f"Failed to {doing}", reference="git-failed", causes=[f"git checked out `{shown[0]}`"])
    return int(shown[1])


def deepen(git: Git, origin: Origin, into: Path) -> None:
    """Fetch the history and the tags, from which the package's version is computed.

    Raises: SourceError: they can't be had.
    """
    doing = f"fetch the history of `{git.url}`"
    arguments = ["-C", str(into), "fetch", "-q", "--tags"]
    # Without the files of old commits, which no version is computed from, where the server can leave them out.
    shallow = ["--unshallow"] if (into / ".git" / "shallow").exists() else []
    git.check([*arguments, *shallow, "--end-of-options", git.url, origin.commit_id, *_ref_of(origin)], doing=doing)


def find_short_commit(git: Git, revision: str) -> str:
    """The whole identifier of the commit that `revision` begins.

    Raises: SourceError: there is none, or more than one.
    """
    with tempfile.TemporaryDirectory(prefix="plughost-") as folder:
        doing = f"look for `{revision}` in `{git.url}`"
        git.check(["init", "-q", "--bare", folder], doing=doing)
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        git.check(["-C", folder, "fetch", "-q", "--filter=tree:0", "--end-of-options", git.url, *refs], doing=doing)
        found = git.run(["-C", folder, "rev-parse", "-q", "--verify", "--end-of-options", f"{revision}^{{commit}}"])
    if found.returncode or not found.stdout.strip():
        if "ambiguous" in found.stderr:
            raise SourceError(
                f"`{revision}` begins more than one commit of `{git.url}`", reference="git-ref-not-found", hint="Give more of its digits"
            )
        raise unknown_ref(git, revision)
    return found.stdout.strip()


def _fetch(git: Git, origin: Origin, into: Path, doing: str) -> None:
    """Fetch the commit: alone, else with the reference it was found by, else with everything."""
    fetch = ["-C", str(into), "fetch", "-q", "--no-tags"]
    attempts = [
        [*fetch, "--depth=1", "--end-of-options", git.url, origin.commit_id],
        *([[*fetch, "--depth=1", "--end-of-options", git.url, ref] for ref in _ref_of(origin)]),
        [*fetch, "--end-of-options", git.url, "+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*"],
    ]
    for attempt in attempts:
        completed = git.run(attempt)
        if completed.returncode == 0 and _has_commit(git, into, origin.commit_id):
            return
        if completed.returncode and not _may_be_had_otherwise(completed.stderr):
            raise git.failure(completed, doing)
    raise SourceError(
        f"`{git.url}` has no commit `{origin.commit_id}`",
        reference="git-ref-not-found",
        causes=["It is on none of its branches and tags, and the server gives it out by itself neither"],
        hint=f"`git ls-remote {git.url}` lists what it has",
    )


def _has_commit(git: Git, into: Path, commit: str) -> bool:
    return git.run(["-C", str(into), "cat-file", "-e", f"{commit}^{{commit}}"]).returncode == 0


def _may_be_had_otherwise(stderr: str) -> bool:
    """Servers may refuse to give out a commit that no reference names, or to be shallow."""
    return any(sign in stderr for sign in ("not our ref", "unadvertised object", "couldn't find remote ref", "shallow", "dumb http"))


def _ref_of(origin: Origin) -> list[str]:
    revision = origin.requested_revision
    return [revision] if revision and not origin.commit_id.startswith(revision) else []


def _update_submodules(git: Git, into: Path) -> None:
    update = ["-C", str(into), "submodule", "--quiet", "update", "--init", "--recursive"]
    doing = f"check out the submodules of `{git.url}`"
    completed = git.run([*update, "--depth=1"])
    if completed.returncode:  # a server that doesn't give out single commits
        for module in (into / ".git" / "modules").glob("*"):
            shutil.rmtree(module, ignore_errors=True)
        git.check(update, doing=doing)
