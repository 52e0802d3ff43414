"""What a plugin's policy says of the network, and what a plugin meets that asks for more."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from plughost import Host, PluginError
from plughost.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="confines by the Linux kernel"),
    pytest.mark.usefixtures("confined"),
]


@pytest.fixture(scope="module")
def store(store_with: Callable[..., Path]) -> Path:
    return store_with("networked")


@pytest.fixture(scope="module")
def calling(store: Path) -> Iterator[Callable[..., Callable[..., object]]]:
    """`calling("127.0.0.1:8000")` calls tools of a plugin that may reach that; without hosts, it has no network."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def open_one(*hosts: str, isolation: str = "worker", certificates: str = "") -> Callable[..., object]:
            more = {"environment": ["SSL_CERT_FILE"], "read": [certificates]} if certificates else {}
            policy = Policy(network=hosts or "off", **more)
            host = stack.enter_context(Host(store=store, policy=policy, isolation=isolation, idle_s=None))
            return lambda tool, *args: host.call("networked", tool, *args)

        yield open_one


class Greeter(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/redirect?"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
        else:
            self.send_response(200)
        self.end_headers()
        self.wfile.write(f"hello from {self.path}".encode())

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Greeter)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """The port of a server of HTTP on this machine's loopback."""
    with serving() as port:
        yield port


def told(host: str, why: str, change: str) -> str:
    command = re.escape(f"policy set networked {change}` would allow it")
    return re.escape(f"plughost: `{host}` {why}; `plughost --store ") + r"\S+ " + command


# Without a network.

OFF = 'the policy of `networked` has network = "off"'


@pytest.mark.parametrize(
    ("tool", "args", "host"),
    [
        ("fetch", ["https://api.example.com/"], "api.example.com:443"),
        ("fetch", ["http://127.0.0.1:9/"], "127.0.0.1:9"),
        ("fetch_directly", ["api.example.com", 80], "api.example.com:80"),
        ("send", ["169.254.169.254", 80], "169.254.169.254:80"),
        ("send", ["localhost", 9], "localhost:9"),
        ("send", ["api.example.com", 9], "api.example.com:9"),
        ("send_async", ["127.0.0.1", 9], "127.0.0.1:9"),
        ("send_async", ["api.example.com", 9], "api.example.com:9"),
        ("look_up", ["api.example.com"], "api.example.com"),
    ],
)
def test_without_a_network_the_error_names_the_host_and_the_permission(calling, tool, args, host):
    with pytest.raises(PluginError, match=told(host, f"can't be reached: {OFF}", f"--allow-net {host}")) as denied:
        calling()(tool, *args)
    assert isinstance(denied.value, OSError)


def test_without_a_network_nothing_is_sent_to_or_listened_at(calling):
    call = calling()
    with pytest.raises(PermissionError, match=told("127.0.0.1:9", f"can't be sent datagrams: {OFF}", "network=on")):
        call("send_datagram", "127.0.0.1", 9)
    with pytest.raises(PermissionError, match=told("0.0.0.0:8000", f"can't be listened at: {OFF}", "network=on")[:-20]):
        call("listen", "0.0.0.0", 8000)


@pytest.mark.parametrize("hosts", [(), ("127.0.0.1:9",)])
def test_what_needs_no_network_works_without_one(calling, hosts):
    assert calling(*hosts)("talk_to_itself") == "hello"


# With hosts.

UNNAMED = "the policy of `networked` doesn't name it"


def test_hosts_that_are_named_are_reached_in_any_way(calling, site):
    call = calling(f"127.0.0.1:{site}")
    assert call("fetch", f"http://127.0.0.1:{site}/there") == "hello from /there"
    assert call("fetch", f"http://localhost:{site}/there") == "hello from /there"
    assert call("fetch_directly", "127.0.0.1", site) == "hello from /"
    for tool in ("send", "send_async"):
        assert call(tool, "localhost", site, "GET /raw HTTP/1.0\r\n\r\n").endswith("hello from /raw")


