"""Asking a git server: which commit a reference is. Light, because the quick answer that nothing has changed waits for it.

Above it: `resolve`, `check_out`; below it: the git command. Credentials go to git through its environment: never into an argument,
which everybody can read, nor into a file.
"""

from __future__ import annotations

import os

from plughost import _process
from plughost.errors import InstallError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._process import Completed

__all__ = ["Git", "is_commit", "resolve_ref"]

LS_REMOTE_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 900.0

_HEX = frozenset("0123456789abcdef")
_COMMIT_LENGTHS = (40, 64)  # SHA-1, SHA-256
_SHORTEST_COMMIT = 7

#: What of our environment git gets beside the common allow-list: the user's own way to reach and trust servers.
_PASSED_ON = (
    "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
    "GIT_ASKPASS", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH", "GIT_SSL_NO_VERIFY", "CURL_CA_BUNDLE", "SSH_AGENT_PID", "SSH_ASKPASS", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME",
)  # fmt: skip


class Git:
    """The git command, set up for one repository: its URL, and credentials as `user` or `user:password`."""

    __slots__ = ("_environment", "_program", "_secrets", "url")

    def __init__(self, url: str, credentials: str = "") -> None:
        program = _process.find_program("git")
        if program is None:
            raise SourceError(
                "`git` is not on this machine", reference="git-missing", hint="Install it, for example with `apt install git`"
            )
        self.url = url
        self._program = program
        self._secrets = [part for part in (credentials, credentials.partition(":")[2], credentials.partition(":")[0]) if part]
        self._environment = _environment(url, credentials)

    def run(self, arguments: Sequence[str], *, timeout_s: float = FETCH_TIMEOUT_S) -> Completed:
        """Run git; what it prints is without credentials.

        Raises: InstallError: no answer within `timeout_s`.
        """
        try:
            completed = _process.run([self._program, *arguments], env=self._environment, timeout_s=timeout_s)
        except TimeoutError as error:
            raise InstallError(
                f"`{self.url}` gave no answer within {timeout_s:g} s",
                reference="network",
                causes=[f"`git {arguments[0]}` was ended"],
                hint="Try again, or look at the way there: a proxy, a firewall, a server that is down",
            ) from error
        completed.stderr = self.redact(completed.stderr)
        return completed

    def check(self, arguments: Sequence[str], *, doing: str, timeout_s: float = FETCH_TIMEOUT_S) -> str:
        """Run git and give what it printed.

        Raises: SourceError: it failed; its own words are the cause.
        """
        completed = self.run(arguments, timeout_s=timeout_s)
        if completed.returncode:
            raise self.failure(completed, doing)
        return completed.stdout

    def failure(self, completed: Completed, doing: str) -> SourceError | InstallError:
        """The error for what git said."""
        said = [line.strip() for line in completed.stderr.splitlines() if line.strip() and not line.startswith("hint:")]
        causes = [line.removeprefix("fatal: ").removeprefix("error: ") for line in said[-3:]] or [f"exit code {completed.returncode}"]
        text = completed.stderr
        for reference, signs, hint in _SIGNS:
            if any(sign in text for sign in signs):
                kind = SourceError if reference in SourceError.references else InstallError
                return kind(f"Failed to {doing}", reference=reference, causes=causes, hint=hint)
        return SourceError(f"Failed to {doing}", reference="git-failed", causes=causes, hint=f"Try it by hand: `git ls-remote {self.url}`")

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            if len(secret) > 3 or ":" in secret:  # noqa: PLR2004 - shorter ones are user names such as `git`, found in any word
                text = text.replace(secret, "***")
        return text


_SIGNS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("disk-full", ("No space left on device",), "Free some space; nothing that was installed is lost"),
    (
        "git-auth",
        ("could not read Username", "could not read Password", "Authentication failed", "Permission denied (publickey", "returned error: 403", "returned error: 401"),
        "Give credentials: an ssh key in your agent, a git credential helper, or `https://USER:TOKEN@HOST/…`, which are used and not stored",
    ),
    ("tls", ("SSL certificate problem", "server certificate verification failed", "certificate verify failed"), "Set `SSL_CERT_FILE` to your authorities' certificates"),
    (
        "network",
        ("Could not resolve host", "Connection refused", "Connection timed out", "Failed to connect", "Network is unreachable", "Could not resolve hostname"),
        "Look at the address and at your connection",
    ),
    ("git-submodule", ("submodule path", "Failed to clone"), "A submodule's repository can't be reached from here: is its URL in `.gitmodules` right?"),
    (
        "git-not-found",
        ("does not appear to be a git repository", "not found", "does not exist", "No such file or directory", "Repository not found"),
        "Look at the URL; a private repository may hide that it exists: give credentials",
    ),
)


