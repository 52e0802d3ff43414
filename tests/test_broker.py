"""The broker, by itself: on a socket of this machine's loopback, with clients and hosts that stand there too."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from plughost.sandbox._broker import Broker
from plughost.sandbox._hosts import Hosts, is_public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_S = 20
#: Every host there is, at any port: what is refused then, is so for its address.
EVERYWHERE = ("*:*",)
REMEDY = "`plughost policy set weather --allow-net {}` would allow it"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked; at `/redirect` with another place, at `/chunks` in chunks, at `/early` before the body."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/redirect?"):
            self.say(302, b"", Location=self.path.partition("?")[2])
        elif self.path == "/early":
            self.close_connection = True
            self.say(413, b"too much")
        elif self.path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3;note\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: 1\r\n\r\n")
        else:
            told = {"method": self.command, "path": self.path, "headers": self.headers.items(), "body": self.body().decode()}
            self.say(200, json.dumps(told).encode())

    def say(self, status: int, body: bytes, **fields: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_HEAD = do_POST = do_PUT = do_PURGE = do_OPTIONS = answer  # noqa: N815


@pytest.fixture
def site() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server of HTTP; `asked` are the paths that it was asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.asked = []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Proxy:
    """A broker of one worker, as it is seen from inside."""

    def __init__(self, hosts: tuple[str, ...], refused: Callable[[str, int], None] | None = None) -> None:
        self.refused: list[tuple[str, int]] = []
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listener.getsockname()[1]
        on_refused = refused or (lambda host, port: self.refused.append((host, port)))
        self.broker = Broker(hosts, on_refused, plugin="weather", remedy=REMEDY)
        self.broker.serve(listener)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)

    def say(self, sent: bytes) -> bytes:
        """All that comes back for it, until the broker closes."""
        with self.connect() as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            return all_from(client)

    def open(self, url: str, **more: object) -> http.client.HTTPResponse:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{self.port}"}))
        return opener.open(urllib.request.Request(url, **more), timeout=WAIT_S)

    def refusal(self, url: str) -> tuple[int, str, str]:
        """The status, the phrase and the body."""
        with pytest.raises(urllib.error.HTTPError) as denied:
            self.open(url)
        with denied.value as error:
            return error.code, error.reason, error.read().decode()

    @contextlib.contextmanager
    def client(self) -> Iterator[http.client.HTTPConnection]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            yield client
        finally:
            client.close()


@pytest.fixture
def proxy() -> Iterator[Callable[..., Proxy]]:
    """`proxy("127.0.0.1:8000")` serves a worker whose policy has these hosts. In the end nothing of it is left."""
    made: list[Proxy] = []

    def make(*hosts: str, refused: Callable[[str, int], None] | None = None) -> Proxy:
        made.append(Proxy(hosts, refused))
        return made[-1]

    before = pollers()
    yield make
    for each in made:
        each.broker.close()
    assert made
    assert pollers() == before


def pollers() -> int:
    """How many descriptors of the kernel's poll this process has: the brokers' thread has one while it runs."""
    return sum("eventpoll" in target for target in descriptors())


def descriptors() -> list[str]:
    """What the descriptors of this process stand for."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the folder itself
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return found


def settles(is_so: Callable[[], bool]) -> bool:
    """Whether it is so within a while."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > deadline:
            return False
        select.select([], [], [], 0.005)
    return True


def all_from(client: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while chunk := client.recv(1 << 16):
            received += chunk
    return received


def socks5(host: str, port: int) -> bytes:
    name = host.encode()
    return b"\x05\x01\x00\x05\x01\x00\x03" + bytes((len(name),)) + name + struct.pack(">H", port)


def socks4(port: int, *, address: str = "0.0.0.1", name: str = "") -> bytes:
    return b"\x04\x01" + struct.pack(">H", port) + socket.inet_aton(address) + b"me\0" + (name.encode() + b"\0" if name else b"")


# What a policy's hosts allow.


def test_only_addresses_of_one_host_of_the_internet_are_public() -> None:
    public = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "223.255.255.254", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1"]
    of_ipv4 = [
        *(
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
        ),
        *(
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ),
    ]
    of_ipv6 = [
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b::808:808", "2002:a00:1::", "2001::1"),
        *("2001:db8::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1"),
    ]
    assert [address for address in public if not is_public(address)] == []
    assert [address for address in (*of_ipv4, *of_ipv6, "example.com", "127.1", "") if is_public(address)] == []


def test_a_private_address_is_reached_only_where_the_policy_names_it() -> None:
    named = Hosts(("api.example.com", "10.0.0.5:8080", "*.corp.example:*"))
    assert named.may_reach("10.0.0.5", 8080)
    assert not named.may_reach("10.0.0.5", 80)
    assert not named.may_reach("10.0.0.6", 8080)
    assert named.may_reach("8.8.8.8", 443)
    assert not Hosts(("*:*",)).may_reach("10.0.0.5", 8080)


WITH_A_PUBLIC_ADDRESS = """
import fcntl, os, socket, struct, sys
from plughost.runner._confine import enter_namespaces, open_loopback
from plughost.sandbox._hosts import Hosts
try:
    enter_namespaces(0x50000000, os.getuid(), os.getgid())
    open_loopback(3128)
    request = struct.pack("16sHxx4s8x", b"lo", socket.AF_INET, socket.inet_aton("8.8.8.8"))
    with socket.socket() as asking:
        fcntl.ioctl(asking.fileno(), 0x8916, request)
