"""Places in workers that serve several calls at once: whom there is room for, who waits, and when a worker is nobody's any more.

Above it: the host's workers; below it: the pool, for which a worker is in use from the first of its calls to the last, and the
shared worker itself.
"""

from __future__ import annotations

import _thread
import time

from plughost.errors import CallTimeout, PlughostError, PluginCrashed
from plughost.runner.wire import WireError
from plughost.worker._channel import ChannelClosed
from plughost.worker._custody import CUSTODY
from plughost.worker._deadline import DEADLINE
from plughost.worker._exchange import CANCEL_GRACE_S, Exchange
from plughost.worker._lane import Lane
from plughost.worker._shared import Shared
from plughost.worker._worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.worker._pool import Key, Pool

__all__ = ["Seat", "Seats"]


class Seats:
    """Those of one revision of a plugin; of an event loop, which reads by itself, those that it has for itself.

    Safe for several threads.
    """

    def __init__(self, pool: Pool, key: Key, launch: Callable[[], Worker], *, places: int, in_loop: bool = False) -> None:
        """`places` is how many calls one worker serves at once."""
        self._pool = pool
        self.crew = pool.crew(key)
        self._launch = launch
        self._places = places
        self._in_loop = in_loop
        self._lock = _thread.RLock()  # as in the pool
        #: Whoever may have to start a worker has this meanwhile, so that others find it instead of starting more.
        self._growing = _thread.allocate_lock()
        self._active: list[Shared] = []
        self._known: dict[Worker, Shared] = {}
        #: Told of each worker that is used for the first time.
        self.on_new: Callable[[Shared], object] | None = None

    def enter(self) -> Shared:
        """A worker with a place for one more call; where there may be no more workers, when there is one.

        Raises: CallTimeout: the deadline of this context has come. Whatever `launch` raises.
        """
        shared = self._find_place()
        if shared is not None:
            return shared
        if not self._growing.acquire(timeout=_left_s()):
            raise self._too_late()
        try:
            while True:
                shared = self._find_place() or self._add_worker()
                if shared is not None:
                    return shared
                free = _thread.allocate_lock()
                free.acquire()
                self._pool.queue(self.crew, free)
                shared = self._find_place() or self._add_worker()
                if shared is None and free.acquire(timeout=_left_s()):
                    continue
                self._pool.leave_queue(free)
                if shared is None:
                    raise self._too_late()
                return shared
        finally:
            self._growing.release()

    def enter_nowait(self) -> Shared | None:
        """As `enter`, but None where it would have to wait; `Pool.queue` tells when to try again."""
        return self._find_place() or self._add_worker()

    def enter_again(self, shared: Shared) -> None:
        """One more call of one that has a place there and waits for it, whether there is room or not."""
        with self._lock:
            shared.taken += 1

    def _find_place(self) -> Shared | None:
        limit = self._pool.limits.calls
        with self._lock:
            for shared in self._active:
                if limit is not None and shared.worker.calls >= limit:
                    shared.is_open = False
                if shared.is_open and shared.taken < self._places:
                    shared.taken += 1
                    shared.worker.calls += 1
                    return shared
            # As the pool does, in fewer steps.
            try:
                worker = self.crew.idle.pop()
            except IndexError:
                return None
            if not worker.alive or worker.watcher is None or worker not in self._known:
                self.crew.idle.append(worker)
                return None
            return self._activate(worker)

    def _add_worker(self) -> Shared | None:
        worker = self._pool.take_nowait(self.crew.key, self._launch)
        if worker is None:
            return None
        self._pool.watch(worker)
        with self._lock:
            return self._activate(worker)

    def _activate(self, worker: Worker) -> Shared:
        shared = self._known.get(worker)
        if shared is None:
            shared = self._known[worker] = Shared(worker)
            forget = self._known.pop
            before = worker.on_close

            def close() -> None:
                forget(worker, None)
                if before is not None:
                    before()

            worker.on_close = close
            if self.on_new is not None:
                self.on_new(shared)
        shared.taken = 1
        worker.calls += 1
        self._active.append(shared)
        return shared

    def leave(self, shared: Shared) -> None:
        """A call has its answer, or wants none."""
        with self._lock:
            shared.taken -= 1
            if shared.taken:
                worker = None
            else:
                worker = shared.worker
                self._active.remove(shared)
        if worker is None:
            if self._pool.waiting:
                self._pool.wake_one(self.crew)
        elif shared.failure is not None or shared.hung or not shared.is_open or self._pool.is_limited:
            if shared.failure is not None or shared.hung:
                shared.end()
            self._pool.give_back(self.crew.key, worker, aside=self._in_loop)
        else:
            worker.used_ns = time.perf_counter_ns()
            self.crew.idle.append(worker)
            if self._pool.waiting or self.crew.is_over or self._pool.limits.idle_s is not None:
                self._pool.look_at(worker)

    def leave_to_itself(self, lane: Lane) -> None:
        """Nobody waits any more for the answer to a call that was told to end. It has the grace for that."""
        shared = lane.shared
        lane.abandon(lambda: self.leave(shared))
        self._pool.watcher.call_later(CANCEL_GRACE_S, lane.give_up)

    def seat(self, key: Key, dress: Callable[[Seat], None], *, may_be_held: bool = True) -> Seat:
        """A place, in the process that this thread is in the middle of a call to, if there is one.

        Raises: as `enter` does.
        """
        held = self._pool.find_held(key) if may_be_held else None
        if isinstance(held, Seat):
            self.enter_again(held.shared)
            return self._dressed(Seat(self, held.shared, within=held.channel), dress)
        return self._dressed(Seat(self, self.enter()), dress)

    def seat_nowait(self, dress: Callable[[Seat], None]) -> Seat | None:
        shared = self.enter_nowait()
        return None if shared is None else self._dressed(Seat(self, shared), dress)

    def _dressed(self, seat: Seat, dress: Callable[[Seat], None]) -> Seat:
        dress(seat)
        custody = CUSTODY.get()
        if custody is not None:
            custody.add(seat)
        return seat

    def _too_late(self) -> CallTimeout:
        name = self.crew.key[0]
        return CallTimeout(
            f"All {self.crew.count} workers of `{name}` had as many calls as they take until the deadline",
            causes=["Nothing was asked of the plugin"],
            hint="Allow more workers or more calls in each, `Host(workers=(0, 8), concurrency=64)`, or give the calls more time",
        )


