"""Which connections the hosts of a policy allow: by the name that was asked for, and by each address that the name stands for.

Above it: the broker; below it: the policy's patterns. A name says nothing of where it leads, and whoever owns it may change that
at any time. So an address that isn't of the public internet, or is this machine's own, is reached only where the policy names it;
`localhost` names those of the loopback.
"""

from __future__ import annotations

import socket

from plughost.policy import allows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Hosts", "is_address", "is_public", "shown"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """What a policy's `network` has, where that is a list."""

    __slots__ = ("_patterns",)

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)

    def may_ask_for(self, host: str, port: int) -> bool:
        """Whether the name, or the address, is one that the policy lets be asked for."""
        if allows(self._patterns, host, port):
            return True
        return _bare(host) in _LOOPBACK and any(self._names(each, port) for each in _LOOPBACK)

    def may_reach(self, address: str, port: int) -> bool:
        """Whether a connection may be made to the address, which somebody has asked for by its name or itself."""
        is_others = is_public(address) and not _is_own(address)
        return is_others or self._names(address, port) or (_is_loopback(address) and self._names("localhost", port))

    def _names(self, host: str, port: int) -> bool:
        """Whether a pattern is the host itself: no star is."""
        return allows(tuple(pattern for pattern in self._patterns if not pattern.startswith("*")), host, port)


def shown(host: str, port: int) -> str:
    """As it stands in a policy. A host that isn't sound is shown as far as it can be: it may come from anybody."""
    sound = "".join(letter if letter.isascii() and letter.isprintable() and letter not in " `" else "?" for letter in host[:253])
    return f"[{sound}]:{port}" if ":" in sound else f"{sound}:{port}"


def is_address(host: str) -> bool:
    return bool(_packed(host))


def is_public(address: str) -> bool:
    """Whether it is an address of the public internet, and of one host.

    What stands for an address of IPv4 in one of IPv6 (mapped, NAT64, 6to4, Teredo) is none: where it leads, others decide.

    Source: IANA's registries of special-purpose addresses for IPv4 and IPv6, which are RFC 6890's.
    """
    packed = _packed(address)
    special = _SPECIAL_4 if len(packed) == _IPV4_BYTES else _SPECIAL_6
    number = int.from_bytes(packed, "big")
    bits = len(packed) * 8
    return bool(packed) and not any(number >> (bits - length) == prefix for prefix, length in special)


def _is_own(address: str) -> bool:
    """Whether it is one of this machine's: from there the kernel would send to it. Nothing is sent."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((address, 1))
            return _packed(asking.getsockname()[0]) == _packed(address)
        except OSError:  # there is no way to it
            return False


def _bare(host: str) -> str:
    return host.lower().removesuffix(".")


def _is_loopback(address: str) -> bool:
    packed = _packed(address)
    return packed == _packed("::1") or (len(packed) == _IPV4_BYTES and packed[0] == 127)  # noqa: PLR2004


def _packed(host: str) -> bytes:
    """The bytes of an address; of anything else, none."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, ValueError):
        return b""


def _prefixes(*networks: str) -> tuple[tuple[int, int], ...]:
    """Each as its first bits, and how many these are."""
    pairs = []
    for network in networks:
        address, _, length = network.partition("/")
        packed = _packed(address)
        pairs.append((int.from_bytes(packed, "big") >> (len(packed) * 8 - int(length)), int(length)))
    return tuple(pairs)


_IPV4_BYTES = 4
_SPECIAL_4 = _prefixes(
    "0.0.0.0/8",  # this host: the kernel takes it for the loopback
    "10.0.0.0/8",
    "100.64.0.0/10",  # behind a provider's NAT; metadata of Alibaba Cloud
    "127.0.0.0/8",
    "168.63.129.16/32",  # the wire server of Azure
    "169.254.0.0/16",  # link-local; metadata of most clouds
    "172.16.0.0/12",
    "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",  # multicast, reserved, broadcast
)
_SPECIAL_6 = _prefixes(
    "::/3",  # unspecified, loopback, IPv4-mapped, NAT64 (64:ff9b::/96), discard-only
    "2001::/23",  # protocol assignments, Teredo
    "2001:db8::/32",
    "2002::/16",  # 6to4
    "3fff::/20",
    "4000::/2",  # only 2000::/3 is given out
    "8000::/1",  # unique local, link-local, multicast; metadata of AWS (fd00:ec2::254)
)