def is_commit(revision: str) -> bool:
    """Whether it is a whole commit identifier."""
    return len(revision) in _COMMIT_LENGTHS and _HEX.issuperset(revision)


def may_be_short_commit(revision: str) -> bool:
    return _SHORTEST_COMMIT <= len(revision) < _COMMIT_LENGTHS[0] and _HEX.issuperset(revision)


def resolve_ref(git: Git, revision: str) -> str:
    """The commit that `revision` is now, as git-rev-parse(1) orders the candidates; empty for what may be a short commit.

    Raises: SourceError: there is no such reference, no repository, or no way in.
    """
    if is_commit(revision):
        return revision
    wanted = revision or "HEAD"
    patterns = [wanted] if wanted == "HEAD" else [wanted, f"{wanted}^{{}}", f"refs/{wanted}"]
    listed = git.check(
        ["ls-remote", "--end-of-options", git.url, *patterns], doing=f"ask `{git.url}` for its references", timeout_s=LS_REMOTE_TIMEOUT_S
    )
    commits = {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}
    for candidate in (wanted, f"refs/{wanted}", f"refs/tags/{wanted}", f"refs/heads/{wanted}", f"refs/remotes/{wanted}"):
        if commit := commits.get(f"{candidate}^{{}}") or commits.get(candidate):  # a tag's commit, not its object
            return commit
    if may_be_short_commit(wanted):
        return ""
    raise unknown_ref(git, revision)


def unknown_ref(git: Git, revision: str) -> SourceError:
    """The error for a reference that isn't there, with what comes near."""
    import difflib

    listed = git.run(["ls-remote", "--heads", "--tags", "--refs", "--end-of-options", git.url], timeout_s=LS_REMOTE_TIMEOUT_S).stdout
    names = [line.partition("\t")[2].split("/", 2)[2] for line in listed.splitlines() if line.count("/") >= 2]  # noqa: PLR2004 - refs/KIND/NAME
    if not revision or not names:
        causes = ["It has no commits yet"]
        return SourceError(f"`{git.url}` has nothing to check out", reference="git-ref-not-found", causes=causes)
    near = difflib.get_close_matches(revision, names, n=3, cutoff=0.5) or names[-5:]
    listing = ", ".join(f"`{name}`" for name in near)
    return SourceError(
        f"`{git.url}` has no branch, tag or commit `{revision}`",
        reference="git-ref-not-found",
        causes=[f"It has {len(names)} branches and tags, among them {listing}"],
        hint=f"`git ls-remote {git.url}` lists all of them",
    )


def _environment(url: str, credentials: str) -> dict[str, str]:
    environment = _process.base_environment({name: os.environ[name] for name in _PASSED_ON if name in os.environ})
    # The user named this repository: who owns its files is no reason to refuse it (CVE-2022-24765 is about folders one stumbles into).
    settings = [("safe.directory", "*"), ("protocol.version", "2"), ("core.hooksPath", os.devnull), ("gc.auto", "0")]
    scheme = url.partition("://")[0]
    if credentials:
        import base64

        server = "/".join(url.split("/", 3)[:3])
        token = base64.b64encode((credentials if ":" in credentials else f"{credentials}:").encode()).decode()
        settings.append((f"http.{server}/.extraHeader", f"Authorization: Basic {token}"))
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings):
        environment[f"GIT_CONFIG_KEY_{number}"], environment[f"GIT_CONFIG_VALUE_{number}"] = key, value
    # A repository on this machine may have its submodules here too; one on a server must not reach into this machine (CVE-2022-39253).
    environment["GIT_ALLOW_PROTOCOL"] = "https:http:ssh:file" if scheme == "file" else "https:http:ssh"
    environment.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes") if "GIT_SSH" not in environment else None
    environment.update(GIT_TERMINAL_PROMPT="0", LC_ALL="C", GIT_LFS_SKIP_SMUDGE="1")
    return environment
