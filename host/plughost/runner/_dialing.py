"""Sockets of Python's that lead to the hosts which the policy names, though this process has no network but its own loopback.

Above it: `_denied`; below it: the broker, which listens there, and the modules `socket` and `urllib.request`. A name that the
policy has is given an address that stands for it, out of those that lead nowhere: to connect to that is to ask the broker for the
name.

So Python's own clients of HTTP need no proxy, and are not told of it: of a host that they are denied they hear by an exception,
where a proxy could but answer. Programs and libraries that aren't Python's find the broker by the variables of the environment.
"""

from __future__ import annotations

import _socket
import errno
import functools
import itertools
import os
import sys

from ._denial import LOOPBACK, plain
from ._standing_in import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from ._denial import Denial

    Target = tuple[str, int]

__all__ = ["dial_named", "leave_out_proxy"]

#: 198.18.0.0/15: for measurements between networks, and never given out. Source: RFC 2544, appendix C.2.2.
_FIRST, _SIZE = (198 << 24) + (18 << 16), 1 << 17
#: How long the broker may take to be connected to, which is on this machine, where the caller doesn't want to wait.
_NEAR_S, _REPORT_S = 10.0, 1.0
#: By the reply of SOCKS5. Source: RFC 1928, section 6.
_FAILURES = {3: errno.EHOSTUNREACH, 5: errno.ECONNREFUSED, 6: errno.ETIMEDOUT}
_DENIED, _UNKNOWN = 2, 4
_INET = (_socket.AF_INET, _socket.AF_INET6)
_METHOD_BYTES, _REPLY_BYTES = 2, 10
_LONGEST_NAME, _HIGHEST_PORT = 255, 65535
#: What the broker takes for a connection of which nothing is answered; see its `_broker_socks`.
_UNANSWERED = 1


def dial_named(module: ModuleType, denial: Denial, port: int) -> None:
    """From now on. `port` is the broker's."""
    book = _Book(denial)
    denial.report = functools.partial(_report, port)
    look_up, look_up_one, connect = module.getaddrinfo, module.gethostbyname, module.socket.connect

    def getaddrinfo(host: object, port: object, *args: object, **kwargs: object) -> object:
        address = book.address_of(host, port)
        if address:  # which fails where it is to be one of IPv6, and that is no denial
            return look_up.__wrapped__(address, port, *args, **kwargs)
        return look_up(host, port, *args, **kwargs)

    def gethostbyname(hostname: object) -> object:
        return book.address_of(hostname, None) or look_up_one(hostname)

    def dial(own: _socket.socket, address: object) -> None:
        target = book.target(address) if own.family in _INET and own.type == _socket.SOCK_STREAM else None
        if target is None or (target[1] == port and target[0] in LOOPBACK):  # the broker itself
            connect(own, address)
        elif target[0] not in LOOPBACK or not _reaches_own(own, address):
            _dial(own, target, port, denial)

    def dial_ex(own: _socket.socket, address: object) -> int:
        try:
            dial(own, address)
        except OSError as error:
            if error.errno is None:
                raise
            return error.errno
        return 0

    replace(module, "getaddrinfo", getaddrinfo)
    replace(module, "gethostbyname", gethostbyname)
    replace(module.socket, "connect", dial)
    replace(module.socket, "connect_ex", dial_ex)


def leave_out_proxy(module: ModuleType, port: int) -> None:
    """Of the proxies that clients of HTTP find in the environment, the broker on that port.

    It stays where their connections don't come from `socket` (uvloop), or this has been given other ones (gevent).
    """
    broker = "http://127.0.0.1:{}".format(port)
    find = module.getproxies_environment

    def getproxies_environment() -> dict[str, str]:
        found = find()
        connect = sys.modules["socket"].socket.connect
        if "uvloop" in sys.modules or getattr(connect, "__module__", "") != __name__:
            return dict(found)
        return {scheme: proxy for scheme, proxy in found.items() if proxy != broker}

    replace(module, "getproxies_environment", getproxies_environment)
    if module.getproxies is find:
        module.__dict__["getproxies"] = getproxies_environment


