"""Sources on servers: credentials are used and left nowhere, and whatever a server can't do is done otherwise."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from plughost.errors import InstallError, PlughostError, ResolveError, SourceError
from plughost.source import check_out, parse, resolve

if TYPE_CHECKING:
    from pathlib import Path

USER, TOKEN = "ada", "s3cret-t0ken"
IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
PYPROJECT = '[build-system]\nrequires = ["setuptools-scm"]\n[project]\nname = "weather"\ndynamic = ["version"]\n'


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", folder, *IDENTITY, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    if not folder.exists():
        git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=A change")
    git(folder, "update-server-info")
    return git(folder, "rev-parse", "HEAD")


class Server(ThreadingHTTPServer):
    """Repositories and files below `root`. `dumb` and `protocol_0` are what an old server can't do otherwise."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.credentials = ""
        self.moved_to = ""
        self.refusal = 401
        self.dumb = self.protocol_0 = False
        self.cut_bytes = 0
        self.seen: list[tuple[str, str]] = []

    def url(self, path: str, userinfo: str = "") -> str:
        return f"http://{userinfo}{'@' * bool(userinfo)}127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        self.server.seen.append((self.path, given))
        wanted = base64.b64encode(self.server.credentials.encode()).decode()
        if self.server.moved_to:
            self.answer(302, [("Location", self.server.moved_to + self.path)])
        elif self.server.credentials and given != f"Basic {wanted}":
            echo = f"{given} {base64.b64decode(given.removeprefix('Basic ')).decode()}"  # git shows what the server says
            self.answer(
                self.server.refusal, [("WWW-Authenticate", 'Basic realm="git"'), ("Content-Type", "text/plain")], echo.encode()
            )
        elif ".git/" in self.path and not self.server.dumb:
            self.run_git()
        else:
            path = self.server.root / unquote(urlsplit(self.path).path).lstrip("/").replace(".git/", "/.git/")
            self.answer(200, [], path.read_bytes()) if path.is_file() else self.answer(404, [])

    do_POST = do_GET  # noqa: N815 - the base class looks for it

    def run_git(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path.replace(".git/", "/.git/"),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": "" if self.server.protocol_0 else self.headers.get("Git-Protocol", ""),
        }
        output = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=True).stdout
        head, _, content = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.answer(int(headers.pop("Status", "200").split()[0]), list(headers.items()), content)

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) - self.server.cut_bytes])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def start(tmp_path):
    servers = []

    def started() -> Server:
        server = Server(tmp_path)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(start, tmp_path):
    commit(tmp_path / "weather", "pyproject.toml", PYPROJECT)
    return start()


def tree_of(text: str, into: Path):
    source = parse(text)
    into.mkdir()
    return check_out(source, resolve(source), into)


def everything(folder: Path) -> str:
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


# Credentials.


@pytest.mark.parametrize(("userinfo", "expected"), [(f"{USER}:{TOKEN}", f"{USER}:{TOKEN}"), (TOKEN, f"{TOKEN}:")])
def test_credentials_are_used_and_left_nowhere(server, tmp_path, userinfo, expected):
    server.credentials = expected
    source = parse(f"git+{server.url('weather.git', userinfo)}")
    origin = resolve(source)
    (tmp_path / "tree").mkdir()
    tree = check_out(source, origin, tmp_path / "tree")
    assert tree.name == "weather"
    encoded = base64.b64encode(expected.encode()).decode()
    for text in (everything(tree.path), repr(source), repr(origin), repr(origin.direct_url())):
        assert TOKEN not in text
        assert encoded not in text


