"""Signed commits and tags: whose signature counts, and that nothing weakens it. ssh-keygen and gpg themselves make the keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from plughost.errors import SourceError, UsageError
from plughost.source import check_out, demand_signature, is_signature_demanded, parse, resolve

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
       for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2024-01-01T00:00:00Z"))},
}  # fmt: skip
PYPROJECT = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "weather"\nversion = "1"\n'

needs_ssh = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen")
needs_gpg = pytest.mark.skipif(not shutil.which("gpg"), reason="there is no gpg")


def run(*argv: object, stdin: str = "", **environment: str) -> str:
    completed = subprocess.run(
        [*map(str, argv)], env={**ENVIRONMENT, **environment}, input=stdin, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip()


class Repository:
    """A repository whose commits and tags are signed with a key: an ssh one by its file, a GPG one by its fingerprint."""

    def __init__(self, folder: Path, ring: Path) -> None:
        self.folder = folder
        self.ring = ring
        self.git("init", "-q", "--initial-branch=main", folder, inside=False)
        (folder / "pyproject.toml").write_text(PYPROJECT)
        self.git("add", "--all")

    def git(self, *arguments: object, key: object = "", inside: bool = True, stdin: str = "") -> str:
        form = "ssh" if isinstance(key, Path) else "openpgp"
        signing = ["-c", f"gpg.format={form}", "-c", f"user.signingkey={key}"] if key else []
        return run("git", *(["-C", self.folder] if inside else []), *signing, *arguments, stdin=stdin, GNUPGHOME=str(self.ring))

    def commit(self, key: object = "") -> str:
        self.git("commit", "-q", "--allow-empty", *(["-S"] if key else []), "-m", "A change", key=key)
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, key: object) -> None:
        self.git("tag", "-s", "-m", "A release", name, key=key)

    def url(self, ref: str = "") -> str:
        return f"git+{self.folder.as_uri()}{'@' * bool(ref)}{ref}"


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """`keys["ada"]` is the private key's file; the public one is beside it."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ada", "eve"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name)
    return {name: folder / name for name in ("ada", "eve")}


@pytest.fixture(scope="session")
def ring():
    """A home of gpg's with the keys of Ada, Eve, Otto and Rosa; its path is short, because gpg makes a socket in it."""
    with tempfile.TemporaryDirectory(prefix="g") as folder:
        home = Path(folder)

        def gpg(*arguments: object, stdin: str = "") -> str:
            return run("gpg", "--batch", "--quiet", *arguments, stdin=stdin, GNUPGHOME=folder)

        for name in ("ada", "eve", "otto", "rosa"):
            gpg("--passphrase", "", "--quick-generate-key", f"{name}@example.org", "ed25519", "sign", "never")
            gpg("--armor", "--output", home / f"{name}.asc", "--export", f"{name}@example.org")
        yield home
        run("gpgconf", "--kill", "all", GNUPGHOME=folder)


def fingerprint(ring: Path, name: str) -> str:
    listed = run("gpg", "--batch", "--with-colons", "--list-keys", f"{name}@example.org", GNUPGHOME=str(ring))
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))


@pytest.fixture
def repository(tmp_path, request):
    ring = request.getfixturevalue("ring") if "ring" in request.fixturenames else tmp_path
    return Repository(tmp_path / "weather", ring)


@pytest.fixture
def signers(tmp_path):
    """`signers("line", …)` is the path of a file of allowed signers with these lines."""

    def write(*lines: str) -> str:
        path = tmp_path / "allowed-signers"
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    return write


def ssh_line(key: Path, options: str = "", principal: str = "ada@example.org") -> str:
    return f"{principal} {options} {key.with_suffix('.pub').read_text().strip()}"


def signer_of(text: str, path: str, into: Path):
    """Who signed it; what was refused left no file behind."""
    source = parse(text)
    into.mkdir()
    try:
        return check_out(source, resolve(source), into, signers=demand_signature(source, path)).signer
    except SourceError:
        assert [entry.name for entry in into.iterdir()] == [".git"]
        raise


