"""Every error, provoked by a real situation, and the whole of what is said of it.

What is added are wheels made by hand and the index is a folder, so that nothing needs a network, and next to nothing a build.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.server
import inspect
import json
import os
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from plughost import Host, Policy, Settings, errors
from plughost.errors import PlughostError

#: A backend that stands in the project, so that a build needs nothing from an index.
BACKEND = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
PROJECT = '[project]\nname = "weather"\nversion = "1.0"\n'
FORECAST = {"forecast": "weather:forecast"}


#: A process with file systems of its own, where the system allows it.
UNSHARE = [shutil.which("unshare") or "false", "--user", "--map-root-user", "--mount"]


class Lab:
    """What a situation is made of: wheels, an index, repositories, servers, and the command itself."""

    def __init__(self, root: Path, run, commit) -> None:
        self.root = root
        self.commit = commit
        self.environment = {"UV_DEFAULT_INDEX": (root / "index").as_uri()}
        self._run = run
        (root / "index").mkdir()

    def run(self, *argv: object, **env: str):
        return self._run(*map(str, argv), "--json", cwd=self.root, env={**self.environment, **env})

    def add(self, source: object, *options: object, **env: str):
        return self.run("add", source, *options, **env)

    def write(self, files: dict[str, str], folder: str = "project") -> Path:
        for path, text in files.items():
            target = self.root / folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return self.root / folder

    def repository(self, files: dict[str, str] | None = None, folder: str = "weather.git") -> str:
        path = self.write(files or {"README": ""}, folder)
        self.commit(path)
        return f"git+{path.as_uri()}"

    def wheel(self, name: str = "weather", version: str = "1.0", *, tag: str = "py3-none-any", **more: object) -> Path:
        path = self.root / f"{name}-{version}-{tag}.whl"
        write_wheel(path, name, version, tag=tag, **more)
        return path

    def asking_wheel(self, permissions: str) -> Path:
        path = self.wheel()
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("weather-1.0.dist-info/plughost-permissions.toml", permissions)
        return path

    def publish(self, name: str, version: str = "1.0", *, sha256: str = "", **more: object) -> None:
        """Put a wheel into the index."""
        path = self.wheel(name, version, **more)
        folder = self.root / "index" / name
        folder.mkdir(exist_ok=True)
        shutil.move(path, folder / path.name)
        sha256 = sha256 or hashlib.sha256((folder / path.name).read_bytes()).hexdigest()
        with (folder / "index.html").open("a") as page:
            page.write(f'<a href="{path.name}#sha256={sha256}">{path.name}</a>\n')


def write_wheel(
    path: Path,
    name: str,
    version: str,
    *,
    tag: str,
    requires: str = "",
    python: str = "",
    entry_points: dict[str, str] | None = None,
    code: str = "def forecast(city: str) -> str:\n    return city\n",
    without: str = "",
    module: str = "",
) -> None:
    """`without` is a file that it should have and lacks."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" * bool(requires) + f"Requires-Python: {python}\n" * bool(python)
    offered = FORECAST if entry_points is None else entry_points
    files = {
        f"{module or name}.py": code,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": "[plughost]\n" + "".join(f"{key} = {value}\n" for key, value in offered.items()),
    }
    files = {file: text for file, text in files.items() if not file.endswith(without or "\0")}
    lines = [f"{file},sha256={digest(text)},{len(text)}" for file, text in files.items()]
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": "\n".join([*lines, f"{info}/RECORD,,", ""])}.items():
            archive.writestr(file, text)


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def lab(tmp_path, plughost_command, commit):
    return Lab(tmp_path, plughost_command, commit)


@pytest.fixture
def run(lab, shared_host):
    """`run("echo:add", "a=1")` calls a tool of a plugin that is installed."""
    return lambda *argv: lab.run("run", *argv, PLUGHOST_HOME=str(shared_host.store.root))


@pytest.fixture
def serve():
    """`serve(401)` is the address of a server that answers everything so; with a certificate it speaks https."""
    servers = []

    def start(status: int, certificate: Path | None = None) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("WWW-Authenticate", "Basic")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815 - the name that the server looks for

            def log_message(self, *_: object) -> None: ...

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # a client that turns away from the certificate
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http{'s' * bool(certificate)}://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


TOLD: set[str] = set()
#: What no user meets: where a wheel is missing, the installer is asked again, and may build one.
CAUGHT = {"wheel-missing"}


def tells(reference: str, *, exit_code: int):
    """The test whose function gives the end of a command: it has failed with the error `reference`, whose text is its docstring.

    In the text TMP stands for the test's folder, LOG for the path of a log that is there, and … for whatever a program or the
    machine says there.
    """

    def decorate(provoke):
        TOLD.add(reference)

        @functools.wraps(provoke)
        def test(tmp_path, **fixtures):
            completed = provoke(**fixtures)
            record = completed.json()["error"]
            log = record["log"]
            assert log is None or Path(log).read_text(encoding="utf-8")
            error = PlughostError(record["message"], causes=record["causes"], hint=record["hint"] or "", log="LOG" if log else "")
            told, expected = str(error).replace(str(tmp_path), "TMP"), inspect.cleandoc(provoke.__doc__)
            if not re.fullmatch(re.escape(expected).replace("…", ".*"), told):
                assert told == expected  # which shows where they differ
            assert (record["reference"], record["exit_code"], completed.returncode) == (reference, exit_code, exit_code)

        taken = inspect.signature(provoke).parameters.values()
        taken = [inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY), *(p.replace(kind=p.KEYWORD_ONLY) for p in taken)]
        test.__signature__ = inspect.Signature(taken)
        return test

    return decorate


@tells("source-missing", exit_code=5)
def test_a_folder_that_is_not_there(lab):
    """
    There is nothing at `TMP/weather`

    hint: Give `git+https://HOST/REPOSITORY.git@REF`, a folder as `./FOLDER`, …
    """
    return lab.add("./weather")


@tells("source-invalid", exit_code=2)
def test_a_source_that_poses_as_an_option(lab):
    """
    `git+https://example.org/weather.git@--upload-pack=evil` is not a source that can be added
      Caused by: Its revision `--upload-pack=evil` begins with a dash, as an option does

    hint: Give `git+https://HOST/REPOSITORY.git@REF`, a folder as `./FOLDER`, …
    """
    return lab.add("git+https://example.org/weather.git@--upload-pack=evil")


@tells("settings-invalid", exit_code=2)
def test_a_setting_that_there_is_none_of(lab):
    """
    The settings in `TMP/plughost.toml` can't be used
      Caused by: There is no setting `exclude-never`

    hint: Did you mean `exclude-newer`?
    """
    (lab.root / "plughost.toml").write_text('exclude-never = "7 days"')
    return lab.add(lab.wheel())


