"""Bundles: exported with every wheel, added where there is no network, and refused where anything was altered."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import shutil
import stat
import sys
import tarfile
import threading
import tomllib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli_w

import plughost
from plughost.bundle._archive import opened
from plughost.bundle._contents import Member, read_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A backend that stands in the sdist, so that a build needs nothing from an index.
BACKEND = """
import zipfile
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "rain-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as archive:
        archive.writestr("rain.py", "WET = True\\n")
        archive.writestr("rain-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: rain\\nVersion: 1.0\\n")
        archive.writestr("rain-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        names = [*archive.namelist(), "rain-1.0.dist-info/RECORD"]
        archive.writestr(names[-1], "".join(f"{name},,\\n" for name in names))
    return name
"""
PLUGIN = "import climate\n\ndef forecast(city: str) -> str:\n    return f'{city}: {climate.WARM}'\n"


def make_wheel(folder: Path, name: str, code: str, *, requires: str = "", offers: str = "", tag: str = "py3-none-any") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        + "".join(f"Requires-Dist: {requirement}\n" for requirement in requires.split()),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[plughost]\n{offers}\n" if offers else "",
    }
    rows = [f"{path},sha256={encoded(text)},{len(text)}" for path, text in files.items()]
    path = folder / f"{name}-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,", ""])}.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return path


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A plugin, `weather`, whose dependency `climate` is in a folder that stands for an index, and its bundle."""

    wheel: Path
    links: Path
    bundle: Path
    host: plughost.Host


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("lab")
    make_wheel(root / "links", "climate", "WARM = 'warm'\n")
    wheel = make_wheel(root, "weather", PLUGIN, requires="climate", offers="forecast = weather:forecast")
    with pytest.MonkeyPatch.context() as patch, plughost.Host(store=root / "store") as host:
        patch.setenv("UV_FIND_LINKS", str(root / "links"))
        patch.setenv("UV_DEFAULT_INDEX", (root / "empty").as_uri())
        host.add(str(wheel))
        yield Lab(wheel=wheel, links=root / "links", bundle=host.export("weather", root).path, host=host)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[plughost.Host]:
    """A host on another machine: an empty store with empty caches, and a network that answers nobody."""
    cut_off(monkeypatch)
    with plughost.Host(store=tmp_path / "alone") as host:
        yield host


def cut_off(patch: pytest.MonkeyPatch) -> None:
    for name in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX", "PIP_FIND_LINKS"):
        patch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv(name.lower(), "http://127.0.0.1:9")


# There and back.


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_bundle_installs_without_a_network_as_its_source_would(lab: Lab, alone: plughost.Host, installer: str) -> None:
    added = alone.add(str(lab.bundle), installer=installer)
    assert (added.name, added.version, added.changed) == ("weather", "1.0", True)
    assert alone.call("weather", "forecast", city="Bern") == "Bern: warm"
    there, here = lab.host.info("weather"), alone.info("weather")
    same = ("kind", "source", "direct_url", "digest", "package", "version", "wheel", "wheel_sha256", "lock_sha256")
    assert [getattr(here.receipt, key) for key in same] == [getattr(there.receipt, key) for key in same]
    assert here.receipt.request == {**there.receipt.request, "installer": installer}
    assert (here.tools, here.dependencies) == (there.tools, there.dependencies)
    assert not alone.add(str(lab.bundle), installer=installer).changed


def test_the_same_plugin_gives_the_same_bytes_and_so_does_its_copy(lab: Lab, alone: plughost.Host, tmp_path: Path) -> None:
    assert lab.host.export("weather@1.0", tmp_path / "again.plughost").sha256 == sha256(lab.bundle)
    alone.add(str(lab.bundle))
    copied = alone.export("weather", tmp_path / "copy.plughost", offline=True)
    assert copied.packages == 2
    with zipfile.ZipFile(copied.path) as copy, zipfile.ZipFile(lab.bundle) as original:
        wheels = [name for name in original.namelist() if name.startswith("wheels/")]
        assert [copy.read(name) for name in (*wheels, "pylock.toml")] == [
            original.read(name) for name in (*wheels, "pylock.toml")
        ]


def test_a_bundle_of_a_commit_is_updated_from_its_repository(
    host: plughost.Host, git_repository: Callable[..., str], tmp_path: Path
) -> None:
    source = git_repository("echo")
    host.add(source)
    bundle = host.export("echo", tmp_path).path
    cache = tmp_path / "there" / "cache"
    with plughost.Host(store=cache.parent) as there:
        with pytest.MonkeyPatch.context() as patch:
            cut_off(patch)
            there.add(str(bundle), name="other")
        assert there.info("other").receipt.commit_id == host.info("echo").receipt.commit_id
        assert not there.add(source, name="other").changed
        shutil.rmtree(cache)
        shutil.copytree(Path(host.store.root, "cache"), cache, symlinks=True)
        git_repository("echo", version="2.0")
        updated = there.update("other")
        assert (updated.before.version, updated.after.version) == ("1.0", "2.0")


def test_a_package_from_an_index_goes_into_a_bundle_too(
    lab: Lab, alone: plughost.Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "links"
    shutil.copytree(lab.links, links)
    shutil.copy(lab.wheel, links)
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "empty").as_uri())
    with plughost.Host(store=tmp_path / "store") as host:
        host.add("weather==1.0", entry_points={"tell": "weather:forecast"}, name="sky")
        bundle = host.export("sky", tmp_path).path
    shutil.rmtree(links)
    assert alone.add(str(bundle)).plugin.receipt.source == "weather==1.0"
    assert alone.call("sky", "tell", city="Bern") == "Bern: warm"


