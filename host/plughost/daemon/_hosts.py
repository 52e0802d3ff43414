"""The hosts of a daemon: one for all commands that may share workers.

Above it: whoever performs a command; below it: `Host`. A plugin sees the variables that it is passed, and the folder that it
works in; so calls that differ in one of them have workers of their own, and so do calls that are recorded in another way.
"""

from __future__ import annotations

import _thread
import threading
from contextlib import contextmanager

from plughost._policies import SETTINGS
from plughost._process import base_environment
from plughost.host import Host
from plughost.session._limits import SETTINGS as OF_SESSIONS
from plughost.settings import KEYS, Settings, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plughost.paths import Store
    from plughost.session import Sessions

__all__ = ["Hosts"]

#: Hosts with idle workers that are kept; the one whose last call is the longest ago makes room.
_MOST = 8
_OF_CALLS = ("record-calls", "record-arguments", *SETTINGS, *OF_SESSIONS)


class Hosts:
    """Safe to use from several threads. `program` is what people type, for messages."""

    def __init__(self, store: Store, program: str = "") -> None:
        self._store = store
        self._program = program
        self._hosts: dict[object, Host] = {}
        self._lent: dict[Host, int] = {}
        self._lock = _thread.allocate_lock()
        self._sessions: Sessions | None = None

    @property
    def sessions(self) -> Sessions:
        """Those of all hosts: whoever asks for one by its id may stand in another folder than who has opened it."""
        with self._lock:
            if self._sessions is None:
                from plughost.session import Sessions
                from plughost.worker._watch import Watcher

                self._sessions = Sessions(Watcher())
            return self._sessions

    def count_sessions(self) -> int:
        return 0 if self._sessions is None else len(self._sessions)

    @contextmanager
    def lend(self, environment: Mapping[str, str], folder: str, *, record_arguments: bool | None) -> Iterator[Host]:
        """The host for a command that finds these variables and is run in `folder`.

        Raises: UsageError: the settings that hold there can't be used.
        """
        settings = load(folder, only=_OF_CALLS, environment=environment)
        passed = base_environment(environment=environment)
        policies = repr((settings.policy, settings.policies, settings.narrowing, settings.allow_unenforced))
        recording = (settings.record_calls, settings.record_arguments, record_arguments)
        of_sessions = tuple(getattr(settings, KEYS[name].attribute) for name in OF_SESSIONS)
        key = (tuple(sorted(passed.items())), folder, recording, policies, of_sessions)
        with self._lock:
            host = self._hosts.pop(key, None) or self._made(settings, passed, folder, record_arguments=record_arguments)
            self._hosts[key] = host  # the last one is the one used last
            self._lent[host] = self._lent.get(host, 0) + 1
        try:
            yield host
        finally:
            with self._lock:
                self._lent[host] -= 1
                spare = self._spare()
            for other in spare:  # the command doesn't wait for their ends
                threading.Thread(target=other.close, daemon=True).start()

    def _made(self, settings: Settings, passed: Mapping[str, str], folder: str, *, record_arguments: bool | None) -> Host:
        host = Host(
            self._store.project,
            store=self._store.root,
            settings=settings,
            record_arguments=record_arguments,
            environment=passed,
            working_folder=folder,
            idle_s=None,  # they stay as long as the daemon does
        )
        host.policies.program = host.policies.program or self._program
        host.takes_plain_values = True
        return host

    def close(self) -> None:
        """End all sessions and workers."""
        if self._sessions is not None:
            self._sessions.close()
        with self._lock:
            hosts = list(self._hosts.values())
        for host in hosts:
            host.close()

    def _spare(self) -> list[Host]:
        """Those that there is no room for, and nobody uses; they are forgotten."""
        spare = []
        for key, host in list(self._hosts.items())[: max(0, len(self._hosts) - _MOST)]:
            if not self._lent[host]:
                del self._hosts[key], self._lent[host]
                spare.append(host)
        return spare
