"""Listening: one loop for all that may happen, one thread for each command that is performed.

Above it: `up`; below it: runs, and the socket. All reading is done here, so that whoever performs a command is told at once when
its process has had a signal, or is gone.
"""

from __future__ import annotations

import json
import os
import select
import threading
import time
from contextlib import ExitStack, suppress
from socket import AF_UNIX, MSG_DONTWAIT, SHUT_RDWR, SOCK_STREAM, socket

from plughost.daemon._link import (
    CONTROL,
    DECLINED,
    INPUT,
    ONLY_HERE,
    REQUEST,
    SIGNAL,
    STATUS,
    frame,
    frames,
    identity,
    peer_of,
    reachable,
)
from plughost.daemon._peer import placement, rights
from plughost.daemon._run import Declined, Request, Run
from plughost.errors import StoreError
from plughost.paths import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.paths import Store

__all__ = ["serve"]

_READ_BYTES = 1 << 16
#: More than that at once run by themselves.
_MOST_RUNS = 64
#: These can't.
_MOST_ONLY_HERE = 512
#: How long the runs that are cut off by the daemon's end may take over theirs.
_CUT_OFF_WITHIN_S = 5.0
#: How long the process of a daemon that another has taken over from may live on after its last run.
_DRAINS_WITHIN_S = 1.0
#: How often somebody looks whether the socket is still there.
_LOOKS_EVERY_S = 30.0


def serve(
    store: Store,
    *,
    idle_s: float,
    perform: Callable[[Run], int],
    ready: Callable[[], object],
    count_sessions: Callable[[], int] = lambda: 0,
) -> None:
    """Perform what other processes of this user hand over, until nobody has for `idle_s`, or the daemon is told to end.

    `ready` is called when it listens. While `count_sessions` counts some, it doesn't end by itself.

    Raises: StoreError: another daemon serves this store, or the socket can't be made.
    """
    with ExitStack() as stack:
        lock = locked(store.lock(f"daemon-{store.project}"), wait=False)
        try:
            stack.enter_context(lock)
            listener = stack.enter_context(_listen(store.daemon_socket))
        except BlockingIOError:
            raise _failed("Another one runs") from None
        except OSError as error:
            raise _failed(str(error)) from error
        server = _Server(store, listener, idle_s=idle_s, perform=perform, count_sessions=count_sessions)
        try:
            ready()
            server.loop()
        finally:
            server.close()
            if server.is_draining:
                stack.close()
            server.finish()


def _failed(cause: str) -> StoreError:
    return StoreError("The daemon can't be started", reference="daemon-failed", causes=[cause])