def test_options_that_a_bundle_has_room_for_are_taken_and_the_others_named(lab: Lab, alone: plughost.Host) -> None:
    first = alone.add(str(lab.bundle), name="here", python=sys.executable)
    assert (first.name, first.plugin.receipt.request["python"]) == ("here", sys.executable)
    assert alone.add(str(lab.bundle), name="here", force=True, python=sys.executable).changed
    for option, value in {"extras": ["x"], "with_": ["x"], "entry_points": {"a": "b:c"}, "editable": True}.items():
        with pytest.raises(plughost.UsageError):
            alone.add(str(lab.bundle), **{option: value})


# Where the wheels come from.


def test_a_dependency_that_was_built_goes_in_as_the_wheel_that_is_installed(
    alone: plughost.Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project += '[project]\nname = "rain"\nversion = "1.0"\n'
    information = "Metadata-Version: 2.1\nName: rain\nVersion: 1.0\n"
    with tarfile.open(tmp_path / "rain-1.0.tar.gz", "w:gz") as sdist:
        for name, text in {"pyproject.toml": project, "backend.py": BACKEND, "PKG-INFO": information}.items():
            member = tarfile.TarInfo(f"rain-1.0/{name}")
            member.size = len(text)
            sdist.addfile(member, io.BytesIO(text.encode()))
    code = "import rain\n\ndef forecast() -> bool:\n    return rain.WET\n"
    wheel = make_wheel(tmp_path, "monsoon", code, requires="rain", offers="forecast = monsoon:forecast")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "empty").as_uri())
    with plughost.Host(store=tmp_path / "store") as host:
        host.add(str(wheel))
        (tmp_path / "rain-1.0.tar.gz").unlink()
        bundle = host.export("monsoon", tmp_path, offline=True).path
    monkeypatch.delenv("UV_FIND_LINKS")
    alone.add(str(bundle))
    assert alone.call("monsoon", "forecast") is True
    assert alone.info("monsoon").receipt.built_from_source == ("rain",)


