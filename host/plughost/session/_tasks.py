"""The calls of one session: one at a time, within its limits, until its end.

Above it: the session; below it: its process and its turn. It knows nothing of tools and files.
"""

from __future__ import annotations

import _thread
import time
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING

from plughost.errors import CallCancelled, CallTimeout, PluginCrashed, SessionEnded, SessionError
from plughost.session import _ends
from plughost.session._life import is_refusal
from plughost.session._turn import Asker
from plughost.worker import CUSTODY, DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from plughost.session._ends import End
    from plughost.session._life import Life
    from plughost.session._limits import SessionLimits
    from plughost.session._turn import Turn
    from plughost.worker import Custody, Worker

__all__ = ["Task", "Tasks"]

#: How long whoever ends a session waits for a call of it to notice; after that the call clears up.
_NOTICED_WITHIN_S = 5.0
_LOOKS_EVERY_S = 0.05
#: For so long a plugin that was there is taken to be there still by those who look whether a call may begin at once.
_CHECKED_EVERY_S = 0.001
#: After what time a session that is busy is looked at again.
_BUSY_FOR_S = 1.0


class Task:
    """One call: the process that makes it, the manifest that holds for it, and how long it may take."""

    __slots__ = ("_is_called_off", "custody", "is_over", "manifest", "timeout_s", "worker")

    def __init__(self, worker: Worker, manifest: Mapping[str, object], timeout_s: float | None) -> None:
        self.worker = worker
        self.manifest = manifest
        self.timeout_s = timeout_s
        self._is_called_off = False
        #: Whether somebody has begun to see to its end.
        self.is_over = False
        self.custody: Custody | None = CUSTODY.get()
        if self.custody is not None:
            self.custody.add(worker)

    @property
    def is_called_off(self) -> bool:
        """Whether it was cancelled: by another thread, or in the event loop that awaits it."""
        return self._is_called_off or (self.custody is not None and self.custody.is_called_off)

    def call_off(self) -> None:
        self._is_called_off = True

    def leave(self) -> None:
        self.worker.asked = 0
        if self.custody is not None:
            self.custody.remove(self.worker)


