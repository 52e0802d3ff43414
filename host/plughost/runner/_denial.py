"""What a plugin is told of a host that it can't reach: which one that was, and what would allow it.

Above it: what has the errors pass through it, and what dials; below it: nothing.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LOOPBACK", "Denial", "plain"]

_WEB_PORTS = ("80", "443")
_SERVICES = {"http": "80", "https": "443"}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Denial:
    """The errors of one policy, and as much of its hosts as it takes to choose among them. It's the broker that decides.

    `for_host` says what would allow a host, for which `{}` stands; `for_all` what would allow all of the network.
    """

    def __init__(self, plugin: str, network: str | Sequence[str], for_host: str, for_all: str) -> None:
        self._plugin = plugin
        self._for_host = for_host
        self._for_all = for_all
        self.is_off = network == "off"
        self._patterns = () if isinstance(network, str) else tuple(map(_split, network))
        #: Has the host process know of it, too.
        self.report: Callable[[object, object], None] | None = None

    def of_host(self, host: object, port: object) -> OSError:
        if self.report is not None:
            self.report(host, port)
        there = _shown(host, port)
        return self._refusal(there, "can't be reached", self._why(), self._for_host.replace("{}", there))

    def of_address(self, host: str, port: int) -> OSError:
        """The policy names the host, and doesn't let it stand for what it stands for."""
        why = "it has a private address, which the policy of `{}` doesn't name".format(self._plugin)
        return self._refusal(_shown(host, port), "can't be reached", why, self._for_host.replace("{}", "ADDRESS:{}".format(port)))

    def of_datagram(self, host: object, port: object) -> OSError:
        return self._refusal(_shown(host, port), "can't be sent datagrams", self._why(), self._for_all)

    def of_listening(self, host: object, port: object) -> OSError:
        return self._refusal(_shown(host, port), "can't be listened at", self._why(), self._for_all)

    def _why(self) -> str:
        return "the policy of `{}` {}".format(self._plugin, 'has network = "off"' if self.is_off else "doesn't name it")

    def _refusal(self, there: str, what: str, why: str, remedy: str) -> OSError:
        return PermissionError(errno.EACCES, "plughost: `{}` {}: {}; {}".format(there, what, why, remedy))

    def names(self, host: object, port: object) -> bool:
        """Whether the hosts of the policy name this one, at any port if that is None."""
        asked, at = plain(host), _text(port)
        at = _SERVICES.get(at, at)
        for name, its_port in self._patterns:
            if port is not None and its_port not in ("*", at) and not (not its_port and at in _WEB_PORTS):
                continue
            if name == asked or (name in LOOPBACK and asked in LOOPBACK):
                return True
            if name == "*" and asked not in LOOPBACK:
                return True
            if name.startswith("*.") and asked.endswith(name[1:]):
                return True
        return False


def plain(host: object) -> str:
    """A name or an address as the patterns of a policy have it; nothing for what is neither."""
    if not isinstance(host, (str, bytes)):
        return ""
    text = _text(host).lower()
    if text.endswith("."):  # noqa: FURB188 - Python 3.8
        text = text[:-1]
    try:
        text.encode("ascii")
    except UnicodeEncodeError:
        try:
            return text.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return text


def _split(pattern: str) -> tuple[str, str]:
    """Host and port; no port if it has none."""
    name, colon, port = pattern.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")) or pattern.endswith("]"):  # an address of IPv6 alone
        name, port = pattern, ""
    return name.strip("[]"), port


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _shown(host: object, port: object) -> str:
    text = _text(host)
    text = "[{}]".format(text) if ":" in text and port is not None else text
    return text if port is None else "{}:{}".format(text, _text(port))