class Index(http.server.BaseHTTPRequestHandler):
    """A folder, for those who know the password."""

    files: dict[str, bytes]

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(b"ada:secret").decode()
        body = self.files.get(self.path)
        self.send_response(401 if self.headers["Authorization"] != wanted else 200 if body else 404)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/zip")
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()
        self.wfile.write(body or b"" if self.command == "GET" else b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def test_wheels_are_fetched_from_an_index_with_a_password_and_then_kept(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = lab.links / "climate-1.0-py3-none-any.whl"
    link = f'<a href="/files/{wheel.name}#sha256={sha256(wheel)}">{wheel.name}</a>'
    Index.files = {"/simple/climate/": link.encode(), f"/files/{wheel.name}": wheel.read_bytes()}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_INDEX", f"own=http://127.0.0.1:{server.server_port}/simple/")
    monkeypatch.setenv("UV_INDEX_OWN_USERNAME", "ada")
    monkeypatch.setenv("UV_INDEX_OWN_PASSWORD", "secret")
    with plughost.Host(store=tmp_path / "store") as host:
        host.add(str(lab.wheel))
        with pytest.raises(plughost.InstallError) as caught:
            host.export("weather", tmp_path, offline=True)
        assert (caught.value.reference, caught.value.causes) == ("offline", ("Missing: `climate` 1.0",))
        first = host.export("weather", tmp_path)
        server.shutdown()
        server.server_close()
        assert host.export("weather", tmp_path, offline=True).sha256 == first.sha256
        assert "secret" not in "".join(
            path.read_text("latin-1") for path in Path(host.store.plugins).rglob("*") if path.is_file()
        )


def test_a_wheel_that_is_not_what_is_locked_is_not_exported(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = tmp_path / "links"
    shutil.copytree(lab.links, links)
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "empty").as_uri())
    with plughost.Host(store=tmp_path / "store") as host:
        host.add(str(lab.wheel))
        make_wheel(links, "climate", "WARM = 'cold'\n")
        with pytest.raises(plughost.InstallError) as caught:
            host.export("weather", tmp_path)
    assert caught.value.reference == "hash-mismatch"
    assert caught.value.message == "`climate-1.0-py3-none-any.whl` is not what is locked"
    assert not list(tmp_path.glob("*.plughost*"))


ALTERED = {
    "pylock.toml": ("climate", "climats", "Its SHA-256 is"),
    "uv.lock": ("climate", "climats", "Its SHA-256 is"),
    "manifest.json": ("forecast", "forecats", "Its SHA-256 is"),
    "weather-1.0-py3-none-any.whl": ("forecast", "forecats", "Its SHA-256 is"),
    "receipt.toml": ("weather-1.0", "weather-6.6", "`source` is"),
}


@pytest.mark.parametrize("file", ALTERED)
def test_an_altered_revision_is_not_exported(altered_revision: plughost.Host, tmp_path: Path, file: str) -> None:
    with pytest.raises(plughost.StoreError) as caught:
        altered_revision.export("weather", tmp_path)
    assert caught.value.message == "The files of `weather` have been altered"
    assert f"/{file}`: {ALTERED[file][2]}" in caught.value.causes[0]


@pytest.mark.parametrize("file", ["receipt.toml", "uv.lock"])
def test_what_an_update_goes_by_is_not_altered(altered_revision: plughost.Host, file: str) -> None:
    with pytest.raises(plughost.StoreError) as caught:
        altered_revision.update("weather")
    assert f"/{file}`: {ALTERED[file][2]}" in caught.value.causes[0]


@pytest.fixture
def altered_revision(lab: Lab, alone: plughost.Host, file: str) -> plughost.Host:
    """A host that has `weather`, whose `file` was altered."""
    alone.add(str(lab.bundle))
    path = alone.info("weather").folder / file
    old, new, _ = ALTERED[file]
    data = path.read_bytes()
    assert old.encode() in data
    path.write_bytes(data.replace(old.encode(), new.encode()))
    return alone


def test_a_plugin_from_a_bundle_is_repaired_from_its_wheels(lab: Lab, alone: plughost.Host) -> None:
    alone.add(str(lab.bundle))
    shutil.rmtree(alone.info("weather").environment)
    shutil.rmtree(Path(alone.store.root, "cache"))
    alone.repair("weather")
    assert alone.call("weather", "forecast", city="Bern") == "Bern: warm"
    assert alone.diagnose("weather") == []
    wheel = alone.info("weather").folder / "climate-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"!")
    [fault] = alone.diagnose("weather")
    assert (fault.reference, fault.where) == ("wheel-corrupt", str(wheel))
    with pytest.raises(plughost.InstallError) as caught:
        alone.export("weather", lab.links)
    assert caught.value.message == "`climate-1.0-py3-none-any.whl` is not what is locked"


# What is refused.


Members = dict[str, bytes]


def written(path: Path, members: Members, **contents: object) -> Path:
    """A bundle of these members in which every digest is right: what somebody makes who knows the format."""
    record = read_contents(members.pop("bundle.json"))
    digests = {name: Member(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data)) for name, data in members.items()}
    sealed = replace(record, **{"members": digests, **contents})
    return stored(path, {"bundle.json": sealed.to_json(), **members})


