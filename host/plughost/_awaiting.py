"""Calls on one worker that an event loop sees through: what `call.invoke` and `call.stream` do, without a thread that waits.

Above it: whoever has the worker, of a pool or of a session; below it: exchanges, and readiness.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from plughost._pending import Steps
from plughost.call import is_stream, result_of
from plughost.errors import CallTimeout, PlughostError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from plughost.call import ToolCall
    from plughost.worker import Exchange, Worker

__all__ = ["ainvoke", "astream", "see_through"]


async def ainvoke(worker: Worker, call: ToolCall) -> object:
    """The tool's value; of a stream, the list of its items. Cancelled, it calls the call off: the worker is about to end."""
    async with _asked(worker, call) as exchange:
        return await see_through(exchange, worker, call.plugin, call.tool)


async def astream(worker: Worker, call: ToolCall) -> AsyncGenerator[object, None]:
    """The items as they come; a tool that is no stream gives its value as the only item. Closed early, it closes the child's."""
    async with _asked(worker, call) as exchange:
        streamed = is_stream(call.tool)
        with Steps(exchange) as steps:
            try:
                done, message = await steps.step()
                while not done:
                    streamed = True
                    assert isinstance(message, list)
                    for item in message:
                        yield item
                    done, message = await steps.step()
            except GeneratorExit:
                await _close(exchange, steps, worker)
                raise
            except (asyncio.CancelledError, CallTimeout):
                worker.cancel_nowait()
                raise
        result = result_of(message, call.plugin, call.tool, exchange)
        if not streamed or result is not None:
            yield result


async def see_through(exchange: Exchange, worker: Worker, plugin: str, tool: Mapping[str, object]) -> object:
    """What a call that is under way comes to. Whatever else ends it calls it off."""
    items: list[object] = []
    streamed, done = is_stream(tool), False
    try:
        with Steps(exchange) as steps:
            done, message = await steps.step()
            while not done:
                streamed = True
                assert isinstance(message, list)
                items += message
                exchange.mind_total()
                done, message = await steps.step()
    finally:
        if not done:
            worker.cancel_nowait()
    result = result_of(message, plugin, tool, exchange)
    return items if streamed and result is None else result


@asynccontextmanager
async def _asked(worker: Worker, call: ToolCall) -> AsyncIterator[Exchange]:
    try:
        exchange = call.begin(worker)
        try:
            yield exchange
        finally:
            await exchange.aclose()
    finally:
        call.output.leave(worker)


async def _close(exchange: Exchange, steps: Steps, worker: Worker) -> None:
    """As `Exchange.cancel`."""
    if not exchange.ask_to_close():
        return
    try:
        while True:
            done, items = await steps.step()
            if done:
                return
            exchange.note_closing(items)
    except PlughostError:
        worker.cancel_nowait()
