"""Starting a daemon, asking how it is, ending it.

Above it: `up` and `down`; below it: its socket, and its lock.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from plughost import _process
from plughost._kernel import open_pidfd
from plughost.daemon._link import CONTROL, STATUS, connect, frame, frames, identity, peer_of
from plughost.errors import StoreError, UsageError
from plughost.paths import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost.paths import Store

__all__ = ["Status", "end", "start", "status"]

_STARTS_WITHIN_S = 10.0
_ENDS_WITHIN_S = 15.0
_READ_BYTES = 1 << 16


class Status:
    """How a daemon is. `is_ours` says whether runs of this very program go to it."""

    __slots__ = ("idle_s", "is_ours", "performed", "pid", "running", "sessions", "started")

    def __init__(self, record: dict[str, object]) -> None:
        self.is_ours = record.get("identity") == identity()
        self.idle_s = _number(record, "idle_s")
        self.performed = int(_number(record, "performed"))
        self.pid = int(_number(record, "pid"))
        self.running = int(_number(record, "running"))
        self.sessions = int(_number(record, "sessions"))
        #: A `time.time()`.
        self.started = _number(record, "started")


def _number(record: dict[str, object], name: str) -> float:
    value = record.get(name)
    return value if isinstance(value, int | float) else 0


def status(store: Store) -> Status | None:
    """None if there is no daemon, or none that answers."""
    return _tell(store, "status")


def start(store: Store, argv: Sequence[str]) -> tuple[Status, bool]:
    """The daemon that serves `store`, and whether it was started now, by `argv`.

    That program says on its standard output that it is ready, by a line, or ends. A daemon of another version hands over: it
    finishes the calls that it has begun, and takes no more; but not while it has sessions.

    Raises: StoreError: it can't be started.
    """
    if sys.platform != "linux":
        raise UsageError("The daemon needs Linux", hint="Without it, `run` starts a worker for each call")
    with locked(store.lock(f"daemon-{store.project}-up")):  # one after the other: the second finds the first one's
        running = status(store)
        if running is not None and running.is_ours:
            return running, False
        if running is not None:
            if running.sessions:
                from plughost._wording import counted

                has = counted(running.sessions, "session")
                raise _failed(f"One of another version runs, and has {has}", hint="`down` ends it, and them")
            _tell(store, "drain")
        _launch(argv)
        running = status(store)
        if running is None:
            raise _failed("It doesn't answer")
        return running, True


def _tell(store: Store, verb: str) -> Status | None:
    said, pidfd = _ask(store, verb)
    if pidfd >= 0:
        os.close(pidfd)
    return said


def _launch(argv: Sequence[str]) -> None:
    ours, theirs = _process.pipe()
    try:
        try:
            _process.detach(argv, env=dict(os.environ), stdout=theirs)
        finally:
            os.close(theirs)
        said = _read_line(ours)
    except OSError as error:
        raise _failed(str(error)) from error
    finally:
        os.close(ours)
    if said != b"ready\n":
        raise _failed(said.decode("utf-8", "replace").strip() or "It ended at once")


def _read_line(fd: int) -> bytes:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    line = b""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while not line.endswith(b"\n"):
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return b"It takes too long"
        chunk = os.read(fd, _READ_BYTES)
        if not chunk:
            break
        line += chunk
    return line


def end(store: Store) -> bool:
    """End the daemon, what it performs, and its workers; all of them are gone afterwards. False if there is no daemon."""
    with locked(store.lock(f"daemon-{store.project}-up")):
        said, pidfd = _ask(store, "end")
        if pidfd < 0:
            return False
        try:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            if not (said and poller.poll(_ENDS_WITHIN_S * 1000)):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)  # its workers hang on it
                poller.poll(_ENDS_WITHIN_S * 1000)
        finally:
            os.close(pidfd)
        return True


def _ask(store: Store, verb: str) -> tuple[Status | None, int]:
    """What the daemon says, and a descriptor that tells when it has ended; None if it says nothing, -1 if there is none."""
    link = connect(store.daemon_socket) if os.path.exists(store.daemon_socket) else None
    if link is None:
        return None, -1
    pidfd = open_pidfd(peer_of(link).pid)
    received = bytearray()
    try:
        link.sendall(frame(CONTROL, verb.encode()))
        while chunk := link.recv(_READ_BYTES):
            received += chunk
            for kind, payload in frames(received):
                record = json.loads(payload) if kind == STATUS else None
                if isinstance(record, dict):
                    return Status(record), pidfd
    except OSError:
        pass
    finally:
        link.close()
    return None, pidfd


def _failed(cause: str, *, hint: str = "") -> StoreError:
    return StoreError("The daemon can't be started", reference="daemon-failed", causes=[cause], hint=hint)
