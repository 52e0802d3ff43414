"""Calls that an event loop awaits: no thread waits for any of them.

Above it: `Caller`; below it: the routes and the workers. A worker that a loop has used stays with it: the loop watches its end of
the pipe from then on, and a call takes no more of the loop's time than to write a line, and to read one.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from functools import partial
from os import read as _read
from typing import TYPE_CHECKING

from plughost._awaiting import ainvoke, astream, see_through
from plughost._line import Free, Line
from plughost._route import LOOK_EVERY_NS, NOT_PLAIN, Stop, composer, enclosed, head_of, plain_result, stop_at
from plughost.call import ToolCall, choose_tool, is_stream
from plughost.worker import DEADLINE, IS_POSSIBLE, Custody

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
    from typing import TypeVar

    from plughost._shared_async import AsyncRoute
    from plughost._workers import Workers
    from plughost.call import Outcome, Output
    from plughost.registry import Installed
    from plughost.worker import Seats, Worker

    T = TypeVar("T")

__all__ = ["AsyncCalls"]

#: So long at most the loop waits for calls whose answers are there at once.
_LOOP_WAITS_NS = 1_000_000


class AsyncCalls:
    """The calls of one host that are awaited.

    `make_output` gives what takes in whatever a call reports; `invoke` makes a call in the thread that calls it.
    """

    def __init__(
        self,
        workers: Workers,
        *,
        make_output: Callable[[str, Mapping[str, object]], Output],
        invoke: Callable[[str, str | None, Sequence[object], Mapping[str, object]], Outcome],
    ) -> None:
        self.workers = workers
        self.make_output = make_output
        self.invoke = invoke
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}
        self._made = 0

    def of_this_loop(self) -> _Loop:
        running = asyncio.get_running_loop()
        loop = self._loops.get(running)
        if loop is None:
            self._forget_closed_loops()
            self._made += 1
            loop = self._loops[running] = _Loop(running, self, lane=f"loop {self._made}")
        return loop

    def _forget_closed_loops(self) -> None:
        """End the workers of loops that are closed: nobody can use them any more."""
        for loop in [loop for loop in self._loops if loop.is_closed()]:
            self.workers.pool.disband_lane(self._loops.pop(loop).lane)


class _Loop:
    """The calls of one event loop, and the workers that it shares with nobody."""

    def __init__(self, loop: asyncio.AbstractEventLoop, calls: AsyncCalls, *, lane: str) -> None:
        self._loop = loop
        self._calls = calls
        self._workers = calls.workers
        self.lane = lane
        self._ran_ns = 0  # when the loop has gone on for the last time, as far as is known
        self._quick: dict[tuple[str, str | None], AsyncRoute] = {}
        self._lines: dict[Worker, Line] = {}

    def call(
        self, plugin: str, tool: str | None, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Coroutine[None, None, object]:
        call = self._quick.get((plugin, tool)) or self._open(plugin, tool)
        return call(args, kwargs)

    def _open(self, plugin: str, tool: str | None) -> AsyncRoute:
        """The quick way to a tool, if it is one to which there is one."""

        async def slowly(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
            return await self._call_slowly(plugin, tool, args, kwargs)

        workers = self._workers
        installed = workers.find(plugin)
        if not IS_POSSIBLE or not workers.are_quick(installed) or workers.journal.keeps_arguments:
            return slowly
        chosen = choose_tool(installed.name, installed.manifest, tool)
        if is_stream(chosen):
            return slowly

        async def reopen(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
            self._quick.pop((plugin, tool), None)
            return await self.call(plugin, tool, args, kwargs)

        stop = stop_at(installed, chosen, found_by=plugin)
        open_call = self._open_shared if workers.are_shared(installed) else self._open_quick
        call = self._quick[plugin, tool] = open_call(stop, chosen, reopen=reopen, slowly=slowly)
        return call

    def _open_shared(self, stop: Stop, tool: Mapping[str, object], *, reopen: AsyncRoute, slowly: AsyncRoute) -> AsyncRoute:
        from plughost._shared_async import open_shared_route

        self._places(stop.installed)
        return open_shared_route(
            self._workers,
            stop,
            loop=self._loop,
            lane=self.lane,
            enter=lambda: self._when_free(stop.installed, self._places(stop.installed).enter_nowait),
            reopen=reopen,
            slowly=slowly,
            conclude=lambda exchange, seat: see_through(exchange, seat, stop.installed.name, tool),
        )

    def _places(self, installed: Installed) -> Seats:
        """Places in workers that only this loop uses, and reads from."""
        seats = self._workers.seats(installed, lane=self.lane)
        if seats.on_new is None:
            from plughost._shared_async import Reading

            seats.on_new = lambda shared: Reading(self._loop, shared)
        return seats

    def _open_quick(  # noqa: C901, PLR0915 - as in `_route`, whose twin it is
        self, stop: Stop, tool: Mapping[str, object], *, reopen: AsyncRoute, slowly: AsyncRoute
    ) -> AsyncRoute:
        workers, installed, compose, lines, pool = self._workers, stop.installed, composer(stop), self._lines, self._workers.pool
        crew = pool.crew((installed.name, installed.revision, self.lane))
        take, put, is_limited = crew.idle.pop, crew.idle.append, pool.is_limited
        create_future, deadline, now_ns = self._loop.create_future, DEADLINE.get, time.perf_counter_ns
        head, note = head_of(stop), workers.journal.writer(installed, stop.noted_as).note
        looked_ns = 0

        async def call(  # noqa: C901, PLR0912, PLR0915 - likewise
            args: Sequence[object], kwargs: Mapping[str, object]
        ) -> object:
            nonlocal looked_ns
            began_ns = now_ns()
            if began_ns - looked_ns > LOOK_EVERY_NS or crew.is_over:
                if workers.find(stop.found_by) is not installed or crew.is_over:
                    return await reopen(args, kwargs)
                looked_ns = began_ns
            request = compose(args, kwargs)
            if request is None or deadline() is not None or workers.on_event is not None:
                return await slowly(args, kwargs)
            try:
                worker = take()
            except IndexError:
                worker = await self.take(installed, is_quick=True)
            else:
                worker.calls += 1
                if not worker.alive:
                    self.give_back(installed, worker)
                    return await slowly(args, kwargs)
            line, channel = lines.get(worker) or self._watch(worker), worker.channel
            request = request or enclosed(worker, head, args, kwargs)
            number = worker.next_id
            worker.next_id = number + 1
            try:
                data = f'{{"jsonrpc":"2.0","id":{number}{request}'.encode() if request else b""
            except UnicodeEncodeError:  # lone surrogates
                data = b""
            if not data:
                self.give_back(installed, worker)
                return await slowly(args, kwargs)
            try:
                if not channel.tell(data):
                    chunk = b""
                elif line.has_come(0):  # on a processor that both share, it often has by now
                    chunk = _read(line.fd, channel.read_bytes)
                else:
                    line.answer = create_future()
                    chunk = await line.answer
                    self._ran_ns = now_ns()
            except BaseException as error:
                line.answer = None
                worker.cancel_nowait()  # it is about to be given back, and ends within the grace
                workers.journal.note(installed, stop.noted_as, worker, began_ns, b"", error)
                self.give_back(installed, worker)
                raise
            result = plain_result(chunk, number, worker)
            if result is NOT_PLAIN:
                again = partial(slowly, args, kwargs)
                return await self._follow(line, number, data, chunk, began_ns, stop, tool, again)
            ended_ns = now_ns()
            printed = channel.take_printed() if channel.printed_bytes else 0
            if is_limited or not worker.reusable:
                self.give_back(installed, worker)
            else:
                worker.used_ns = ended_ns
                put(worker)
                if pool.waiting or crew.is_over:
                    pool.look_at(worker)
            note(began_ns, ended_ns, len(data), len(chunk), printed)
            if ended_ns - self._ran_ns > _LOOP_WAITS_NS:
                self._ran_ns = ended_ns
                await asyncio.sleep(0)
            return result

        return call

    async def _follow(
        self,
        line: Line,
        number: int,
        data: bytes,
        chunk: bytes,
        began_ns: int,
        stop: Stop,
        tool: Mapping[str, object],
        slowly: Callable[[], Coroutine[None, None, object]],
    ) -> object:
        """What a quick call goes on with where the first words that came aren't the plain answer."""
        workers, worker, installed = self._workers, line.worker, stop.installed
        if worker.channel.is_unheard(chunk):
            worker.kill()  # it had ended before it was asked
            self.give_back(installed, worker)
            return await slowly()
        worker.channel.sent_bytes = len(data)
        try:
            line.pause()
            with workers.blaming(installed), workers.recorded(installed, worker, stop.noted_as, began_ns):
                return await see_through(worker.follow(number, chunk, what=stop.label), worker, installed.name, tool)
        finally:
            self.give_back(installed, worker)

    async def _call_slowly(self, plugin: str, tool: str | None, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        workers = self._workers
        installed = workers.find(plugin)
        if installed.manifest.get("editable"):  # what it offers has to be asked for first
            return await self._call_aside(plugin, tool, args, kwargs)
        chosen = choose_tool(installed.name, installed.manifest, tool)
        worker = await self.take(installed)
        try:
            with workers.blaming(installed), workers.recording(installed, worker, str(chosen["name"]), args, kwargs):
                output = self._calls.make_output(installed.name, chosen)
                return await ainvoke(worker, ToolCall(installed.name, chosen, args, kwargs, output=output))
        finally:
            self.give_back(installed, worker)

    async def _call_aside(self, plugin: str, tool: str | None, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        custody = Custody()
        try:
            return (await asyncio.to_thread(custody.run, self._calls.invoke, plugin, tool, args, kwargs)).result
        except asyncio.CancelledError:
            custody.end()
            raise

    async def stream(
        self, plugin: str, tool: str | None, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> AsyncGenerator[object, None]:
        workers = self._workers
        installed = workers.find(plugin)
        worker = await self.take(installed)
        try:
            chosen = choose_tool(installed.name, installed.manifest, tool)
            with workers.blaming(installed), workers.recording(installed, worker, str(chosen["name"]), args, kwargs):
                output = self._calls.make_output(installed.name, chosen)
                asked = ToolCall(installed.name, chosen, args, kwargs, output=output)
                async with aclosing(astream(worker, asked)) as items:
                    async for item in items:
                        yield item
        finally:
            self.give_back(installed, worker)

    # Workers.

    async def take(self, installed: Installed, *, is_quick: bool = False) -> Worker:
        """A worker of this loop's own; where there may be no more, when one is free. For a quick call its line is read on.

        Raises: as `Workers.take` does.
        """
        if self._workers.are_shared(installed):
            self._places(installed)
        worker = await self._when_free(installed, lambda: self._workers.take_nowait(installed, lane=self.lane))
        line = self._lines.get(worker)
        if line is not None and not is_quick:
            line.pause()
        return worker

    async def _when_free(self, installed: Installed, take: Callable[[], T | None]) -> T:
        """What `take` gives, as soon as it gives something."""
        pool = self._workers.pool
        while (taken := take()) is None:
            free = Free(self._loop)
            pool.queue(pool.crew((installed.name, installed.revision, self.lane)), free)
            try:
                taken = take()
                if taken is None:
                    await free.wait()
                    continue
            except BaseException:
                pool.leave_queue(free)
                raise
            pool.leave_queue(free)
            break
        return taken

    def give_back(self, installed: Installed, worker: Worker) -> None:
        """Keep it for the next call, or have it end aside."""
        if (line := self._lines.get(worker)) is not None and worker.alive and worker.reusable:
            line.go_on()
        self._workers.give_back(installed, worker, aside=True)

    def _watch(self, worker: Worker) -> Line:
        self._workers.pool.watch(worker)
        line = self._lines[worker] = Line(self._loop, worker, self._lines)
        worker.on_close = line.close
        return line