def test_credentials_never_stand_in_a_command_line(server, tmp_path, monkeypatch):
    server.credentials = f"{USER}:{TOKEN}"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    log = tmp_path / "command-lines"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {log}\nPATH=${{PATH#*:}} exec git "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    tree_of(f"git+{server.url('weather.git', f'{USER}:{TOKEN}')}", tmp_path / "tree")
    assert "fetch" in log.read_text()
    assert TOKEN not in log.read_text()


@pytest.mark.parametrize("refusal", [401, 403])
def test_refused_credentials_are_told_without_them(server, refusal):
    server.credentials, server.refusal = "somebody:else", refusal
    for userinfo in (f"{USER}:{TOKEN}", TOKEN, ""):
        with pytest.raises(SourceError) as caught:
            resolve(parse(f"git+{server.url('weather.git', userinfo)}"))
        assert caught.value.reference == "git-auth"
        assert TOKEN not in str(caught.value)
        assert base64.b64encode(f"{USER}:{TOKEN}".encode()).decode() not in str(caught.value)
        if ":" in userinfo and refusal == 403:
            assert "remote: Basic ***" in str(caught.value)


def test_the_users_own_credential_helper_is_asked_only_where_the_source_has_none(server, tmp_path, monkeypatch):
    server.credentials = f"{USER}:{TOKEN}"
    asked = tmp_path / "asked"
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[credential]\n\thelper = "!f() {{ echo $1 >> {asked}; echo username={USER}; echo password={TOKEN}; }}; f"\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho $1 >> {asked}\n")
    ask.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(ask))
    with pytest.raises(SourceError):  # were it told that these are wrong, it would forget the right ones
        resolve(parse(f"git+{server.url('weather.git', f'{USER}:wrong')}"))
    resolve(parse(f"git+{server.url('weather.git', f'{USER}:{TOKEN}')}"))
    assert not asked.exists()
    assert resolve(parse(f"git+{server.url('weather.git')}")).commit_id
    assert asked.read_text().split() == ["get", "store"]


def test_a_users_name_alone_goes_with_the_helpers_password(server, tmp_path, monkeypatch):
    server.credentials = f"{USER}:{TOKEN}"
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[credential]\n\thelper = "!f() {{ grep -q username={USER} && echo password={TOKEN}; }}; f"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert tree_of(f"git+{server.url('weather.git', USER)}", tmp_path / "tree").name == "weather"


def test_credentials_are_not_sent_on_to_another_server(server, start, tmp_path):
    other = start()
    server.moved_to = f"http://localhost:{other.server_port}"
    with pytest.raises(SourceError) as caught:
        tree_of(f"git+{server.url('weather.git', f'{USER}:{TOKEN}')}", tmp_path / "tree")
    assert caught.value.reference == "git-not-found"
    assert not any(given for _, given in other.seen)
    assert tree_of(f"git+{server.url('weather.git')}", tmp_path / "followed").name == "weather"


def test_submodules_on_the_same_server_get_the_credentials_too(server, tmp_path):
    commit(tmp_path / "inner", "inner.txt", "inner")
    git(tmp_path / "weather", "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(tmp_path / "inner"), "inner")
    git(tmp_path / "weather", "config", "--file=.gitmodules", "submodule.inner.url", "../inner.git")
    commit(tmp_path / "weather", "more.txt", "")
    server.credentials = f"{USER}:{TOKEN}"
    tree = tree_of(f"git+{server.url('weather.git', f'{USER}:{TOKEN}')}", tmp_path / "tree")
    assert (tree.path / "inner" / "inner.txt").read_text() == "inner"
    assert TOKEN not in everything(tree.path)


def test_a_submodule_must_not_reach_into_this_machine(server, tmp_path):
    commit(tmp_path / "private", "private.txt", "private")
    git(
        tmp_path / "weather",
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "--quiet",
        str(tmp_path / "private"),
        "inner",
    )
    commit(tmp_path / "weather", "more.txt", "")
    with pytest.raises(SourceError) as caught:
        tree_of(f"git+{server.url('weather.git')}", tmp_path / "tree")
    assert caught.value.reference == "git-submodule"


# What servers can't do.


@pytest.mark.parametrize("kind", ["now", "protocol_0", "dumb"])
def test_an_older_commit_is_had_from_every_kind_of_server(server, tmp_path, kind):
    older = git(tmp_path / "weather", "rev-parse", "HEAD")
    git(tmp_path / "weather", "tag", "--annotate", "--message=one", "v1.0")
    commit(tmp_path / "weather", "new.txt", "new")
    setattr(server, kind, True)
    tree = tree_of(f"git+{server.url('weather.git')}@{older[:8]}", tmp_path / "tree")
    assert git(tree.path, "rev-parse", "HEAD") == older
    assert git(tree.path, "describe", "--dirty") == "v1.0"
    assert not (tree.path / "new.txt").exists()


def test_a_history_fetched_for_the_version_leaves_old_contents_on_the_server(server, tmp_path):
    git(tmp_path / "weather", "config", "uploadpack.allowFilter", "true")
    git(tmp_path / "weather", "tag", "v1.0")
    commit(tmp_path / "weather", "large.bin", "old")
    old_content = git(tmp_path / "weather", "rev-parse", "HEAD:large.bin")
    newest = commit(tmp_path / "weather", "large.bin", "new")
    tree = tree_of(f"git+{server.url('weather.git')}", tmp_path / "tree")
    assert git(tree.path, "describe", "--long", "--dirty", "--tags") == f"v1.0-2-g{newest[:7]}"
    assert git(tree.path, "rev-list", "--objects", "--all", "--missing=print").count(f"?{old_content}") == 1


def test_a_server_that_is_not_there_is_told(start):
    server = start()
    server.server_close()
    for text in (f"git+{server.url('weather.git')}", server.url("weather-1.0.tar.gz")):
        with pytest.raises(InstallError) as caught:
            resolve(parse(text))
        assert caught.value.reference == "network"


# Archives.


@pytest.fixture
def archive(server, tmp_path):
    (tmp_path / "weather-1.0.tar.gz").write_bytes(b"no real archive")
    return server.url("weather-1.0.tar.gz", f"{USER}:{TOKEN}")


DIGEST = hashlib.sha256(b"no real archive").hexdigest()


def test_an_archive_is_fetched_once_and_recorded_by_its_digest(server, archive, tmp_path):
    server.credentials = f"{USER}:{TOKEN}"
    source = parse(archive)
    origin = resolve(source)
    (tmp_path / "tree").mkdir()
    tree = check_out(source, origin, tmp_path / "tree")
    assert (tree.path.name, tree.path.read_bytes()) == ("weather-1.0.tar.gz", b"no real archive")
    assert origin.direct_url() == {"url": server.url("weather-1.0.tar.gz"), "archive_info": {"hashes": {"sha256": DIGEST}}}
    assert len(server.seen) == 1
    assert TOKEN not in repr(source) + repr(origin)


def test_an_archive_whose_digest_is_given_is_held_to_it(server, archive, tmp_path):
    assert resolve(parse(f"{archive}#sha256={DIGEST}")).sha256 == DIGEST
    assert server.seen == []
    with pytest.raises(ResolveError) as caught:
        tree_of(f"{archive}#sha256={'0' * 64}", tmp_path / "tree")
    assert caught.value.reference == "hash-mismatch"


def test_a_token_in_an_archives_url_is_used_and_left_nowhere(server, archive):
    source = parse(f"{archive}?token={TOKEN}")
    origin = resolve(source)
    assert server.seen[0][0] == f"/weather-1.0.tar.gz?token={TOKEN}"
    assert TOKEN not in f"{source!r} {origin!r} {origin.direct_url()}"
    with pytest.raises(SourceError) as caught:
        resolve(parse(server.url(f"nothing.whl?token={TOKEN}")))
    assert TOKEN not in str(caught.value)


def test_an_archive_that_is_refused_or_missing_is_told(server, archive):
    server.credentials = "somebody:else"
    for text, reference in ((archive, "git-auth"), (server.url("nothing.whl"), "git-auth")):
        with pytest.raises(PlughostError) as caught:
            resolve(parse(text))
        assert caught.value.reference == reference
        assert TOKEN not in str(caught.value)
    server.credentials = ""
    with pytest.raises(SourceError) as caught:
        resolve(parse(server.url("nothing.whl")))
    assert caught.value.reference == "source-missing"


def test_an_archive_that_breaks_off_is_not_taken_for_the_whole(server, archive):
    server.cut_bytes = 5
    with pytest.raises(InstallError) as caught:
        resolve(parse(archive))
    assert (caught.value.reference, caught.value.causes) == ("network", ("It broke off with 5 bytes to come",))


def test_an_archives_credentials_are_not_sent_on_either(server, start, archive):
    other = start()
    server.moved_to = f"http://localhost:{other.server_port}"
    assert resolve(parse(archive)).sha256 == DIGEST
    assert [given for _, given in other.seen] == [""]