def _report(port: int, host: object, at: object) -> None:
    """Ask the broker for what is denied here, so that it is known outside."""
    name = plain(host)
    if not (isinstance(at, int) and 0 < at <= _HIGHEST_PORT and 0 < len(name) <= _LONGEST_NAME):
        return
    asking = None
    try:
        asking = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        asking.settimeout(_REPORT_S)
        asking.connect(("127.0.0.1", port))
        asking.sendall(bytes((_UNANSWERED,)) + _encoded((name, at)))
    except OSError:
        pass
    finally:
        if asking is not None:
            asking.close()


def _reaches_own(own: _socket.socket, address: object) -> bool:
    """Connect to what the plugin itself listens at, if it does: that comes before what listens on the machine's loopback."""
    assert isinstance(address, tuple)
    waits = _socket.socket.gettimeout(own)
    if waits == 0:
        _socket.socket.settimeout(own, _NEAR_S)
    try:
        _socket.socket.connect(own, address)
    except ConnectionRefusedError:
        if waits is not None:  # the kernel tells who doesn't wait for it once more, and only then lets the socket be used again
            _socket.socket.connect_ex(own, address)
        return False
    finally:
        _socket.socket.settimeout(own, waits)
    return True


def _dial(own: _socket.socket, target: Target, port: int, denial: Denial) -> None:
    """Have the socket lead to the target. One that doesn't block isn't told how that went: what can't be reached ends at once."""
    waits = _socket.socket.gettimeout(own)
    connect, send, set_timeout = _socket.socket.connect, _socket.socket.sendall, _socket.socket.settimeout
    set_timeout(own, _NEAR_S if waits == 0 else waits)
    try:
        connect(own, ("127.0.0.1" if own.family == _socket.AF_INET else "::ffff:127.0.0.1", port))
        if waits == 0:
            send(own, bytes((_UNANSWERED,)) + _encoded(target))
        else:
            send(own, b"\5\1\0\5\1\0\3" + _encoded(target))
            _hear(own, target, denial)
    finally:
        set_timeout(own, waits)


def _hear(own: _socket.socket, target: Target, denial: Denial) -> None:
    """The replies of SOCKS5, and not a byte more: the host may speak first."""
    heard = b""
    while len(heard) < _METHOD_BYTES + _REPLY_BYTES:
        received = _socket.socket.recv(own, _METHOD_BYTES + _REPLY_BYTES - len(heard))
        if not received:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        heard += received
    reply = heard[_METHOD_BYTES + 1]
    if reply == _DENIED:
        raise denial.of_address(*target)
    if reply == _UNKNOWN:
        raise _socket.gaierror(_socket.EAI_NONAME, "Name or service not known")
    if reply:
        number = _FAILURES.get(reply, errno.EHOSTUNREACH)
        raise OSError(number, os.strerror(number))


def _encoded(target: Target) -> bytes:
    name = target[0].encode("ascii")
    return bytes((len(name),)) + name + target[1].to_bytes(2, "big")


class _Book:
    """The names that somebody has looked up and the policy has, and the addresses that stand for them here."""

    def __init__(self, denial: Denial) -> None:
        self._denial = denial
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def address_of(self, host: object, port: object) -> str:
        """Nothing for what is no name of the policy's, or one that needs no broker."""
        name = plain(host)
        if not name or name == "localhost" or _is_address(name) or not self._denial.names(name, port):
            return ""
        address = self._addresses.get(name)
        if address is None:
            number = _FIRST + next(self._numbers) % _SIZE
            address = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
            self._addresses.pop(self._names.get(address, ""), None)  # the oldest, once all are given
            self._names[address], self._addresses[name] = name, address
        return address

    def target(self, address: object) -> Target | None:
        """The host and port to ask the broker for, if the policy has them."""
        if not isinstance(address, tuple) or len(address) < 2 or not isinstance(address[1], int):  # noqa: PLR2004
            return None
        host = plain(address[0])
        host = self._names.get(host, host)
        return (host, address[1]) if self._denial.names(host, address[1]) else None


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
