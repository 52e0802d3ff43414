"""Indexes of plugins: read with suspicion, fetched and kept, built, and asked by `add`."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import errors, indexes
from plughost.health import Examiner
from plughost.indexes._format import InvalidIndexError, parse, to_toml
from plughost.paths import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "git+https://example.org/team/weather.git@v1.2"
WEATHER = f"""[[plugins]]
name = "weather"
source = "{SOURCE}"
summary = "Says how warm it will be"
tags = ["climate", "Europe"]
"""
TABLES = '[[plugins]]\nname = "tables"\nsource = "tables-plugin==1.0"\n'
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIJxKc1aF7P9wK3oT0Vw3bQd4m0kL2u2W6n9c5m1b7o3a"


def index(*tables: str, head: str = 'format = 1\nname = "team"\n') -> str:
    return "\n".join([head, *tables])


def plugin(**values: object) -> str:
    rows = {"name": "weather", "source": SOURCE, **values}
    return "[[plugins]]\n" + "".join(f"{key} = {value!r}\n" for key, value in rows.items())


class Server(ThreadingHTTPServer):
    """One file at any path, with what a server says of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.text = index(WEATHER)
        self.etag = '"1"'
        self.status = 200
        self.cut_bytes = 0
        self.credentials = ""
        self.answered: list[int] = []

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}{'@' * bool(userinfo)}127.0.0.1:{self.server_port}/plughost-index.toml"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = f"Basic {base64.b64encode(self.server.credentials.encode()).decode()}"
        if self.server.credentials and self.headers.get("Authorization") != wanted:
            self.answer(401)
        elif self.server.etag and self.headers.get("If-None-Match") == self.server.etag:
            self.answer(304)
        else:
            self.answer(self.server.status, self.server.text.encode())

    def answer(self, status: int, content: bytes = b"") -> None:
        self.server.answered.append(status)
        self.send_response(status)
        self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) - self.server.cut_bytes])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", os.devnull)
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def place(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "team.toml"
    path.write_text(index(WEATHER, TABLES))
    return path


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("format = ", "It is no TOML: "),
        ("\x00", "It is no TOML: "),
        ('name = "team"', "`format` must be 1"),
        ('format = 2\nname = "team"', "`format` must be 1"),
        ('format = true\nname = "team"', "`format` must be 1"),
        ("format = 1", "`name` is missing"),
        ('format = 1\nname = ""', "`name` is empty"),
        ('format = 1\nname = "team"\nplugin = []', "`plugin` is unknown"),
        ('format = 1\nname = "team"\nplugins = 7', "`plugins` must be an array of tables"),
        ('format = 1\nname = "team"\nplugins = [7]', "`plugins[0]` must be a table"),
        (index(WEATHER, plugin(sorce="x")), "`plugins[1].sorce` is unknown"),
        (index("[[plugins]]\nsource = 'x'"), "`plugins[0].name` is missing"),
        (index("[[plugins]]\nname = 'x'"), "`plugins[0].source` is missing"),
        (index(plugin(name="../../x")), "`plugins[0].name` must have ASCII letters"),
        (index(plugin(name="-x")), "`plugins[0].name` must have ASCII letters"),
        (index(plugin(name="x" * 101)), "`plugins[0].name` is longer than 100 characters"),
        (index(plugin(source="--upload-pack=x")), "`plugins[0].source` is no source: "),
        (index(plugin(source="git+https://example.org/x.git@--upload-pack=y")), "`plugins[0].source` is no source: "),
        (index(plugin(source="git+https://ada:token@example.org/x.git")), "`plugins[0].source` has credentials"),
        (index(plugin(source="https://example.org/x-1.0.tar.gz?token=1")), "`plugins[0].source` has credentials or a `?`"),
        (index(plugin(source="git+file:///etc")), "`plugins[0].source` is on this machine"),
        (index(plugin(source="/")), "`plugins[0].source` is on this machine"),
        (index(plugin(summary=7)), "`plugins[0].summary` must be a string"),
        (index('[[plugins]]\nname = "x"\nsource = "x"\nsummary = "a\\u001bb"'), "`plugins[0].summary` must be one line"),
        (index(plugin(tags="x")), "`plugins[0].tags` must be an array of strings"),
        (index(plugin(tags=["x", 7])), "`plugins[0].tags[1]` must be a string"),
        (index(plugin(tags=["x"] * 51)), "`plugins[0].tags` has more than 50 strings"),
        (index(plugin(signers=["ada@example.org gpg /etc/key"])), "`plugins[0].signers[0]` must be a line of"),
        (index(WEATHER, plugin(name="Weather")), "`plugins[1].name` is `weather`, as that of another"),
    ],
)
def test_what_no_index_may_have_is_named_by_its_place(text: str, fault: str) -> None:
    with pytest.raises(InvalidIndexError) as caught:
        parse(text.encode(), is_here=False)
    assert str(caught.value).startswith(fault)