except OSError as error:
    sys.exit(f"no network of its own: {error}")
print(*(Hosts(named).may_reach("8.8.8.8", 443) for named in (("*:*",), ("dns.example:443",), ("8.8.8.8:443",))))
"""


def test_an_address_of_this_machine_itself_is_reached_only_where_it_is_named() -> None:
    argv = [sys.executable, "-c", WITH_A_PUBLIC_ADDRESS]
    tried = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    if tried.stderr.startswith("no network of its own"):
        pytest.skip(tried.stderr.strip())
    assert (tried.stdout.split(), tried.stderr) == (["False", "False", "True"], "")


def test_localhost_names_the_addresses_of_the_loopback() -> None:
    by_name, by_address = Hosts(("localhost:8000",)), Hosts(("127.0.0.1:8000",))
    for hosts in (by_name, by_address):
        assert all(hosts.may_ask_for(host, 8000) for host in ("localhost", "LOCALHOST.", "127.0.0.1"))
        assert hosts.may_reach("127.0.0.1", 8000)
        assert not hosts.may_ask_for("localhost", 8001)
        assert not hosts.may_reach("127.0.0.1", 8001)
    assert by_name.may_reach("::1", 8000)
    assert not by_address.may_reach("::1", 8000)


# HTTP.


def test_requests_of_any_kind_reach_a_named_host_on_one_connection(site, proxy) -> None:
    url = f"http://127.0.0.1:{site.server_port}"
    with proxy(f"127.0.0.1:{site.server_port}").client() as client:
        for method, path in (("GET", "/a?b=%20c"), ("POST", "/"), ("PUT", "/x"), ("PURGE", "/")):
            body = "hello" if method in {"POST", "PUT"} else ""
            client.request(method, url + path, body=body or None)
            connected = client.sock
            told = json.load(client.getresponse())
            assert (told["method"], told["path"], told["body"]) == (method, path, body)
            assert client.sock is connected
        client.request("POST", url, body=iter([b"in ", b"chunks"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert json.load(client.getresponse())["body"] == "in chunks"
        client.request("HEAD", url)
        assert client.getresponse().read() == b""
        client.request("GET", f"{url}/chunks")
        assert client.getresponse().read() == b"abcdefg"
        client.request("OPTIONS", url)
        assert json.load(client.getresponse())["path"] == "*"
        assert client.sock is connected


def test_the_host_is_told_the_name_that_was_judged_and_nothing_that_concerns_the_proxy(site, proxy) -> None:
    head = (
        f"GET http://127.0.0.1:{site.server_port}/ HTTP/1.1\r\nHost: intranet\r\nConnection: keep-alive, X-Secret\r\n"
        "Proxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: h2c\r\n"
        "X-Secret: 1\r\nX-Kept: 2\r\n\r\n"
    )
    answer = proxy(f"127.0.0.1:{site.server_port}").say(head.encode())
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["headers"] == [["Host", f"127.0.0.1:{site.server_port}"], ["X-Kept", "2"], ["Connection", "close"]]


def test_an_answer_that_comes_before_the_whole_body_is_passed_on(site, proxy) -> None:
    with proxy(f"127.0.0.1:{site.server_port}").client() as client:
        client.putrequest("POST", f"http://127.0.0.1:{site.server_port}/early")
        client.putheader("Content-Length", "1000000000")
        client.endheaders(b"the first of it")
        assert client.getresponse().read() == b"too much"
        client.sock.sendall(f"GET http://127.0.0.1:{site.server_port}/hidden HTTP/1.1\r\n\r\n".encode())
        assert all_from(client.sock) == b""
    assert site.asked == ["/early"]


def test_a_refusal_names_the_host_and_the_permission(site, proxy) -> None:
    inside = proxy(f"127.0.0.1:{site.server_port}")
    text = (
        "plughost: `api.example.com:{0}` can't be reached: the policy of `weather` doesn't name it; "
        "`plughost policy set weather --allow-net api.example.com:{0}` would allow it"
    )
    assert inside.refusal("http://api.example.com/") == (403, text.format(80), text.format(80) + "\n")
    with inside.client() as tunnel:
        tunnel.set_tunnel("api.example.com", 443)
        with pytest.raises(OSError, match="Tunnel connection failed: 403 ") as denied:
            tunnel.connect()
    assert str(denied.value).endswith(text.format(443))
    assert inside.say(socks5("api.example.com", 443))[:4] == b"\x05\x00\x05\x02"
    assert inside.say(socks4(443, name="api.example.com"))[:2] == b"\x00\x5b"
    assert inside.refused == [("api.example.com", port) for port in (80, 443, 443, 443)]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET http://user@127.0.0.1:%d/ HTTP/1.1\r\n\r\n",
        b"GET http://example.com\\@127.0.0.1:%d/ HTTP/1.1\r\n\r\n",
        b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST http://127.0.0.1:%d/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET http://127.0.0.1:%d/ HTTP/1.1\r\n folded: 1\r\n\r\n",
        b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nX: a\nHost: b\r\n\r\n",
        b"GET https://127.0.0.1:%d/ HTTP/1.1\r\n\r\n",
        b"CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n",
        b"CONNECT 127.0.0.1:99999 HTTP/1.1\r\n\r\n",
        b"GET http://127.0.0.1:%d/ HTTP/2\r\n\r\n",
        b"G",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x05\x01\x02",
        b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01%p",
        b"\x04\x02%p\x7f\x00\x00\x01\x00",
        b"GET http://127.0.0.1:%d/" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=range(17),
)
def test_what_is_no_request_reaches_nobody(site, proxy, sent) -> None:
    port = site.server_port
    sent = sent.replace(b"%d", str(port).encode()).replace(b"%p", struct.pack(">H", port))
    answer = proxy(*EVERYWHERE, f"127.0.0.1:{port}").say(sent)
    assert site.asked == []
    assert not answer.startswith((b"HTTP/1.1 2", b"\x05\x00\x05\x00", b"\x00\x5a"))


# Tunnels.


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that gives back what it gets, and says `bye` once there is no more."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = server.accept()
                with connected:
                    while chunk := connected.recv(1 << 16):
                        connected.sendall(chunk)
                    connected.sendall(b"bye")

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.mark.parametrize("way", ["connect", "socks5-name", "socks5-address", "socks4", "socks4a"])
def test_a_tunnel_carries_any_bytes_and_the_end_of_each_direction(echo, proxy, way) -> None:
    address = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", echo)
    greeting, granted = {
        "connect": (
            f"CONNECT 127.0.0.1:{echo} HTTP/1.1\r\nHost: other\r\n\r\n".encode(),
            b"HTTP/1.1 200 Connection established\r\n\r\n",
        ),
        "socks5-name": (socks5("localhost", echo), b"\x05\x00\x05\x00\x00\x01" + bytes(6)),
        "socks5-address": (address, b"\x05\x00\x05\x00\x00\x01" + bytes(6)),
        "socks4": (socks4(echo, address="127.0.0.1"), b"\x00\x5a" + bytes(6)),
        "socks4a": (socks4(echo, name="localhost"), b"\x00\x5a" + bytes(6)),
    }[way]
    content = os.urandom(1 << 20)
    assert proxy(f"localhost:{echo}").say(greeting + content) == granted + content + b"bye"


def test_a_reader_that_takes_nothing_stops_the_sender(proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with proxy(f"127.0.0.1:{port}").connect() as client:
            client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
            sender, _ = server.accept()
            with sender:
                sender.settimeout(0.5)
                sent = 0
                with contextlib.suppress(TimeoutError):
                    while sent < 1 << 28:
                        sent += sender.send(bytes(1 << 16))
    assert sent < 1 << 24  # what the kernel keeps of four ends


# Where names lead.


@pytest.mark.parametrize(
    "host",
    [
        *(
            "169.254.169.254",
            "127.0.0.1",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
        ),
        *("0x7f000001", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "017700000001", "127.0.0.1.", "localhost", "LOCALHOST."),
    ],
)
@pytest.mark.parametrize("way", ["connect", "url", "socks5"])
def test_no_spelling_leads_to_an_address_that_is_not_named(site, proxy, host, way) -> None:
    inside = proxy(*EVERYWHERE, "127.0.0.2:*")
    there = f"{host}:{site.server_port}"
    if way == "socks5":
        assert inside.say(socks5(host.strip("[]"), site.server_port))[3] in {2, 4}
    else:
        line = f"CONNECT {there}" if way == "connect" else f"GET http://{there}/"
        assert inside.say(f"{line} HTTP/1.1\r\n\r\n".encode()).startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 502 "))
    assert site.asked == []


def test_a_redirect_is_judged_as_a_request_of_its_own(site, proxy) -> None:
    inside = proxy(f"127.0.0.1:{site.server_port}")
    url = f"http://127.0.0.1:{site.server_port}/redirect?"
    status, phrase, _ = inside.refusal(f"{url}http://169.254.169.254/latest/meta-data/")
    assert (status, phrase.partition(":")[2].partition(":80")[0]) == (403, " `169.254.169.254")
    with inside.open(f"{url}/there") as answer:
        assert json.load(answer)["path"] == "/there"


@pytest.fixture
def names(monkeypatch) -> dict[str, list[str]]:
    """What the machine's resolver says of names, one answer after another."""
    answers: dict[str, list[list[str]]] = {}
    plain = socket.getaddrinfo

    def look_up(host: str, port: int, *args: object, **kwargs: object) -> list[tuple]:
        if host not in answers:
            return plain(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[host].pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


def test_a_name_is_looked_up_once_and_the_connection_is_to_an_address_that_was_judged(site, proxy, names) -> None:
    port = site.server_port
    inside = proxy(f"rebound.example:{port}", f"127.0.0.1:{port}")
    names["rebound.example"] = [["10.0.0.1", "127.0.0.1"], ["127.0.0.9"]]
    with inside.open(f"http://rebound.example:{port}/first") as answer:
        assert json.load(answer)["headers"][0] == ["Host", f"rebound.example:{port}"]
    _, phrase, _ = inside.refusal(f"http://rebound.example:{port}/second")
    assert phrase == (
        f"plughost: `rebound.example:{port}` can't be reached: it has a private address, "
        f"which the policy of `weather` doesn't name; `plughost policy set weather --allow-net ADDRESS:{port}` would allow it"
    )
    assert inside.refused == [("127.0.0.9", port)]
    assert (site.asked, names["rebound.example"]) == (["/first"], [])


def test_a_name_that_takes_long_to_look_up_holds_nobody_else_up(site, proxy, monkeypatch) -> None:
    plain, answered = socket.getaddrinfo, threading.Event()

    def look_up(host: str, *args: object, **kwargs: object) -> object:
        if host == "slow.example":
            answered.wait(WAIT_S)
            raise socket.gaierror
        return plain(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    inside, other = proxy("slow.example"), proxy(f"localhost:{site.server_port}")
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(inside.connect()) for _ in range(12)]
        for client in waiting:
            client.sendall(b"CONNECT slow.example:443 HTTP/1.1\r\n\r\n")
        with other.open(f"http://localhost:{site.server_port}/") as answer:
            assert answer.status == 200
        answered.set()
        for client in waiting:
            assert all_from(client).startswith(
                b"HTTP/1.1 502 plughost: `slow.example:443` can't be reached: its name isn't known"
            )


# Bounds, and ends.


@pytest.mark.parametrize("start", [b"", b"POST http://127.0.0.1:%d/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;"])
def test_a_line_without_an_end_is_not_waited_for(site, proxy, start) -> None:
    with proxy(f"127.0.0.1:{site.server_port}").connect() as client:
        client.sendall(start.replace(b"%d", str(site.server_port).encode()) + b"a" * 70_000)
        answer = all_from(client)
    assert answer.startswith(b"HTTP/1.1 502" if start else b"HTTP/1.1 431")


def test_a_worker_that_floods_its_broker_has_no_more_than_its_places_and_others_have_theirs(site, proxy) -> None:
    flooded, other = proxy(f"127.0.0.1:{site.server_port}"), proxy(f"127.0.0.1:{site.server_port}")
    before = len(os.listdir("/proc/self/fd"))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(flooded.connect()) for _ in range(300)]
        for client in clients:
            client.sendall(b"G")
        with other.open(f"http://127.0.0.1:{site.server_port}/") as answer:
            assert answer.status == 200
        assert len(os.listdir("/proc/self/fd")) - before - len(clients) <= 140
    with flooded.open(f"http://127.0.0.1:{site.server_port}/") as answer:
        assert answer.status == 200


