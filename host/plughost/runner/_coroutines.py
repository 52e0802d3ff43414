"""Coroutine tools and async generators: one event loop a worker, so that what a plugin keeps between calls stays usable."""

from __future__ import annotations

import asyncio

from ._streams import Filling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["Iterated", "close", "new_loop", "run", "run_aside"]


def new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def run(loop: asyncio.AbstractEventLoop, awaitable: Awaitable[object]) -> object:
    """Run to the end; whatever ends it early, the task is cancelled and has run its `finally`."""
    task = loop.create_task(_wait(awaitable))
    try:
        return loop.run_until_complete(task)
    except BaseException:
        if not task.done():
            task.cancel()
            loop.run_until_complete(asyncio.wait([task]))  # its own end is not the error to tell
        raise


def run_aside(awaitable: Awaitable[object], enter: Callable[[], None]) -> object:
    """Run to the end in a thread and a loop of its own, while this thread's loop stands still; `enter` is called there first."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, initializer=enter) as executor:
        return executor.submit(asyncio.run, _wait(awaitable)).result()


async def _wait(awaitable: Awaitable[object]) -> object:
    return await awaitable


class Iterated(Filling):
    """An async generator, driven from outside the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, generator: AsyncIterator[object]) -> None:
        self._loop = loop
        self._generator = generator

    def fill(self, take: Callable[[object], bool]) -> bool:
        return bool(run(self._loop, self._filled(take)))

    async def _filled(self, take: Callable[[object], bool]) -> bool:
        step = self._generator.__anext__
        try:
            while take(await step()):
                pass
        except StopAsyncIteration:
            return False
        return True

    def close(self) -> None:
        close = getattr(self._generator, "aclose", None)
        if close is not None:
            run(self._loop, close())


def close(loop: asyncio.AbstractEventLoop) -> None:
    """What asyncio.run does at its end."""
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        if hasattr(loop, "shutdown_default_executor"):  # Python 3.9
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