@tells("settings-invalid", exit_code=2)
def test_a_declared_plugin_whose_source_is_no_text(lab):
    """
    The settings in `TMP/pyproject.toml` can't be used
      Caused by: `tool.plughost.plugins.weather.source` is `3`, and takes a text, as `add` takes it
    """
    (lab.root / "pyproject.toml").write_text("[tool.plughost.plugins.weather]\nsource = 3")
    return lab.run("sync")


@tells("settings-invalid", exit_code=2)
def test_a_variable_that_no_setting_takes(lab):
    """
    The variable `PLUGHOST_OFFLINE` can't be used
      Caused by: It is `perhaps`, and takes `true` or `false`
    """
    return lab.run("config", PLUGHOST_OFFLINE="perhaps")


@tells("lock-outdated", exit_code=2)
def test_a_lock_of_other_plugins_than_are_declared(lab):
    """
    The lock `TMP/plughost.lock` doesn't fit `TMP/plughost.toml` any more
      Caused by: `climate` is not locked
      Caused by: Of `weather`, `python` changed

    hint: `plughost lock TMP/plughost.toml` makes it fit
    """
    declare = (lab.root / "plughost.toml").write_text
    declare(f'[plugins]\nweather = "{lab.wheel().name}"')
    assert lab.run("lock").returncode == 0
    declare(f'[plugins]\nclimate = "climate"\nweather = {{ source = "{lab.wheel().name}", python = "3.11" }}')
    return lab.run("sync", "--locked")


@tells("wheel-changed", exit_code=5)
def test_a_wheel_that_is_not_the_locked_one(lab):
    """
    The wheel of `weather` 1.0 is not the one that is locked
      Caused by: Other bytes are in `weather.py`
      Caused by: It has the SHA-256 `…`, and the lock `0000000000000000000000000000000000000000000000000000000000000000`

    hint: Its build may depend on the machine, or on versions that its build requirements leave open: lock it again
    """
    (lab.root / "plughost.toml").write_text(f'[plugins]\nweather = "{lab.wheel().name}"')
    assert lab.run("lock").returncode == 0
    lock = lab.root / "plughost.lock"
    text = re.sub(r'(plugins.weather.wheel\].*?sha256 = ").{64}', rf"\g<1>{'0' * 64}", lock.read_text(), flags=re.DOTALL)
    lock.write_text(re.sub(r'("weather.py" = ").{16}', rf"\g<1>{'0' * 16}", text))
    completed = lab.run("sync")
    return SimpleNamespace(json=lambda: completed.json()[0], returncode=completed.returncode)


@tells("git-missing", exit_code=5)
def test_no_git(lab):
    """
    There is no `git` on `PATH`

    hint: Install it, for example with `apt install git`
    """
    return lab.add(lab.repository(), PATH=str(lab.root))


@tells("tool-failed", exit_code=5)
def test_a_git_that_cannot_be_started(lab):
    """
    `TMP/bin/git` can't be started
      Caused by: [Errno 2] No such file or directory: 'TMP/bin/git'

    hint: Install git, for example with `apt install git`
    """
    broken = lab.write({"git": "#!/no/such/interpreter\n"}, "bin")
    (broken / "git").chmod(0o755)
    return lab.add(lab.repository(), PATH=str(broken))


@tells("git-failed", exit_code=5)
def test_a_server_that_is_none_of_gits(lab, serve):
    """
    Failed to ask `http://127.0.0.1:…/weather.git` for its references
      Caused by: unable to access 'http://127.0.0.1:…/weather.git/': The requested URL returned error: 418

    hint: Try it by hand: `git ls-remote http://127.0.0.1:…/weather.git`
    """
    return lab.add(f"git+{serve(418)}/weather.git")


@tells("git-auth", exit_code=5)
def test_a_server_that_wants_to_know_who_asks(lab, serve):
    """
    Failed to ask `http://127.0.0.1:…/weather.git` for its references
      Caused by: could not read Username for 'http://127.0.0.1:…': terminal prompts disabled

    hint: Set up a git credential helper or an ssh key, or give `https://USER:TOKEN@HOST/…`: it is used and not stored
    """
    return lab.add(f"git+{serve(401)}/weather.git")


@tells("git-not-found", exit_code=5)
def test_a_repository_that_is_not_there(lab):
    """
    Failed to ask `file://TMP/weather.git` for its references
      Caused by: 'TMP/weather.git' does not appear to be a git repository
      Caused by: …

    hint: Check the URL; some servers give this answer also for a private repository, when they are shown no credentials
    """
    return lab.add(f"git+file://{lab.root}/weather.git")