def test_of_many_workers_each_has_a_share_of_the_descriptors(site, proxy) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, before[1]), before[1]))
    try:
        inside = [proxy(f"127.0.0.1:{site.server_port}") for _ in range(4)]
        without = held()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(each.connect()) for each in inside for _ in range(100)]
            assert settles(lambda: held() - without - len(clients) >= 4 * 64)
            with proxy(f"127.0.0.1:{site.server_port}").open(f"http://127.0.0.1:{site.server_port}/") as answer:
                assert answer.status == 200
            assert held() - without - len(clients) <= 4 * 64 + 8
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_connection_that_is_kept_for_later_makes_room_for_one_that_waits(site, proxy, monkeypatch) -> None:
    monkeypatch.setattr("plughost.sandbox._broker._IDLE_ENOUGH_S", 0.0)
    inside = proxy(f"127.0.0.1:{site.server_port}")
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(inside.connect()) for _ in range(128)]
        with inside.open(f"http://127.0.0.1:{site.server_port}/") as answer:
            assert answer.status == 200
        assert kept[0].recv(1) == b""


def test_the_socket_comes_from_the_worker_and_everything_goes_with_the_broker(site) -> None:
    before = len(os.listdir("/proc/self/fd"))
    broker = Broker((f"127.0.0.1:{site.server_port}",), lambda *_: None, plugin="weather", remedy=REMEDY)
    ours, its = socket.socketpair()
    broker.receive(ours)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        socket.send_fds(its, [b"l"], [listener.fileno()])
    its.close()
    with socket.create_connection(address, timeout=WAIT_S) as client:
        client.sendall(f"CONNECT 127.0.0.1:{site.server_port} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        broker.close()
        assert all_from(client) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    broker.close()
    assert settles(lambda: len(os.listdir("/proc/self/fd")) == before)


def test_a_worker_that_ends_before_it_has_sent_a_socket_leaves_nothing() -> None:
    before = len(os.listdir("/proc/self/fd"))
    broker = Broker(("api.example.com",), lambda *_: None, plugin="weather", remedy=REMEDY)
    ours, its = socket.socketpair()
    broker.receive(ours)
    its.close()
    assert settles(lambda: len(os.listdir("/proc/self/fd")) == before)
    broker.close()


def test_a_forked_copy_of_the_host_holds_nothing_of_it(site, proxy) -> None:
    inside = proxy(f"127.0.0.1:{site.server_port}")
    with inside.client() as client:
        client.request("GET", f"http://127.0.0.1:{site.server_port}/")
        assert client.getresponse().read()
        copy_may_end, end_copy = os.pipe()
        copy = os.fork()
        if not copy:
            os.close(end_copy)
            os.read(copy_may_end, 1)
            os._exit(pollers())
        client.request("GET", f"http://127.0.0.1:{site.server_port}/again")
        assert json.load(client.getresponse())["path"] == "/again"
        inside.broker.close()
        assert client.sock.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            inside.connect()
        os.close(copy_may_end)
        os.close(end_copy)
    assert os.waitpid(copy, 0)[1] == 0


def test_an_app_may_end_a_broker_when_it_is_told_of_a_refusal(site, proxy) -> None:
    inside: list[Proxy] = []
    inside.append(proxy(f"127.0.0.1:{site.server_port}", refused=lambda *_: inside[0].broker.close()))
    with inside[0].connect() as refused, inside[0].connect() as other:
        refused.sendall(b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")
        assert all_from(other) == b""
    with pytest.raises(ConnectionRefusedError):
        inside[0].connect()


def test_an_app_that_fails_to_be_told_of_a_refusal_is_no_end_of_it(site, proxy, caplog) -> None:
    def fail(host: str, port: int) -> None:
        raise RuntimeError(host, port)

    inside = proxy(f"127.0.0.1:{site.server_port}", refused=fail)
    assert inside.say(b"CONNECT example.com:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403")
    assert "RuntimeError" in caplog.text
    with inside.open(f"http://127.0.0.1:{site.server_port}/") as answer:
        assert answer.status == 200
