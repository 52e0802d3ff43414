"""The gate: the host and the port that somebody asks for → a connection to it, if the policy allows that.

Above it: what speaks HTTP and SOCKS; below it: the hosts of the policy, and streams. A name is looked up once, outside the
sandbox, and every address that it stands for is judged. The connection is made to one of these, so nothing can change in between.
"""

from __future__ import annotations

import _thread
import errno
import socket
import time
from functools import partial

from plughost.sandbox._broker_loop import Wait, safely
from plughost.sandbox._broker_stream import connect
from plughost.sandbox._hosts import is_address, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.sandbox._broker_loop import Loop
    from plughost.sandbox._broker_stream import Stream
    from plughost.sandbox._hosts import Hosts

__all__ = ["Gate", "NotReached"]

_CONNECT_S = 30.0
#: For one of several addresses, which may be one that nothing answers from.
_TRY_S = 10.0
_LOOK_UP_S = 30.0
#: At a time, for one worker: a name may take long to be looked up, and each takes a thread.
_MOST_LOOK_UPS = 4
#: The addresses of one name that are tried.
_MOST_TRIES = 8


class NotReached(Exception):
    """Why there is no connection, in a sentence, and as HTTP and SOCKS have it."""

    #: By why: the status of HTTP, its usual phrase, and the reply of SOCKS5. Source: RFC 9110, section 15; RFC 1928, section 6.
    REASONS = {  # noqa: RUF012 - never changed
        "denied": (403, 2),
        "unknown": (502, 4),
        "refused": (502, 5),
        "unreachable": (502, 3),
        "slow": (504, 6),
        "busy": (503, 1),
    }

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.status, self.reply = self.REASONS[reason]


class Gate:
    """What one worker may reach. All of it is the loop's thread's."""

    __slots__ = ("_asked_for", "_hosts", "_look_ups", "_loop", "_on_refused", "_plugin", "_remedy")

    def __init__(self, hosts: Hosts, loop: Loop, *, plugin: str, remedy: str, on_refused: Callable[[str, int], None]) -> None:
        self._hosts = hosts
        self._loop = loop
        self._plugin = plugin
        self._remedy = remedy
        self._on_refused = on_refused
        self._look_ups = 0
        self._asked_for: list[Wait] = []

    async def open(self, host: str, port: int) -> Stream:
        """Raises: NotReached."""
        if not self._hosts.may_ask_for(host, port):
            self._tell_of(host, port)
            raise NotReached("denied", self._not_named(host, port))
        addresses = [host] if is_address(host) else await self._look_up(host, port)
        allowed = [address for address in addresses if self._hosts.may_reach(address, port)]
        if not allowed:
            self._tell_of(addresses[0], port)
            raise NotReached("denied", self._private(host, port))
        return await self._connect(host, allowed[:_MOST_TRIES], port)

    def _tell_of(self, host: str, port: int) -> None:
        safely(partial(self._on_refused, host, port))

    def _not_named(self, host: str, port: int) -> str:
        there = shown(host, port)
        return f"`{there}` can't be reached: the policy of `{self._plugin}` doesn't name it; {self._remedy.replace('{}', there)}"

    def _private(self, host: str, port: int) -> str:
        """What the address is, who asked for a name isn't told: it may be a name of a network that isn't theirs."""
        if is_address(host):
            return self._not_named(host, port)
        there = shown(host, port)
        what = f"it has a private address, which the policy of `{self._plugin}` doesn't name"
        return f"`{there}` can't be reached: {what}; {self._remedy.replace('{}', f'ADDRESS:{port}')}"

    async def _look_up(self, host: str, port: int) -> list[str]:
        """The addresses, in the order in which they should be tried."""
        until = time.monotonic() + _LOOK_UP_S
        try:
            while self._look_ups >= _MOST_LOOK_UPS:
                turn = Wait(until=until)
                self._asked_for.append(turn)
                await turn
            found = await self._ask(host, port, until)
        except TimeoutError:
            raise NotReached("slow", f"`{shown(host, port)}` can't be reached: its name wasn't looked up in time") from None
        if not found:
            raise NotReached("unknown", f"`{shown(host, port)}` can't be reached: its name isn't known")
        return found

    async def _ask(self, host: str, port: int, until: float) -> list[str]:
        """In a thread of its own, since the system's resolver blocks. It may outlive whoever asked."""
        found: list[str] = []
        wait = Wait(until=until)

        def ask() -> None:
            try:
                infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found.extend(dict.fromkeys(str(info[4][0]) for info in infos if info[0] in {socket.AF_INET, socket.AF_INET6}))
            except (OSError, UnicodeError):
                pass
            self._loop.tell(partial(self._answered, wait))

        self._look_ups += 1
        try:
            _thread.start_new_thread(ask, ())
        except RuntimeError:  # the process has as many threads as it may
            self._answered(wait)
            raise NotReached("busy", f"`{shown(host, port)}` can't be reached: its name can't be looked up now") from None
        await wait
        return found

    def _answered(self, wait: Wait) -> None:
        self._look_ups -= 1
        while self._asked_for and self._look_ups < _MOST_LOOK_UPS:
            self._loop.resume(self._asked_for.pop(0))
        self._loop.resume(wait)

    async def _connect(self, host: str, addresses: list[str], port: int) -> Stream:
        until = time.monotonic() + _CONNECT_S
        failure = OSError()
        for address in addresses:
            try:
                return await connect(address, port, self._loop, min(until, time.monotonic() + _TRY_S))
            except OSError as error:  # also where nothing answers in time
                failure = error
        there = shown(host, port)
        if isinstance(failure, TimeoutError):
            raise NotReached("slow", f"`{there}` can't be reached: it doesn't answer")
        if failure.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
            raise NotReached("busy", f"`{there}` can't be reached: the host process has no descriptors left")
        if failure.errno == errno.ECONNREFUSED:
            raise NotReached("refused", f"`{there}` can't be reached: the connection was refused")
        raise NotReached("unreachable", f"`{there}` can't be reached: {failure.strerror}")
