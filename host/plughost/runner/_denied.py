"""What a plugin is told where it can't reach a host: which one that was, and what would allow it.

Above it: the confinement; below it: the module `socket`, once the plugin has imported it. It is the kernel that refuses. Here its
errors are put into words as they pass through `socket`, so that nothing else which a plugin does takes any longer: a hook of
`sys.addaudithook` would be asked at each import, and on Python 3.12 at each `id()`. What C code hears is what the kernel says.
"""

from __future__ import annotations

import errno
import os
import sys

from ._events import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Protocol

    Denied = Callable[[object, object], OSError]
    Families = tuple[int, int]

    class Plain(Protocol):
        """What the module has itself."""

        def __call__(self, *args: object, **kwargs: object) -> object: ...

    class Socket(Protocol):
        family: int

    class Method(Protocol):
        """What sockets have themselves."""

        def __call__(self, own: Socket, /, *args: object, **kwargs: object) -> object: ...


__all__ = ["explain_denials"]

#: What the kernel says of a host to which there is no way, and of a socket that isn't to be.
_NO_WAY = frozenset(
    (errno.EPERM, errno.EACCES, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
)
#: What it says of an end of a pair that is to do what only a socket of a network does.
_NO_SUCH_SOCKET = _NO_WAY | frozenset((errno.EISCONN, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTCONN, errno.EPIPE))
_WEB_PORTS = ("80", "443", "http", "https")


def explain_denials(plugin: str, network: str | Sequence[str]) -> None:
    """From now on. `plugin` is whose policy that is, `network` what it has: `"off"`, or the hosts."""
    words = _Words(plugin, network)
    when_imported("socket", lambda: _take_part(sys.modules["socket"], words))


class _Words:
    """The errors, as a plugin reads them."""

    def __init__(self, plugin: str, network: str | Sequence[str]) -> None:
        self._plugin = plugin
        self._patterns = () if network == "off" else tuple(network)
        self.is_off = network == "off"

    def denied(self, host: object, port: object) -> OSError:
        there = _shown(host, port)
        if self._name(_text(host).lower(), _text(port)):
            how = "the proxy that the variables HTTPS_PROXY and ALL_PROXY name; it speaks HTTP and SOCKS5"
            return PermissionError(errno.EACCES, "plughost: `{}` is reached only through {}".format(there, how))
        return self._refusal(there, "can't be reached", "--allow-net " + there)

    def denied_datagram(self, host: object, port: object) -> OSError:
        return self._refusal(_shown(host, port), "can't be sent datagrams", "network=on")

    def denied_listening(self, host: object, port: object) -> OSError:
        return self._refusal(_shown(host, port), "can't be listened at", "network=on")

    def _refusal(self, there: str, what: str, option: str) -> OSError:
        why = 'has network = "off"' if self.is_off else "doesn't name it"
        remedy = "`plughost policy set {} {}` would allow it".format(self._plugin, option)
        message = "plughost: `{}` {}: the policy of `{}` {}; {}".format(there, what, self._plugin, why, remedy)
        return PermissionError(errno.EACCES, message)

    def _name(self, host: str, port: str) -> bool:
        """Whether the hosts of the policy name this one; as well as it takes to say so."""
        for pattern in self._patterns:
            name, colon, its_port = pattern.rpartition(":")
            if not colon or (":" in name.strip("[") and not name.endswith("]")):
                name, its_port = pattern, ""
            name = name.strip("[]")
            is_host = name in ("*", host) or (name.startswith("*.") and host.endswith(name[1:]))
            if is_host and (its_port in ("*", port) or (not its_port and port in _WEB_PORTS)):
                return True
        return False


def _take_part(module: ModuleType, words: _Words) -> None:
    unknown = type("NameDenied", (PermissionError, module.gaierror), {"__module__": "socket"})
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
        _replace(module, name, _looking_up(getattr(module, name), module.gaierror, unknown, words))
    kind, inet = module.socket, (module.AF_INET, module.AF_INET6)
    kinds = _NO_WAY | {errno.ECONNREFUSED}
    told = {"connect": words.denied, "sendto": words.denied_datagram, "sendmsg": words.denied_datagram}
    if words.is_off:
        kinds = _NO_SUCH_SOCKET
        told["bind"] = words.denied_listening
        _have_none(kind, inet)
    for name, denied in told.items():
        _replace(kind, name, _telling(getattr(kind, name), inet, kinds, denied))


def _looking_up(plain: Plain, failed: type[OSError], unknown: type[OSError], words: _Words) -> Plain:
    def look_up(*args: object, **kwargs: object) -> object:
        try:
            return plain(*args, **kwargs)
        except failed:
            host, port = (*args, kwargs.get("host"), kwargs.get("port"), None)[:2]
        raise unknown(*words.denied(host, port).args)

    return look_up


def _telling(plain: Method, inet: Families, kinds: frozenset[int], denied: Denied) -> Method:
    """A method of sockets whose last argument is an address."""

    def tell(own: Socket, /, *args: object, **kwargs: object) -> object:
        try:
            return plain(own, *args, **kwargs)
        except OSError as error:
            address = args[-1] if args else None
            if error.errno not in kinds or own.family not in inet or not isinstance(address, tuple):
                raise
            told = denied(*address[:2])
            number = error.errno
        # That nobody listens at the worker's own loopback keeps its kind: there are those who wait for somebody to.
        raise OSError(number, told.args[1]) if number == errno.ECONNREFUSED else told

    return tell


def _have_none(kind: type, inet: Families) -> None:
    """No socket of a network can be made. One end of a pair stands for it, until it is said where it is to lead."""
    plain: Method = getattr(kind, "__init__")  # noqa: B009 - of a class that may have another one

    def begin(self: Socket, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:  # noqa: A002
        try:
            plain(self, family, type, proto, fileno)
        except OSError as error:
            if fileno is not None or error.errno not in _NO_WAY or (family != -1 and family not in inet):
                raise
            import _socket

            own, other = _socket.socketpair()
            other.close()
            plain(self, *_defaults(inet, family, type, proto), own.detach())

    _replace(kind, "__init__", begin)
    _pass_for_unconnected(kind, inet)


def _pass_for_unconnected(kind: type, inet: Families) -> None:
    """What stands for a socket of a network takes its options, and says what such a one says before it leads anywhere."""
    plain: dict[str, Method] = {name: getattr(kind, name) for name in ("connect_ex", "getpeername", "setsockopt")}

    def connect_ex(self: Socket, address: object) -> object:
        number = plain["connect_ex"](self, address)
        return errno.EACCES if self.family in inet and number in _NO_SUCH_SOCKET else number

    def getpeername(self: Socket) -> object:
        name = plain["getpeername"](self)
        if self.family in inet and not isinstance(name, tuple):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return name

    def setsockopt(self: Socket, *args: object) -> None:
        try:
            plain["setsockopt"](self, *args)
        except OSError:
            if self.family not in inet:
                raise

    for method in (connect_ex, getpeername, setsockopt):
        _replace(kind, method.__name__, method)


def _defaults(inet: Families, family: int, kind: int, proto: int) -> tuple[int, int, int]:
    """As `socket.socket` has them."""
    return inet[0] if family == -1 else family, 1 if kind == -1 else kind, 0 if proto == -1 else proto


def _replace(owner: object, name: str, method: object) -> None:
    plain = getattr(owner, name)
    for attribute in ("__name__", "__qualname__", "__doc__"):
        setattr(method, attribute, getattr(plain, attribute))
    setattr(owner, name, method)


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _shown(host: object, port: object) -> str:
    text = _text(host)
    text = "[{}]".format(text) if ":" in text and port is not None else text
    return text if port is None else "{}:{}".format(text, _text(port))
