"""`audit`: what a service knows of the packages of a plugin, and what they bring along: for each finding a wheel made by hand."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import stat
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from plughost import Host
from plughost.errors import AuditError, UnknownError
from plughost.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

ENTRY_POINTS = "[plughost]\nforecast = weather:forecast\n"
CODE = "def forecast(city: str) -> str:\n    return city\n"


def write_wheel(folder: Path, name: str, files: dict[str, str], *, version: str = "1.0", requires: tuple[str, ...] = ()) -> Path:
    """A wheel with `files`; of data files the path begins with `DATA/`."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        **{path.replace("DATA/", f"{name}-{version}.data/"): text for path, text in files.items()},
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {line}\n" for line in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for path, text in files.items()}
    record = [f"{path},sha256={digests[path].rstrip(b'=').decode()},{len(text.encode())}" for path, text in files.items()]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "\n".join([*record, f"{info}/RECORD,,", ""])}.items():
            archive.writestr(path, text)
    return target


@pytest.fixture
def index(tmp_path, monkeypatch):
    """`index("name", {…})` puts a package into an index of this test's own, which is the only one."""
    root = tmp_path / "index"
    root.mkdir()
    monkeypatch.setenv("UV_DEFAULT_INDEX", root.as_uri())

    def publish(name: str, files: dict[str, str], **more: object) -> None:
        wheel = write_wheel(root / name, name, files, **more)
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (root / name / "index.html").write_text(f'<a href="{wheel.name}#sha256={sha256}">{wheel.name}</a>')

    return publish


@pytest.fixture
def weather(tmp_path):
    """`weather({…}, requires=(…))` is the wheel of a plugin."""
    own = {"weather/__init__.py": CODE, "weather-1.0.dist-info/entry_points.txt": ENTRY_POINTS}

    def make(files: dict[str, str] | None = None, requires: tuple[str, ...] = ()) -> str:
        return str(write_wheel(tmp_path / "wheels", "weather", {**own, **(files or {})}, requires=requires))

    return make


@pytest.fixture
def found(host):
    """`found()` are the findings of the plugin `weather`, without asking anybody: (level, kind, package, path)."""

    def audit() -> set[tuple[str, str, str, str]]:
        findings = host.audit("weather", offline=True)[0].findings
        return {(one.level, one.kind, one.package, one.path.replace(f"python{VERSION}", "pythonX")) for one in findings}

    import sys

    VERSION = ".".join(map(str, sys.version_info[:2]))  # noqa: N806 - a constant, but not before there is a run
    return audit


SITE = "lib/pythonX/site-packages"


def test_a_plain_plugin_has_nothing_to_be_found(host, weather, found):
    host.add(weather())
    assert found() == set()


