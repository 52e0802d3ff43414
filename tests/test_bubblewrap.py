"""Where a process may not make namespaces for itself, bubblewrap makes its files and its network: all else is as ever."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import Host
from plughost.errors import CallTimeout, PluginCrashed
from plughost.policy import DEFAULT, Policy
from plughost.sandbox import Machine, known_machine, unenforceable
from plughost.sandbox._bubblewrap import examine, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("confined")

REFUSED = dict.fromkeys(("tree", "user-tree", "net", "user-net", "ids"), "unshare: Operation not permitted")


@pytest.fixture(scope="module")
def bubbled_store(
    tmp_path_factory: pytest.TempPathFactory, uv_cache: Path, session_repository: Callable[[str], str]
) -> Iterator[Path]:
    """A store on a machine on which only bubblewrap may make namespaces. What is in it was built and described so, too."""
    found = examine() if sys.platform == "linux" else {}
    if not found.get("bubblewrap") or found["wrapped-tree"] or found["wrapped-net"]:
        pytest.skip(f"there is no bubblewrap that could be used: {found}")
    store = tmp_path_factory.mktemp("bubbled") / "store"
    (store / "cache").mkdir(parents=True)
    (store / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
    known_machine(str(store / "cache" / "machine.json"))
    record = json.loads((store / "cache" / "machine.json").read_text())
    record["found"].update({**REFUSED, **found})
    (store / "cache" / "machine.json").write_text(json.dumps(record))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PLUGHOST_POLICY", raising=False)
        with Host(store=store) as host:
            for name in ("nosy", "lively"):
                host.add(session_repository(name))
    return store


@pytest.fixture
def open_host(bubbled_store: Path) -> Iterator[Callable[..., Host]]:
    opened: list[Host] = []

    def open_one(policy: Policy = DEFAULT, **options: object) -> Host:
        opened.append(Host(store=bubbled_store, policy=policy, **options))
        return opened[-1]

    yield open_one
    for host in opened:
        host.close()


@pytest.fixture
def site() -> Iterator[int]:
    """The port of a server on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_all_of_the_default_policy_can_be_enforced(bubbled_store):
    machine = known_machine(str(bubbled_store / "cache" / "machine.json"))
    assert machine.bubblewrap
    assert unenforceable(DEFAULT, machine) == []


def test_where_bubblewrap_may_have_none_either_both_reasons_are_told():
    tried = {"landlock": "", "seccomp": "", **REFUSED, "wrapped-users": "bwrap: denied", "wrapped-tree": "bwrap: denied"}
    (missing,) = unenforceable(DEFAULT, Machine(6, tried, bubblewrap="/usr/bin/bwrap"))
    assert (missing.name, missing.why) == ("file-names", "unshare: Operation not permitted; bwrap: denied")


def test_a_plugin_has_its_own_files_and_no_others(open_host, bubbled_store, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "swordfish")
    (tmp_path / "secret").write_text("swordfish")
    host = open_host()
    about = host.call("nosy", "about")
    assert about["folder"] == about["home"] == about["environment"]["PWD"] != os.getcwd()
    assert about["temporary"] == "/tmp"
    assert "SECRET" not in about["environment"]
    assert "home" not in host.call("nosy", "names", "/")
    for path in (tmp_path / "secret", bubbled_store / "plugins", Path.home() / ".bashrc", "/proc/1", "/etc/shadow"):
        with pytest.raises(FileNotFoundError):
            host.call("nosy", "exists", str(path))
    for path in (f"{host.info('nosy').environment}/pyvenv.cfg", os.__file__, "/new", "/etc/passwd"):
        with pytest.raises(OSError, match=r"Read-only|Permission"):
            host.call("nosy", "write", path, "")
    host.call("nosy", "write", "/tmp/plughost-note", "here")
    assert not Path("/tmp/plughost-note").exists()
    host.call("nosy", "write", "note", "here")
    assert Path(about["folder"], "note").read_text() == "here"


@pytest.mark.usefixtures("unhurried")
def test_the_worker_is_the_plugin_s_process_and_not_who_has_started_it(open_host, tmp_path, ever_longer, wait_for, is_gone):
    tmp_path.chmod(0o777)
    host = open_host(Policy(write=(str(tmp_path),)))
    host.warm("lively")
    for limit_s in ever_longer(tmp_path / "begun"):
        with pytest.raises(CallTimeout), host.deadline(limit_s):
            host.call("lively", "rest", 3600, begun=str(tmp_path / "begun"), ended=str(tmp_path / "ended"))
    assert wait_for(tmp_path / "ended") == wait_for(tmp_path / "begun")
    assert is_gone(wait_for(tmp_path / "ended"))
    with ThreadPoolExecutor() as pool:
        call = pool.submit(host.call, "lively", "rest", 3600, begun=str(tmp_path / "again"))
        os.kill(wait_for(tmp_path / "again"), signal.SIGABRT)
        with pytest.raises(PluginCrashed, match="was killed by SIGABRT"):
            call.result(timeout=60)
    assert list(host.stream("lively", "count", 3)) == [0, 1, 2]


def test_limits_are_those_of_the_plugin_alone(open_host):
    host = open_host(Policy(memory_bytes=100 << 20, processes=2, execute=("/usr/bin/env",)))
    with pytest.raises(MemoryError):
        host.call("lively", "grow", 200)
    assert "PATH=" in host.call("nosy", "run", "/usr/bin/env")


def test_a_process_for_each_call_is_forked_from_one_in_the_same_files(open_host):
    host = open_host(isolation="call")
    host.warm("nosy")
    folders = [host.call("nosy", "about")["folder"] for _ in range(3)]
    assert len({*folders}) == len(folders)
    assert len({os.path.dirname(folder) for folder in folders}) == 1


def test_a_plugin_reaches_the_hosts_that_it_may(open_host, site):
    host = open_host(Policy(network=(f"127.0.0.1:{site}",), processes=4))
    python = f"{host.info('nosy').environment}/bin/python"
    code = "import urllib.request as r, sys; print(r.urlopen('http://127.0.0.1:' + sys.argv[1], timeout=10).status)"
    assert host.call("nosy", "run", python, "-c", code, str(site)) == "200\n"
    refused = host.call("nosy", "run", python, "-c", f"import socket; print(socket.socket().connect_ex(('127.0.0.1', {site})))")
    assert refused != "0\n"


def test_a_session_keeps_its_state_and_its_files(open_host):
    with open_host().session("nosy") as session:
        session.call("write", "note", "here")
        assert session.call("read", "note") == "here"
        assert [artifact.path for artifact in session.artifacts()] == ["note"]


def test_nothing_outlives_a_host_that_was_killed(bubbled_store, is_gone):
    code = (
        "import os, signal, sys; from plughost import Host\n"
        "host = Host(store=sys.argv[1]); print(host.call('lively', 'pid'), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PLUGHOST_POLICY"}
    argv = [sys.executable, "-c", code, str(bubbled_store)]
    killed = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert is_gone(int(killed.stdout))


def test_only_a_program_that_nobody_but_root_could_have_put_there_is_asked(tmp_path, monkeypatch):
    before = identity()
    planted = tmp_path / "bwrap"
    planted.write_text("#!/bin/sh\nexit 0\n")
    planted.chmod(0o755)
    tmp_path.chmod(0o777)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert identity() == before