def test_an_index_is_read_with_normalized_names_and_may_have_keys_of_its_own() -> None:
    signer = f"ada@example.org ssh-ed25519 {KEY}"
    text = index(plugin(name="Weather_Tool", signers=[signer], **{"x-rank": 7}), head='format = 1\nname = "team"\nx-by = "us"\n')
    (entry,) = parse(text.encode(), is_here=False).entries
    assert (entry.name, entry.source, entry.signers) == ("weather-tool", SOURCE, (signer,))


def test_an_index_that_is_too_large_is_not_read() -> None:
    with pytest.raises(InvalidIndexError, match="larger than 32 MiB"):
        parse(b"#" * ((32 << 20) + 1), is_here=False)


def test_a_file_is_kept_and_found_without_it(place: Store, file: Path) -> None:
    origin = indexes.add(place, "Team", str(file))
    file.unlink()
    assert (origin.name, origin.title, origin.count, origin.source) == ("team", "team", 2, str(file))
    kept = indexes.read(place, "team")
    kept.check()
    assert [kept.find(name) and kept.find(name).source for name in ("weather", "tables", "weath")] == [
        SOURCE,
        "tables-plugin==1.0",
        None,
    ]
    assert kept.find("weather").tags == ("climate", "Europe")


def test_a_name_that_is_taken_is_refused_and_replaced_by_force_in_its_rank(place: Store, file: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        indexes.add(place, name, str(file))
    with pytest.raises(errors.UsageError) as caught:
        indexes.add(place, "first", str(file))
    assert caught.value.reference == "index-taken"
    other = tmp_path / "other.toml"
    other.write_text(index(TABLES))
    indexes.add(place, "first", str(other), force=True)
    assert [(kept.name, kept.origin.count) for kept in indexes.read_all(place)] == [("first", 1), ("second", 2)]


def test_what_has_not_changed_on_a_server_is_not_sent_again(place: Store, server: Server) -> None:
    indexes.add(place, "team", server.url())
    assert not indexes.update(place, "team").changed
    server.text, server.etag = index(TABLES), '"2"'
    updated = indexes.update(place, "team")
    assert (updated.changed, updated.appeared, updated.gone) == (True, ("tables",), ("weather",))
    assert server.answered == [200, 304, 200]


@pytest.mark.parametrize(("status", "text"), [(500, ""), (404, ""), (200, "<html>"), (200, index(WEATHER)[:-40])])
def test_a_bad_answer_never_takes_the_place_of_what_is_kept(place: Store, server: Server, status: int, text: str) -> None:
    indexes.add(place, "team", server.url())
    before = Path(place.plugin_index("team")).read_bytes()
    server.status, server.text, server.etag = status, text, '"2"'
    with pytest.raises(errors.InstallError):
        indexes.update(place, "team")
    assert Path(place.plugin_index("team")).read_bytes() == before
    with pytest.raises(errors.InstallError):
        indexes.add(place, "team", server.url(), force=True)
    assert Path(place.plugin_index("team")).read_bytes() == before


def test_an_index_that_breaks_off_is_not_taken_for_the_whole(place: Store, server: Server) -> None:
    server.text = index(WEATHER, TABLES)
    server.cut_bytes = len(server.text) - len(index(WEATHER))
    with pytest.raises(errors.InstallError) as caught:
        indexes.add(place, "team", server.url())
    assert caught.value.causes == (f"It broke off with {server.cut_bytes} bytes to come",)


def test_offline_nobody_is_asked_and_a_file_here_is_read(place: Store, server: Server, file: Path) -> None:
    indexes.add(place, "team", server.url())
    for ask in (lambda: indexes.update(place, "team", offline=True), lambda: indexes.add(place, "x", server.url(), offline=True)):
        with pytest.raises(errors.InstallError) as caught:
            ask()
        assert caught.value.reference == "offline"
    assert server.answered == [200]
    assert indexes.add(place, "here", str(file), offline=True).count == 2


def test_credentials_are_used_and_left_nowhere(place: Store, server: Server, tmp_path: Path, monkeypatch) -> None:
    server.credentials = "ada:s3cret"
    assert indexes.add(place, "team", server.url("ada:s3cret")).source == server.url()
    assert not any(b"s3cret" in path.read_bytes() for path in Path(place.root).rglob("*") if path.is_file())
    server.etag = '"2"'
    with pytest.raises(errors.SourceError) as caught:
        indexes.update(place, "team")
    assert caught.value.reference == "git-auth"
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    indexes.update(place, "team")
    with pytest.raises(errors.UsageError) as refused:
        indexes.add(place, "other", f"{server.url('ada:s3cret')}?token=s3cret")
    assert "s3cret" not in str(refused.value)


def test_a_repository_is_asked_for_its_commit_and_fetched_when_that_is_another(place: Store, tmp_path: Path, commit) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "plughost-index.toml").write_text(index(WEATHER))
    first = commit(folder)
    assert indexes.add(place, "team", f"git+{folder.as_uri()}").commit_id == first
    assert not indexes.update(place, "team").changed
    (folder / "plughost-index.toml").write_text(index(WEATHER, TABLES))
    second = commit(folder)
    updated = indexes.update(place, "team")
    assert (updated.origin.commit_id, updated.appeared) == (second, ("tables",))
    (folder / "plughost-index.toml").unlink()
    (folder / "plughost-index.toml").symlink_to("/etc/passwd")
    commit(folder)
    with pytest.raises(errors.SourceError) as caught:
        indexes.update(place, "team")
    assert caught.value.causes == ("There is no file `plughost-index.toml` at its root",)
    assert indexes.read(place, "team").origin.commit_id == second