def refused(text: str, path: str, into: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        signer_of(text, path, into)
    return caught.value


@needs_ssh
def test_a_commit_of_an_allowed_signer_is_taken(repository, keys, signers, tmp_path):
    repository.commit(keys["ada"])
    signer = signer_of(repository.url(), signers(ssh_line(keys["ada"], 'namespaces="git"')), tmp_path / "tree")
    assert (signer.kind, signer.principal, signer.signed) == ("ssh", "ada@example.org", "commit")
    assert signer.fingerprint == run("ssh-keygen", "-l", "-f", keys["ada"]).split()[1]
    assert (tmp_path / "tree" / "pyproject.toml").exists()


@needs_ssh
def test_a_commit_without_a_signature_is_refused_before_it_is_on_disk(repository, keys, signers, tmp_path):
    commit = repository.commit()
    error = refused(repository.url(), signers(ssh_line(keys["ada"])), tmp_path / "tree")
    assert error.reference == "signature-missing"
    assert error.message == f"The commit `{commit[:12]}` of `{repository.folder.as_uri()}` is not signed"


@needs_ssh
def test_git_itself_calls_a_strangers_signature_good_and_we_do_not(repository, keys, signers, tmp_path):
    repository.commit(keys["eve"])
    path = signers(ssh_line(keys["ada"]))
    error = refused(repository.url(), path, tmp_path / "tree")
    assert error.reference == "signer-not-allowed"
    assert run("ssh-keygen", "-l", "-f", keys["eve"]).split()[1] in error.message
    assert path in error.hint


@needs_ssh
def test_a_signature_moved_to_another_commit_is_not_valid(repository, keys, signers, tmp_path):
    signed = repository.git("cat-file", "commit", repository.commit(keys["ada"]))
    altered = signed.replace("A change", "Another change") + "\n"
    forged = repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=altered)
    repository.git("update-ref", "refs/heads/main", forged)
    error = refused(repository.url(), signers(ssh_line(keys["ada"])), tmp_path / "tree")
    assert error.reference == "signature-invalid"
    assert forged[:12] in error.message


@needs_ssh
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ('valid-before="20230101Z"', "key has expired"),
        ('valid-after="20250101Z"', "key is not yet valid"),
        ('namespaces="file"', "not permitted for use in signature namespace"),
    ],
)
def test_a_key_that_is_not_allowed_for_this_is_refused(repository, keys, signers, tmp_path, options, why):
    repository.commit(keys["ada"])
    path = signers(ssh_line(keys["ada"], options))
    error = refused(repository.url(), path, tmp_path / "tree")
    assert error.reference == "signer-not-allowed"
    assert f"{path}:1: " in error.causes[0]
    assert why in error.causes[0]


@needs_ssh
def test_of_a_signed_tag_the_tags_signature_counts(repository, keys, signers, tmp_path):
    repository.commit()
    repository.tag("v1", keys["ada"])
    allowed = signers(ssh_line(keys["ada"]))
    assert signer_of(repository.url("v1"), allowed, tmp_path / "a").signed == "tag"
    assert signer_of(repository.url("refs/tags/v1"), allowed, tmp_path / "b").signed == "tag"
    repository.commit(keys["ada"])
    repository.tag("v2", keys["eve"])
    assert refused(repository.url("v2"), allowed, tmp_path / "c").reference == "signer-not-allowed"


@needs_ssh
def test_of_a_tag_without_a_signature_the_commits_counts(repository, keys, signers, tmp_path):
    repository.commit(keys["ada"])
    repository.git("tag", "-a", "-m", "A release", "v1")
    repository.git("tag", "light")
    allowed = signers(ssh_line(keys["ada"]))
    assert signer_of(repository.url("v1"), allowed, tmp_path / "a").signed == "commit"
    assert signer_of(repository.url("light"), allowed, tmp_path / "b").signed == "commit"


@needs_ssh
def test_an_older_signed_tag_is_not_taken_for_a_newer(repository, keys, signers, tmp_path):
    repository.commit()
    repository.tag("v1", keys["ada"])
    repository.git("update-ref", "refs/tags/v2", "refs/tags/v1")
    error = refused(repository.url("v2"), signers(ssh_line(keys["ada"])), tmp_path / "tree")
    assert (error.reference, error.causes) == ("signature-invalid", ("What is signed is a tag of another name",))


@needs_ssh
@pytest.mark.parametrize("given", ["file", "variables"])
def test_the_users_own_settings_of_git_weaken_nothing(repository, keys, signers, tmp_path, monkeypatch, given):
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\necho 'Good \"git\" signature for ada@example.org with ED25519 key SHA256:x'\nexit 0\n")
    liar.chmod(0o755)
    everybody = tmp_path / "everybody"
    everybody.write_text(ssh_line(keys["eve"]))
    settings = {"gpg.ssh.program": liar, "gpg.program": liar, "gpg.ssh.allowedSignersFile": everybody}
    if given == "file":
        for key, value in settings.items():
            run("git", "config", "--file", tmp_path / "gitconfig", key, value)
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    else:
        monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
        for number, (key, value) in enumerate(settings.items()):
            monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", str(value))
    repository.commit(keys["eve"])
    assert refused(repository.url(), signers(ssh_line(keys["ada"])), tmp_path / "tree").reference == "signer-not-allowed"


