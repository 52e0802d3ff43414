"""The sessions of a host: opened, found, counted, ended when nobody wants them any more.

Above it: `Caller`; below it: sessions, and the workers. No session has a thread: the host's watcher looks at all of them when the
first is due, and those whose time is over are ended by one thread that ends with them.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from plughost import _process
from plughost.errors import SessionError, StoreError, UnknownError
from plughost.policy import narrowest, written
from plughost.session import _ends
from plughost.session._folder import Folder, sweep
from plughost.session._keep import make_writable
from plughost.session._memory import resident_bytes
from plughost.session._session import Session
from plughost.session._stats import SessionTotals
from plughost.worker import IS_POSSIBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from plughost._policies import GivenPolicy
    from plughost._workers import Workers
    from plughost.errors import SessionEnded
    from plughost.paths import Store
    from plughost.policy import Policy
    from plughost.session._limits import SessionLimits
    from plughost.session._outcome import MakeOutput
    from plughost.worker import Worker
    from plughost.worker._watch import Timer, Watcher

__all__ = ["Sessions"]

#: Sessions that have ended, of which it is known why.
_MOST_REMEMBERED = 256
_ENDS_WITHIN_S = 10.0


class Sessions:
    """Safe for several threads, and in a forked copy of the process. `watcher` looks at them when one is due."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._closes_at_exit = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[str, Session] = {}
        self._opening = 0  # that count as open already
        self._past: dict[str, Callable[[], SessionEnded]] = {}
        self._most: float = inf  # as the one that was opened last had it
        self._opened = self._tasks = self._failed = self._restarts = 0
        self._look_at: Timer | None = None
        self._ender: threading.Thread | None = None

    def open(
        self,
        workers: Workers,
        plugin: str,
        *,
        limits: SessionLimits,
        policy: GivenPolicy | None,
        is_memory_given: bool,
        keep: str | os.PathLike[str] | None,
        env: Mapping[str, str] | None,
        make_output: MakeOutput,
    ) -> Session:
        """See `Caller.session`.

        `is_memory_given` says that the limit on memory is for this session. That of all sessions is none of a plugin that is
        trusted: whoever said so wants nothing kept from it.
        """
        installed = workers.find(plugin)
        chosen = workers.confining.policies.of(installed, caller=policy)
        said = dict(workers.confining.policies.said(policy))
        if limits.memory is not None and (is_memory_given or not chosen.is_trusted):
            chosen = narrowest(chosen, chosen.replace(memory_bytes=limits.memory))
            said["policy"] = _with_memory(said.get("policy"), chosen)
        kept_in = None if keep is None else os.path.abspath(os.fspath(keep))
        if kept_in is not None:
            make_writable(kept_in)
        self._make_room(limits.max_sessions)
        try:
            folder = self._make_folder(workers.store)

            def start() -> Worker:
                with _writing_to(workers.store):
                    folder.mend()
                variables = _variables(env, chosen, folder)
                return workers.start_for(installed, policy=chosen, folder=folder.files, env=variables, caller=policy)

            session = Session(
                workers,
                installed,
                limits=limits,
                policy=chosen,
                said=said,
                env=env or {},
                folder=folder,
                start=start,
                check=partial(workers.find, plugin),
                make_output=make_output,
                keep=kept_in,
                on_clear=self._forget_one,
            )
            try:
                session.life.run()
                session.tasks.begin_time()
            except BaseException:
                session.close()
                raise
            with self._lock:
                self._open[session.id] = session
                self._opened += 1
                self._look_later()
        finally:
            with self._lock:
                self._opening -= 1
        return session

    def find(self, name: str) -> Session:
        """The session of that id.

        Raises: SessionEnded: it has ended, and why. UnknownError: there is none.
        """
        with self._lock:
            session, ended = self._open.get(name), self._past.get(name)
        if session is not None:
            return session
        if ended is not None:
            raise ended()
        raise UnknownError(
            f"There is no session `{name}`", reference="session-unknown", hint="`session list` shows those that there are"
        )

    def __iter__(self) -> Iterator[Session]:
        """Those that are open, in the order in which they were opened."""
        with self._lock:
            return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def stats(self) -> SessionTotals:
        """All of them counted, and each by itself."""
        with self._lock:
            sessions = list(self._open.values())
        memory = resident_bytes({session.life.pid for session in sessions} - {0})
        each = tuple(session.stats_with(memory) for session in sessions)
        return SessionTotals(
            active=len(each),
            busy=sum(one.state == "busy" for one in each),
            max_sessions=None if self._most == inf else int(self._most),
            opened=self._opened,
            tasks=self._tasks + sum(one.tasks for one in each),
            failed=self._failed + sum(one.failed for one in each),
            restarts=self._restarts + sum(one.restarts for one in each),
            memory_bytes=sum(one.memory_bytes for one in each),
            sessions=each,
        )

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            sessions, ender = list(self._open.values()), self._ender
            if self._look_at is not None:
                self._look_at.cancel()
                self._look_at = None
        for session in sessions:
            session.close()
        if ender is not None:
            ender.join(_ENDS_WITHIN_S)

    def forget(self) -> None:
        """In a forked copy of this process: they are the original's."""
        for session in self._open.values():
            session.forget()
        self._begin_anew()

    # Opening.

    def _make_room(self, most: float) -> None:
        """End the one that is idle for the longest, as often as it takes."""
        while True:
            with self._lock:
                self._most = most
                if len(self._open) + self._opening < most:
                    self._opening += 1
                    return
                idle = [session for session in self._open.values() if session.tasks.state in {"idle", "used-up"}]
                victim = max(idle, key=lambda session: session.tasks.idle_s, default=None)
            if victim is None:
                raise SessionError(
                    f"All {most:g} sessions that may be open at once are busy",
                    hint="Close one that isn't needed, or allow more: the setting `session-count`, or `Host(max_sessions=…)`",
                )
            victim.tasks.end_if_idle(_ends.evicted(victim.tasks.idle_s, most))

    def _make_folder(self, store: Store) -> Folder:
        with _writing_to(store):
            sweep(store, but=self._open)
            folder = Folder(store)
        if not self._closes_at_exit:
            import atexit

            self._closes_at_exit = True
            _process.own(self)
            atexit.register(self.close)
        return folder

    # Ending.

    def _look_later(self) -> None:
        """Have the watcher look when the first of them is due. With the lock."""
        due_in_s = min((session.tasks.due_in_s() for session in self._open.values()), default=inf)
        if due_in_s == inf or not IS_POSSIBLE:
            return
        if self._look_at is not None:
            if self._look_at.at <= time.monotonic() + due_in_s:
                return
            self._look_at.cancel()
        self._look_at = self._watcher.call_later(max(0.0, due_in_s), self._look)

    def _look(self) -> None:
        """In the watcher's thread, which must not wait: have those ended whose time is over."""
        with self._lock:
            self._look_at = None
            if self._ender is None and any(session.tasks.due_in_s() <= 0 for session in self._open.values()):
                self._ender = threading.Thread(target=self._end_due, name="plughost-sessions", daemon=True)
                self._ender.start()
            elif self._ender is None:
                self._look_later()

    def _end_due(self) -> None:
        for session in self:
            session.tasks.end_if_due()
        with self._lock:
            self._ender = None
            self._look_later()

    def _forget_one(self, session: Session) -> None:
        stats, why = session.stats_with({}), session.tasks.why
        with self._lock:
            if self._open.pop(session.id, None) is None:
                return
            self._tasks += stats.tasks
            self._failed += stats.failed
            self._restarts += stats.restarts
            if why is not None:
                self._past[session.id] = partial(why, session.plugin, session.id)
            while len(self._past) > _MOST_REMEMBERED:
                del self._past[next(iter(self._past))]


@contextmanager
def _writing_to(store: Store) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"`{store.root}` can't be written",
            causes=[error.strerror or str(error)],
            hint="Use another store: `PLUGHOST_HOME`",
        ) from error


def _with_memory(table: object, policy: Policy) -> dict[str, object]:
    """What was said of the policy, with the memory that the session leaves."""
    return {**(table if isinstance(table, dict) else {}), **written({"memory_bytes": policy.memory_bytes})}


def _variables(env: Mapping[str, str] | None, policy: Policy, folder: Folder) -> dict[str, str]:
    """What its process is given besides: a folder for what is temporary, where it has no /tmp of its own."""
    return {"TMPDIR": folder.tmp, **(env or {})} if policy.is_trusted else dict(env or {})
