"""The git command: what it gets of our environment, how credentials reach it, and what its failures mean.

Above it: `_remote`, `_git`, `_work_tree`; below it: `_process`. It imports little, because the quick answer that nothing has
changed waits for it.

Credentials go through environment variables that only git reads: never into an argument, which everybody on the machine can see,
nor into a file.
"""

from __future__ import annotations

import os

from plughost import _process
from plughost.errors import InstallError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._process import Completed

__all__ = ["FETCH_TIMEOUT_S", "LIST_TIMEOUT_S", "Git", "redact_urls"]

LIST_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 600.0

#: What git gets beside the common allow-list: the user's own ways to reach, trust and be known to servers. A star ends a prefix.
_PASSED_ON = (
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "DBUS_SESSION_BUS_ADDRESS",  # where desktop keyrings answer
    "GCM_*",
    "GH_*",  # `gh auth git-credential`
    "GITHUB_TOKEN",
    "GIT_ASKPASS",
    "GIT_CONFIG_*",
    "GIT_HTTP_*",
    "GIT_PROXY_COMMAND",
    "GIT_SSH*",
    "GIT_SSL_*",
    "GNUPGHOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSH_*",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)

_PROTOCOLS = "https:http:ssh"
_PROTOCOLS_HERE = f"{_PROTOCOLS}:file"

#: In this order: a cause that makes others show stands before those.
_SIGNS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("disk-full", ("No space left on device", "Disk quota exceeded"), "Free some space; nothing that was installed is lost"),
    (
        "tool-failed",
        ("git-lfs: not found", "git-lfs: command not found"),
        "Install git-lfs, where the repository keeps its files",
    ),
    ("tool-failed", ("cannot run ", "is not a git command"), "Run `git --version`, and for ssh `ssh -V`"),
    (
        "tls",
        ("SSL certificate problem", "certificate verification failed", "certificate verify failed", "SSL connect error"),
        "Name the authority's certificate in `SSL_CERT_FILE`",
    ),
    (
        "git-auth",
        (
            "could not read Username",
            "could not read Password",
            "Authentication failed",
            "Permission denied (",
            "Host key verification failed",
            "returned error: 401",
            "returned error: 403",
        ),
        "Set up a git credential helper or an ssh key, or give `https://USER:TOKEN@HOST/…`: it is used and not stored",
    ),
    (
        "network",
        (
            "Could not resolve ",
            "Couldn't connect",
            "Failed to connect",
            "onnection refused",
            "onnection reset",
            "onnection closed",
            "timed out",
            "Network is unreachable",
            "No route to host",
            "early EOF",
            "returned error: 5",
        ),
        "Check the address, the connection and the proxy settings, then repeat the command",
    ),
    (
        "git-not-found",
        (
            "does not appear to be a git repository",
            "not found",
            "does not exist",
            "returned error: 404",
            "No such file or directory",
        ),
        "Check the URL; some servers give this answer also for a private repository, when they are shown no credentials",
    ),
    (
        "git-not-found",
        ("returned error: 301", "returned error: 302", "returned error: 307", "returned error: 308"),
        "The repository has moved, and credentials are not sent on: give its new URL; some servers want it to end in `.git`",
    ),
    ("git-ref-not-found", ("couldn't find remote ref", "not our ref", "unadvertised object"), ""),
)