def _left_s() -> float:
    deadline = DEADLINE.get()
    return -1.0 if deadline is None else max(0.0, deadline.at - time.monotonic())


class Seat(Worker):
    """A worker, as one of its calls has it: alive for as long as that can be answered.

    What the call ends, it ends for itself: others of the same worker go on.
    """

    __slots__ = ("_has_left", "_is_called_off", "_retried", "_seats", "_within", "shared")

    aftermath = "It was told to end, and other calls of its process go on"

    def __init__(self, seats: Seats, shared: Shared, *, within: object = None, lane: Lane | None = None) -> None:
        """`within` is the lane of a call that calls back; `lane` that of this call, if it has been asked already."""
        worker = shared.worker
        self._seats = seats
        self.shared = shared
        self._within = within.number if isinstance(within, Lane) else None
        self._is_called_off = self._retried = self._has_left = False
        self.channel = lane or shared.open_lane()
        self.alive = self.reusable = True
        self.crew = worker.crew
        self.calls, self.started_ns, self.measured_ns = worker.calls, worker.started_ns, worker.measured_ns
        self.peak_bytes, self.used_ns = worker.peak_bytes, 0
        self.next_id = self.channel.number
        self.guard, self.on_begin = worker.guard, worker.on_begin
        self.exchanges = {}
        self.on_output = self.on_callback = self.on_notification = None
        if lane is not None:
            self._occupy(lane)

    @property
    def is_up(self) -> bool:
        return True  # what its lane hears doesn't say when that was

    @property
    def pid(self) -> int:
        return self.shared.worker.pid

    def measure(self) -> None:
        worker = self.shared.worker
        worker.measure()
        self.measured_ns, self.peak_bytes = worker.measured_ns, worker.peak_bytes

    @property
    def lane(self) -> Lane:
        assert isinstance(self.channel, Lane)
        return self.channel

    def _send_request(self, method: str, params: dict[str, object]) -> int:
        lane = self.lane
        if lane.is_over:  # the second half of a hook wrapper, say
            lane.close()
            lane = self.channel = self.shared.open_lane()
        self._occupy(lane)
        if self._within is not None:
            params = {**params, "within": self._within}
        self.shared.ask(lane, {"jsonrpc": "2.0", "id": lane.number, "method": method, "params": params})
        return lane.number

    def follow(self, number: int, chunk: bytes, *, what: str) -> Exchange:
        if chunk:
            self.lane.take_in(chunk)
        return Exchange(self, number, what=what)

    def _occupy(self, lane: Lane) -> None:
        """Take what comes by the lane."""
        self.channel, self.next_id = lane, lane.number
        lane.on_printed = self._said
        lane.move = self._move

    def _said(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self.shared.worker.note_printed(data)
        if self.on_output is not None:
            self.on_output(data)

    def _move(self) -> bool:
        """The process has ended before it could begin with the call: send that to another one, once."""
        lane, shared = self.lane, self.shared
        message = lane.message
        if self._retried or message is None or self._is_called_off:
            return False
        self._retried = True
        self._leave()  # first, since it may be in the way of another worker
        try:
            other = self._seats.enter() if shared.flush_soon is None else self._seats.enter_nowait()
        except PlughostError:
            return False
        if other is None:
            return False
        self._has_left = False
        self.shared = other
        lane.move_to(other)
        other.ask(lane, message)
        return True

    def attend(self) -> None: ...
    def leave(self) -> None: ...

    def take(self, _message: dict[str, object]) -> bool:
        return True

    def crashed(self, what: str) -> PlughostError:
        self.alive = False
        if self._is_called_off and self.shared.failure is None:
            return PluginCrashed(
                f"{what} was told to end before it had answered",
                hint="Other calls of its process go on",
            )
        return self.shared.crashed(what)

    def notified(self, message: dict[str, object], what: str = "", number: int = 0) -> None:
        worker = self.shared.worker
        worker.note_warning(message)
        method, params = message.get("method"), message.get("params")
        if self.on_notification is not None and isinstance(params, dict) and isinstance(method, str):
            self.on_notification(method, params, what, number)

    def has_ended(self) -> bool:
        return self.shared.failure is not None

    # The end of the call.

    def cancel_nowait(self) -> None:
        """Tell the call to end: a coroutine is cancelled, a generator closed. Nobody can stop a plain function in a thread."""
        if self.alive and not self._is_called_off:
            self._is_called_off = True
            if not self.lane.is_over and self.shared.failure is None:
                self.lane.send({"jsonrpc": "2.0", "method": "cancel", "params": {"id": self.lane.number}})

    def cancel(self) -> None:
        """As `cancel_nowait`, and wait for the end of it, within the grace."""
        if not self.alive:
            return
        self.cancel_nowait()
        self.alive = False
        if self.shared.flush_soon is not None:  # an event loop reads, and this may be its thread
            return
        deadline = time.monotonic() + CANCEL_GRACE_S
        lane = self.lane
        lane.move = None
        try:
            while not lane.is_over:
                lane.receive(deadline)
        except (ChannelClosed, TimeoutError, WireError):
            pass

    def kill(self) -> None:
        self.cancel()

    def stop(self) -> None:
        self.cancel()

    def interrupt(self) -> None:
        """From any thread: whoever waits for the call gets PluginCrashed."""
        self.cancel_nowait()
        self.lane.cut()

    def forget(self) -> None:
        self.alive = False

    def _leave(self) -> None:
        if not self._has_left:
            self._has_left = True
            self._seats.leave(self.shared)

    def leave_place(self) -> bool:
        self.give_back()
        return True

    def give_back(self) -> None:
        """The call has its answer, or nobody wants it any more."""
        custody = CUSTODY.get()
        if custody is not None:
            custody.remove(self)
        lane = self.lane
        lane.close()
        self.on_output = self.on_callback = self.on_notification = None
        if lane.is_over or lane.number not in self.shared.lanes or self.shared.failure is not None:
            self._leave()
            return
        self.cancel_nowait()
        self._seats.leave_to_itself(lane)
