"""What uv and pip have in common here: the request for a lock, what they get of our environment, the log they leave.

Above it: `_uv`, `_pip` and `_installer`, which says what the stages ask of either; below it: `_process`. It knows no
program's flags.
"""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from plughost.paths import read_file, sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Protocol

    from plughost._interpreters import Interpreter
    from plughost._process import Completed

    class Shop(Protocol):
        """Where code of packages runs that nobody has looked at, confined."""

        def run(
            self,
            argv: Sequence[str],
            *,
            env: Mapping[str, str],
            venv: str,
            write: Sequence[str] = (),
        ) -> Completed:
            """Run a program to its end, without a network. `venv` is the environment that it belongs to, `write` are folders."""


__all__ = [
    "NETWORK",
    "UNTOLD_VERSION",
    "LockRequest",
    "SourceMetadata",
    "lock_with",
    "passed_on",
    "pinned",
    "redact",
    "rooted",
    "within",
    "without_passwords",
    "write_log",
]

#: What a package of a lock is installed from. Source: PEP 751.
_PLACES = frozenset(("archive", "directory", "index", "sdist", "vcs", "wheels"))
_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]*@")
_QUERY = re.compile(r"(?<=://)([^\s'\"?]*)\?[^\s'\"#]*")
#: Of what a program printed, as much from its beginning and from its end goes into a log.
_LOGGED_CHARS = 1 << 20
_HTTP_USER = re.compile(r"(?<=https://)[^/\s@]+@|(?<=http://)[^/\s@]+@")

#: What an installer may have from our environment beside `_process.PASSED_ON`: the way out to an index or a git server, and the
#: credentials for it. Plugins never get these.
NETWORK = (
    "ALL_PROXY",
    "GIT_ASKPASS",
    "GIT_CONFIG_*",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
    "SSL_CLIENT_CERT",
    "XDG_CONFIG_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


#: The version of what is from a place of its own, until it has been built.
UNTOLD_VERSION = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMetadata:
    """What is known of a version that there is no wheel of, since it was built. `name` is normalized."""

    name: str
    version: str
    requires_python: str
    requires_dist: tuple[str, ...]
    extras: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """What to lock: requirements as PEP 508 has them, of which the wheel's own name is answered by `wheel`.

    `folder` is where `pylock.toml` and what the installer needs beside it are written; `wheel` lies in it already. `previous` is
    the folder of an earlier lock whose versions are kept where they still fit, but for that of the package `upgrade`; with `anew`
    the index is asked even where the cache may know the answer.

    Nothing is built for a lock. Of the packages `from_source`, or of all if ":all:" is among them, no wheel is needed; their
    versions are taken to depend on nothing, but for those that are `built`. `places` are the URLs of packages that have to be
    from there, and `digests` the SHA-256 of what is there, of archives that aren't wheels.
    """

    folder: Path
    requirements: tuple[str, ...]
    python: Interpreter
    log: Path
    wheel: Path | None = None
    wheel_name: str = ""
    constraints: tuple[str, ...] = ()
    exclude_newer: str = ""
    offline: bool = False
    previous: Path | None = None
    upgrade: str = ""
    anew: bool = False
    subject: str = "the plugin"
    from_source: frozenset[str] = frozenset()
    built: tuple[SourceMetadata, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


def lock_with(built: Mapping[str, Path], folder: Path) -> str:
    """The `pylock.toml` in `folder`, in which the packages that are `built` come from those wheels."""
    import tomli_w

    lock = tomllib.loads(read_file(folder / "pylock.toml").decode())
    lock["packages"] = [_from_file(package, built) for package in lock["packages"]]
    return tomli_w.dumps(lock)


def _from_file(package: dict[str, object], built: Mapping[str, Path]) -> dict[str, object]:
    path = built.get(str(package["name"]))
    if path is None:
        return package
    kept = {name: value for name, value in package.items() if name not in _PLACES}
    return {**kept, "archive": {"path": str(path), "hashes": {"sha256": sha256_of(path)}}}


def rooted(places: Iterable[str]) -> list[str]:
    """URLs, and folders by their whole paths: an installer doesn't run in the user's folder."""
    return [place if "://" in place else os.path.abspath(place) for place in places]


def within(folder: str, argv: Sequence[str]) -> Sequence[str]:
    """`argv`, begun in `folder` where the folder that we are in has been deleted: uv and pip don't begin in one."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return ["/bin/sh", "-c", 'cd "$0" && exec "$@"', folder, *argv]
    return argv


def passed_on(names: Iterable[str]) -> dict[str, str]:
    """What our environment has under `names`; one that ends with a star is a prefix."""
    prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
    exact = frozenset(names)
    return {name: value for name, value in os.environ.items() if value and (name in exact or name.startswith(prefixes))}


@contextmanager
def pinned(wheels: Mapping[str, str], venv: str) -> Iterator[str]:
    """The path of a requirements file, which lies in `venv` for the time of a block: each wheel's version, and its SHA-256."""
    listed = Path(venv, "plughost-wheels.txt")
    parts = ((*wheel.split("-")[:2], sha256) for wheel, sha256 in wheels.items())
    listed.write_text("".join(f"{name}=={version} --hash=sha256:{sha256}\n" for name, version, sha256 in parts))
    try:
        yield str(listed)
    finally:
        listed.unlink()


def redact(text: str) -> str:
    """`text`, to be shown, without the credentials of the URLs in it: userinfo, and what follows a `?`, which may be a token."""
    return _QUERY.sub(r"\1", without_passwords(text))


def without_passwords(text: str) -> str:
    """`text` without the userinfo of the URLs in it; the user of an ssh URL, which is part of the address, stays."""
    return _HTTP_USER.sub("", _PASSWORD.sub(r"\1@", text))


def write_log(log: Path, completed: Completed) -> None:
    """Add to `log` what a program was asked and what it printed, credentials removed."""
    printed = _ends(completed.stdout) + _ends(completed.stderr)
    text = f"$ {' '.join(completed.argv)}\n{printed}exit code {completed.returncode}\n\n"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(redact(text))


def _ends(text: str) -> str:
    """`text`, without its middle if it is very long."""
    left_out = len(text) - 2 * _LOGGED_CHARS
    return text if left_out <= 0 else f"{text[:_LOGGED_CHARS]}\n[… {left_out:,} characters …]\n{text[-_LOGGED_CHARS:]}"