@pytest.mark.parametrize(
    ("files", "finding"),
    [
        ({"weather.pth": "import os; os.environ['X'] = '1'\n"}, ("warning", "startup-code", "weather", f"{SITE}/weather.pth")),
        ({"sitecustomize.py": ""}, ("warning", "startup-code", "weather", f"{SITE}/sitecustomize.py")),
        ({"DATA/scripts/sh": "#!python\n"}, ("warning", "script-shadows", "weather", "bin/sh")),
        ({"DATA/scripts/pip3.11": "#!python\n"}, ("warning", "script-shadows", "weather", "bin/pip3.11")),
        ({"random.py": ""}, ("warning", "shadows-stdlib", "weather", f"{SITE}/random.py")),
        ({"logging/__init__.py": ""}, ("warning", "shadows-stdlib", "weather", f"{SITE}/logging")),
        ({"tests/__init__.py": ""}, ("warning", "outside-package", "weather", f"{SITE}/tests")),
        ({"DATA/data/lib/odd.txt": ""}, ("warning", "outside-package", "weather", "lib/odd.txt")),
        ({"DATA/data/share/man/weather.1": ""}, ("info", "data-file", "weather", "share/man/weather.1")),
        ({"weather/_fast.cpython-311-x86_64-linux-gnu.so": ""},
         ("info", "compiled", "weather", f"{SITE}/weather/_fast.cpython-311-x86_64-linux-gnu.so")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_a_package_brings_along_is_found(host, weather, found, files, finding):
    host.add(weather(files))
    assert found() == {finding}


def test_a_path_in_a_pth_file_is_no_code(host, weather, found):
    host.add(weather({"weather.pth": "weather\n# import os\n"}))
    assert found() == set()


def test_files_that_two_packages_claim_are_found(host, weather, found, index):
    index("climate", {"climate/__init__.py": "", "shared/same.py": "", "shared/other.py": "a = 1\n"})
    plugin = host.add(weather({"shared/same.py": "", "shared/other.py": "a = 1\n"}, requires=("climate",))).plugin
    record = next(plugin.environment.glob("lib/python3*/site-packages/climate-*/RECORD"))
    record.write_text(record.read_text().replace("shared/other.py,sha256=", "shared/other.py,sha256=x"))
    assert found() >= {
        ("info", "file-conflict", "climate", f"{SITE}/shared/same.py"),
        ("warning", "file-conflict", "climate", f"{SITE}/shared/other.py"),
    }


def test_what_came_after_the_packages_is_found(host, weather, found):
    site = next(host.add(weather()).plugin.environment.glob("lib/python3*/site-packages"))
    (site / "stray.py").write_text("")
    (site / "evil.pth").write_text("import stray\n")
    (site / "weather" / "more.py").write_text("")
    program = site / "weather" / "__init__.py"
    program.chmod(program.stat().st_mode | stat.S_ISUID)
    assert found() == {
        ("warning", "not-in-record", "", f"{SITE}/stray.py"),
        ("warning", "not-in-record", "", f"{SITE}/evil.pth"),
        ("warning", "not-in-record", "", f"{SITE}/weather"),
        ("warning", "startup-code", "", f"{SITE}/evil.pth"),
        ("warning", "setuid", "weather", f"{SITE}/weather/__init__.py"),
    }
    program.chmod(0o644)
    next(site.glob("*.dist-info/RECORD")).unlink()
    assert ("warning", "not-in-record", "weather", "") in found()


def test_what_is_not_from_an_index_or_not_as_locked_is_found(host, weather, found, tmp_path):
    climate = write_wheel(tmp_path / "elsewhere", "climate", {"climate/__init__.py": ""})
    plugin = host.add(weather(), with_=[f"climate @ {climate.as_uri()}"]).plugin
    assert ("warning", "not-from-index", "climate", "") in found()
    lock = plugin.folder / "pylock.toml"
    lock.write_text(lock.read_text().replace('name = "climate"\nversion = "1.0"', 'name = "climate"\nversion = "0.9"'))
    assert {finding for finding in found() if finding[1] == "altered"} == {
        ("warning", "altered", "weather", str(lock)),
        ("warning", "altered", "climate", ""),
    }


def test_a_signature_that_the_settings_demand_by_now_is_missed(store, weather):
    with Host(store=store) as host:
        host.add(weather())
    with Host(store=store, settings=Settings(require_signed=("*",))) as host:
        assert [one.kind for one in host.audit("weather", offline=True)[0].findings] == ["unsigned"]


def test_a_damaged_plugin_hides_no_other(host, weather):
    host.add(weather())
    (host.add(weather(), name="other").plugin.folder / "receipt.toml").write_text("?")
    assert [(one.name, [finding.kind for finding in one.findings]) for one in host.audit(offline=True)] == [
        ("other", ["damaged"]),
        ("weather", []),
    ]
    with pytest.raises(UnknownError):
        host.audit("nothing")


# Known vulnerabilities.


def affected(name: str, *fixed: str, kind: str = "ECOSYSTEM") -> dict[str, object]:
    events = [{"introduced": "0"}, *({"fixed": version} for version in fixed)]
    return {"package": {"ecosystem": "PyPI", "name": name}, "ranges": [{"type": kind, "events": events}]}


VULNERABILITIES = {
    "PYSEC-1": {
        "id": "PYSEC-1",
        "aliases": ["CVE-1"],
        "details": "Snow is let in.\nAnd rain.",
        "affected": [affected("Climate", "1.10", "0.9"), affected("climate", "abc", kind="GIT"), affected("other", "7")],
    },
    "GHSA-1": {
        "id": "GHSA-1",
        "aliases": ["CVE-1"],
        "summary": "Snow",
        "database_specific": {"severity": "HIGH"},
        "affected": [affected("climate", "1.2")],
    },
    "PYSEC-2": {"id": "PYSEC-2", "summary": "Withdrawn", "withdrawn": "2026-01-01T00:00:00Z"},
}


class Osv:
    """A service that knows of vulnerabilities, on this machine; `batches` are the questions that it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, object]]] = []
        self.answers: dict[str, bytes] = {}
        osv = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
                osv.batches.append(queries)
                self.reply(json.dumps({"results": [osv.answer(query) for query in queries]}).encode())

            def do_GET(self) -> None:
                self.reply(json.dumps(VULNERABILITIES[self.path.removeprefix("/v1/vulns/")]).encode())

            def reply(self, body: bytes) -> None:
                body = osv.answers.get(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, query: dict[str, object]) -> dict[str, object]:
        if query["package"] != {"name": "climate", "ecosystem": "PyPI"} or query["version"] != "1.0":
            return {}
        if "page_token" not in query:
            return {"vulns": [{"id": "PYSEC-1"}], "next_page_token": "2"}
        return {"vulns": [{"id": "GHSA-1"}, {"id": "PYSEC-2"}]}


@pytest.fixture
def osv():
    service = Osv()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def vulnerable(store, weather, index, osv):
    """A host with a plugin that needs `climate` 1.0."""
    index("climate", {"climate/__init__.py": ""})
    with Host(store=store, settings=Settings(audit_service=osv.url)) as host:
        host.add(weather(requires=("climate",)))
        yield host


def test_a_vulnerability_is_told_once_by_whatever_names_it_has(vulnerable, osv):
    audit = vulnerable.audit()[0]
    assert (audit.name, audit.packages, audit.asked, audit.is_clean) == ("weather", 2, True, False)
    assert audit.record()["findings"] == [
        {
            "level": "vulnerable",
            "kind": "vulnerability",
            "message": "Snow",
            "package": "climate",
            "version": "1.0",
            "path": None,
            "vulnerability": {
                "id": "GHSA-1",
                "aliases": ["CVE-1", "PYSEC-1"],
                "summary": "Snow",
                "severity": "high",
                "fixed": ["1.2", "1.10"],
            },
        }
    ]
    assert [len(batch) for batch in osv.batches] == [2, 1]


def test_all_plugins_are_one_question(vulnerable, weather, osv):
    vulnerable.add(weather(), name="other")
    assert [audit.is_clean for audit in vulnerable.audit()] == [True, False]
    assert [len(batch) for batch in osv.batches] == [2, 1]


def test_nobody_is_asked_offline(vulnerable, osv):
    audit = vulnerable.audit(offline=True)[0]
    assert (audit.asked, audit.is_clean, osv.batches) == (False, True, [])


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/querybatch", b"<html>"),
        ("/v1/querybatch", b"[]"),
        ("/v1/querybatch", b"[" * 100_000),
        ("/v1/querybatch", b'{"results": []}'),
        ("/v1/querybatch", b'{"results": [{"vulns": [{"id": "../../x"}]}, {}]}'),
        ("/v1/vulns/GHSA-1", b"\xff"),
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error(vulnerable, osv, path, answer):
    osv.answers[path] = answer
    with pytest.raises(AuditError) as caught:
        vulnerable.audit()
    assert caught.value.reference == "audit-invalid"


def test_an_address_that_is_none_is_an_error(store):
    with Host(store=store, settings=Settings(audit_service="file:///etc")) as host, pytest.raises(AuditError):
        host.audit()


@pytest.mark.usefixtures("vulnerable")
def test_the_command_ends_with_1_where_something_was_found(plughost_command, osv):
    env = {"PLUGHOST_AUDIT_SERVICE": osv.url, "NO_PROXY": "127.0.0.1", "PATH": os.environ["PATH"]}
    completed = plughost_command("audit", env=env)
    assert completed.returncode == 1
    assert completed.stdout == (
        "weather 1.0 (2 packages)\n"
        "  vulnerable  climate 1.0: Snow (GHSA-1, CVE-1, PYSEC-1, high); fixed in 1.2, 1.10\n"
        "1 vulnerability in 1 plugin\n"
    )
    clean = plughost_command("audit", "weather", "--offline", "--json", env=env)
    assert (clean.returncode, clean.json()[0]["findings"]) == (0, [])
