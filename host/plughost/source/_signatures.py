"""Who signed a commit or a tag, and whether they may: asked before anything of the tree is on disk.

Above it: `check_out`; below it: git, with ssh-keygen and gpg, in an environment that has nothing of the user's: no configuration,
no ring of keys, no replaced objects. What is signed with a key that the file of allowed signers doesn't name is refused, whatever
git itself would say of it.

Source: git's gitformat-signature(5); ssh-keygen(1), allowed signers; GnuPG's doc/DETAILS, status lines.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from plughost import _process
from plughost.errors import InstallError, SourceError, UsageError
from plughost.source._remote import is_commit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Literal

    from plughost._process import Completed
    from plughost.source._command import Git
    from plughost.source._records import Origin
    from plughost.source._signers import AllowedSigners, GpgSigner

__all__ = ["Signer", "verify"]

_TIMEOUT_S = 30.0
_TAG = "refs/plughost/tag"
_KINDS = {"-----BEGIN SSH SIGNATURE-----": "ssh", "-----BEGIN PGP SIGNATURE-----": "gpg", "-----BEGIN PGP MESSAGE-----": "gpg"}
_BEGINS = re.compile(
    r"^(?:gpgsig(?:-sha256)? )?(-----BEGIN (?:SSH SIGNATURE|PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE)-----)$", re.MULTILINE
)
_GOOD_SSH = re.compile(r'Good "git" signature for (?P<principal>.+) with \S+ key (?P<fingerprint>\S+)')
_UNKNOWN_SSH = re.compile(r'Good "git" signature with \S+ key (?P<fingerprint>\S+)')
_NOT_OF_THIS = "It was made for something else than what it stands on"
#: No agent is started, nobody is asked for a key, and a key's being in the ring, which we made, is all the trust it needs.
_GPG_SETTINGS = "batch\nno-autostart\nno-auto-key-retrieve\ndisable-dirmngr\ntrust-model always\n"

#: Status lines of gpg that say why a signature doesn't count.
_GPG_REFUSALS = {
    "EXPKEYSIG": "The key has expired",
    "REVKEYSIG": "The key was revoked",
    "NO_PUBKEY": "",
    "ERRSIG": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed, by the file of allowed signers and by the key's fingerprint; `signed` is what bears the signature."""

    kind: Literal["ssh", "gpg"]
    principal: str
    fingerprint: str
    signed: Literal["tag", "commit"]

    def record(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """A tag or a commit with its signature; `name` is how messages call it."""

    what: Literal["tag", "commit"]
    identifier: str
    name: str
    kind: str


def verify(git: Git, origin: Origin, folder: Path, allowed: AllowedSigners) -> Signer:
    """Who signed the tag that was asked for, else its commit, which has been fetched into the repository at `folder`.

    Raises: SourceError: it isn't signed, the signature isn't valid, or the signer isn't allowed. InstallError: a program that
    verifies is missing. UsageError: a key of an allowed signer can't be read.
    """
    with _environment() as environment:
        examination = _Examination(git, origin, folder, allowed, environment)
        return examination.signer()


class _Examination:
    """One tag or commit, held against the allowed signers."""

    def __init__(self, git: Git, origin: Origin, folder: Path, allowed: AllowedSigners, environment: Mapping[str, str]) -> None:
        self.git = git
        self.origin = origin
        self.folder = folder
        self.allowed = allowed
        self.environment = dict(environment)
        self.home = environment["HOME"]

    def signer(self) -> Signer:
        signed = self._tag() or self._commit()
        if signed.kind == "ssh":
            return self._by_ssh(signed)
        if signed.kind == "gpg":
            return self._by_gpg(signed)
        if not signed.kind:
            raise SourceError(
                f"{signed.name} is not signed",
                reference="signature-missing",
                causes=["No signature stands on the commit, nor on an annotated tag that was asked for"],
                hint="Ask its author to sign what they publish; `git log --show-signature` shows what is signed",
            )
        raise self._refusal(signed, "signature-invalid", f"It is a `{signed.kind}`, which plughost can't verify")

    def _commit(self) -> _Signed:
        commit = self.origin.commit_id
        headers = self._git(["cat-file", "commit", commit]).stdout.partition("\n\n")[0]
        name = f"The commit `{commit[:12]}` of `{self.git.url}`"
        return _Signed(what="commit", identifier=commit, name=name, kind=_kind(_BEGINS.findall(headers)[:1]))

    def _tag(self) -> _Signed | None:
        """The annotated tag that was asked for, if it is one and signed.

        Raises: SourceError: its name is another one, or it marks another commit: somebody plays an older tag for it.
        """
        tag = _tag_name(self.origin.requested_revision)
        if not tag:
            return None
        fetch = ["-C", str(self.folder), "fetch", "-q", "--no-tags", "--depth=1", *self.git.upload_pack]
        fetched = self.git.run([*fetch, "--end-of-options", self.git.url, f"+refs/tags/{tag}:{_TAG}"])
        if fetched.returncode:
            if "couldn't find remote ref" in fetched.stderr:
                return None
            raise self.git.failure(fetched, f"fetch the tag `{tag}` of `{self.git.url}`")
        identifier, commit = self._git(["rev-parse", _TAG, f"{_TAG}^{{commit}}"]).stdout.split()
        if identifier == commit:
            return None
        headers, _, body = self._git(["cat-file", "tag", identifier]).stdout.partition("\n\n")
        signed = _Signed(
            what="tag", identifier=identifier, name=f"The tag `{tag}` of `{self.git.url}`", kind=_kind(_BEGINS.findall(body)[-1:])
        )
        if not signed.kind:
            return None
        if commit != self.origin.commit_id:
            raise self._refusal(signed, "signature-invalid", f"It marks `{commit}` by now, and not `{self.origin.commit_id}`")
        if f"tag {tag}" not in headers.splitlines():
            raise self._refusal(signed, "signature-invalid", "What is signed is a tag of another name")
        return signed

    def _by_ssh(self, signed: _Signed) -> Signer:
        program = self._program("ssh-keygen", "openssh-client")
        path = os.path.join(self.home, "allowed-signers")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.allowed.ssh)
        settings = [f"gpg.ssh.program={program}", f"gpg.ssh.allowedSignersFile={path}"]
        completed = self._verify(signed, settings)
        lines = completed.stderr.replace(path, self.allowed.path).splitlines()
        good = [found for line in lines if (found := _GOOD_SSH.fullmatch(line.strip()))]
        if completed.returncode == 0 and len(good) == 1:
            principal, fingerprint = good[0].group("principal", "fingerprint")
            return Signer(kind="ssh", principal=principal, fingerprint=fingerprint, signed=signed.what)
        unknown = next((found for line in lines if (found := _UNKNOWN_SSH.fullmatch(line.strip()))), None)
        reasons = [line for line in lines if line.startswith(f"{self.allowed.path}:")]
        if unknown or reasons:
            fingerprint = unknown["fingerprint"] if unknown else ""
            raise self._refusal(signed, "signer-not-allowed", *reasons, fingerprint=fingerprint)
        said = [_NOT_OF_THIS] if any("incorrect signature" in line for line in lines) else lines[-2:]
        raise self._refusal(signed, "signature-invalid", *said)

    def _by_gpg(self, signed: _Signed) -> Signer:
        program = self._program("gpg", "gnupg")
        signers = self._imported(program)
        completed = self._verify(signed, [f"gpg.program={program}", f"gpg.openpgp.program={program}"])
        statuses = _statuses(completed.stderr)
        of_kind = {words[0]: words[1:] for words in statuses}
        for kind, why in _GPG_REFUSALS.items():
            if kind in of_kind:
                raise self._refusal(signed, "signer-not-allowed", *filter(None, [why]), fingerprint=_fingerprint(of_kind))
        valid = [words for words in statuses if words[0] == "VALIDSIG"]
        if completed.returncode or len(valid) != 1 or "GOODSIG" not in of_kind or "BADSIG" in of_kind:
            said = "The signature has expired" if "EXPSIG" in of_kind else _NOT_OF_THIS
            raise self._refusal(signed, "signature-invalid", said)
        fingerprint, signed_at = valid[0][-1], float(valid[0][3])
        refusals = [signer.refusal(signed_at) for signer in signers.get(fingerprint, ())]
        for signer, refusal in zip(signers.get(fingerprint, ()), refusals, strict=True):
            if not refusal:
                return Signer(kind="gpg", principal=signer.principal, fingerprint=fingerprint, signed=signed.what)
        raise self._refusal(signed, "signer-not-allowed", *refusals, fingerprint=fingerprint)

    def _imported(self, program: str) -> dict[str, list[GpgSigner]]:
        """A ring of the allowed keys and no other; who they are of, by the fingerprint of the primary key."""
        with open(os.path.join(self.home, "gpg.conf"), "w", encoding="utf-8") as file:
            file.write(_GPG_SETTINGS)
        with open(os.path.join(self.home, "common.conf"), "w", encoding="utf-8"):
            pass  # so that gpg keeps the ring in a file and starts no daemon for it
        signers: dict[str, list[GpgSigner]] = {}
        for signer in self.allowed.gpg:
            completed = self._run([program, "--status-fd", "1", "--import", "--", signer.key])
            imported = [words[2] for words in _statuses(completed.stdout) if words[0] == "IMPORT_OK"]
            if completed.returncode or not imported:
                raise UsageError(
                    f"The GPG key of `{signer.principal}` can't be read",
                    reference="usage",
                    causes=[f"`{self.allowed.path}` names `{signer.key}`", *completed.stderr.splitlines()[-1:]],
                    hint=f"`gpg --armor --export {signer.principal} > {signer.key}` writes it",
                )
            for fingerprint in imported:
                signers.setdefault(fingerprint, []).append(signer)
        return signers

    def _refusal(self, signed: _Signed, reference: str, *causes: str, fingerprint: str = "") -> SourceError:
        if reference == "signer-not-allowed":
            key = f"the key `{fingerprint}`, which no allowed signer has" if fingerprint else "a key that may not sign it"
            return SourceError(
                f"{signed.name} is signed with {key}",
                reference=reference,
                causes=causes,
                hint=f"If you trust whoever has that key, add it to `{self.allowed.path}`",
            )
        return SourceError(
            f"The signature on {signed.name[0].lower()}{signed.name[1:]} is not valid",
            reference=reference,
            causes=causes,
            hint="Don't use it, and tell its author: it may have been altered after it was signed",
        )

    def _verify(self, signed: _Signed, settings: list[str]) -> Completed:
        return self._git([f"verify-{signed.what}", "--raw", signed.identifier], settings=settings, fails_ok=True)

    def _git(self, arguments: list[str], *, settings: list[str] | None = None, fails_ok: bool = False) -> Completed:
        given = [word for setting in ("safe.directory=*", *(settings or [])) for word in ("-c", setting)]
        completed = self._run([self.git.program, *given, "-C", str(self.folder), *arguments])
        if completed.returncode and not fails_ok:
            raise self.git.failure(completed, f"read what is signed of `{self.git.url}`")
        return completed

    def _run(self, argv: list[str]) -> Completed:
        try:
            return _process.run(argv, env=self.environment, timeout_s=_TIMEOUT_S)
        except OSError as error:  # a TimeoutError is one too
            raise InstallError(
                f"`{os.path.basename(argv[0])}` could not verify a signature", reference="tool-failed", causes=[str(error)]
            ) from error

    def _program(self, name: str, package: str) -> str:
        program = _process.find_program(name)
        if program is None:
            raise InstallError(
                f"There is no `{name}` on `PATH`, which verifies signatures",
                reference="tool-failed",
                hint=f"Install it, for example with `apt install {package}`",
            )
        return program


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """What the programs that verify get: a home of their own, and nothing that the user, or git's environment, has set."""
    with tempfile.TemporaryDirectory(prefix="plughost-") as home:
        yield _process.base_environment(
            {
                "HOME": home,
                "GNUPGHOME": home,
                "XDG_CONFIG_HOME": home,
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_NO_LAZY_FETCH": "1",
                "GIT_NO_REPLACE_OBJECTS": "1",
                "LC_ALL": "C",
            }
        )