def _listen(path: str) -> socket:
    """A socket that only its owner can connect to. The daemon's lock is held: what is at `path` is a dead one's."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)
    if os.path.lexists(path):
        os.unlink(path)
    listener = socket(AF_UNIX, SOCK_STREAM)
    try:
        with reachable(path) as short:
            listener.bind(short)
        os.chmod(path, 0o600)
        listener.listen()
        listener.settimeout(0)
    except BaseException:
        listener.close()
        raise
    return listener


class _Connection:
    __slots__ = ("link", "received", "run")

    def __init__(self, link: socket) -> None:
        self.link = link
        self.received = bytearray()
        self.run: Run | None = None


class _Server:
    def __init__(
        self,
        store: Store,
        listener: socket,
        *,
        idle_s: float,
        perform: Callable[[Run], int],
        count_sessions: Callable[[], int],
    ) -> None:
        self._store = store
        self._listener = listener
        self._idle_s = idle_s
        self._perform = perform
        self._count_sessions = count_sessions
        self._identity = identity()
        self._placement, self._rights = placement("self"), rights("self")
        self._stat = os.stat(store.daemon_socket)
        self._started = time.time()
        self._performed = 0
        self._threads: dict[threading.Thread, _Connection] = {}
        self._connections: dict[int, _Connection] = {}
        self._is_over = False
        self._taking_over: list[_Connection] = []
        #: Whether it ends for another daemon to take its place: then its runs go on to their ends.
        self.is_draining = False
        self._poller = select.epoll()
        self._poller.register(listener, select.EPOLLIN)

    def loop(self) -> None:
        idle_since = time.monotonic()
        while not self._is_over:
            if self._threads or self._count_sessions():
                idle_since = time.monotonic()
            left_s = idle_since + self._idle_s - time.monotonic()
            if not self._threads and (left_s <= 0 or not self._is_in_place()):
                return
            for fd, _ in self._poller.poll(min(left_s, _LOOKS_EVERY_S)):
                if fd == self._listener.fileno():
                    self._accept()
                elif connection := self._connections.get(fd):
                    self._receive(connection)

    def close(self) -> None:
        """Let nobody connect any more."""
        if self._is_in_place():
            os.unlink(self._store.daemon_socket)
        self._listener.close()

    def finish(self) -> None:
        """Wait for the runs: to their ends if another daemon takes over, which may do so now, else they are cut off."""
        for connection in self._taking_over:
            self._tell_status(connection)
        if not self.is_draining:
            for connection in list(self._connections.values()):
                self._forget(connection)
        while self._threads and self.is_draining:
            self._receive_some()
        deadline = time.monotonic() + _CUT_OFF_WITHIN_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _receive_some(self) -> None:
        for fd, _ in self._poller.poll(_DRAINS_WITHIN_S):  # a thread may end without an event, its process having left before
            if connection := self._connections.get(fd):
                self._receive(connection)

    def _is_in_place(self) -> bool:
        """Whether who looks for the daemon finds this one: the store may have been deleted under it."""
        try:
            stat = os.lstat(self._store.daemon_socket)
        except OSError:
            return False
        return (stat.st_dev, stat.st_ino) == (self._stat.st_dev, self._stat.st_ino)

    def _accept(self) -> None:
        try:
            link, _ = self._listener.accept()
        except OSError:  # it has left again
            return
        if peer_of(link).uid != os.geteuid():
            link.close()
            return
        link.settimeout(None)
        self._connections[link.fileno()] = _Connection(link)
        self._poller.register(link, select.EPOLLIN)

    def _receive(self, connection: _Connection) -> None:
        try:
            chunk = connection.link.recv(_READ_BYTES, MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._forget(connection)
            return
        connection.received += chunk
        for kind, payload in frames(connection.received):
            try:
                self._take(connection, kind, payload)
            except (OSError, ValueError):
                self._forget(connection)
                return

    def _take(self, connection: _Connection, kind: bytes, payload: bytes) -> None:
        run = connection.run
        if kind == CONTROL:
            self._control(connection, payload.decode())
        elif run is None and kind in {REQUEST, ONLY_HERE}:
            self._begin(connection, Request(payload), is_only_here=kind == ONLY_HERE)
        elif run is not None and kind == INPUT:
            run.feed(payload)
        elif run is not None and kind == SIGNAL:
            run.signal(int(payload))

    def _begin(self, connection: _Connection, request: Request, *, is_only_here: bool) -> None:
        most = _MOST_ONLY_HERE if is_only_here else _MOST_RUNS
        may_ask = self._has_my_rights if is_only_here else self._is_placed_alike
        if request.identity != self._identity or len(self._threads) >= most or not may_ask(connection):
            connection.link.sendall(frame(DECLINED))
            return
        run = connection.run = Run(request, connection.link, is_only_here=is_only_here)
        self._performed += 1

        def perform() -> None:
            try:
                run.perform(self._counted)
            finally:
                del self._threads[thread]

        thread = threading.Thread(target=perform, daemon=True)
        self._threads[thread] = connection
        thread.start()

    def _counted(self, run: Run) -> int:
        try:
            return self._perform(run)
        except Declined:
            self._performed -= 1
            raise

    def _is_placed_alike(self, connection: _Connection) -> bool:
        try:
            return placement(peer_of(connection.link).pid) == self._placement
        except OSError:
            return False

    def _has_my_rights(self, connection: _Connection) -> bool:
        try:
            return rights(peer_of(connection.link).pid) == self._rights
        except OSError:
            return False

    def _control(self, connection: _Connection, verb: str) -> None:
        self._is_over = self._is_over or verb in {"end", "drain"}
        if verb == "drain":
            self.is_draining = True
            self._taking_over.append(connection)
        else:
            self._tell_status(connection)

    def _tell_status(self, connection: _Connection) -> None:
        status = {
            "identity": self._identity,
            "idle_s": self._idle_s,
            "performed": self._performed,
            "pid": os.getpid(),
            "running": len(self._threads),
            "sessions": self._count_sessions(),
            "started": self._started,
        }
        with suppress(OSError):
            connection.link.sendall(frame(STATUS, json.dumps(status).encode()))

    def _forget(self, connection: _Connection) -> None:
        """Its process is gone, or is to be left alone."""
        self._poller.unregister(connection.link)
        del self._connections[connection.link.fileno()]
        with suppress(OSError):
            connection.link.shutdown(SHUT_RDWR)  # who is writing to it stops
        connection.link.close()
        if connection.run is not None:
            connection.run.leave()