class Tasks:
    """`name` and `plugin` are for messages. `check` raises where the plugin may not be called any more.

    `clear` is called once, with the turn, when the session has ended and makes no call.
    """

    def __init__(
        self,
        name: str,
        plugin: str,
        limits: SessionLimits,
        *,
        turn: Turn,
        life: Life,
        check: Callable[[], object],
        clear: Callable[[], None],
    ) -> None:
        self._name = name
        self._plugin = plugin
        self._limits = limits
        self._turn = turn
        self._life = life
        self._check = check
        self._clear = clear
        self._is_cleared = False
        self._opened_at = self._used_at = time.monotonic()
        self._checked_at = -inf
        self._ending = _thread.allocate_lock()
        #: Why no more calls are made.
        self.why: End | None = None
        self.made = 0
        self.failed = 0

    @property
    def state(self) -> str:
        """`idle`, `busy`, `used-up` once no more calls are made, or `ended`."""
        if self.why is not None:
            return "ended"
        if self._turn.is_taken:
            return "busy"
        return "used-up" if self.made >= self._limits.max_tasks else "idle"

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._opened_at

    @property
    def idle_s(self) -> float:
        """For how long no call was made; 0 while one is."""
        return 0.0 if self._turn.is_taken else time.monotonic() - self._used_at

    def begin_time(self) -> None:
        """It is open from now on: how long its process took to start counts for neither its age nor its rest."""
        self._opened_at = self._used_at = time.monotonic()

    @contextmanager
    def one(self, timeout_s: float | None = None, *, asker: Asker | None = None) -> Iterator[Task]:
        """The turn for one call, `asker`'s. What the call raises says of the session what there is to say.

        Raises: SessionEnded, SessionError, PluginCrashed, CallTimeout, CallCancelled: no call is made.
        """
        if self._life.is_mid_call:  # from a function that the plugin has called back
            yield self._begin(timeout_s)
            return
        self._take_turn(asker or Asker())
        try:
            task = self._begin(timeout_s)
        except BaseException:
            self._leave()
            raise
        with self.rest_of(task):
            yield task

    @contextmanager
    def rest_of(self, task: Task) -> Iterator[None]:
        """What there is to do with a call that was begun. Raises: as `one` says."""
        try:
            yield
        except BaseException as error:
            self._conclude(task, error)
            raise
        else:
            self._life.note(is_called_off=task.is_called_off)
        finally:
            task.leave()
            self._leave()

    # At once, or not at all.

    def begin_nowait(self, asker: Asker | None = None) -> Task | None:
        """A call that may certainly begin, with the turn of the `asker`, or of this thread; to be ended by one of those below.

        None: that is not certain, and `one` will know. The last call is not begun so, since much is to be done after it.
        """
        if not self._turn.take_nowait(asker):
            return None
        try:
            now = time.monotonic()
            worker, left_s = self._life.ready, self._opened_at + self._limits.lifetime_s - now
            if worker is not None and self.why is None and left_s > 0 and self.made + 1 < self._limits.max_tasks:
                if now - self._checked_at > _CHECKED_EVERY_S:
                    self._check()
                    self._checked_at = now
                return self._task(worker, self._life.manifest, min(self._limits.task_timeout_s, left_s))
        except BaseException:
            self._give_turn_back()
            raise
        self._give_turn_back()
        return None

    def done(self, task: Task) -> None:
        """It went well."""
        task.is_over = True
        try:
            self._life.note(is_called_off=task.is_called_off)
        finally:
            task.leave()
            self._used_at = time.monotonic()
            self._give_turn_back()

    def withdraw(self, task: Task) -> None:
        """Nothing was asked: it was no call."""
        self.made -= 1
        task.worker.calls -= 1
        task.leave()
        self._give_turn_back()

    def _task(self, worker: Worker, manifest: Mapping[str, object], time_s: float) -> Task:
        self.made += 1
        worker.calls += 1
        return Task(worker, manifest, None if time_s == inf else time_s)

    def _take_turn(self, asker: Asker) -> None:
        if self._turn.is_held_by(asker):
            raise SessionError(
                f"Session `{self._name}` of `{self._plugin}` is in the middle of a call, or a stream, of this thread or task",
                reference="session-busy",
                hint="Take its items, or leave its loop, before the next call",
            )
        if not self._turn.take(asker=asker):
            raise CallTimeout(
                f"Session `{self._name}` of `{self._plugin}` was busy until the deadline",
                causes=["Nothing was asked of the plugin"],
            )
        custody = CUSTODY.get()
        if custody is not None and custody.is_called_off:
            self._give_turn_back()
            raise CallCancelled(f"A call of session `{self._name}` was cancelled before its turn")

    def _begin(self, timeout_s: float | None) -> Task:
        if (ended := self.ended()) is not None:
            raise ended
        if self.made >= self._limits.max_tasks:
            raise _ends.tasks(self.made, self._limits.max_tasks)(self._plugin, self._name)
        if self.age_s >= self._limits.lifetime_s:
            raise self._set_end(_ends.lifetime(self.age_s, self._limits.lifetime_s))
        self._check()
        worker, manifest = self._life.begin(f"`{self._plugin}`")
        time_s = min(inf if timeout_s is None else timeout_s, self._limits.task_timeout_s, self._limits.lifetime_s - self.age_s)
        return self._task(worker, manifest, time_s)

    def _conclude(self, task: Task, error: BaseException) -> None:
        """Count what went wrong, and say of it what it means here. Raises: SessionEnded: that is why it did."""
        self._life.note(error, is_called_off=task.is_called_off)
        if is_refusal(error) and task.worker.alive:
            self.made -= 1
            return
        if isinstance(error, GeneratorExit):  # a stream that nobody wants more of
            return
        self.failed += 1
        if not isinstance(error, PluginCrashed | CallTimeout):
            return
        if (ended := self.ended()) is not None:
            raise ended from error
        if isinstance(error, CallTimeout):
            if self.age_s >= self._limits.lifetime_s:
                raise self._set_end(_ends.lifetime(self.age_s, self._limits.lifetime_s)) from error
            deadline = DEADLINE.get()
            if task.timeout_s == self._limits.task_timeout_s and (deadline is None or time.monotonic() < deadline.at):
                error.hint = (
                    "`--task-timeout` of `session start`, or `task_timeout_s=`, gives calls more time; the next starts afresh"
                )

    def _leave(self) -> None:
        self._used_at = time.monotonic()
        if self.made >= self._limits.max_tasks:
            self._life.retire()
        self._give_turn_back()

    def _give_turn_back(self) -> None:
        if self.why is None or self._is_cleared:
            self._turn.give_back()
            return
        self._is_cleared = True
        try:
            self._clear()
        finally:
            self._turn.give_back()

    # Ending.

    def ended(self) -> SessionEnded | None:
        """As an error, where that is so, why no more calls are made."""
        return None if self.why is None else self.why(self._plugin, self._name)

    def _set_end(self, why: End) -> SessionEnded:
        with self._ending:
            self.why = self.why or why
        return self.why(self._plugin, self._name)

    def due_in_s(self) -> float:
        """In how many seconds it is to be asked whether its time is over; 0 or less: it is."""
        due_in_s = min(self._limits.lifetime_s - self.age_s, self._limits.idle_timeout_s - self.idle_s)
        return max(due_in_s, _BUSY_FOR_S) if self._turn.is_taken else due_in_s

    def end_if_due(self) -> None:
        """End where the session was open, or idle, for too long. A call that is made is ended by its own limit."""
        age_s, idle_s = self.age_s, self.idle_s
        if age_s >= self._limits.lifetime_s:
            self.end_if_idle(_ends.lifetime(age_s, self._limits.lifetime_s))
        elif idle_s >= self._limits.idle_timeout_s:
            self.end_if_idle(_ends.idle(idle_s, self._limits.idle_timeout_s))

    def end_if_idle(self, why: End) -> None:
        """End, unless a call is made."""
        if self._turn.take(0):
            self._set_end(why)
            self._give_turn_back()

    def end(self, why: End, *, asker: Asker | None = None) -> None:
        """Make no more calls, end the one that is made, and clear up."""
        self._set_end(why)
        if self._turn.is_held_by(asker or Asker()):
            self._life.interrupt()  # in a function that the plugin has called back, or in a stream: cleared up after that
            return
        deadline = time.monotonic() + _NOTICED_WITHIN_S
        while not self._turn.take(_LOOKS_EVERY_S):
            self._life.interrupt()
            if time.monotonic() > deadline:
                return
        self._give_turn_back()

    def forget(self) -> None:
        """In a forked copy of this process: all of it is the original's."""
        self._is_cleared = True
        self._set_end(_ends.closed())