@needs_gpg
def test_a_commit_signed_with_an_allowed_gpg_key_is_taken(repository, ring, signers, tmp_path):
    repository.commit(fingerprint(ring, "ada"))
    signer = signer_of(repository.url(), signers(f"Ada gpg {ring / 'ada.asc'}"), tmp_path / "tree")
    assert signer.record() == {
        "kind": "gpg",
        "principal": "Ada",
        "fingerprint": fingerprint(ring, "ada"),
        "signed": "commit",
    }


@needs_gpg
def test_a_tag_signed_with_a_gpg_key_is_taken_and_the_key_is_found_beside_the_file(repository, ring, signers, tmp_path):
    repository.commit()
    repository.tag("v1", fingerprint(ring, "ada"))
    shutil.copy(ring / "ada.asc", tmp_path)
    path = signers('"Ada of Bern" valid-after="20230101",namespaces="file,git" gpg ada.asc')
    signer = signer_of(repository.url("v1"), path, tmp_path / "tree")
    assert (signer.principal, signer.signed) == ("Ada of Bern", "tag")


@needs_gpg
def test_a_gpg_key_in_the_users_ring_is_not_allowed_for_that(repository, ring, signers, tmp_path, monkeypatch):
    monkeypatch.setenv("GNUPGHOME", str(ring))
    repository.commit(fingerprint(ring, "eve"))
    error = refused(repository.url(), signers(f"Ada gpg {ring / 'ada.asc'}"), tmp_path / "tree")
    assert error.reference == "signer-not-allowed"
    assert fingerprint(ring, "eve") in error.message


@needs_gpg
def test_a_gpg_key_that_has_expired_or_was_revoked_is_refused(repository, ring, signers, tmp_path):
    def gpg(*arguments: object, stdin: str = "") -> str:
        return run("gpg", "--batch", "--quiet", "--yes", *arguments, stdin=stdin, GNUPGHOME=str(ring))

    otto, rosa = fingerprint(ring, "otto"), fingerprint(ring, "rosa")
    repository.commit(otto)
    repository.tag("v1", rosa)
    gpg("--quick-set-expire", otto, "seconds=1")
    revocation = (ring / "openpgp-revocs.d" / f"{rosa}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg("--import", stdin=revocation)
    for name in ("otto", "rosa"):
        gpg("--armor", "--output", ring / f"{name}.asc", "--export", f"{name}@example.org")
    allowed = signers(f"Otto gpg {ring / 'otto.asc'}", f"Rosa gpg {ring / 'rosa.asc'}")
    revoked = refused(repository.url("v1"), allowed, tmp_path / "a")
    assert (revoked.reference, revoked.causes) == ("signer-not-allowed", ("The key was revoked",))
    while not gpg("--with-colons", "--list-keys", otto).splitlines()[1].startswith("pub:e"):
        pass  # its second is not over
    expired = refused(repository.url(), allowed, tmp_path / "b")
    assert (expired.reference, expired.causes) == ("signer-not-allowed", ("The key has expired",))


@needs_gpg
def test_what_was_altered_below_a_gpg_signature_is_not_valid(repository, ring, signers, tmp_path):
    signed = repository.git("cat-file", "commit", repository.commit(fingerprint(ring, "ada")))
    altered = signed.replace("A change", "Another change") + "\n"
    forged = repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=altered)
    repository.git("update-ref", "refs/heads/main", forged)
    error = refused(repository.url(), signers(f"Ada gpg {ring / 'ada.asc'}"), tmp_path / "tree")
    assert error.reference == "signature-invalid"


@needs_gpg
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ('valid-before="20230101Z"', "It was made after the key was allowed"),
        ('valid-after="209901011200"', "It was made before the key was allowed"),
    ],
)
def test_a_gpg_key_has_a_window_too(repository, ring, signers, tmp_path, options, why):
    repository.commit(fingerprint(ring, "ada"))
    error = refused(repository.url(), signers(f"Ada {options} gpg {ring / 'ada.asc'}"), tmp_path / "tree")
    assert (error.reference, error.causes) == ("signer-not-allowed", (why,))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('ada namespaces="file" gpg ada.asc', "The key's `namespaces` leave out `git`"),
        ("ada cert-authority gpg ada.asc", "`cert-authority` is no option that a GPG key can have"),
        ('ada valid-before="2026" gpg ada.asc', "`2026` is not a time such as `20260131` or `202601311200Z`"),
    ],
)
def test_a_line_for_a_gpg_key_that_cannot_be_used_is_named(signers, line, why):
    path = signers("# ours", line)
    with pytest.raises(UsageError) as caught:
        demand_signature(parse("git+https://example.org/weather.git"), path)
    assert (caught.value.message, caught.value.causes) == (f"Line 2 of `{path}` can't be used", (why,))