class Git:
    """The git command, set up for one repository: its URL, and credentials as `user:password`, or one word that may be either."""

    __slots__ = ("_environments", "_secrets", "program", "upload_pack", "url")

    def __init__(self, url: str, credentials: str = "") -> None:
        """Raises: SourceError: there is no git."""
        program = _process.find_program("git")
        if program is None:
            raise SourceError(
                "There is no `git` on `PATH`", reference="git-missing", hint="Install it, for example with `apt install git`"
            )
        self.url = url
        self.program = program
        self._secrets = _secrets(credentials)
        self._environments = _environments(url, credentials)
        if not url.startswith(("file:", "http:", "https:")):
            self._prefer_own_ssh()
        # The other end of a local connection is a git of its own, which doesn't get our settings.
        self.upload_pack = ["--upload-pack=git -c 'safe.directory=*' upload-pack"] if url.startswith("file:") else []

    def run(self, arguments: Sequence[str], *, timeout_s: float = FETCH_TIMEOUT_S) -> Completed:
        """Run git, whatever its exit code; what it says on stderr is without credentials.

        Raises: InstallError: no answer within `timeout_s`, or git can't be started.
        """
        completed = self._run(arguments, timeout_s)
        if "transport 'file' not allowed" in completed.stderr and self._moved_here():
            completed = self._run(arguments, timeout_s)
        return completed

    def _run(self, arguments: Sequence[str], timeout_s: float) -> Completed:
        for environment in self._environments:
            try:
                completed = _process.run([self.program, *arguments], env=environment, timeout_s=timeout_s)
            except TimeoutError as error:
                raise InstallError(
                    f"`{self.url}` gave no answer within {timeout_s:g} s",
                    reference="network",
                    causes=[str(error)],
                    hint="Try again, or look at the way there: a proxy, a firewall, a server that is down",
                ) from error
            except OSError as error:
                raise InstallError(
                    f"`{self.program}` can't be started",
                    reference="tool-failed",
                    causes=[str(error)],
                    hint="Install git, for example with `apt install git`",
                ) from error
            completed.stderr = self._redact(completed.stderr)
            if completed.returncode == 0 or _reference(completed.stderr)[0] != "git-auth":
                if environment is not self._environments[0]:  # the first was refused: it needn't be tried again
                    self._environments = [environment]
                break
        return completed

    def check(self, arguments: Sequence[str], *, doing: str, timeout_s: float = FETCH_TIMEOUT_S) -> str:
        """Run git and give what it printed. `doing` completes the sentence "Failed to".

        Raises: SourceError, InstallError: it failed; its own words are the cause.
        """
        completed = self.run(arguments, timeout_s=timeout_s)
        if completed.returncode:
            raise self.failure(completed, doing)
        return completed.stdout

    def failure(self, completed: Completed, doing: str, *, reference: str = "") -> InstallError:
        """The error for what git said; `reference` says what it is, where that is known and git's words don't say more."""
        known, hint = _reference(completed.stderr)
        reference = known if known not in {"", "git-not-found", "git-ref-not-found"} else reference or known or "git-failed"
        kind = SourceError if reference in SourceError.references else InstallError
        hint = hint or f"Try it by hand: `git ls-remote {self.url}`"
        return kind(f"Failed to {doing}", reference=reference, causes=_said(completed), hint=hint)

    def _moved_here(self) -> bool:
        """Whether the user's own settings (`url.….insteadOf`) say that the repository is here; then git may look here too."""
        asked = self._run(["--git-dir=/dev/null", "ls-remote", "--get-url", "--end-of-options", self.url], LIST_TIMEOUT_S)
        if not asked.stdout.startswith(("/", "file:")):
            return False
        for environment in self._environments:
            environment["GIT_ALLOW_PROTOCOL"] = _PROTOCOLS_HERE
        return True

    def _prefer_own_ssh(self) -> None:
        """Where the user's settings say how git calls ssh, drop our own way, which would go before it."""
        asked = self.run(["--git-dir=/dev/null", "config", "--get", "core.sshCommand"], timeout_s=LIST_TIMEOUT_S)
        if asked.stdout.strip() and "GIT_SSH_COMMAND" not in os.environ:
            for environment in self._environments:
                environment.pop("GIT_SSH_COMMAND", None)

    def _redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return redact_urls(text)