def stored(path: Path, members: Members, **attributes: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            for key, value in attributes.items():
                setattr(entry, key, value)
            archive.writestr(entry, data)
    return path


CLIMATE = "wheels/climate-1.0-py3-none-any.whl"
WEATHER = "wheels/weather-1.0-py3-none-any.whl"


def altered(members: Members, name: str, old: bytes, new: bytes) -> Members:
    assert old in members[name]
    return {**members, name: members[name].replace(old, new)}


def without(members: Members, name: str) -> Members:
    return {key: data for key, data in members.items() if key != name}


def another_wheel(name: str, code: str, **more: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return make_wheel(Path(folder), name, code, **more).read_bytes()


FORMS: dict[str, tuple[Callable[[Path, Members], object], str]] = {
    "a wheel that is a byte longer": (
        lambda path, members: stored(path, {**members, CLIMATE: members[CLIMATE] + b"\0"}),
        f"`{CLIMATE}` was altered: it has",
    ),
    "another wheel of the same size": (
        lambda path, members: stored(path, altered(members, CLIMATE, b"warm", b"cold")),
        f"`{CLIMATE}` was altered: its SHA-256 is",
    ),
    "a byte changed in place": (
        lambda path, members: path.write_bytes(stored(path, members).read_bytes().replace(b"'warm'", b"'cold'")),
        f"`{CLIMATE}` is damaged: Bad CRC-32",
    ),
    "another wheel, with its digest": (
        lambda path, members: written(path, {**members, CLIMATE: another_wheel("climate", "WARM = 'cold'\n")}),
        "`climate-1.0-py3-none-any.whl` is not what is locked: its SHA-256 is",
    ),
    "another own wheel, with its digest": (
        lambda path, members: written(path, {**members, WEATHER: another_wheel("weather", "")}),
        "`weather-1.0-py3-none-any.whl` is not what is locked: its SHA-256 is",
    ),
    "another lock": (
        lambda path, members: stored(path, altered(members, "pylock.toml", b"climate", b"climats")),
        "`pylock.toml` was altered: its SHA-256 is",
    ),
    "another lock, with its digest": (
        lambda path, members: written(path, altered(members, "pylock.toml", b"climate", b"climats")),
        "`receipt.toml` was altered: `lock_sha256` is",
    ),
    "another receipt": (
        lambda path, members: stored(path, altered(members, "receipt.toml", b"weather", b"whether")),
        "`receipt.toml` was altered: its SHA-256 is",
    ),
    "a receipt that contradicts itself": (
        lambda path, members: written(path, altered(members, "receipt.toml", b"archive_info", b"archive_inf0")),
        "`receipt.toml` was altered: its `direct_url` contradicts the rest",
    ),
    "no receipt at all": (
        lambda path, members: written(path, {**members, "receipt.toml": b"format = 1\n"}),
        "`receipt.toml` was altered; `name` is missing",
    ),
    "a receipt of a package that nothing is": (
        lambda path, members: written(path, {**members, "receipt.toml": required(members["receipt.toml"], "!")}),
        "`receipt.toml` was altered: its `source` is no requirement for `weather`",
    ),
    "a receipt that leads updates elsewhere": (
        lambda path, members: written(
            path, altered(members, "receipt.toml", b'\nsource = "', b'\nsource = "git+https://example.org/other.git" #')
        ),
        "`receipt.toml` was altered: its `source` is not the place that its `direct_url` names",
    ),
    "a receipt that is nested too deep": (
        lambda path, members: written(path, {**members, "receipt.toml": b"a=" + b"[" * 9999}),
        "",
    ),
    "another manifest": (
        lambda path, members: stored(path, altered(members, "manifest.json", b"forecast", b"forecats")),
        "`manifest.json` was altered",
    ),
    "another list": (
        lambda path, members: stored(path, altered(members, "bundle.json", b'"size_bytes": ', b'"size_bytes": 1')),
        "`bundle.json` was altered: its digest is",
    ),
    "a list of another format": (
        lambda path, members: stored(path, {**members, "bundle.json": b'{"format": 2}'}),
        "`bundle.json` was altered: `format` is 2",
    ),
    "a list that is none": (
        lambda path, members: stored(path, {**members, "bundle.json": b"[" * 99999}),
        "`bundle.json` was altered",
    ),
    "no list": (lambda path, members: stored(path, without(members, "bundle.json")), "`bundle.json` is missing in it"),
    "a member too many": (
        lambda path, members: stored(path, {**members, "wheels/x-1-py3-none-any.whl": b""}),
        "`wheels/x-1-py3-none-any.whl` is in it, and `bundle.json` doesn't list it",
    ),
    "a member too few": (lambda path, members: stored(path, without(members, CLIMATE)), f"`{CLIMATE}` is missing in it"),
    "a wheel too many, listed": (
        lambda path, members: written(path, {**members, "wheels/snow-1.0-py3-none-any.whl": another_wheel("snow", "")}),
        "`snow-1.0-py3-none-any.whl` is of no package in the lock",
    ),
    "two wheels of one package": (
        lambda path, members: written(path, {**members, "wheels/climate-1.0-py2.py3-none-any.whl": members[CLIMATE]}),
        "`climate-1.0-py3-none-any.whl` is of no package in the lock, or of one that has another wheel already",
    ),
    "a wheel too few, not listed": (
        lambda path, members: written(path, without(members, CLIMATE)),
        "There is no wheel of `climate`, which is locked",
    ),
    "a file of no kind that a bundle has": (
        lambda path, members: written(path, {**members, "wheels/setup.py": b""}),
        "`wheels/setup.py` is not a file that a bundle has",
    ),
    "a name that leads out": (lambda path, members: written(path, {**members, "../x.whl": b""}), "`../x.whl` leads out of it"),
    "an absolute name": (lambda path, members: written(path, {**members, "/tmp/x.whl": b""}), "`/tmp/x.whl` leads out of it"),
    "a name for another system": (lambda path, members: written(path, {**members, "C:x": b""}), "`C:x` leads out of it"),
    "a name that looks like another": (
        lambda path, members: written(path, {**members, "wheels/clim\u0430te.whl": b""}),
        "`wheels/clim\u0430te.whl` is not the name of a file",
    ),
    "a symbolic link": (
        lambda path, members: stored(path, members, external_attr=(stat.S_IFLNK | 0o777) << 16),
        "`bundle.json` is a symbolic link",
    ),
    "a folder": (lambda path, members: stored(path, {**members, "wheels/": b""}), "`wheels/` is not the name of a file"),
    "compressed members": (
        lambda path, members: stored(path, {**members, CLIMATE: bytes(1 << 20)}, compress_type=zipfile.ZIP_DEFLATED),
        "is compressed, and the members of a bundle are not",
    ),
    "something in front": (
        lambda path, members: path.write_bytes(b"#!/bin/sh\n" + stored(path, members).read_bytes()),
        "There is something in front of `bundle.json` that `export` doesn't write",
    ),
    "something behind": (lambda path, members: path.write_bytes(commented(stored(path, members))), "There is something behind"),
    "half of it": (lambda path, members: path.write_bytes(stored(path, members).read_bytes()[:2000]), "It can't be read"),
    "an archive of nothing": (lambda path, _: stored(path, {}), "`bundle.json` is missing in it"),
    "nothing": (lambda path, _: path.write_bytes(b""), "It can't be read"),
    "a wheel that unpacks to a disk full": (
        lambda path, members: written(path, {**members, CLIMATE: bomb()}),
        "`climate-1.0-py3-none-any.whl` is not what is locked",
    ),
}


def required(receipt: bytes, requirement: str) -> bytes:
    """The receipt as if the plugin had come from an index."""
    record = tomllib.loads(receipt.decode())
    return tomli_w.dumps({**record, "kind": "requirement", "source": requirement, "direct_url": {}}).encode()


def commented(path: Path) -> bytes:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"a comment"
    return path.read_bytes()


def bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 24))
    return data.getvalue()


