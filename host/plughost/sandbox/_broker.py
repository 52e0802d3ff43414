"""The broker: a worker's only way to the hosts that its policy names, served by this process from outside the sandbox.

Above it: whoever starts the worker; below it: a thread that all brokers share, and proxies of HTTP and SOCKS. The worker has an
empty network of its own. In there it has made a socket that listens on its loopback, and has sent it here: what connects to it
inside is served outside. So no other worker, and nobody else on this machine, can reach it.
"""

from __future__ import annotations

import socket
import time
from functools import partial

from plughost.sandbox._broker_gate import Gate
from plughost.sandbox._broker_http import serve_http
from plughost.sandbox._broker_loop import READ, Loop, Wait
from plughost.sandbox._broker_socks import serve_socks4, serve_socks5, serve_unanswered
from plughost.sandbox._broker_stream import Stream, TooLong
from plughost.sandbox._hosts import Hosts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plughost.sandbox._broker_loop import Task, Work

__all__ = ["Broker"]

#: At a time, and with fewer where this process has few descriptors for all of its workers. Those beyond wait.
_MOST_CONNECTIONS, _LEAST_CONNECTIONS = 128, 4
#: How long nothing has moved on one that is closed for another one that waits: clients keep connections for later use.
_IDLE_ENOUGH_S = 60.0
#: How often it is looked whether there is one.
_LOOK_S = 1.0
_FIRST_BYTE_S = 60.0
#: How long none is taken where this process has no descriptors left.
_BREATH_S = 1.0

#: Of the process, and not of a `Host`: one thread serves all of its brokers, and a fork copies what it serves them with.
_loop = Loop()
_serving: set[Broker] = set()


class Broker:
    """Serves one worker's connections to hosts. Its methods are for any thread, and wait for nothing but its own."""

    def __init__(self, hosts: Iterable[str], on_refused: Callable[[str, int], None], *, plugin: str, remedy: str) -> None:
        """`hosts` are patterns of a policy's `network`.

        For messages, `plugin` is whose policy that is, and `remedy` what would allow a host, for which `{}` stands.
        `on_refused` is called for each connection that the policy doesn't allow, in the brokers' thread: it must not wait. It is
        told an address where the name is one of the policy's, and no address that it stands for is.
        """
        self._gate = Gate(Hosts(hosts), _loop, plugin=plugin, remedy=remedy, on_refused=on_refused)
        self._tasks: tuple[Task, ...] = ()
        self._clients: dict[Stream, Task] = {}
        self._room: Wait | None = None

    def receive(self, link: socket.socket) -> None:
        """Serve on the listening socket that comes through `link`, a connected Unix socket. Both are this broker's now."""
        self._begin(link, self._receive(link))

    def serve(self, listener: socket.socket) -> None:
        """Serve on the listening socket, which is this broker's now."""
        self._begin(listener, self._listen(listener))

    def close(self) -> None:
        """End all its connections. Once the last broker is closed, the thread is gone."""
        if not all(task.has_ended for task in self._tasks):
            _loop.do(self._end)

    def _begin(self, opened: socket.socket, work: Work) -> None:
        opened.setblocking(False)  # noqa: FBT003
        _loop.sockets.add(opened)
        _loop.do(partial(self._start, work))

    # In the loop's thread.

    def _start(self, work: Work) -> Task:
        started = _loop.start(work)
        self._tasks = (*(task for task in self._tasks if not task.has_ended), started)
        return started

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _receive(self, link: socket.socket) -> None:
        try:
            await Wait(link.fileno(), READ)
            listener = _received(link)
        finally:
            _drop(link)
        if listener is not None:
            await self._listen(listener)

    async def _listen(self, listener: socket.socket) -> None:
        _serving.add(self)
        try:
            while True:
                await Wait(listener.fileno(), READ)
                await self._make_room()
                try:
                    client = Stream(listener.accept()[0], _loop)
                except BlockingIOError:
                    continue
                except OSError:  # the client has gone again, or this process has no descriptors left
                    await _unless_late(Wait(until=time.monotonic() + _BREATH_S))
                    continue
                self._clients[client] = self._start(self._converse(client))
        finally:
            _serving.discard(self)
            _drop(listener)

    async def _make_room(self) -> None:
        while len(self._clients) >= _most_connections():
            now = time.monotonic()
            quietest = min(self._clients, key=lambda client: client.moved_at)
            if quietest.moved_at + _IDLE_ENOUGH_S < now:
                self._clients[quietest].cancel()
            else:
                self._room = Wait(until=now + _LOOK_S)
                await _unless_late(self._room)

    async def _converse(self, client: Stream) -> None:
        try:
            await self._speak(client)
        except (OSError, TooLong):  # either end has gone, or does nothing for too long
            pass
        finally:
            client.close()
            self._clients.pop(client, None)
            if self._room is not None:
                _loop.resume(self._room)

    async def _speak(self, client: Stream) -> None:
        """What the client speaks, its first byte says."""
        first = await client.peek(time.monotonic() + _FIRST_BYTE_S)
        if first == b"\x05":
            await serve_socks5(client, self._gate)
        elif first == b"\x04":
            await serve_socks4(client, self._gate)
        elif first == b"\x01":
            await serve_unanswered(client, self._gate)
        elif first.isalpha() or first in (b"\r", b"\n"):
            await serve_http(client, self._gate)


def _received(link: socket.socket) -> socket.socket | None:
    """The listening socket; None if the worker has ended before it sent one."""
    try:
        _, descriptors, _, _ = socket.recv_fds(link, 1, 1, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    except OSError:
        return None
    for fd in descriptors:
        listener = socket.socket(fileno=fd)
        _loop.sockets.add(listener)
        listener.setblocking(False)  # noqa: FBT003
        return listener
    return None


def _drop(opened: socket.socket) -> None:
    _loop.sockets.discard(opened)
    opened.close()


async def _unless_late(wait: Wait) -> None:
    try:
        await wait
    except TimeoutError:
        pass


def _most_connections() -> int:
    """For one worker: each takes two descriptors, and half of what this process may have stays for all else."""
    import resource

    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(_LEAST_CONNECTIONS, min(_MOST_CONNECTIONS, descriptors // 4 // len(_serving)))