def _tag_name(revision: str) -> str:
    """The tag that the revision may be, by git-rev-parse(1)'s order; "" if it can be none."""
    for prefix in ("refs/tags/", "tags/"):
        if revision.startswith(prefix):
            return revision.removeprefix(prefix)
    is_none = revision in {"", "HEAD"} or revision.startswith(("refs/", "heads/", "remotes/")) or is_commit(revision)
    return "" if is_none else revision


def _kind(begins: list[str]) -> str:
    """`ssh` or `gpg` by how the signature begins; the beginning itself, where it is of neither; "" without a signature."""
    return _KINDS.get(begins[0], begins[0]) if begins else ""


def _statuses(text: str) -> list[list[str]]:
    prefix = "[GNUPG:] "
    return [words for line in text.splitlines() if line.startswith(prefix) and (words := line.removeprefix(prefix).split())]


def _fingerprint(of_kind: Mapping[str, list[str]]) -> str:
    """The fingerprint, or where gpg says less, the identifier, of a key that it could not accept."""
    for kind, position in (("VALIDSIG", -1), ("ERRSIG", -1), ("NO_PUBKEY", 0), ("EXPKEYSIG", 0), ("REVKEYSIG", 0)):
        if words := of_kind.get(kind):
            return words[position]
    return ""