def members_of(bundle: Path) -> Members:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("form", FORMS)
def test_what_was_altered_is_refused_by_its_name(lab: Lab, tmp_path: Path, form: str) -> None:
    alter, cause = FORMS[form]
    bundle = tmp_path / "weather.plughost"
    alter(bundle, members_of(lab.bundle))
    before = [lab.host.info("weather").receipt, *os.listdir(lab.host.store.venvs)]
    with pytest.raises(plughost.InstallError) as caught:
        lab.host.add(str(bundle))
    assert caught.value.reference == "bundle-invalid"
    assert caught.value.message == "`weather.plughost` is not a bundle that can be installed"
    assert cause in caught.value.causes[0]
    assert [lab.host.info("weather").receipt, *os.listdir(lab.host.store.venvs)] == before
    assert not os.listdir(lab.host.store.tmp)


def test_no_bit_between_the_members_can_be_another(lab: Lab, tmp_path: Path) -> None:
    data = lab.bundle.read_bytes()
    contents = [(data.index(member), len(member)) for member in members_of(lab.bundle).values()]
    between = set(range(len(data))) - {place for start, length in contents for place in range(start, start + length)}
    assert len(between) > 500
    bundle = tmp_path / "weather.plughost"
    for place in sorted(between)[::2]:
        bundle.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        with pytest.raises(plughost.BundleError):
            read_all(bundle)


