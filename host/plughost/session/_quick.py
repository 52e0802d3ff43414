"""The quick way of a session's call, in as few steps as there can be; `_route` is that of a host's.

Above it: the session; below it: its turn and its process. Unlike a host's call this one has a time. It takes a call if it is sure
of it, and leaves all else to the general way.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plughost._route import NOT_PLAIN, composer, enclosed, head_of, plain_result, stop_at
from plughost.call import choose_tool, conclude, is_stream
from plughost.errors import UnknownError
from plughost.worker import CUSTODY, DEADLINE, IS_POSSIBLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from plughost._route import Route
    from plughost._workers import Workers
    from plughost.registry import Installed
    from plughost.session._tasks import Task, Tasks
    from plughost.worker import Exchange

__all__ = ["open_route"]


def open_route(
    workers: Workers,
    installed: Installed,
    tasks: Tasks,
    tool: str | None,
    *,
    slowly: Route,
    explaining: AbstractContextManager[None],
) -> Route | None:
    """A function that calls the tool, if there is a quick way to it. It calls `slowly` where it isn't sure of a call."""
    manifest = installed.manifest
    if not IS_POSSIBLE or manifest.get("editable") or workers.journal.keeps_arguments:
        return None
    try:
        chosen = choose_tool(installed.name, manifest, tool)
    except UnknownError:  # said by whoever knows whether the session takes calls at all
        return None
    return None if is_stream(chosen) else _Quick(workers, installed, tasks, chosen, slowly=slowly, explaining=explaining).call


class _Quick:
    """The way to one tool. Errors leave it through `explaining`."""

    __slots__ = ("_chosen", "_compose", "_explaining", "_head", "_held", "_note", "_slowly", "_stop", "_tasks", "_workers")

    def __init__(
        self,
        workers: Workers,
        installed: Installed,
        tasks: Tasks,
        chosen: Mapping[str, object],
        *,
        slowly: Route,
        explaining: AbstractContextManager[None],
    ) -> None:
        self._workers = workers
        self._tasks = tasks
        self._chosen = chosen
        self._slowly = slowly
        self._explaining = explaining
        self._stop = stop = stop_at(installed, chosen, found_by=installed.name)
        self._compose = composer(stop)
        self._head = head_of(stop)
        self._held = workers.pool.held
        self._note = workers.journal.writer(installed, stop.noted_as).note

    def call(self, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        request = self._compose(args, kwargs)
        is_as_usual = DEADLINE.get() is None and CUSTODY.get() is None and not self._held.stack and self._workers.on_event is None
        if request is None or not is_as_usual or (task := self._tasks.begin_nowait()) is None:
            return self._slowly(args, kwargs)
        worker, began_ns, is_unheard = task.worker, time.perf_counter_ns(), False
        channel, number, chunk = worker.channel, worker.next_id, None
        try:
            line = _line(number, request or enclosed(worker, self._head, args, kwargs))
            if line:
                worker.next_id, worker.asked = number + 1, number
                chunk = channel.ask_within(line, task.timeout_s)
            if chunk is not None:
                result = plain_result(chunk, number, worker)
                if result is not NOT_PLAIN:
                    printed = channel.take_printed() if channel.printed_bytes else 0
                    self._note(began_ns, time.perf_counter_ns(), len(line), len(chunk), printed)
                    self._tasks.done(task)
                    return result
                is_unheard = channel.is_unheard(chunk)
        except BaseException:
            if not task.is_over:
                with self._rest_of(task, began_ns):
                    worker.cancel()
                    raise
            raise
        if not line or is_unheard:
            self._tasks.withdraw(task)
            return self._slowly(args, kwargs)
        channel.sent_bytes = len(line)
        with self._rest_of(task, began_ns):
            return conclude(self._follow(task, number, chunk or b"", began_ns), self._stop.installed.name, self._chosen)

    def _follow(self, task: Task, number: int, chunk: bytes, began_ns: int) -> Exchange:
        """The call, of which these are the first words, or none before its time was over."""
        exchange = task.worker.follow(number, chunk, what=self._stop.label)
        if task.timeout_s is not None:
            left_s = task.timeout_s - (time.perf_counter_ns() - began_ns) / 1e9
            exchange.give_until(time.monotonic() + left_s, task.timeout_s)
        return exchange

    @contextmanager
    def _rest_of(self, task: Task, began_ns: int) -> Iterator[None]:
        """What there is to do with a call that isn't over with its first words."""
        installed, workers = self._stop.installed, self._workers
        with (
            self._tasks.rest_of(task),
            workers.blaming(installed),
            workers.recorded(installed, task.worker, self._stop.noted_as, began_ns),
            self._explaining,
        ):
            yield


def _line(number: int, request: str) -> bytes:
    """The request as it is sent; nothing where it can't be so."""
    try:
        return f'{{"jsonrpc":"2.0","id":{number}{request}'.encode() if request else b""
    except UnicodeEncodeError:  # lone surrogates
        return b""
