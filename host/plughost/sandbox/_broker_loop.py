"""A loop that runs coroutines in one thread: what the brokers of a process have in place of a thread for each connection.

Above it: the brokers and their connections; below it: the kernel's poll. It is no asyncio, whose import takes longer than a
plugin's start, and knows but three things to wait for: a socket, another task, and what a thread of somebody else's will tell.
"""

from __future__ import annotations

import os
import selectors
import threading
import time

from plughost import _process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Generator

    Work = Coroutine[object, None, None]

__all__ = ["ENDLESS", "READ", "WRITE", "Loop", "Task", "Wait", "safely"]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
ENDLESS = float("inf")
#: How exactly times are kept: whatever waits for as long as it may has waited for seconds.
_TICK_S = 0.5
#: How long whoever closes something waits for the thread.
_DONE_WITHIN_S = 1.0


class Wait:
    """What a task stands still for, until a `time.monotonic()` at the latest: a socket's descriptor, or else `Loop.resume`.

    Raises: TimeoutError: in the task, at that time.
    """

    __slots__ = ("event", "fd", "until")

    def __init__(self, fd: int = -1, event: int = READ, *, until: float = ENDLESS) -> None:
        self.fd = fd
        self.event = event
        self.until = until

    def __await__(self) -> Generator[Wait, None, None]:
        yield self


class Task:
    """A coroutine that a loop runs. All of it is the loop's thread's."""

    __slots__ = ("_awaited", "_loop", "coroutine", "wait")

    def __init__(self, coroutine: Work, loop: Loop) -> None:
        self.coroutine = coroutine
        self.wait: Wait | None = None
        self._loop = loop
        self._awaited: list[Wait] = []

    @property
    def has_ended(self) -> bool:
        return self not in self._loop.tasks

    def cancel(self) -> None:
        """Its `finally` blocks run; they must not wait for anything."""
        if self.has_ended:
            return
        self._loop.leave(self)
        try:
            self.coroutine.close()
        except ValueError:  # it is what cancels itself, by what it has called
            self._loop.tell(self.cancel)
        else:
            self.end()

    async def ended(self, until: float) -> None:
        if not self.has_ended:
            wait = Wait(until=until)
            self._awaited.append(wait)
            await wait

    def end(self) -> None:
        self._loop.tasks.discard(self)
        for wait in self._awaited:
            self._loop.resume(wait)