def redact_urls(text: str) -> str:
    """`text` without the credentials of the URLs in it: userinfo, and what follows a `?`, where servers put tokens.

    An ssh URL's user, who is part of the address, stays.
    """
    if "://" not in text:
        return text
    import re

    text = re.sub(r"(://[^\s'\"?]*)\?[^\s'\"#]*", r"\1", text)
    text = re.sub(r"((?<!ssh)://)[^/\s'\"]*@", r"\1", text)
    return re.sub(r"(ssh://[^/\s:'\"]*):[^/\s'\"]*@", r"\1@", text)


def _reference(stderr: str) -> tuple[str, str]:
    """What happened, and what to do about it."""
    for reference, signs, hint in _SIGNS:
        if any(sign in stderr for sign in signs):
            return reference, hint
    return "", ""


def _said(completed: Completed) -> list[str]:
    """The last of what git, or the server through git, complained of."""
    lines = [line.strip() for line in completed.stderr.splitlines()]
    complaints = [line for line in lines if line.startswith(("fatal: ", "error: ", "remote: ", "ssh: "))] or lines
    causes = [line.removeprefix("fatal: ").removeprefix("error: ") for line in complaints if line]
    return list(dict.fromkeys(causes))[-3:] or [f"`git` exited with code {completed.returncode}"]


def _secrets(credentials: str) -> list[str]:
    """The forms in which the credentials could be printed, the longest first."""
    if not credentials:
        return []
    from urllib.parse import quote

    user, colon, password = credentials.partition(":")
    secret = password if colon else user  # a user's name beside a password is none
    forms = {credentials, quote(credentials, safe=":"), secret, quote(secret, safe=""), _basic(credentials)}
    return sorted(forms - {""}, key=len, reverse=True)


def _basic(credentials: str) -> str:
    import base64

    return base64.b64encode((credentials if ":" in credentials else f"{credentials}:").encode()).decode()


def _environments(url: str, credentials: str) -> list[dict[str, str]]:
    """The environment to run git in; a single word may be a token or a user's name, and is tried as the one and the other."""
    if not credentials:
        return [_environment(url, [])]
    server = "/".join(url.split("/", 3)[:3])
    as_header = [
        (f"http.{server}/.extraHeader", f"Authorization: Basic {_basic(credentials)}"),
        # After a redirection to another server, git would show the header to that one.
        (f"http.{server}/.followRedirects", "false"),
        # The user's own helpers must neither be asked nor be told that their password is wrong.
        (f"credential.{server}.helper", ""),
    ]
    first = _environment(url, as_header)
    first["GIT_ASKPASS"] = ""
    if ":" in credentials:
        return [first]
    return [first, _environment(url, [(f"credential.{server}.username", credentials)])]


def _environment(url: str, settings: list[tuple[str, str]]) -> dict[str, str]:
    exact = {name for name in _PASSED_ON if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in _PASSED_ON if name.endswith("*"))
    environment = _process.base_environment(
        {name: value for name, value in os.environ.items() if name in exact or name.startswith(prefixes)}
    )
    settings = [
        # The user named this repository: that its files are somebody else's is no reason to refuse it.
        ("safe.directory", "*"),
        ("protocol.version", "2"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("core.fsmonitor", "false"),
        ("core.hooksPath", os.devnull),
        ("advice.detachedHead", "false"),
        *settings,
    ]
    try:
        count = int(environment.get("GIT_CONFIG_COUNT", "0"))
    except ValueError:
        count = 0
    for number, (key, value) in enumerate(settings, count):
        environment[f"GIT_CONFIG_KEY_{number}"], environment[f"GIT_CONFIG_VALUE_{number}"] = key, value
    environment["GIT_CONFIG_COUNT"] = str(count + len(settings))
    # A repository on this machine may have its submodules here too; one on a server must not reach into this machine.
    environment["GIT_ALLOW_PROTOCOL"] = _PROTOCOLS_HERE if url.startswith("file:") else _PROTOCOLS
    if "GIT_SSH" not in environment:
        environment.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    environment.update(GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", GIT_NO_LAZY_FETCH="1", LC_ALL="C")
    return environment
