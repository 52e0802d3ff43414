"""Hosts that may be reached, as patterns: `api.example.com`, `*.example.com:443`, `127.0.0.1:8000`, `[::1]:8000`, `*:443`.

Above it: what reads and narrows policies, and the broker, which asks for each connection; below it: nothing. A pattern without a
port is of 80 and 443, and one of the port `*` of all. `*.example.com` is every name below `example.com`, not that itself; no star
stands for an address.
"""

from __future__ import annotations

__all__ = ["allows", "in_common", "normal_pattern", "split_pattern"]

#: A port that stands for all of them, and those that are meant where none is named.
_ANY_PORT = 0
_WEB_PORTS = (80, 443)
_HIGHEST_PORT = 65535
_LONGEST_HOST = 253
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


def allows(network: str | tuple[str, ...], host: str, port: int) -> bool:
    """Whether a policy's `network` lets a connection be made to that port of that host: a name, or an address."""
    if isinstance(network, str):
        return network == "on"
    asked = _normal_host(host)
    return bool(asked) and any(_meet(split_pattern(pattern), (asked, port)) for pattern in network)


def in_common(ours: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns of what both allow; those that another one has in it are left out."""
    met = {_meet(split_pattern(one), split_pattern(other)) for one in ours for other in theirs}
    both = sorted((pattern for pattern in met if pattern), key=lambda pattern: (pattern[0], pattern[1] or 0))
    return tuple(_joined(*one) for one in both if not any(one != other and _meet(one, other) == one for other in both))


def normal_pattern(text: str) -> str:
    """The pattern in its one spelling; "" if it is none."""
    host, port = _cut(text.strip())
    if port not in {"", "*"} and not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT):
        return ""
    host = _normal_host(host)
    return _joined(host, _port(port)) if host else ""


def split_pattern(pattern: str) -> tuple[str, int | None]:
    """The host, without brackets, and the port of a pattern in its one spelling: 0 for all, None for those of the web."""
    host, port = _cut(pattern)
    return host, _port(port)


def _port(text: str) -> int | None:
    return _ANY_PORT if text == "*" else int(text) if text else None


def _cut(text: str) -> tuple[str, str]:
    """Host and port; of what can't be read as that, a host that is none."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        sound = bracket and ":" in host and (not rest or (rest[0] == ":" and rest[1:]))
        return (host, rest[1:]) if sound else ("", "")
    if text.count(":") > 1:  # an address of IPv6 alone
        return text, ""
    host, colon, port = text.partition(":")
    return (host, port) if port or not colon else ("", "")


def _joined(host: str, port: int | None) -> str:
    if port is None:
        return host
    return f"{f'[{host}]' if ':' in host else host}:{port or '*'}"


def _normal_host(host: str) -> str:
    """A name or an address in its one spelling; "" if it is neither."""
    if len(host) > _LONGEST_HOST + 1:  # whoever asks may send anything, and what isn't ASCII takes long to be put into it
        return ""
    host = host.lower().removesuffix(".").strip("[]")
    if ":" in host or host.replace(".", "").isdigit():
        return _normal_address(host)
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return ""
    if host == "*":
        return host
    labels = host.removeprefix("*.").split(".")
    if len(host) > _LONGEST_HOST or labels[-1].isdigit():  # the last label of a name is no number, so no star is of addresses
        return ""
    return host if all(label and _NAME_CHARACTERS.issuperset(label) and label[0] != "-" for label in labels) else ""


def _normal_address(host: str) -> str:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, host))
    except (OSError, ValueError):
        return ""


def _meet(one: tuple[str, int | None], other: tuple[str, int | None]) -> tuple[str, int | None] | None:
    """What two patterns have in common, or None."""
    (host, port), (its_host, its_port) = one, other
    both = its_host if _includes(host, its_host) else host if _includes(its_host, host) else ""
    if not both:
        return None
    if its_port in {port, _ANY_PORT}:
        return both, port
    if port == _ANY_PORT or (port is None and its_port in _WEB_PORTS):
        return both, its_port
    return (both, port) if its_port is None and port in _WEB_PORTS else None


def _includes(wide: str, narrow: str) -> bool:
    if wide in {"*", narrow}:
        return True
    return wide.startswith("*.") and narrow.removeprefix("*").endswith(wide[1:])
