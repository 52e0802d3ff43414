"""What of a session an event loop awaits: its turn, with a process that may have to start, and an end. Each has a thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from plughost.session._turn import Asker
from plughost.worker import Custody

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager
    from typing import ParamSpec, TypeVar

    from plughost.session._tasks import Task, Tasks

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["aside", "one_awaited", "this_task"]


def this_task() -> Asker:
    """The task that runs: another one of the same event loop may wait for it."""
    return Asker(asyncio.current_task())


@asynccontextmanager
async def one_awaited(tasks: Tasks) -> AsyncIterator[Task]:
    """As `Tasks.one`, while the event loop goes on. Cancelled, it leaves the rest to a thread: the next call waits for that."""
    custody, asker = Custody(), this_task()
    turn: AbstractContextManager[object]
    task = _begun_at_once(tasks, custody, asker)
    if task is not None:
        turn = tasks.rest_of(task)
        turn.__enter__()
    else:
        turn = one = tasks.one(asker=asker)
        try:
            task = await aside(partial(custody.run, one.__enter__), unwanted=lambda _: _leave_cancelled(one))
        except asyncio.CancelledError:
            custody.cancel()
            raise
    try:
        yield task
    except asyncio.CancelledError:
        task.call_off()
        _in_thread(_leave_cancelled, turn)
        raise
    except BaseException as error:
        if not await aside(partial(turn.__exit__, type(error), error, error.__traceback__)):
            raise
    else:
        if tasks.why is None:
            turn.__exit__(None, None, None)
        else:  # it is deleted now
            await aside(partial(turn.__exit__, None, None, None))


def _begun_at_once(tasks: Tasks, custody: Custody, asker: Asker) -> Task | None:
    """A call, where nothing has to be waited for: no thread is needed then."""
    task = custody.run(tasks.begin_nowait, asker)
    if task is not None and task.worker.has_ended():  # there is something to be told, and to be done
        tasks.withdraw(task)
        return None
    return task


def _leave_cancelled(turn: AbstractContextManager[object]) -> None:
    error = asyncio.CancelledError()
    try:
        turn.__exit__(type(error), error, None)
    except BaseException:  # noqa: BLE001 - whoever has called has heard of it by now
        return


async def aside(function: Callable[[], T], *, unwanted: Callable[[T], object] | None = None) -> T:
    """What `function` gives. Cancelled, this is over at once, but the thread goes on; what it gives then is for `unwanted`."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - for whoever awaits it
            future.set_exception(error)

    def hand_over(done: Future[T]) -> None:
        if unwanted is not None and done.exception() is None:
            _in_thread(unwanted, done.result())

    _in_thread(contextvars.copy_context().run, run)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        future.add_done_callback(hand_over)
        raise


def _in_thread(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    threading.Thread(target=function, args=args, kwargs=kwargs, name="plughost-session", daemon=True).start()
