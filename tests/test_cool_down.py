"""`exclude-newer` as a cool-down: what was published too lately is as if it weren't there, for uv and for pip."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from plughost import Host
from plughost.settings import Settings


def wheel(version: str) -> bytes:
    """The package `climate`, which says of itself which version it is."""
    info = f"climate-{version}.dist-info"
    files = {
        "climate.py": f"def now() -> str:\n    return {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: climate\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])}.items():
            archive.writestr(path, text)
    return packed.getvalue()


@pytest.fixture
def index(monkeypatch):
    """An index that has `climate` 1.0 for a year, and 2.0 since yesterday.

    Source: the simple repository API, version 1.1, which has the times (PEP 700).
    """
    now = datetime.now(UTC)
    published = {"1.0": now - timedelta(days=365), "2.0": now - timedelta(days=1)}
    files = {f"climate-{version}-py3-none-any.whl": (wheel(version), time) for version, time in published.items()}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2].removesuffix(".metadata")
            body = files[name][0] if name in files else json.dumps(page()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/zip" if name in files else "application/vnd.pypi.simple.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

        def log_message(self, *_: object) -> None: ...

    def page() -> dict[str, object]:
        return {
            "meta": {"api-version": "1.1"},
            "name": "climate",
            "versions": list(published),
            "files": [
                {
                    "filename": name,
                    "url": f"/files/{name}",
                    "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                    "size": len(data),
                    "upload-time": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
                for name, (data, time) in files.items()
            ],
        }

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/simple"
    for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_what_was_published_yesterday_is_left_out_for_a_week(store, installer):
    settings = Settings(installer=installer, exclude_newer="7 days")
    with Host(store=store, settings=settings) as host:
        plugin = host.add("climate", entry_points={"now": "climate:now"}).plugin
        assert (plugin.version, host.call("climate")) == ("1.0", "1.0")
        assert plugin.receipt.request["exclude_newer"] == "7 days"


@pytest.mark.usefixtures("index")
def test_without_a_cool_down_it_is_the_newest(host):
    assert host.add("climate", entry_points={"now": "climate:now"}).version == "2.0"
