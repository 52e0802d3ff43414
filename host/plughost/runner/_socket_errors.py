"""The errors of the module `socket` in the words of a policy: which host was denied, and what would allow it.

Above it: `_denied`, once the plugin has imported that module; below it: the words. It is the kernel that refuses, and all that is
changed here is what is said of it. What C code hears is what the kernel says.
"""

from __future__ import annotations

import _socket
import errno
import os

from ._standing_in import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Protocol

    from ._denial import Denial

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


__all__ = ["put_into_words"]

#: What the kernel says of a host to which there is no way, and of a socket that isn't to be.
_NO_WAY = frozenset(
    (errno.EPERM, errno.EACCES, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
)
#: What it says of an end of a pair that is to do what only a socket of a network does.
_NO_SUCH_SOCKET = _NO_WAY | frozenset((errno.EISCONN, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTCONN, errno.EPIPE))


def put_into_words(module: ModuleType, denial: Denial) -> None:
    unknown = type("NameDenied", (PermissionError, module.gaierror), {"__module__": "socket"})
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
        replace(module, name, _looking_up(getattr(module, name), module.gaierror, unknown, denial))
    kind, inet = module.socket, (module.AF_INET, module.AF_INET6)
    kinds = _NO_WAY | {errno.ECONNREFUSED}
    told = {"connect": denial.of_host, "sendto": denial.of_datagram, "sendmsg": denial.of_datagram}
    if denial.is_off:
        kinds = _NO_SUCH_SOCKET
        told["bind"] = denial.of_listening
        _have_none(kind, inet)
    for name, denied in told.items():
        replace(kind, name, _telling(getattr(kind, name), inet, kinds, denied))


def _looking_up(plain: Plain, failed: type[OSError], unknown: type[OSError], denial: Denial) -> Plain:
    def look_up(*args: object, **kwargs: object) -> object:
        try:
            return plain(*args, **kwargs)
        except failed:
            host = args[0] if args else kwargs.get("host")
            port = args[1] if len(args) > 1 else kwargs.get("port")
        raise unknown(*denial.of_host(host, port).args)

    return look_up


def _telling(plain: Method, inet: Families, kinds: frozenset[int], denied: Denied) -> Method:
    """A method of sockets whose last argument is an address."""

    def tell(own: Socket, /, *args: object, **kwargs: object) -> object:
        try:
            return plain(own, *args, **kwargs)
        except OSError as error:
            address = args[-1] if args else None
            is_denial = error.errno in kinds or isinstance(error, _socket.gaierror)
            if not is_denial or own.family not in inet or not isinstance(address, tuple):
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
            own, other = _socket.socketpair()
            other.close()
            plain(self, *_defaults(inet, family, type, proto), own.detach())

    replace(kind, "__init__", begin)
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
        replace(kind, method.__name__, method)


def _defaults(inet: Families, family: int, kind: int, proto: int) -> tuple[int, int, int]:
    """As `socket.socket` has them."""
    return inet[0] if family == -1 else family, 1 if kind == -1 else kind, 0 if proto == -1 else proto