@pytest.mark.parametrize("old", [b"how warm", b'"tags":', b"climate\x1f", b"1.2"])
def test_a_kept_index_that_was_changed_is_refused_and_fetched_again(place: Store, file: Path, old: bytes) -> None:
    indexes.add(place, "team", str(file))
    path = Path(place.plugin_index("team"))
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, old[::-1], 1))
    for use in (indexes.read, lambda store, name: indexes.look_up(store, "weather", index=name)):
        with pytest.raises(errors.StoreError) as caught:
            use(place, "team")
        assert (caught.value.reference, str(path) in caught.value.causes[0]) == ("index-corrupt", True)
    (fault,) = Examiner(place).store_faults()
    assert (fault.reference, fault.where) == ("index-corrupt", str(path))
    assert indexes.update(place, "team").changed
    assert indexes.look_up(place, "weather").entry.source == SOURCE
    assert path.with_suffix(".damaged").read_bytes() != whole


def test_an_index_of_which_nothing_can_be_read_is_not_fetched_from_who_knows_where(place: Store, file: Path) -> None:
    indexes.add(place, "team", str(file))
    path = Path(place.plugin_index("team"))
    path.write_bytes(path.read_bytes().replace(str(file).encode(), b"/etc/passwd"))
    with pytest.raises(errors.StoreError) as caught:
        indexes.update(place, "team")
    assert caught.value.hint == "`index add team SOURCE --force` puts a new one in its place"


