"""The quick way of calls that share a worker, of threads and of an event loop; as `_route`, and under the same conditions.

Above it: `_route` and `_async`; below it: places in workers, and the lanes of calls.
"""

from __future__ import annotations

import time

from plughost._route import LOOK_EVERY_NS, NOT_PLAIN, composer, plain_result
from plughost.worker import CUSTODY, DEADLINE, Seat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from plughost._route import Route, Stop
    from plughost._workers import Workers
    from plughost.worker import Exchange, Lane, Seats

__all__ = ["SharedCall", "open_route"]


class SharedCall:
    """What the calls of one tool have in common, and what becomes of one that is not plain."""

    __slots__ = ("_looked_ns", "_stop", "_workers", "compose", "note", "seats")

    def __init__(self, workers: Workers, stop: Stop, *, lane: str = "") -> None:
        self._workers = workers
        self._stop = stop
        self._looked_ns = 0
        self.compose = composer(stop)
        self.seats: Seats = workers.seats(stop.installed, lane=lane)
        self.note = workers.journal.writer(stop.installed, stop.noted_as).note

    def is_open(self, began_ns: int) -> bool:
        """Whether the plugin is still the one that was found."""
        if began_ns - self._looked_ns > LOOK_EVERY_NS or self.seats.crew.is_over:
            if self._workers.find(self._stop.found_by) is not self._stop.installed or self.seats.crew.is_over:
                return False
            self._looked_ns = began_ns
        return True

    def is_special(self) -> bool:
        """Whether something about the thread or the host has to be minded that the quick way doesn't know of."""
        workers = self._workers
        return (
            DEADLINE.get() is not None
            or CUSTODY.get() is not None
            or workers.on_event is not None
            or bool(workers.pool.held.stack)
        )

    def ask(self, lane: Lane, request: str) -> int:
        """Send it; its size.

        Raises: UnicodeEncodeError: there are lone surrogates in it; nothing was sent.
        """
        data = f'{{"jsonrpc":"2.0","id":{lane.number}{request}'.encode()
        lane.shared.ask(lane, data)
        return len(data)

    def result(self, lane: Lane, line: bytes | None, began_ns: int, size: int) -> object:
        """What the response says, if it is plain, else `NOT_PLAIN`; then the call goes on by `follow`."""
        if line is None:
            return NOT_PLAIN
        result = plain_result(line + b"\n", lane.number, lane.shared.worker)
        if result is not NOT_PLAIN:
            self.seats.leave(lane.shared)
            self.note(began_ns, time.perf_counter_ns(), size, len(line), lane.printed_bytes)
        return result

    def seat(self, lane: Lane) -> Seat:
        """The call as one of which more has to be minded."""
        seat = Seat(self.seats, lane.shared, lane=lane)
        self._workers.attend_to(self._stop.installed, seat)
        return seat

    def follow(self, lane: Lane, line: bytes | None, began_ns: int, conclude: Callable[[Exchange], object]) -> object:
        """What a call goes on with whose first words aren't the plain answer."""
        workers, stop = self._workers, self._stop
        seat = self.seat(lane)
        try:
            with workers.blaming(stop.installed), workers.recorded(stop.installed, seat, stop.noted_as, began_ns):
                return conclude(seat.follow(lane.number, line or b"", what=stop.label))
        finally:
            seat.give_back()

    async def afollow(
        self, lane: Lane, line: bytes | None, began_ns: int, conclude: Callable[[Exchange, Seat], Awaitable[object]]
    ) -> object:
        """As `follow`, while the event loop goes on."""
        workers, stop = self._workers, self._stop
        seat = self.seat(lane)
        try:
            with workers.blaming(stop.installed), workers.recorded(stop.installed, seat, stop.noted_as, began_ns):
                return await conclude(seat.follow(lane.number, line or b"", what=stop.label), seat)
        finally:
            seat.give_back()

    def call_off(self, lane: Lane, began_ns: int, error: BaseException) -> None:
        """The caller was interrupted while it waited."""
        seat = self.seat(lane)
        seat.cancel()
        self._workers.journal.note(self._stop.installed, self._stop.noted_as, seat, began_ns, b"", error)
        seat.give_back()


def open_route(workers: Workers, stop: Stop, *, reopen: Route, slowly: Route, conclude: Callable[[Exchange], object]) -> Route:
    """As `_route.open_route`, to workers that serve several calls at once."""
    common = SharedCall(workers, stop)
    compose, enter, leave, now_ns = common.compose, common.seats.enter, common.seats.leave, time.perf_counter_ns

    def call(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        began_ns = now_ns()
        if not common.is_open(began_ns):
            return reopen(args, kwargs)
        request = compose(args, kwargs)
        if not request or common.is_special():
            return slowly(args, kwargs)
        shared = enter()
        lane = shared.open_lane()
        try:
            size = common.ask(lane, request)
            line = lane.line(None)
        except UnicodeEncodeError:
            leave(shared)
            return slowly(args, kwargs)
        except BaseException as error:
            common.call_off(lane, began_ns, error)
            raise
        result = common.result(lane, line, began_ns, size)
        return common.follow(lane, line, began_ns, conclude) if result is NOT_PLAIN else result

    return call