@pytest.mark.parametrize(
    ("tool", "args", "host"),
    [
        ("fetch", ["https://api.example.com/"], "api.example.com:443"),
        ("fetch", ["http://api.example.com/"], "api.example.com:80"),
        ("fetch", ["http://169.254.169.254/latest/"], "169.254.169.254:80"),
        ("fetch", ["http://127.0.0.1:9/"], "127.0.0.1:9"),
        ("fetch", ["http://127.0.0.1:{site}/redirect?http://10.0.0.1/"], "10.0.0.1:80"),
        ("fetch_directly", ["api.example.com", 80], "api.example.com:80"),
        ("send", ["169.254.169.254", 80], "169.254.169.254:80"),
        ("send_async", ["10.0.0.1", 80], "10.0.0.1:80"),
        ("send_async", ["api.example.com", 9], "api.example.com:9"),
        ("send", ["127.0.0.1", 9], "127.0.0.1:9"),
        ("send", ["api.example.com", 9], "api.example.com:9"),
        ("look_up", ["api.example.com"], "api.example.com"),
    ],
)
def test_of_hosts_that_are_not_named_the_error_names_the_host_and_the_permission(calling, site, tool, args, host):
    args = [arg.format(site=site) if isinstance(arg, str) else arg for arg in args]
    with pytest.raises(PluginError, match=told(host, f"can't be reached: {UNNAMED}", f"--allow-net {host}")) as denied:
        calling(f"127.0.0.1:{site}", "db.example.com:5432")(tool, *args)
    assert isinstance(denied.value, OSError)


def test_where_the_app_allows_less_than_was_granted_the_error_says_so(calling):
    for call in (calling(), calling("127.0.0.1:9")):
        with pytest.raises(PluginError, match=r"--allow-net 10\.0\.0\.1:80` would allow it if the app did, too"):
            call("send", "10.0.0.1", 80)


def test_what_is_denied_is_an_exception_and_no_answer(calling):
    with pytest.raises(PluginError, match=r"urllib\.error\.URLError"):
        calling("127.0.0.1:9")("fetch", "http://api.example.com/")


def test_a_named_host_that_stands_for_a_private_address_is_denied(calling, site):
    name = socket.gethostname()
    if name in {"localhost", ""} or not socket.gethostbyname(name).startswith(("127.", "10.", "172.", "192.168.")):
        pytest.skip("this machine's name stands for no private address")
    why = "can't be reached: it has a private address, which the policy of `networked` doesn't name"
    call = calling(f"{name}:{site}")
    for tool, args in (("fetch", [f"http://{name}:{site}/"]), ("send", [name, site])):
        with pytest.raises(PluginError, match=told(f"{name}:{site}", why, f"--allow-net ADDRESS:{site}")):
            call(tool, *args)


def test_a_named_host_where_nobody_listens_refuses(calling):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    call = calling(f"127.0.0.1:{port}")
    with pytest.raises(ConnectionRefusedError):
        call("send", "127.0.0.1", port)
    with pytest.raises(OSError, match=r"reset|not connected"):  # an event loop finds out when it reads or writes
        call("send_async", "127.0.0.1", port)


def test_a_named_host_that_there_is_none_of_is_told_as_that(calling):
    with pytest.raises(OSError, match=r"\[Errno -2\] Name or service not known"):
        calling("nowhere.invalid:443")("send", "nowhere.invalid", 443)


def test_each_worker_has_a_broker_that_no_other_one_reaches(calling, site):
    with serving() as other:
        mine, its = calling(f"127.0.0.1:{site}"), calling(f"127.0.0.1:{other}")
        assert its("fetch", f"http://127.0.0.1:{other}/") == mine("fetch", f"http://127.0.0.1:{site}/")
        for call, allowed in ((mine, site), (its, other)):
            denied = other if allowed == site else site
            request = "CONNECT 127.0.0.1:{0} HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\n\r\n"
            assert call("send", "127.0.0.1", 3128, request.format(denied)).startswith("HTTP/1.1 403 ")
            assert call("send", "127.0.0.1", 3128, request.format(allowed)).startswith("HTTP/1.1 200 ")