def read_all(bundle: Path) -> None:
    with opened(bundle) as archive:
        archive.text("bundle.json")
        for name in archive.names:
            archive.text(name)


def test_a_member_twice_is_refused(lab: Lab, tmp_path: Path) -> None:
    bundle = tmp_path / "weather.plughost"
    shutil.copyfile(lab.bundle, bundle)
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("receipt.toml", b"")
    with pytest.raises(plughost.InstallError) as caught:
        lab.host.add(str(bundle))
    assert caught.value.causes == ("`receipt.toml` is in it twice",)


def test_what_is_not_for_this_machine_is_refused_with_what_would_fit(lab: Lab, tmp_path: Path) -> None:
    bundle = tmp_path / "weather.plughost"

    def refused(**given: str) -> str:
        with pytest.raises(plughost.InstallError) as caught:
            lab.host.add(str(bundle), **given)
        assert caught.value.reference == "bundle-unfit"
        return caught.value.message

    written(bundle, members_of(lab.bundle), machine="pdp11")
    assert refused().startswith(f"`weather.plughost` is for {sys.platform} on pdp11, and this machine is {sys.platform} on ")
    written(bundle, members_of(lab.bundle), project="myapp")
    assert refused() == "`weather.plughost` is for the project `myapp`, and this is `plughost`"
    elsewhere = "climate-1.0-cp27-cp27m-win32.whl"
    members = members_of(lab.bundle)
    lock = members["pylock.toml"].replace(b"climate-1.0-py3-none-any.whl", elsewhere.encode())
    receipt = members["receipt.toml"].replace(
        *(hashlib.sha256(data).hexdigest().encode() for data in (members["pylock.toml"], lock))
    )
    members |= {f"wheels/{elsewhere}": members.pop(CLIMATE), "pylock.toml": lock, "receipt.toml": receipt}
    written(bundle, members)
    assert refused() == f"`{elsewhere}` in `weather.plughost` doesn't fit this machine"
    shutil.copyfile(lab.bundle, bundle)
    series = ".".join(map(str, sys.version_info[:2]))
    assert refused(python="3.99") == f"`weather.plughost` is for Python {series}"