def test_of_several_that_add_the_same_name_at_once_one_succeeds(place: Store, file: Path) -> None:
    outcomes: list[str] = []

    def add() -> None:
        try:
            outcomes.append(indexes.add(place, "team", str(file)).name)
        except errors.PlughostError as error:
            outcomes.append(error.reference)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["index-taken"] * 3 + ["team"]


def test_what_a_killed_writer_left_goes_with_the_next(place: Store, file: Path) -> None:
    indexes.add(place, "team", str(file))
    left = Path(place.plugin_index("team") + ".77.abcd.new")
    left.touch()
    assert [kept.name for kept in indexes.read_all(place)] == ["team"]
    indexes.remove(place, "team")
    assert not list(Path(place.plugin_indexes).iterdir())
    with pytest.raises(errors.UnknownError):
        indexes.remove(place, "team")


def test_a_name_in_two_indexes_is_ambiguous_only_if_they_disagree(place: Store, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(index(WEATHER, plugin(name="tables", source="tables-of-others==2.0")))
    indexes.add(place, "team", str(file))
    indexes.add(place, "others", str(other))
    assert indexes.look_up(place, "Weather").index == "team"
    with pytest.raises(errors.UnknownError) as caught:
        indexes.look_up(place, "tables")
    assert caught.value.causes == ("`team`: `tables-plugin==1.0`", "`others`: `tables-of-others==2.0`")
    assert indexes.look_up(place, "tables", index="others").entry.source == "tables-of-others==2.0"
    assert indexes.look_up(place, "nothing") is None


def test_an_index_is_built_out_of_a_folder_of_projects_the_same_each_time(tmp_path: Path) -> None:
    for name in ("zebra", "ant"):
        (tmp_path / "plugins" / name).mkdir(parents=True)
        text = f'[project]\nname = "{name}"\nversion = "1"\ndescription = "A\\n{name}"\nkeywords = ["b", "a", "b"]\n'
        (tmp_path / "plugins" / name / "pyproject.toml").write_text(text)
    repository = "https://example.org/team/plugins.git"
    data = indexes.build([str(tmp_path / "plugins")], repository=repository)
    assert data == indexes.build([str(tmp_path / "plugins")], repository=f"git+{repository}")
    listing = parse(data, is_here=False)
    assert data == to_toml(listing)
    assert [entry.record() for entry in listing.entries] == [
        {"name": name, "source": f"git+{repository}#subdirectory={name}", "summary": f"A {name}", "tags": ["a", "b"]}
        for name in ("ant", "zebra")
    ]


def test_an_index_is_built_out_of_a_list_of_sources(tmp_path: Path, git_repository) -> None:
    source = git_repository("echo")
    sources = tmp_path / "team.txt"
    sources.write_text(f"# ours\n{source}\n\ntables-plugin==1.0  # theirs\n")
    listing = parse(indexes.build([str(sources)]), is_here=True)
    assert (listing.name, [(entry.name, entry.source, entry.summary) for entry in listing.entries]) == (
        "team",
        [("echo", source, "One tool of every kind"), ("tables-plugin", "tables-plugin==1.0", "")],
    )


def test_a_bare_name_is_added_from_the_index_and_everything_else_is_not(plughost_command, tmp_path: Path, git_repository) -> None:
    source = git_repository("echo")
    listed = tmp_path / "team.toml"
    listed.write_text(index(plugin(name="echo", source=source)))
    plughost_command("index", "add", "team", str(listed))
    added = plughost_command("add", "Echo", "--json")
    assert added.json()["source"] == source
    assert added.stderr == f"`Echo` is `{source}` by the index `team`\n"
    assert plughost_command("add", "echo").stdout.startswith("`echo` 1.0 is already installed at the same commit")
    (tmp_path / "packages").mkdir()
    for other in ("echo==1.0", "unheard-of"):
        refused = plughost_command("add", other, "--json", env={"UV_DEFAULT_INDEX": (tmp_path / "packages").as_uri()})
        assert (refused.json()["error"]["reference"], refused.stderr) == ("package-not-found", "")


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen")
def test_whoever_the_index_names_must_have_signed_also_what_comes_later(plughost_command, tmp_path: Path, git_repository) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signing = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={key}", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]

    def commit_signed(*more: str) -> None:
        repository = tmp_path / "repositories" / "echo"
        argv = ["git", "-C", repository, *signing, "commit", "--quiet", "--allow-empty", "--message=Signed", *more]
        subprocess.run(argv, check=True)

    source = git_repository("echo")
    listed = tmp_path / "team.toml"
    signer = f"ada@example.org {(tmp_path / 'key.pub').read_text().rpartition(' ')[0]}"
    listed.write_text(index(plugin(name="echo", source=source, signers=[signer])))
    plughost_command("index", "add", "team", str(listed))
    assert plughost_command("add", "echo", "--json").json()["error"]["reference"] == "signature-missing"
    assert plughost_command("list", "--json").json() == []
    commit_signed("--gpg-sign")
    assert plughost_command("add", "echo", "--json").json()["request"]["signers"] == [signer]
    commit_signed()
    assert plughost_command("update", "echo", "--json").json()[0]["error"]["reference"] == "signature-missing"
    commit_signed("--gpg-sign")
    assert plughost_command("update", "echo", "--json").json()[0]["changed"] is True
    listed.write_text(index(plugin(name="echo", source=source, signers=[f"ada@example.org ssh-ed25519 {KEY}"])))
    plughost_command("index", "update")
    assert plughost_command("add", "echo", "--force", "--json").json()["error"]["reference"] == "signer-not-allowed"


@pytest.mark.parametrize("argv", [["index", "list"], ["search", "weather"], ["index", "update"]])
def test_the_commands_say_what_is_damaged_and_end_with_its_code(plughost_command, store: Path, file: Path, argv) -> None:
    plughost_command("index", "add", "team", str(file))
    path = store / "indexes" / "team.json"
    path.write_bytes(b"{}\n")
    completed = plughost_command(*argv)
    assert (completed.returncode, completed.stderr.partition("\n")[0]) == (6, "error: The index `team` is damaged")


def test_indexes_are_listed_updated_and_removed(plughost_command, file: Path) -> None:
    assert "index add NAME SOURCE" in plughost_command("index", "list").stderr
    assert plughost_command("index", "add", "team", str(file)).stdout == "Added the index `team` with 2 plugins\n"
    assert plughost_command("index", "list").stdout.splitlines()[1].split()[:2] == ["team", "2"]
    file.write_text(index(TABLES))
    assert plughost_command("index", "update").stdout == "Updated the index `team` (1 plugin, 1 gone)\n"
    assert plughost_command("index", "update", "team").stdout == "The index `team` is up to date\n"
    assert plughost_command("index", "list", "--json").json()[0]["count"] == 1
    removed = plughost_command("index", "remove", "team", "none", "--json")
    assert (removed.returncode, removed.json()["removed"]) == (3, ["team"])


def test_an_index_is_built_by_the_command(plughost_command, tmp_path: Path, git_repository) -> None:
    git_repository("echo")
    folder = tmp_path / "repositories"
    completed = plughost_command("index", "build", str(folder), "-o", "out.toml", "--name", "team")
    assert completed.stdout == "Wrote `out.toml` with 1 plugin\n"
    assert plughost_command("index", "build", str(folder), "--name", "team").stdout == (tmp_path / "out.toml").read_text()
    assert subprocess.run(["ls", tmp_path], capture_output=True, check=True, text=True).stdout.count(".new") == 0