@pytest.fixture
def signed(lab):
    """`signed("ada")` is a repository whose commit that key has signed, and the variable that allows `ada` alone to sign."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("there is no ssh-keygen")
    ask = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"]
    for name in ("ada", "eve"):
        subprocess.run([*ask, lab.root / name], check=True)
    (lab.root / "signers").write_text(f"ada@example.org {(lab.root / 'ada.pub').read_text()}")

    def make(name: str) -> tuple[str, dict[str, str]]:
        source = lab.repository()
        git = ["git", "-C", lab.root / "weather.git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        signing = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={lab.root / name}"]
        subprocess.run([*git, *signing, "commit", "-q", "--amend", "--no-edit", "-S"], check=True)
        return source, {"PLUGHOST_ALLOWED_SIGNERS": str(lab.root / "signers")}

    return make


@tells("audit-unreachable", exit_code=5)
def test_a_service_of_vulnerabilities_that_is_down(lab):
    """
    `http://127.0.0.1:9` can't be asked for known vulnerabilities
      Caused by: [Errno 111] Connection refused

    hint: Check the setting `audit-service`, the connection and the proxy settings; `--offline` looks at files alone
    """
    lab.add(lab.wheel())
    return lab.run("audit", PLUGHOST_AUDIT_SERVICE="http://127.0.0.1:9", NO_PROXY="127.0.0.1")


@tells("audit-invalid", exit_code=5)
def test_a_service_that_knows_nothing_of_vulnerabilities(lab, serve):
    """
    What `http://127.0.0.1:…` says of known vulnerabilities can't be read
      Caused by: Expecting value: line 1 column 1 (char 0)

    hint: The setting `audit-service` must name a service that is compatible with OSV
    """
    lab.add(lab.wheel())
    return lab.run("audit", PLUGHOST_AUDIT_SERVICE=serve(200), NO_PROXY="127.0.0.1")


@tells("signature-missing", exit_code=5)
def test_a_signature_that_a_file_cannot_have(lab, signed):
    """
    `TMP/weather-1.0-py3-none-any.whl` can't be signed, and a signature is demanded of it
      Caused by: A wheel has no signature that plughost could verify; commits and tags of git have

    hint: Give the repository that it comes from, as `git+https://…`, or leave it out of `require-signed`
    """
    _, env = signed("ada")
    return lab.add(lab.wheel(), "--require-signed", **env)


@tells("signature-invalid", exit_code=5)
def test_a_commit_that_was_altered_after_it_was_signed(lab, signed):
    """
    The signature on the commit `…` of `file://TMP/weather.git` is not valid
      Caused by: It was made for something else than what it stands on

    hint: Don't use it, and tell its author: it may have been altered after it was signed
    """
    source, env = signed("ada")
    git = ["git", "-C", lab.root / "weather.git"]
    commit = subprocess.run([*git, "cat-file", "commit", "HEAD"], check=True, capture_output=True).stdout
    write = [*git, "hash-object", "-t", "commit", "-w", "--stdin"]
    forged = subprocess.run(write, input=commit + b"\nand more", check=True, capture_output=True).stdout.decode().strip()
    subprocess.run([*git, "update-ref", "refs/heads/main", forged], check=True)
    return lab.add(source, "--require-signed", **env)


@tells("signer-not-allowed", exit_code=5)
def test_a_commit_that_a_stranger_signed(lab, signed):
    """
    The commit `…` of `file://TMP/weather.git` is signed with the key `SHA256:…`, which no allowed signer has

    hint: If you trust whoever has that key, add it to `TMP/signers`
    """
    source, env = signed("eve")
    return lab.add(source, "--require-signed", **env)


@tells("git-ref-not-found", exit_code=5)
def test_a_tag_that_is_not_there(lab):
    """
    `file://TMP/weather.git` has no branch, tag or commit `v2`
      Caused by: It has, among others: `main`

    hint: `git ls-remote file://TMP/weather.git` lists all of them; a commit that none of them leads to is given in full
    """
    return lab.add(f"{lab.repository()}@v2")


@tells("git-submodule", exit_code=5)
def test_a_submodule_that_is_gone(lab):
    """
    Failed to check out the submodules of `file://TMP/weather.git`
      Caused by: repository 'TMP/part.git' does not exist
      Caused by: clone of …

    hint: Check the URL; some servers give this answer also for a private repository, when they are shown no credentials
    """
    lab.repository(folder="part.git")
    source = lab.repository({"pyproject.toml": PROJECT})
    git = ["git", "-c", "protocol.file.allow=always", "-C", lab.root / "weather.git"]
    subprocess.run([*git, "submodule", "--quiet", "add", lab.root / "part.git", "part"], check=True)
    lab.commit(lab.root / "weather.git")
    shutil.rmtree(lab.root / "part.git")
    return lab.add(source)


@tells("subdirectory-missing", exit_code=5)
def test_a_subdirectory_that_is_not_there(lab):
    """
    `file://TMP/weather.git` has no folder `weather` at `bfa37ba8046c`

    hint: Folders with a Python project: `#subdirectory=plugins/weather`
    """
    return lab.add(lab.repository({"plugins/weather/pyproject.toml": PROJECT}) + "#subdirectory=weather")


@tells("not-a-python-project", exit_code=5)
def test_a_folder_without_a_project(lab):
    """
    There is no Python project in `file://TMP/project`
      Caused by: It has none of `pyproject.toml`, `setup.py`, `setup.cfg`, `package.yaml`, `package.yml`, `package.json`

    hint: A `pyproject.toml` makes it one
    """
    return lab.add(lab.write({"main.py": ""}))


@tells("package-file-invalid", exit_code=5)
def test_a_pyproject_that_is_no_toml(lab):
    """
    `pyproject.toml` can't be read
      Caused by: Expected ']' at the end of a table declaration (…)

    hint: It must be TOML in UTF-8: correct it, or tell the package's author
    """
    return lab.add(lab.write({"pyproject.toml": "[project\n"}))


@tells("network", exit_code=5)
def test_a_server_that_is_down(lab):
    """
    Failed to ask `http://127.0.0.1:…/weather.git` for its references
      Caused by: unable to access 'http://127.0.0.1:…/weather.git/': …

    hint: Check the address, the connection and the proxy settings, then repeat the command
    """
    return lab.add("git+http://127.0.0.1:9/weather.git")


@tells("offline", exit_code=5)
def test_a_server_that_must_not_be_asked(lab):
    """
    `https://example.org/weather.git` can't be asked with `--offline`

    hint: Leave `--offline` out, or give what is on this machine, or the full identifier of a commit added before
    """
    return lab.add("git+https://example.org/weather.git", "--offline")


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to make a certificate with")
@tells("tls", exit_code=5)
def test_a_certificate_that_nobody_vouches_for(lab, serve):
    """
    Failed to ask `https://127.0.0.1:…/weather.git` for its references
      Caused by: unable to access 'https://127.0.0.1:…/weather.git/': …

    hint: Name the authority's certificate in `SSL_CERT_FILE`
    """
    certificate = lab.root / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1", *subject]
    subprocess.run([*make, "-keyout", certificate, "-out", lab.root / "public.pem"], check=True, capture_output=True)
    with certificate.open("a") as file:
        file.write((lab.root / "public.pem").read_text())
    return lab.add(f"git+{serve(200, certificate)}/weather.git")


@tells("uv-missing", exit_code=5)
def test_a_uv_that_was_removed(lab):
    """
    There is no `uv` on this machine

    hint: Install it with `pip install uv`, or use `--installer pip`
    """
    lab.write({"uv/__init__.py": "def find_uv_bin():\n    raise FileNotFoundError\n"}, "without")
    path = os.pathsep.join([str(lab.root / "without"), os.environ.get("PYTHONPATH", "")])
    return lab.add(lab.wheel(), "--installer", "uv", PYTHONPATH=path, PATH=str(lab.root))


@tells("name-invalid", exit_code=2)
def test_a_name_that_leads_out_of_the_store(lab):
    """
    `../weather` is not a valid plugin name
      Caused by: A name has ASCII letters and digits, with single `-`, `_` or `.` between them

    hint: `plughost list` shows the names of what is installed
    """
    return lab.add(lab.wheel(), "--name", "../weather")


@tells("name-taken", exit_code=2)
def test_a_name_that_another_source_has(lab):
    """
    `weather` is installed already, from another source
      Caused by: It came from `TMP/weather-1.0-py3-none-any.whl`

    hint: `--name OTHER` installs this one beside it, `--force` puts it in its place
    """
    lab.add(lab.wheel())
    backend = "from shutil import copy\ndef build_wheel(folder, *_):\n    copy('weather-1.0-py3-none-any.whl', folder)\n"
    backend += "    return 'weather-1.0-py3-none-any.whl'\n"
    project = lab.write({"pyproject.toml": BACKEND + PROJECT, "backend.py": backend})
    shutil.copy(lab.wheel(), project)
    return lab.add(project)


@pytest.fixture
def listed(lab):
    """`listed("team", "weather==1.0")` adds an index of that name, which lists `weather` with that source."""

    def add(name: str, source: str) -> Path:
        path = lab.root / f"{name}.toml"
        path.write_text(f'format = 1\nname = "{name}"\n[[plugins]]\nname = "weather"\nsource = "{source}"\n')
        lab.run("index", "add", name, path)
        return path

    return add


@tells("index-taken", exit_code=2)
def test_a_name_that_another_index_has(lab, listed):
    """
    There is an index named `team` already

    hint: `plughost index update team` fetches it again; `--force` puts this one in its place
    """
    return lab.run("index", "add", "team", listed("team", "weather==1.0"))


@tells("index-unknown", exit_code=3)
def test_an_index_that_is_not_there(lab, listed):
    """
    There is no index named `teem`

    hint: There are `team`
    """
    listed("team", "weather==1.0")
    return lab.run("search", "--index", "teem")


@tells("index-ambiguous", exit_code=3)
def test_a_name_that_two_indexes_have(lab, listed):
    """
    `weather` is in more than one index, from different sources
      Caused by: `team`: `weather==1.0`
      Caused by: `others`: `weather==2.0`

    hint: `plughost add weather --index team` takes the first
    """
    listed("team", "weather==1.0")
    listed("others", "weather==2.0")
    return lab.add("weather")


@tells("index-invalid", exit_code=5)
def test_an_index_with_a_source_that_is_none(lab, listed):
    """
    `TMP/team.toml` is no index
      Caused by: `plugins[0].source` is no source: `--x` is not a source that can be added; …

    hint: Correct the file, or tell whoever maintains it
    """
    return lab.run("index", "add", "team", listed("team", "--x"))


@tells("index-corrupt", exit_code=6)
def test_an_index_that_was_edited_where_it_is_kept(lab, listed):
    """
    The index `team` is damaged
      Caused by: `TMP/store/indexes/team.json`: an entry is not as it was written

    hint: `plughost index update team` fetches it again
    """
    listed("team", "weather==1.0")
    kept = lab.root / "store" / "indexes" / "team.json"
    kept.write_text(kept.read_text().replace("weather==1.0", "weather==9.9"))
    return lab.add("weather")


@tells("usage", exit_code=2)
def test_an_extra_that_the_package_lacks(lab):
    """
    `weather` has no extra `maps`
      Caused by: Its extras: none
    """
    return lab.add(lab.wheel(), "--extra", "maps")


@tells("build-failed", exit_code=5)
def test_a_build_backend_that_raises(lab):
    """
    Failed to build a wheel from `weather`
      Caused by: RuntimeError: no compiler
    log: LOG
    """
    backend = "def build_wheel(*_):\n    raise RuntimeError('no compiler')\n"
    return lab.add(lab.write({"pyproject.toml": BACKEND + PROJECT, "backend.py": backend}))


@tells("build-limit", exit_code=5)
def test_a_build_that_does_not_end(lab):
    """
    Failed to build a wheel from `weather`
      Caused by: The build was ended: it had taken 1… s, and builds may come to 1 s
    log: LOG

    hint: If that is what it takes, allow more by the setting `build-time`
    """
    backend = "import time\ndef build_wheel(*_):\n    time.sleep(600)\n"
    project = lab.write({"pyproject.toml": BACKEND + PROJECT, "backend.py": backend})
    return lab.add(project, PLUGHOST_POLICY="default", PLUGHOST_BUILD_TIME="1")


@tells("build-requires", exit_code=5)
def test_a_build_backend_that_is_not_there(lab):
    """
    Failed to build a wheel from `weather`
      Caused by: Failed to build `TMP/store/tmp/…/source`
      Caused by: Failed to resolve requirements from `build-system.requires`
      Caused by: No solution found when resolving: `absent-backend`
      Caused by: Because absent-backend was not found in the package registry …
    log: LOG

    hint: Correct `build-system.requires` in the package's `pyproject.toml`
    """
    system = '[build-system]\nrequires = ["absent-backend"]\nbuild-backend = "absent"\n'
    return lab.add(lab.write({"pyproject.toml": system + PROJECT}))


@tells("wheel-invalid", exit_code=5)
def test_a_wheel_that_was_cut_off(lab):
    """
    `weather-1.0-py3-none-any.whl` is not a wheel that can be installed
      Caused by: File is not a zip file
    """
    path = lab.wheel()
    path.write_bytes(path.read_bytes()[:-100])
    return lab.add(path)


@tells("policy-invalid", exit_code=2)
def test_a_limit_that_policies_do_not_have(lab):
    """
    A policy has no `netwrk`

    hint: Did you mean `network`?
    """
    return lab.run("policy", "set", "weather", "netwrk=on")


@tells("policy-invalid", exit_code=2)
def test_a_limit_that_is_no_size(lab):
    """
    `--memory` is `"lots"`, and takes a size such as `512 MiB`, or `unlimited`
    """
    lab.add(lab.wheel())
    return lab.run("run", "weather", "city=Bern", "--memory", "lots")


@tells("grant-needed", exit_code=2)
def test_a_plugin_that_asks_for_permissions_where_nobody_is_asked(lab):
    """
    `weather` 1.0 asks for permissions that nobody has granted
      Caused by: network: api.example.com

    hint: `--grant all` with the same command grants it, `--grant none` nothing, `--grant NAME=VALUE` what you say
    """
    return lab.add(lab.asking_wheel('network = ["api.example.com"]'), PLUGHOST_POLICY="default")


@tells("permissions-invalid", exit_code=5)
def test_a_wheel_that_asks_for_what_there_is_not(lab):
    """
    `weather-1.0.dist-info/plughost-permissions.toml` can't be read
      Caused by: `permissions.wall` is `"soon"`, and takes a time such as `30 s` or `5 min`, or `unlimited`
    log: LOG

    hint: Tell the package's author: it is what `[tool.plughost.permissions]` of a `pyproject.toml` would be
    """
    return lab.add(lab.asking_wheel('wall = "soon"'))


@tells("entry-points-missing", exit_code=5)
def test_a_package_that_declares_nothing(lab):
    """
    `weather` declares no entry points in the group `plughost`
      Caused by: A plugin says what it offers in `[project.entry-points.plughost]`

    hint: Name what to call: `--entry-point weather=weather:FUNCTION`
    """
    return lab.add(lab.wheel(entry_points={}))


@tells("entry-points-missing", exit_code=5)
def test_a_package_that_declares_nothing_and_has_a_module_of_another_name(lab):
    """
    `python-weather` declares no entry points in the group `plughost`
      Caused by: A plugin says what it offers in `[project.entry-points.plughost]`

    hint: Name what to call: `--entry-point python-weather=weather:FUNCTION`
    """
    path = lab.root / "python_weather-1.0-py3-none-any.whl"
    write_wheel(path, "python_weather", "1.0", tag="py3-none-any", entry_points={}, module="weather")
    return lab.add(path)


@tells("resolution-conflict", exit_code=5)
def test_requirements_that_exclude_each_other(lab):
    """
    Failed to lock the dependencies of `weather`
      Caused by: Because …maps<2… what is asked for is maps==2.0 and weather, they can't all be met
    log: LOG

    hint: Loosen one of these requirements; each plugin has its own venv, so other plugins are not involved
    """
    lab.publish("maps", "1.0")
    lab.publish("maps", "2.0")
    return lab.add(lab.wheel(requires="maps<2"), "--with", "maps==2.0")


@tells("package-not-found", exit_code=5)
def test_a_dependency_that_the_index_lacks(lab):
    """
    Failed to lock the dependencies of `weather`
      Caused by: Because maps was not found in the package registry and weather==1.0 depends on maps, …
    log: LOG

    hint: Check the spelling; a private index is named in `UV_INDEX` (pip's own settings hold with `--installer pip`)
    """
    return lab.add(lab.wheel(requires="maps"))


@tells("version-not-found", exit_code=5)
def test_a_version_that_the_index_lacks(lab):
    """
    Failed to lock the dependencies of `weather`
      Caused by: Because there is no version of maps==2.0 and weather==1.0 depends on maps==2.0, …
    log: LOG

    hint: Name a version that the index has, or leave the version out
    """
    lab.publish("maps", "1.0")
    return lab.add(lab.wheel(requires="maps==2.0"))


@tells("dependency-refused", exit_code=5)
def test_a_place_that_only_a_dependency_names(lab):
    """
    `tiles` would come from `…/tiles-1.0-py3-none-any.whl`, which neither `weather` nor you have named
      Caused by: A dependency of a dependency names it; a package from an index can't
    log: LOG

    hint: If you trust it, name it yourself: `--with 'tiles @ URL'`
    """
    maps = lab.wheel("maps", requires=f"tiles @ {lab.wheel('tiles').as_uri()}")
    return lab.add(lab.wheel(), "--with", f"maps @ {maps.as_uri()}")


@tells("wheel-missing", exit_code=5)
def test_a_dependency_for_another_python(lab):
    """
    Failed to lock the dependencies of `weather`
      Caused by: Because maps==1.0 has no wheels with a matching Python version tag …
    log: LOG

    hint: Choose another Python with `--python VERSION`, or another version of it with `--with 'NAME<VERSION'`
    """
    lab.publish("maps", tag="cp38-cp38-manylinux1_x86_64")
    return lab.add(lab.wheel(requires="maps"))


@tells("dependency-refused", exit_code=5)
def test_a_place_that_a_package_of_the_index_names(lab):
    """
    Failed to lock the dependencies of `weather`
      Caused by: Failed to resolve dependencies for package `maps==1.0`
      Caused by: Package `tiles` was included as a URL dependency…
    log: LOG

    hint: If you trust it, name it yourself: `--with 'PACKAGE @ URL'`
    """
    lab.publish("maps", requires=f"tiles @ {lab.wheel('tiles').as_uri()}")
    return lab.add(lab.wheel(requires="maps"))


@tells("index-auth", exit_code=5)
def test_an_index_that_wants_to_know_who_asks(lab, serve):
    """
    Failed to lock the dependencies of `weather`
      Caused by: Because maps was not found in the package registry and weather==1.0 depends on maps, …
    log: LOG

    hint: Give the index its credentials: `~/.netrc`, or `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD`
    """
    return lab.add(lab.wheel(requires="maps"), UV_DEFAULT_INDEX=serve(401))


@tells("hash-mismatch", exit_code=5)
def test_a_file_that_is_not_the_one_of_the_index(lab):
    """
    Failed to install what is locked
      Caused by: Failed to download `maps==1.0`
      Caused by: Hash mismatch for `maps==1.0` …
    log: LOG
    """
    lab.publish("maps", sha256="0" * 64)
    return lab.add(lab.wheel(requires="maps"))


@tells("python-missing", exit_code=5)
def test_a_python_that_is_not_there(lab):
    """
    There is no Python `>=3.99` on this machine
      Caused by: Found: …

    hint: Install it (for example: `uv python install '>=3.99'`), or name one with `--python PATH`
    """
    return lab.add(lab.wheel(python=">=3.99"), PATH=os.defpath, HOME=str(lab.root))


@tells("python-incompatible", exit_code=5)
def test_a_python_that_the_package_refuses(lab):
    """
    Python …, which `…` names, is not one this package runs on
      Caused by: The package requires Python `>=3.8,>=3.99`

    hint: Leave the choice to plughost by omitting `--python`
    """
    return lab.add(lab.wheel(python=">=3.99"), "--python", sys.executable)


@tells("venv-failed", exit_code=5)
def test_a_dependency_that_cannot_be_unpacked(lab):
    """
    Failed to install what is locked
      Caused by: Failed to install: maps-1.0-py3-none-any.whl (maps==1.0)
      Caused by: …
    log: LOG
    """
    lab.publish("maps", without="WHEEL")
    return lab.add(lab.wheel(requires="maps"))


@tells("venv-damaged", exit_code=5)
def test_a_file_that_was_changed_in_the_installers_cache(lab):
    """
    The virtual environment `TMP/store/venvs/…` is not what was to be installed
      Caused by: `atlas.py`: …
    log: LOG

    hint: Repeat the command; if it fails again, delete the store's `cache` folder
    """
    lab.publish("atlas")
    lab.add(lab.wheel(requires="atlas"))
    [cached] = (lab.root / "store" / "cache" / "uv").glob("archive-v0/*/atlas.py")
    cached.write_text("changed = True\n")
    return lab.add(lab.root / "weather-1.0-py3-none-any.whl", "--force")


@pytest.fixture
def bundle(lab):
    """`bundle({"machine": "pdp11"})` is the file of an exported plugin whose list says that, its digest included."""

    def make(said: dict[str, object]) -> Path:
        lab.add(lab.wheel())
        path = Path(lab.run("export", "weather").json()["path"])
        with zipfile.ZipFile(path) as archive:
            members = {entry: archive.read(entry) for entry in archive.infolist()}
        with zipfile.ZipFile(path, "w") as archive:
            for entry, data in members.items():
                archive.writestr(entry, listed(data, said) if entry.filename == "bundle.json" else data)
        return path

    def listed(data: bytes, said: dict[str, object]) -> bytes:
        record = json.loads(data)
        del record["digest"]
        record.update(said)
        whole = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        return json.dumps({**record, "digest": hashlib.sha256(whole).hexdigest()}).encode()

    return make


@tells("bundle-invalid", exit_code=5)
def test_a_bundle_that_was_altered(lab, bundle):
    """
    `weather-1.0.plughost` is not a bundle that can be installed
      Caused by: `manifest.json` is in it, and `bundle.json` doesn't list it

    hint: Get the file again, or export it again where the plugin is installed: `plughost export NAME`
    """
    return lab.add(bundle({"members": {}}))


@tells("bundle-unfit", exit_code=5)
def test_a_bundle_for_another_machine(lab, bundle):
    """
    `weather-1.0.plughost` is for … on pdp11, and this machine is … on …

    hint: Export it on a machine like this one
    """
    return lab.add(bundle({"machine": "pdp11"}))


@tells("plugin-import-failed", exit_code=5)
def test_a_plugin_that_does_not_import(lab):
    """
    `weather` was built and installed aside, but it can't say what it offers
      Caused by: `weather` can't be imported: the entry point `forecast = weather:forecast` can't be loaded
      Caused by: ModuleNotFoundError: No module named 'maps'
    log: LOG

    hint: Does it import what it doesn't declare? `--with REQUIREMENT` adds a dependency
    """
    return lab.add(lab.wheel(code="import maps\n"))


@tells("plugin-invalid", exit_code=5)
def test_an_entry_point_that_cannot_be_called(lab):
    """
    `weather` declares what can't be offered
      Caused by: the entry point `forecast = weather:forecast` is a `str`; it may be a callable, …
    log: LOG

    hint: Correct the entry point, or name another: `--entry-point NAME=MODULE:OBJECT`
    """
    return lab.add(lab.wheel(code="forecast = 'sunny'\n"))


@tells("store-unwritable", exit_code=6)
def test_a_store_below_a_file(lab):
    """
    The store at `TMP/project/file/store` can't be written
      Caused by: [Errno 20] Not a directory: 'TMP/project/file/store'

    hint: Point `PLUGHOST_HOME` to a folder that you may write to, with free space
    """
    lab.write({"file": ""})
    return lab.add(lab.wheel(), PLUGHOST_HOME=str(lab.root / "project" / "file" / "store"))


@pytest.mark.skipif(subprocess.run([*UNSHARE, "true"], check=False).returncode != 0, reason="nobody may mount here")
@tells("disk-full", exit_code=5)
def test_a_disk_without_space(lab):
    """
    The disk that holds the store `TMP/store` is full
      Caused by: [Errno 28] No space left on device…

    hint: Free some space, or point `PLUGHOST_HOME` to another disk; nothing that was installed is lost
    """
    # A file system of its own in memory, which the process sees where packages are prepared.
    wheel, store = lab.wheel(code="# " + "a" * 20_000), lab.root / "store"
    (store / "tmp").mkdir()
    mounted = 'mount -t tmpfs -o size=8k tmpfs "$0/tmp" && exec "$@"'
    command = [sys.executable, "-m", "plughost", "--store", store, "add", wheel, "--json"]
    ended = subprocess.run([*UNSHARE, "sh", "-c", mounted, store, *command], stdout=subprocess.PIPE, check=False)
    return SimpleNamespace(returncode=ended.returncode, json=lambda: json.loads(ended.stdout))


@tells("install-failed", exit_code=5)
def test_a_store_that_leads_in_a_circle(lab, store):
    """
    The plugin could not be installed
      Caused by: [Errno 17] File exists: 'TMP/store/logs'
    """
    (store / "logs").symlink_to("logs")
    return lab.add(lab.wheel())


@tells("plugin-unknown", exit_code=3)
def test_a_plugin_that_is_not_installed(run):
    """
    No plugin named `ecco` is installed

    hint: Did you mean `echo`?
    """
    return run("ecco")


@tells("version-unknown", exit_code=3)
def test_a_version_that_is_not_kept(run):
    """
    `echo` is not installed in the version `9.9`
      Caused by: The versions that are kept: `1.0`

    hint: `plughost info echo` shows where it comes from; `plughost add SOURCE@TAG` installs a further version
    """
    return run("echo@9.9:add")


@tells("plugin-disabled", exit_code=3)
def test_a_plugin_that_is_disabled(lab):
    """
    `weather` is disabled

    hint: `plughost enable weather` lets it be called again
    """
    lab.add(lab.wheel())
    lab.run("disable", "weather")
    return lab.run("run", "weather", "city=Bern")


@tells("contract-broken", exit_code=5)
def test_an_update_that_callers_would_notice(lab):
    """
    The newest version of `weather` breaks what the installed one promised
      Caused by: `forecast` has a new parameter `days`, which it demands

    hint: `plughost update weather --allow-breaking` installs it all the same; `plughost pin weather` keeps the one there is
    """
    lab.add(lab.wheel())
    lab.wheel(code="def forecast(city: str, days: int) -> str:\n    return city\n")
    completed = lab.run("update", "weather")
    return SimpleNamespace(json=lambda: completed.json()[0], returncode=completed.returncode)


@tells("tool-unknown", exit_code=3)
def test_a_tool_that_the_plugin_lacks(run):
    """
    `echo` has no tool named `ad`
      Caused by: Its tools are `add`, `context`, `countdown`, `double`, `echo`, `greet`, `ticks`

    hint: Did you mean `echo:add`?
    """
    return run("echo:ad")


@tells("tool-ambiguous", exit_code=3)
def test_no_tool_where_there_are_several(run):
    """
    `echo` has 7 tools, and none was named
      Caused by: Its tools are `add`, `context`, `countdown`, `double`, `echo`, `greet`, `ticks`

    hint: `plughost info echo` shows what they do
    """
    return run("echo")


@tells("arguments-invalid", exit_code=2)
def test_an_argument_of_another_type(run):
    """
    The argument `a` of `echo:add` is `"three"`, which is not what it takes
      Caused by: It takes `a` (integer): the first

    hint: `plughost info echo` shows its tools and their arguments
    """
    return run("echo:add", "a=three")


@tells("value-unsupported", exit_code=2)
def test_a_value_without_a_form(shared_host):
    """
    The argument `value` of `echo:echo` can't be sent
      Caused by: `value[0]` is a `object`…

    hint: Turn it into text, numbers, bytes, dates, paths, dataclasses, or lists, sets and dicts of these
    """
    with pytest.raises(PlughostError) as caught:
        shared_host.call("echo", "echo", value=[object()])
    return SimpleNamespace(returncode=caught.value.exit_code, json=lambda: {"error": caught.value.record()})


@tells("plugin-raised", exit_code=1)
def test_a_tool_that_raises(run):
    """
    `hazards:raise-chained` raised hazards.errors.WeatherError: no forecast
      Caused by: ValueError: no city
      Caused by: KeyError: 'city'
    """
    return run("hazards:raise-chained")


@tells("result-unsupported", exit_code=1)
def test_a_result_without_a_form(run):
    """
    `hazards:give-unsupported` returned a value that can't be sent: `result.city[1]` is a `object`…

    hint: It may return text, numbers, bytes, dates, paths, dataclasses, and lists, sets and dicts of these
    """
    return run("hazards:give-unsupported")


@tells("plugin-crashed", exit_code=4)
def test_a_tool_that_ends_its_process(run):
    """
    `hazards:leave-at-once` crashed: its process ended with exit code 7 before it answered

    hint: The next call starts a new process
    """
    return run("hazards:leave-at-once")


@tells("protocol-violated", exit_code=4)
def test_a_tool_that_writes_where_it_must_not(run):
    """
    `hazards:write-to-every-descriptor` broke the protocol, and its process was ended
      Caused by: …

    hint: The plugin writes to a descriptor that isn't its own
    """
    return run("hazards:write-to-every-descriptor")


@tells("daemon-lost", exit_code=4)
def test_a_tool_that_kills_the_daemon(lab):
    """
    The daemon ended before the call did
    """
    code = "import os\n\ndef forecast() -> None:\n    os.kill(os.getppid(), 9)\n"
    lab.add(lab.wheel(code=code))
    lab.run("up")
    return lab.run("run", "weather")


@pytest.fixture(scope="session")
def hungry_store(tmp_path_factory, uv_cache, session_repository):
    store = tmp_path_factory.mktemp("limits") / "store"
    (store / "cache").mkdir(parents=True)
    (store / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
    with Host(store=store) as host:
        host.add(session_repository("hungry"))
    return store


@pytest.fixture
def exceed(hungry_store, confined):  # noqa: ARG001
    """`exceed("spin", cpu_s=1)` calls a tool under a policy, whose limit it reaches."""

    def exceed(tool, /, policy, **kwargs):
        with Host(store=hungry_store, policy=Policy(**policy)) as host, pytest.raises(PlughostError) as caught:
            host.call("hungry", tool, **kwargs)
        return SimpleNamespace(returncode=caught.value.exit_code, json=lambda: {"error": caught.value.record()})

    return exceed


@tells("limit-memory", exit_code=4)
def test_a_tool_that_has_more_memory_than_it_may(exceed):
    """
    `hungry:fill-memory-files` was killed: its memory was … MiB, and its policy allows 100 MiB

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("fill-memory-files", {"memory_bytes": 100 << 20}, mib=200)


@tells("limit-cpu", exit_code=4)
def test_a_tool_that_computes_for_longer_than_it_may(exceed):
    """
    `hungry:spin` was killed: it had used … s of CPU time, and its policy allows 0.5 s

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("spin", {"cpu_s": 0.5})


@tells("limit-wall", exit_code=4)
def test_a_tool_that_takes_longer_than_it_may(exceed):
    """
    `hungry:sleep` was killed: it had taken … s, and its policy allows 0.5 s

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("sleep", {"wall_s": 0.5}, seconds=20.0)


@tells("limit-processes", exit_code=4)
def test_a_tool_that_has_more_processes_than_it_may(exceed):
    """
    `hungry:start-processes` was killed: it had … processes, and its policy allows 4

    hint: Give it less to do, or allow more: `policy set hungry processes=8`
    """
    return exceed("start-processes", {"processes": 4}, count=8)


@tells("limit-threads", exit_code=4)
def test_a_tool_that_has_more_threads_than_it_may(exceed):
    """
    `hungry:start-threads` was killed: it had … threads, and its policy allows 6

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("start-threads", {"threads": 6, "processes": 20}, count=20)


@tells("limit-file-size", exit_code=4)
def test_a_tool_that_writes_a_larger_file_than_it_may(exceed):
    """
    `hungry:write` was killed: a file of its came to 2 MiB, and its policy allows 2 MiB

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("write", {"file_bytes": 2 << 20}, mib=3, mind=False)


@tells("limit-disk", exit_code=4)
def test_a_tool_that_writes_more_than_it_may(exceed):
    """
    `hungry:write` was killed: its work directory held … MiB, and its policy allows 20 MiB

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("write", {"disk_bytes": 20 << 20}, mib=30)


@tells("limit-output", exit_code=4)
def test_a_tool_that_prints_more_than_it_may(exceed):
    """
    `hungry:print-much` was killed: its output was … MiB, and its policy allows 1 MiB
      Caused by: It printed last: xxx…

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("print-much", {"output_bytes": 1 << 20}, mib=3)


@tells("limit-result", exit_code=4)
def test_a_tool_that_returns_more_than_it_may(exceed):
    """
    `hungry:give` was killed: its result was … MiB, and its policy allows 1 MiB

    hint: Give it less to do, or allow more where it is limited: `policy show hungry` says where
    """
    return exceed("give", {"result_bytes": 1 << 20}, mib=3)


@tells("timed-out", exit_code=124)
def test_a_tool_that_takes_too_long(run):
    """
    `hazards:sleep` took longer than 0.2 s
      Caused by: Its process and all that it started were ended

    hint: Give it more time with `--timeout`, or `timeout_s=` from Python
    """
    return run("hazards:sleep", "--timeout", "0.2")


@tells("store-corrupt", exit_code=6)
def test_a_receipt_that_was_edited(lab):
    """
    The receipt `TMP/store/plugins/plughost/weather/…/receipt.toml` can't be read
      Caused by: …

    hint: `plughost repair weather` mends it, `plughost remove weather` takes it away
    """
    receipt = lab.add(lab.wheel()).json()["receipt"]
    Path(receipt).write_text("edited")
    return lab.run("info", "weather")


@tells("venv-missing", exit_code=6)
def test_an_environment_that_was_deleted(lab):
    """
    The environment of `weather` can't be started
      Caused by: [Errno 2] No such file or directory: 'TMP/store/venvs/…'

    hint: `plughost repair weather` makes it again
    """
    shutil.rmtree(lab.add(lab.wheel()).json()["environment"])
    return lab.run("run", "weather", "city=Bern")


@tells("policy-unenforceable", exit_code=7)
def test_a_machine_that_forbids_what_a_policy_takes(lab):
    """
    `weather` is not started: its policy can't be enforced on this machine
      Caused by: `file-names` (that names of other files can't be told): unshare: Operation not permitted; it takes …

    hint: Have what it takes; or do without, by the variable `PLUGHOST_ALLOW_UNENFORCED=file-names` or the setting `…`
    """
    lab.add(lab.wheel(), PLUGHOST_POLICY="default")
    found = lab.root / "store" / "cache" / "machine.json"
    machine = json.loads(found.read_text())
    machine["found"].update(dict.fromkeys(("tree", "user-tree"), "unshare: Operation not permitted"))
    found.write_text(json.dumps(machine))
    return lab.run("run", "weather", "city=Bern", PLUGHOST_POLICY="default")


@tells("confinement-failed", exit_code=7)
def test_a_policy_whose_limits_leave_no_room_to_begin(lab):
    """
    `weather:forecast` is not started: its process can't be confined as its policy says
      Caused by: The step `restrict files` failed: [Errno 24] …Too many open files…

    hint: `plughost doctor weather` tries what this machine offers; what `plughost policy show weather` names has to be …
    """
    lab.add(lab.wheel(), PLUGHOST_POLICY="default")
    lab.run("policy", "set", "weather", "open-files=4")
    return lab.run("run", "weather", "city=Bern", PLUGHOST_POLICY="default")


@tells("venv-damaged", exit_code=5)
def test_a_file_of_an_environment_that_was_deleted(lab):
    """
    The environment of `weather` is damaged
      Caused by: `lib/…/site-packages/weather.py` is missing
      Caused by: `weather:forecast` can't be imported: ModuleNotFoundError: No module named 'weather'

    hint: `plughost repair weather` makes it again
    """
    environment = Path(lab.add(lab.wheel()).json()["environment"])
    for path in (*environment.glob("lib/*/site-packages/weather.py"), *environment.rglob("__pycache__/weather.*")):
        path.unlink()
    return lab.run("run", "weather", "city=Bern")


@tells("store-corrupt", exit_code=6)
def test_a_folder_of_plugins_that_leads_in_a_circle(lab):
    """
    The store at `TMP/store` can't be read
      Caused by: [Errno 40] Too many levels of symbolic links: 'TMP/store/plugins/plughost'
    """
    (lab.root / "store" / "plugins").mkdir()
    (lab.root / "store" / "plugins" / "plughost").symlink_to("plughost")
    return lab.run("list")


@tells("record-unknown", exit_code=3)
def test_a_record_that_is_not_there(lab):
    """
    There is no record of a call `128`

    hint: `plughost logs --limit 20` shows the latest
    """
    return lab.run("logs", "128")


@tells("record-incomplete", exit_code=2)
def test_a_call_whose_arguments_nobody_recorded(lab):
    """
    The call `1` can't be made again
      Caused by: Its arguments were not recorded

    hint: `plughost run --record-arguments weather` records those of a call, the setting `record-arguments` those of all
    """
    lab.add(lab.wheel())
    lab.run("run", "weather", "city=Bern")
    return lab.run("replay", "1")


@tells("revision-gone", exit_code=3)
def test_a_call_on_a_revision_that_is_not_kept(lab):
    """
    The revision `1.0-…` of `weather`, which the call `1` was made on, is not kept any more
      Caused by: In force is `2.0-…`

    hint: `plughost replay 1 --current` makes the call on that
    """
    lab.add(lab.wheel())
    lab.run("run", "weather", "city=Bern", "--record-arguments")
    lab.add(lab.wheel(version="2.0"), "--force", PLUGHOST_KEEP_REVISIONS="1")
    return lab.run("replay", "1")


@tells("records-unreadable", exit_code=6)
def test_records_of_a_later_version(lab):
    """
    The records of calls in `TMP/store/journal/plughost/calls.sqlite3` can't be read
      Caused by: It is of the format 99, and this version of plughost reads 1

    hint: Move the file away, and records begin anew
    """
    path = lab.root / "store" / "journal" / "plughost" / "calls.sqlite3"
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    return lab.run("stats")


@tells("daemon-failed", exit_code=6)
def test_a_daemon_without_a_place_for_its_socket(lab, store):
    """
    The daemon can't be started
      Caused by: [Errno 17] File exists: 'TMP/store/daemon'
    """
    (store / "daemon").touch()
    return lab.run("up")


@tells("session-unknown", exit_code=3)
def test_a_session_that_nobody_has_opened(lab):
    """
    There is no session `3f2a1c0b`

    hint: `plughost session list` shows those that there are
    """
    return lab.run("session", "call", "3f2a1c0b")


@pytest.fixture
def opening(shared_host):
    """A host of which one session may be open at once."""
    with Host(store=shared_host.store.root, settings=Settings(), policy="trusted", max_sessions=1) as host:
        yield host


def refused(call, *args, **kwargs):
    """The end of a command that failed as the call does."""
    with pytest.raises(PlughostError) as caught:
        call(*args, **kwargs)
    return SimpleNamespace(returncode=caught.value.exit_code, json=lambda: {"error": caught.value.record()})


@tells("sessions-busy", exit_code=4)
def test_a_session_too_many_while_all_are_busy(opening):
    """
    All 1 sessions that may be open at once are busy

    hint: Close one that isn't needed, or allow more: the setting `session-count`, or `Host(max_sessions=…)`
    """
    items = opening.session("echo").stream("countdown", 3)
    next(items)
    return refused(opening.session, "echo")


@tells("session-busy", exit_code=4)
def test_a_call_in_the_middle_of_a_stream_of_the_same_session(opening):
    """
    Session `…` of `echo` is in the middle of a call, or a stream, of this thread or task

    hint: Take its items, or leave its loop, before the next call
    """
    session = opening.session("echo")
    items = session.stream("countdown", 3)
    next(items)
    return refused(session.call, "add", 1)


@tells("session-lost", exit_code=4)
def test_a_session_whose_process_was_killed_between_two_calls(opening, is_gone):
    """
    The process of a session of `echo` has ended since the last call that it answered
      Caused by: `echo` crashed: its process was killed by SIGKILL before it answered
      Caused by: The state of its session is lost; the session's files are kept

    hint: The next call starts afresh
    """
    session = opening.session("echo")
    session.call("add", 1)
    pid = session.life.pid
    os.kill(pid, 9)
    assert is_gone(pid)
    return refused(session.call, "add", 1)


@tells("session-closed", exit_code=4)
def test_a_session_that_was_closed(opening):
    """
    Session `…` of `echo` has ended: it was closed

    hint: `session start echo`, or `host.session("echo")` from Python, opens another
    """
    with opening.session("echo") as session:
        pass
    return refused(session.call, "add", 1)


@tells("session-lifetime", exit_code=4)
def test_a_session_that_is_too_old(opening):
    """
    Session `…` of `hazards` has ended: it was open for … s, and may be for 0.2 s

    hint: `session start hazards`, or `host.session("hazards")` from Python, opens another; `--lifetime`, or …
    """
    return refused(opening.session("hazards", lifetime_s=0.2).call, "sleep")


@tells("session-idle", exit_code=4)
def test_a_session_that_nobody_called(opening, is_gone):
    """
    Session `…` of `echo` has ended: nobody has called it for … s, and it waits for 0.1 s

    hint: `session start echo`, or `host.session("echo")` from Python, opens another; `--idle-timeout`, or …
    """
    session = opening.session("echo", idle_timeout_s=0.1)
    pid = session.life.pid
    assert not pid or is_gone(pid)
    return refused(session.call, "add", 1)


@tells("session-tasks", exit_code=4)
def test_a_session_that_has_made_its_calls(opening):
    """
    Session `…` of `echo` has ended: it has made 1 call, and may make 1

    hint: `session stop … --keep FOLDER`, or its `keep`, saves its files; `session start echo`, or `host.session("echo")` …
    """
    session = opening.session("echo", max_tasks=1)
    session.call("add", 1)
    return refused(session.call, "add", 1)


@tells("session-evicted", exit_code=4)
def test_a_session_that_made_room_for_another(opening):
    """
    Session `…` of `echo` has ended: it made room for another: there may be 1 session at once, and it was idle for the …

    hint: `session start echo`, or `host.session("echo")` from Python, opens another; the setting …
    """
    session = opening.session("echo")
    opening.session("echo")
    return refused(session.call, "add", 1)


def test_no_error_is_left_out():
    """But for those of an app's hooks, which `test_attach.py` has, and for a fault of our own, which `test_cli_errors.py` has."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlughostError)]
    references = {reference for kind in classes if kind is not errors.ContractError for reference in kind.references}
    assert references - TOLD == {"cancelled", "hook-unknown", "internal"}
