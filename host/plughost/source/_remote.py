"""Asking a repository which commit a reference is. Light, because the quick answer that nothing has changed waits for it.

Above it: `resolve`, and whoever asks only whether a reference has moved; below it: `_command`.
"""

from __future__ import annotations

from plughost.errors import SourceError
from plughost.source._command import LIST_TIMEOUT_S, Git, redact_urls

__all__ = ["Git", "is_commit", "redact_urls", "resolve_ref"]

_HEX = frozenset("0123456789abcdef")
_COMMIT_LENGTHS = (40, 64)  # SHA-1, SHA-256
_SHORTEST_COMMIT = 7

#: The repository that the current folder happens to be in has no say: its settings may name programs.
_NOWHERE = ("--git-dir=/dev/null",)

#: As git-rev-parse(1) orders them.
_CANDIDATES = ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
#: References that begin so are neither branches nor tags by their short names.
_NOT_SHORT = ("HEAD", "refs/", "heads/", "tags/", "pull/", "merge-requests/", "remotes/", "changes/")


def is_commit(ref: str) -> bool:
    """Whether it is a commit's whole identifier."""
    return len(ref) in _COMMIT_LENGTHS and _HEX.issuperset(ref.lower())


def resolve_ref(git: Git, ref: str) -> str:
    """The commit that `ref` is now: a branch, a tag (the commit that it marks), `refs/…`, or how a commit's identifier begins.

    Empty is what the repository has checked out. A whole identifier is taken as it is, and nobody is asked.

    Raises: SourceError: there is no such reference or repository. InstallError: it can't be asked.
    """
    if is_commit(ref):
        return ref.lower()
    wanted = ref or "HEAD"
    commits = {}
    if not wanted.startswith(_NOT_SHORT):
        # So that servers leave out what many have by the ten thousand: a reference for each pull request.
        commits = _listed(git, wanted, "--heads", "--tags")
    commits = commits or _listed(git, wanted)
    for candidate in (form.format(wanted) for form in _CANDIDATES):
        if commit := commits.get(f"{candidate}^{{}}") or commits.get(candidate):  # of a tag, not its own object but its commit
            return commit
    if len(ref) >= _SHORTEST_COMMIT and _HEX.issuperset(ref.lower()):
        return _find_short_commit(git, ref.lower())
    raise _unknown(git, ref)


def _listed(git: Git, wanted: str, *kinds: str) -> dict[str, str]:
    arguments = [*_NOWHERE, "ls-remote", "-q", *git.upload_pack, *kinds, "--end-of-options", git.url, wanted, f"{wanted}^{{}}"]
    listed = git.check(arguments, doing=f"ask `{git.url}` for its references", timeout_s=LIST_TIMEOUT_S)
    return {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}


def _find_short_commit(git: Git, short: str) -> str:
    """The whole identifier. Servers know no short ones: fetch the commits, where that is possible without their files."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="plughost-") as folder:
        doing = f"look for the commit `{short}` in `{git.url}`"
        git.check(["init", "-q", "--bare", "--template=", "--end-of-options", folder], doing=doing)
        fetch = ["-C", folder, "fetch", "-q", "--filter=tree:0", *git.upload_pack, "--end-of-options", git.url]
        git.check([*fetch, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], doing=doing)
        found = git.run(["-C", folder, "rev-parse", "--verify", f"{short}^{{commit}}"])
    if found.returncode == 0:
        return found.stdout.strip()
    if "ambiguous" in found.stderr:
        raise SourceError(
            f"`{short}` begins more than one commit of `{git.url}`", reference="git-ref-not-found", hint="Give more of its digits"
        )
    raise _unknown(git, short)


def _unknown(git: Git, ref: str) -> SourceError:
    """The error for a reference that isn't there, with those that come near."""
    import difflib

    from plughost._wording import listed

    listing = [*_NOWHERE, "ls-remote", *git.upload_pack, "--heads", "--tags", "--refs", "--end-of-options", git.url]
    printed = git.run(listing, timeout_s=LIST_TIMEOUT_S).stdout
    names = [line.partition("\t")[2].removeprefix("refs/heads/").removeprefix("refs/tags/") for line in printed.splitlines()]
    if not names:
        return SourceError(
            f"`{git.url}` has nothing to check out", reference="git-ref-not-found", causes=["It has no branches and no tags"]
        )
    near = difflib.get_close_matches(ref, names, n=5, cutoff=0.4) or names[-5:]
    return SourceError(
        f"`{git.url}` has no branch, tag or commit `{ref}`" if ref else f"`{git.url}` has nothing checked out",
        reference="git-ref-not-found",
        causes=[f"It has, among others: {listed(near)}"],
        hint=f"`git ls-remote {git.url}` lists all of them; a commit that none of them leads to is given in full",
    )