def test_a_plugin_may_listen_at_its_own_loopback_and_nobody_outside_finds_it(calling):
    port = calling("127.0.0.1:9")("listen", "127.0.0.1", 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("hosts", [("api.example.com",), ("localhost:*", "127.0.0.1:*")])
def test_a_plugin_reaches_its_own_servers_first_whatever_its_policy_names(calling, site, hosts):
    call = calling(*hosts)
    assert call("serve_itself", "127.0.0.1", site) == ["mine", "mine"]


def test_processes_for_one_call_each_reach_the_same_hosts(calling, site, caplog):
    call = calling(f"127.0.0.1:{site}", isolation="call")
    for _ in range(3):
        assert call("fetch", f"http://127.0.0.1:{site}/") == "hello from /"
    with pytest.raises(OSError, match=r"`api\.example\.com:443` can't be reached"):
        call("fetch", "https://api.example.com/")
    assert "`api.example.com:443` can't be reached" in caplog.text


def test_the_brokers_thread_is_gone_with_the_last_worker_that_has_one(store, site, tmp_path):
    code = f"""if True:
        import threading
        from plughost import Host, Policy
        for _ in range(2):
            with Host(store={str(store)!r}, policy=Policy(network=["127.0.0.1:{site}"])) as host:
                host.call("networked", "fetch", "http://127.0.0.1:{site}/")
                print(*sorted(thread.name for thread in threading.enumerate()))
            print(*sorted(thread.name for thread in threading.enumerate()))
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["MainThread plughost-broker", "MainThread"] * 2, done.stderr


def test_the_command_that_an_error_names_allows_what_it_says(plughost_command, store, site):
    run = ("run", "networked:fetch", f"url=http://127.0.0.1:{site}/there")
    environment = {"PLUGHOST_HOME": str(store)}
    denied = plughost_command(*run, env=environment)
    assert "did, too" not in denied.stderr
    assert denied.returncode == 1, denied
    _, *change = shlex.split(re.search(r"`(plughost policy set networked --allow-net [^`]+)` would allow", denied.stderr)[1])
    assert plughost_command(*change, env=environment).returncode == 0
    assert plughost_command(*run, env=environment).json() == "hello from /there"
    assert plughost_command("policy", "reset", "networked", env=environment).returncode == 0


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for `localhost`, with its key in the same file."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("there is no openssl to make a certificate with")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make = [openssl, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1", *subject]
    subprocess.run([*make, "-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem"], check=True, capture_output=True)
    return tmp_path / "ca.pem"


def secure_server(authority: Path) -> contextlib.AbstractContextManager[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.parent / "key.pem")
    return serving(context)


def test_an_encrypted_connection_ends_at_the_host_itself(calling, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with secure_server(authority) as port:
        call = calling(f"localhost:{port}", certificates=str(authority))
        assert call("fetch", f"https://localhost:{port}/safe") == "hello from /safe"


def test_pip_finds_the_broker_by_itself(authority, tmp_path):
    pytest.importorskip("pip")
    from plughost.sandbox._broker import Broker
    from plughost.sandbox._broker_variables import proxy_variables

    refused: list[tuple[str, int]] = []
    with secure_server(authority) as port, socket.create_server(("127.0.0.1", 0)) as listener:
        remedy = "`plughost policy set weather --allow-net {}` would allow it"
        broker = Broker([f"localhost:{port}"], lambda *there: refused.append(there), plugin="weather", remedy=remedy)
        broker.serve(listener.dup())
        environment = {
            **os.environ,
            **proxy_variables(listener.getsockname()[1]),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "0",
        }
        code = (
            "from pip._vendor import requests\n"
            f"print(requests.get('https://localhost:{port}/', verify={str(authority)!r}).text)\n"
            "print(requests.get('http://api.example.com/').reason)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        broker.close()
    assert done.stdout.splitlines()[0] == "hello from /", done.stderr
    assert "`plughost policy set weather --allow-net api.example.com:80` would allow it" in done.stdout
    assert refused == [("api.example.com", 80)]