@pytest.mark.parametrize(
    ("source", "pattern", "expected"),
    [
        ("git+https://example.org/acme/weather.git@v1", "https://example.org/acme/*", True),
        ("git+https://example.org/acme/weather.git@v1", "https://example.org/acme/weather", True),
        ("git+https://example.org/other/weather.git", "https://example.org/acme/*", False),
        ("git+https://user:token@EXAMPLE.org:443/acme/weather.git", "example.org/acme/*", True),
        ("git+ssh://git@example.org/acme/weather.git", "https://example.org/acme/*", True),
        ("git+git@example.org:acme/weather.git", "https://example.org/acme/*", True),
        ("weather==1.2", "*", True),
        ("weather==1.2", "https://*", False),
    ],
)
def test_a_pattern_fits_a_repository_however_its_address_is_written(source, pattern, expected):
    assert is_signature_demanded(parse(source), [pattern]) is expected


@pytest.fixture
def plugin(git_repository):
    """The folder of a repository with a plugin in it, whose only commit is not signed."""
    return Path(git_repository("echo").removeprefix("git+file://"))


def sign(folder: Path, key: Path, *arguments: str) -> str:
    signing = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"]
    run("git", "-C", folder, *signing, "commit", "-q", "--allow-empty", "-S", "-m", "Signed", *arguments)
    return run("git", "-C", folder, "rev-parse", "HEAD")


@needs_ssh
def test_a_plugin_that_was_demanded_signed_stays_so_when_it_is_updated(plughost_command, plugin, keys, signers):
    settings = {"PLUGHOST_ALLOWED_SIGNERS": signers(ssh_line(keys["ada"]))}
    source = f"git+{plugin.as_uri()}"
    assert plughost_command("add", source, env=settings).returncode == 0  # nobody asked, and its wheel is kept
    refusal = plughost_command("add", source, "--require-signed", "--json", env=settings)
    assert refusal.json()["error"]["reference"] == "signature-missing"
    commit = sign(plugin, keys["ada"])
    added = plughost_command("add", source, "--require-signed", "--json", env=settings).json()
    print_of_key = run("ssh-keygen", "-l", "-f", keys["ada"]).split()[1]
    signer = {"kind": "ssh", "principal": "ada@example.org", "fingerprint": print_of_key, "signed": "commit"}
    assert (added["commit_id"], added["signer"]) == (commit, signer)
    assert f"ada@example.org  ssh {print_of_key}" in plughost_command("info", "echo").stdout
    sign(plugin, keys["eve"])
    updated = plughost_command("update", "echo", "--json", env=settings).json()
    assert updated[0]["error"]["reference"] == "signer-not-allowed"
    assert plughost_command("info", "echo", "--json").json()["commit_id"] == commit


@needs_ssh
def test_settings_demand_signatures_by_pattern(plughost_command, plugin, keys, signers, tmp_path):
    (tmp_path / "plughost.toml").write_text(
        f'allowed-signers = "{signers(ssh_line(keys["ada"]))}"\nrequire-signed = ["{plugin.parent.as_uri()}/*"]\n'
    )
    source = f"git+{plugin.as_uri()}"
    assert plughost_command("add", source, "--json").json()["error"]["reference"] == "signature-missing"
    folder = plughost_command("add", plugin, "--require-signed", "--json").json()["error"]
    assert folder["message"] == f"`{plugin}` can't be signed, and a signature is demanded of it"
    sign(plugin, keys["ada"])
    assert plughost_command("add", source, "--json").json()["signer"]["principal"] == "ada@example.org"


@needs_ssh
def test_an_update_can_begin_to_demand_a_signature(plughost_command, plugin, keys, signers):
    settings = {"PLUGHOST_ALLOWED_SIGNERS": signers(ssh_line(keys["ada"]))}
    assert plughost_command("add", f"git+{plugin.as_uri()}").returncode == 0
    unsigned = plughost_command("update", "echo", "--require-signed", "--json", env=settings).json()
    assert unsigned[0]["error"]["reference"] == "signature-missing"
    sign(plugin, keys["ada"])
    assert plughost_command("update", "echo", "--require-signed", env=settings).returncode == 0
    record = plughost_command("info", "echo", "--json").json()
    assert (record["signer"]["principal"], record["request"]["require_signed"]) == ("ada@example.org", True)


def test_without_a_file_of_allowed_signers_nothing_can_be_demanded(host):
    with pytest.raises(UsageError, match="nobody is allowed to sign"):
        host.add("git+https://example.org/weather.git", require_signed=True)
