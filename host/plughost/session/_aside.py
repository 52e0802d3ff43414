"""A call that an event loop awaits, made in a thread of its own: a session makes one at a time, so there are never many."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from functools import partial
from typing import TYPE_CHECKING

from plughost.worker import CANCEL_GRACE_S, IS_POSSIBLE, Custody

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, ParamSpec, TypeVar

    from plughost.worker._watch import Watcher

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["aside"]


async def aside(watcher: Watcher, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` gives. Cancelled, it has plugins end what they do as by Ctrl-C, and after the grace it ends them."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Callable[[], T]] = loop.create_future()
    custody = Custody()

    def tell(conclude: Callable[[], T]) -> None:
        if not future.done():  # else it is cancelled
            future.set_result(conclude)

    def run() -> None:
        try:
            conclude: Callable[[], T] = partial(_given, custody.run(function, *args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - for whoever awaits it
            conclude = partial(_raise, error)
        try:
            loop.call_soon_threadsafe(tell, conclude)
        except RuntimeError:  # the loop is closed: nobody awaits it any more
            return

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name="plughost-session", daemon=True).start()
    try:
        conclude = await future
    except asyncio.CancelledError:
        custody.cancel()
        if IS_POSSIBLE:
            watcher.call_later(CANCEL_GRACE_S, custody.end)
        raise
    return conclude()


def _given(result: T) -> T:
    return result


def _raise(error: BaseException) -> NoReturn:
    raise error
