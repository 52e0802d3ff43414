"""The file of allowed signers: that of OpenSSH, with lines for GPG keys of our own, and who of them a signature is of.

Above it: `_signatures`; below it: the disk. It knows what is written, and leaves it to ssh-keygen and gpg what a key is.

    ada@example.org ssh-ed25519 AAAAC3…                                as ssh-keygen(1) has it, options included
    grace@example.org gpg keys/grace.asc                               the file of a public key, relative to this one
    alan@example.org valid-before="20260101Z" gpg keys/alan.asc        with the same options
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from plughost.errors import SourceError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from plughost.source._records import Source

__all__ = ["AllowedSigners", "GpgSigner", "demand_signature", "is_signature_demanded"]

_GPG_LINE = re.compile(r'(?P<principal>"[^"]*"|\S+)\s+(?:(?P<options>(?:[^\s"]|"[^"]*")+)\s+)?gpg\s+(?P<key>.+)')
_OPTION = re.compile(r'(?P<name>[a-z-]+)(?:="(?P<value>[^"]*)")?(?:,|\Z)', re.IGNORECASE)
_NOT_SIGNED = {
    "folder": "A folder has no signature",
    "wheel": "A wheel has no signature that plughost could verify",
    "sdist": "An sdist has no signature that plughost could verify",
    "requirement": "A package from the index has no signature that plughost could verify",
}
_TIMES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_SCP = re.compile(r"(?:[^/@\s]+@)?([^/:\s]+):(?!//)(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpgSigner:
    """One whose GPG key, in the file `key`, may sign within the window: seconds since the epoch, None where it is open."""

    principal: str
    key: str
    valid_after: float | None = None
    valid_before: float | None = None

    def refusal(self, signed_at: float) -> str:
        """Why a signature of that time doesn't count; "" if it does."""
        if self.valid_after is not None and signed_at < self.valid_after:
            return "It was made before the key was allowed"
        if self.valid_before is not None and signed_at >= self.valid_before:
            return "It was made after the key was allowed"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedSigners:
    """The file at `path`: who may sign with `gpg`, and in `ssh` the other lines, each still at its own number."""

    path: str
    ssh: str
    gpg: tuple[GpgSigner, ...]


def demand_signature(source: Source, path: str, *, lines: Sequence[str] = ()) -> AllowedSigners:
    """Those who may have signed `source`, by the file at `path`, or by the `lines` for SSH keys that an index has.

    Raises: SourceError: what is no repository can't be signed. UsageError: there is no such file, or a line for a GPG key in it
    can't be read.
    """
    if source.kind != "git":
        raise SourceError(
            f"`{source.text}` can't be signed, and a signature is demanded of it",
            reference="signature-missing",
            causes=[f"{_NOT_SIGNED[source.kind]}; commits and tags of git have"],
            hint="Give the repository that it comes from, as `git+https://…`, or leave it out of `require-signed`",
        )
    return AllowedSigners(path="signers", ssh="".join(f"{line}\n" for line in lines), gpg=()) if lines else _read(path)


def _read(path: str) -> AllowedSigners:
    if not path:
        raise UsageError(
            "Signatures are demanded, and nobody is allowed to sign yet",
            reference="usage",
            hint='Write `allowed-signers = "FILE"` into `plughost.toml`: a file as ssh-keygen(1) has it',
        )
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The file of allowed signers `{path}` can't be read",
            reference="usage",
            causes=[str(error)],
            hint="It has a line for each key, as ssh-keygen(1) has them",
        ) from error
    signers = {number: _gpg_signer(path, number, line) for number, line in enumerate(lines) if _is_gpg(line)}
    ssh = "".join(f"{'' if number in signers else line}\n" for number, line in enumerate(lines))
    return AllowedSigners(path=path, ssh=ssh, gpg=tuple(signers.values()))


def is_signature_demanded(source: Source, patterns: Iterable[str]) -> bool:
    """Whether the source fits one of the patterns, in whichever way the address of its server is written."""
    forms = {form.lower() for form in (source.text, source.url, source.path, *_plain_forms(source.url)) if form}
    return any(fnmatchcase(form, pattern.lower()) for pattern in patterns for form in forms)


def _plain_forms(url: str) -> Iterator[str]:
    """`host/path` and `https://host/path`, without user and port: the same repository can be had by each."""
    if scp := _SCP.fullmatch(url):
        host, path = scp[1], scp[2]
    elif "://" in url:
        host, _, path = url.partition("://")[2].partition("/")
        host = host.rpartition("@")[2].partition(":")[0]
    else:
        return
    for form in (f"{host}/{path.lstrip('/')}", f"{host}/{path.lstrip('/').removesuffix('.git')}"):
        yield form
        yield f"https://{form}"


def _is_gpg(line: str) -> bool:
    return not line.lstrip().startswith("#") and _GPG_LINE.fullmatch(line.strip()) is not None


def _gpg_signer(path: str, number: int, line: str) -> GpgSigner:
    found = _GPG_LINE.fullmatch(line.strip())
    assert found
    try:
        options = _options(found["options"] or "")
        return GpgSigner(
            principal=found["principal"].strip('"'),
            key=os.path.join(os.path.dirname(path), os.path.expanduser(found["key"].strip())),
            valid_after=_seconds(options.get("valid-after")),
            valid_before=_seconds(options.get("valid-before")),
        )
    except ValueError as error:
        raise UsageError(
            f"Line {number + 1} of `{path}` can't be used",
            reference="usage",
            causes=[str(error)],
            hint='Write it as `ada@example.org valid-before="20260101Z" gpg keys/ada.asc`',
        ) from error


def _options(text: str) -> dict[str, str]:
    """Raises: ValueError: they can't be read, or leave out what we ask for."""
    options: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = _OPTION.match(text, position)
        if not found or found["name"].lower() not in {"namespaces", "valid-after", "valid-before"}:
            raise ValueError(f"`{text[position:]}` is no option that a GPG key can have")
        options[found["name"].lower()] = found["value"] or ""
        position = found.end()
    if not any(fnmatchcase("git", pattern) for pattern in options.get("namespaces", "git").split(",")):
        raise ValueError("The key's `namespaces` leave out `git`")
    return options


def _seconds(time: str | None) -> float | None:
    """Source: ssh-keygen(1), times of allowed signers: in UTC with a `Z`, else in local time.

    Raises: ValueError: it is none.
    """
    if time is None:
        return None
    digits = time.removesuffix("Z")
    if len(digits) not in _TIMES or not digits.isdigit():
        raise ValueError(f"`{time}` is not a time such as `20260131` or `202601311200Z`")
    moment = datetime.strptime(digits, _TIMES[len(digits)])  # noqa: DTZ007 - the zone comes next
    return (moment.replace(tzinfo=UTC) if time.endswith("Z") else moment.astimezone()).timestamp()