class Loop:
    """Its thread begins with the first task, and ends with the last. Safe in a forked copy of the process."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._due: list[Callable[[], None]] = []
        self._selector: selectors.BaseSelector | None = None
        self._bell: tuple[int, int] = (-1, -1)
        self._thread: threading.Thread | None = None
        self._waiting: dict[Wait, Task] = {}
        self._timed: set[Wait] = set()
        self.tasks: set[Task] = set()
        #: What a forked copy of the process must close, without a word to who is at their other ends.
        self.sockets: set[socket.socket] = set()

    # For any thread.

    def do(self, action: Callable[[], object]) -> None:
        """Have the thread call `action`, which must not wait; if that ends the last task, the thread is gone afterwards."""
        if self._thread is threading.current_thread():
            action()
            return
        done = threading.Event()

        def act() -> None:
            try:
                action()
            finally:
                done.set()

        with self._lock:
            thread = self._thread or self._start()
            self._tell(act)
        done.wait(_DONE_WITHIN_S)
        if not self.tasks:
            thread.join(_DONE_WITHIN_S)

    def tell(self, action: Callable[[], None]) -> None:
        """Have the thread call `action`, which must not wait, if there still is a thread."""
        with self._lock:
            if self._selector is not None:
                self._tell(action)

    def _tell(self, action: Callable[[], None]) -> None:
        self._due.append(action)
        try:
            os.write(self._bell[1], b"\0")
        except BlockingIOError:  # rung often enough
            pass

    def _start(self) -> threading.Thread:
        self._selector = selectors.DefaultSelector()
        self._bell = os.pipe()
        for fd in self._bell:
            os.set_blocking(fd, False)
        self._selector.register(self._bell[0], READ)
        _process.own(self)
        self._thread = threading.Thread(target=self._run, args=(self._selector,), name="plughost-broker", daemon=True)
        self._thread.start()
        return self._thread

    def forget(self) -> None:
        """In a forked copy of this process: the thread is the original's, and so is whoever is at the sockets' other ends."""
        if self._selector is not None:
            self._selector.close()
            for fd in self._bell:
                os.close(fd)
        for each in self.sockets:
            each.close()
        tasks = self.tasks
        self._begin_anew()
        for task in tasks:
            try:
                task.coroutine.close()
            except ValueError:  # the one that the original's thread was at
                pass

    # For the loop's thread.

    def start(self, coroutine: Work) -> Task:
        task = Task(coroutine, self)
        self.tasks.add(task)
        self._step(task)
        return task

    def resume(self, wait: Wait) -> None:
        """What this stands for has come about; nothing happens where nobody waits for it any more."""
        task = self._waiting.get(wait)
        if task is not None:
            self.leave(task)
            self._step(task)

    def leave(self, task: Task) -> None:
        """The task waits no longer."""
        wait, task.wait = task.wait, None
        if wait is None:
            return
        del self._waiting[wait]
        self._timed.discard(wait)
        if wait.fd >= 0 and self._selector is not None:
            key = self._selector.get_key(wait.fd)
            del key.data[wait.event]
            if key.data:
                self._selector.modify(wait.fd, key.events & ~wait.event, key.data)
            else:
                self._selector.unregister(wait.fd)

    def _step(self, task: Task, error: Exception | None = None) -> None:
        try:
            wait = task.coroutine.send(None) if error is None else task.coroutine.throw(error)
        except StopIteration:
            task.end()
        except Exception as failure:  # noqa: BLE001 - what fails for one connection is no reason to serve no others
            task.end()
            _log_failure(failure)
        else:
            assert isinstance(wait, Wait)
            self._enter(task, wait)

    def _enter(self, task: Task, wait: Wait) -> None:
        task.wait = wait
        self._waiting[wait] = task
        if wait.until != ENDLESS:
            self._timed.add(wait)
        if wait.fd >= 0 and self._selector is not None:
            try:
                key = self._selector.get_key(wait.fd)
            except KeyError:
                self._selector.register(wait.fd, wait.event, {wait.event: wait})
            else:
                key.data[wait.event] = wait
                self._selector.modify(wait.fd, key.events | wait.event, key.data)

    def _run(self, selector: selectors.BaseSelector) -> None:
        next_tick = 0.0
        while self._do_what_is_due():
            for key, events in selector.select(_TICK_S if self._timed else None):
                if key.data is None:
                    os.read(key.fd, 1 << 12)
                    continue
                for wait in [wait for event, wait in key.data.items() if event & events]:
                    self.resume(wait)
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + _TICK_S
                self._end_waits(now)

    def _do_what_is_due(self) -> bool:
        """Whether the thread goes on."""
        while True:
            with self._lock:
                if not self._due:
                    break
                due, self._due = self._due, []
            for action in due:
                safely(action)
        with self._lock:
            if self.tasks or self._due:
                return True
            assert self._selector is not None
            self._selector.close()
            self._selector = self._thread = None
            for fd in self._bell:
                os.close(fd)
            _process.disown(self)
            return False

    def _end_waits(self, now: float) -> None:
        for wait in [wait for wait in self._timed if wait.until <= now]:
            task = self._waiting.get(wait)
            if task is not None:
                self.leave(task)
                self._step(task, TimeoutError())


def safely(action: Callable[[], None]) -> None:
    """What fails is logged."""
    try:
        action()
    except Exception as error:  # noqa: BLE001
        _log_failure(error)


def _log_failure(error: Exception) -> None:
    import logging

    message = "What connects plugins to the hosts that they may reach has failed at one of them"
    logging.getLogger("plughost").error(message, exc_info=error)