def test_the_digest_that_export_printed_can_be_demanded(lab: Lab, alone: plughost.Host) -> None:
    with pytest.raises(plughost.InstallError) as caught:
        alone.add(f"{lab.bundle.as_uri()}#sha256={'0' * 64}")
    assert caught.value.causes == (f"Its SHA-256 is `{sha256(lab.bundle)}`, and `{'0' * 64}` is asked for",)
    assert alone.add(f"{lab.bundle.as_uri()}#sha256={sha256(lab.bundle)}").changed


def test_a_signature_that_is_demanded_is_not_got_around(lab: Lab, tmp_path: Path) -> None:
    from plughost.settings import Settings

    settings = Settings(require_signed=(f"{lab.wheel.parent}/*",))
    with plughost.Host(store=tmp_path / "store", settings=settings) as host, pytest.raises(plughost.InstallError) as caught:
        host.add(str(lab.bundle))
    assert caught.value.reference == "signature-missing"


# Kills.


EXPORT = {
    "gathering": "shutil.copyfile climate /tmp/",
    "writing": "open /tmp/ 8",
    "naming": "os.link /proc/self/fd",
}
ADDITION = {
    "unpacking": "open /bundle/climate",
    "venv": "os.posix_spawn --no-index",
    "revision": "shutil.copyfile climate /revision/",
    "placing": "os.rename /plugin plugins/plughost/weather",
}


def test_an_export_that_is_killed_leaves_nothing(lab: Lab, tmp_path: Path, kill_before: Callable[..., None]) -> None:
    target = tmp_path / "out" / "weather.plughost"
    target.parent.mkdir()
    for step, event in EXPORT.items():
        kill_before(lab.host, event, "export", "weather", "-o", str(target))
        assert list(target.parent.iterdir()) == [], step
    lab.host.export("weather", target)
    assert sha256(target) == sha256(lab.bundle)
    assert not os.listdir(lab.host.store.tmp)


def test_an_add_of_a_bundle_that_is_killed_leaves_nothing(
    lab: Lab, alone: plughost.Host, kill_before: Callable[..., None]
) -> None:
    for step, event in ADDITION.items():
        kill_before(alone, event, "add", str(lab.bundle))
        assert alone.plugins() == [], step
    assert alone.add(str(lab.bundle)).changed
    assert alone.call("weather", "forecast", city="Bern") == "Bern: warm"
    assert not os.listdir(alone.store.tmp)
    assert [path.name for path in Path(alone.store.venvs).iterdir()] == [alone.info("weather").receipt.venv]


def test_the_command_says_what_was_written(lab: Lab, plughost_command: Callable[..., object], tmp_path: Path) -> None:
    store = ("--store", lab.host.store.root)
    exported = plughost_command(*store, "export", "weather", "-o", "w.plughost", "--json")
    assert exported.json() == {
        "name": "weather",
        "version": "1.0",
        "path": str(tmp_path / "w.plughost"),
        "sha256": sha256(lab.bundle),
        "size_bytes": lab.bundle.stat().st_size,
        "packages": 2,
    }
    assert json.loads(members_of(tmp_path / "w.plughost")["bundle.json"])["format"] == 1
    assert plughost_command("add", "w.plughost").stdout.startswith("Added `weather` 1.0 from ")
