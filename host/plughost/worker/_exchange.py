"""One request to a worker, from its sending to its response.

Above it: calls and hooks; below it: the channel. Whatever goes wrong on the way is one of our errors, and the end of the worker.
"""

from __future__ import annotations

import sys
import time

from plughost.errors import CallTimeout, PlughostError, PluginCrashed, PluginError, UsageError
from plughost.runner.wire import TooDeep, TooLarge, Unmade, WireError
from plughost.worker._channel import Channel, ChannelClosed, Raised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from plughost.worker._deadline import Deadline
    from plughost.worker._feeds import Feed
    from plughost.worker._worker import Worker

    _T = TypeVar("_T")

__all__ = ["CANCEL_GRACE_S", "MOST_SHOWN", "STOP_GRACE_S", "Exchange"]

#: How long a worker may take over its end (exit handlers, threads to join) before it is killed, and how long after it closed
#: the protocol without ending.
STOP_GRACE_S = 2.0
#: How long what is cancelled may take over its end (`finally` blocks) before its process is killed, and all that it started.
CANCEL_GRACE_S = 1.0
#: How long a process may take to start where the call has a time limit, which begins after that.
STARTS_WITHIN_S = 30.0
#: How long a generator may take to come to its next `yield`, and so to hear that nobody wants more of it.
HEARD_WITHIN_S = 0.2
#: Characters of a message that is none, in an error.
MOST_SHOWN = 200


class Exchange:
    """A request on its way: items as they come, then the response."""

    __slots__ = (
        "_around",
        "_items_bytes",
        "_limit",
        "_number",
        "_owed",
        "_ready",
        "_timeout_s",
        "_what",
        "_worker",
        "deadline",
        "ended_ns",
        "feeds",
        "wanted",
    )

    def __init__(self, worker: Worker, number: int, *, what: str) -> None:
        self._worker = worker
        self._number = number
        self._what = what
        self._limit = ""  # what is said of it once the deadline is over
        self._timeout_s: float | None = None
        self._around: Deadline | None = None
        #: When its time is over: a `time.monotonic()`.
        self.deadline: float | None = None
        #: When `advance` had the response: a `time.perf_counter_ns()`.
        self.ended_ns = 0
        self._items_bytes = 0
        self._owed = 0  # for how many batches the child has asked for credit
        #: The iterators among the arguments, by their places.
        self.feeds: dict[str, Feed] = {}
        #: What the plugin asks of async ones, for `aserve`.
        self.wanted: list[tuple[Feed, int]] = []
        self._ready: list[tuple[bool, object] | BaseException] = []  # what `advance` has taken already, or another exchange
        worker.exchanges[number] = self

    def begin_time(self, timeout_s: float | None, around: Deadline | None) -> None:
        """It has so much from now on, or what is left until the deadline `around` it.

        A process has a time of its own for its start; when it is up, this begins anew.
        """
        self._timeout_s, self._around = timeout_s, around
        self._set_time(0.0 if self._worker.is_up else STARTS_WITHIN_S)

    def _set_time(self, start_s: float) -> None:
        timeout_s, around = self._timeout_s, self._around
        if timeout_s is not None:
            self.deadline = time.monotonic() + start_s + timeout_s
            self._limit = f"had no process that was up within {start_s:g} s" if start_s else f"took longer than {timeout_s:g} s"
        if around is not None and (self.deadline is None or around.at < self.deadline):
            self.deadline, self._limit = around.at, f"was not done by its deadline, which was {around.timeout_s:g} s"

    def give_until(self, deadline: float, timeout_s: float) -> None:
        """It began without a time: have it end by the `deadline`, a `time.monotonic()`, after so many seconds in all."""
        self.deadline, self._limit = deadline, f"took longer than {timeout_s:g} s"

    def step(self) -> tuple[bool, object]:
        """(False, a list of items) while a stream runs, then (True, the response).

        To ask for more items is to say that those before were taken: only so far is the child ahead.

        Raises: CallTimeout, PluginCrashed: and the worker is gone, as after any interrupt.
        """
        self._give_credit()
        try:
            taken = self._taken_before() or self._guarded(self._wait)
        except BaseException:
            self._close_feeds()
            raise
        if taken[0]:
            self._close_feeds()
        return taken

    def _taken_before(self) -> tuple[bool, object] | None:
        if not self._ready:
            return None
        first = self._ready[0]
        if isinstance(first, BaseException):
            raise first
        del self._ready[0]
        return first

    def step_nowait(self) -> tuple[bool, object] | None:
        """As `step`, but None where it would have to wait for `descriptors`. Whether there is time for that, the caller knows."""
        if self._ready:
            return self.step()
        self._give_credit()
        taken = self._guarded(self._take_what_is_there)
        if isinstance(taken, BaseException):
            raise taken
        if taken is not None and taken[0]:
            self._close_feeds()
        return taken

    def feed_from(self, feeds: dict[str, Feed]) -> None:
        """The iterators among the arguments, by their places."""
        self.feeds = feeds
        for feed in feeds.values():
            feed.connect(self._worker.channel, self._number)

    async def aclose(self) -> None:
        """The call is over: end the async iterators among its arguments."""
        for feed in self.feeds.values():
            await feed.aclose()

    async def aserve(self) -> None:
        """Give the plugin what it asks of async iterators."""
        while self.wanted:
            feed, most = self.wanted.pop(0)
            await feed.aserve(most)

    def original(self, problem: dict[str, object]) -> BaseException | None:
        """The exception that an iterator of the caller's has raised, where an error of the plugin's is nothing but that."""
        data = problem.get("data")
        feed = self.feeds.get(str(data.get("given"))) if isinstance(data, dict) and "given" in data else None
        return None if feed is None else feed.error

    def _close_feeds(self) -> None:
        for feed in self.feeds.values():
            feed.close()

    def advance(self) -> bool:
        """Take what has come without waiting; whether the response is there, or the error that stands for it.

        What it takes, and what it meets, is for `step` to give.
        """
        while not (self._ready and _is_last(self._ready[-1])):
            try:
                taken = self._guarded(self._poll)
                self.mind_total()
            except Exception as error:  # noqa: BLE001 - raised by `step`
                taken = error
            if taken is None:
                return False
            self._ready.append(taken)
            self._give_credit()
        self.ended_ns = self.ended_ns or time.perf_counter_ns()
        return True

    def mind_total(self) -> None:
        """Whoever keeps all items of a stream asks this with each batch: together they may be no more than a result.

        Raises: LimitExceeded: they are, and the worker is gone.
        """
        guard = self._worker.guard
        if guard is None or guard.policy.result_bytes is None:
            return
        if self._items_bytes > guard.policy.result_bytes:
            guard.end_for("result_bytes", self._items_bytes)
            raise self._worker.crashed(self._what)

    def explained(self, error: PlughostError) -> PlughostError:
        """As the worker has it."""
        return self._worker.explained(error)

    def descriptors(self) -> list[tuple[int, int]]:
        """What to wait for before `advance` can get on: descriptors with their events, as for `select.poll`."""
        return self._worker.channel.descriptors()

    def abandon(self) -> None:
        """Nobody wants the response: unless it is there, the worker ends."""
        if not (self._ready and _is_last(self._ready[-1])):
            self._worker.kill()

    def _guarded(self, take: Callable[[Channel], _T]) -> _T:
        """Whatever `take` meets is one of our errors, and the worker is gone."""
        worker = self._worker
        if not worker.alive:  # a call into the same worker, from a function that it had called back, has ended it
            raise worker.crashed(self._what)
        try:
            return take(worker.channel)
        except TimeoutError:
            worker.cancel()
            raise self.too_late() from None
        except ChannelClosed:
            raise worker.crashed(self._what) from None
        except (TooDeep, Unmade) as error:
            worker.kill()
            raise PluginError(
                f"{self._what} returned a value that can't be sent: {error}", reference="result-unsupported"
            ) from None
        except WireError as error:
            worker.kill()
            if isinstance(error, TooLarge) and worker.guard is not None:
                worker.guard.end_for("result_bytes", error.size)
                raise worker.crashed(self._what) from None
            raise PluginCrashed(
                f"{self._what} broke the protocol, and its process was ended",
                reference="protocol-violated",
                causes=[str(error)],
                hint="The plugin writes to a descriptor that isn't its own",
            ) from None
        except Raised as raised:
            worker.cancel()
            raise raised.error from None
        except BaseException:  # an interrupt
            worker.cancel()
            raise

    def too_late(self) -> CallTimeout:
        """The error for a call whose time is over."""
        return CallTimeout(
            f"{self._what} {self._limit or 'did not end when it was cancelled'}",
            causes=[self._worker.aftermath],
            hint="Give it more time with `--timeout`, or `timeout_s=` from Python",
        )

    def ask_to_close(self) -> bool:
        """Ask the child to close the generator, and give it a moment to hear that. False: there is nobody to ask any more."""
        if sys.is_finalizing():  # no module can be counted on any more: with its lifeline, the kernel ends the child
            self._worker.forget()
        if not self._worker.alive:
            return False
        self._worker.channel.send(_notification("cancel", {"id": self._number}))
        self._timeout_s = self._around = None
        self._limit, self.deadline = "", time.monotonic() + HEARD_WITHIN_S
        return True

    def note_closing(self, items: object) -> None:
        """Of what came after `ask_to_close`: no items mean that the child has heard, and has the grace for its end."""
        if not items:
            self.deadline = time.monotonic() + CANCEL_GRACE_S

    def cancel(self) -> None:
        """Have the generator closed in the child, within the grace. One that doesn't come back to its `yield` is interrupted."""
        if not self.ask_to_close():
            return
        try:
            while True:
                done, items = self.step()
                if done:
                    return
                self.note_closing(items)
        except PlughostError:
            pass

    def _wait(self, channel: Channel) -> tuple[bool, object]:
        while True:
            taken = self._handle(channel.receive(self.deadline), channel)
            if taken is not None:
                return taken
            if self.wanted:
                raise UsageError(
                    f"{self._what} draws from an async iterator, and was not awaited",
                    reference="arguments-invalid",
                    hint="Call it by `acall` or `astream`, or give it an iterator",
                )

    def _take_what_is_there(self, channel: Channel) -> tuple[bool, object] | None:
        """As `_wait`, but None once nothing more is there: what the channel has read already wakes nobody up."""
        while (message := channel.advance()) is not None:
            taken = self._handle(message, channel)
            if taken is not None:
                return taken
        return None

    def _poll(self, channel: Channel) -> tuple[bool, object] | BaseException | None:
        taken = self._take_what_is_there(channel)
        if taken is not None:
            return taken
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise TimeoutError
        return None

    def _handle(self, message: dict[str, object], channel: Channel) -> tuple[bool, object] | None:
        """Items, the response, or None: it was neither, or another exchange's, and is dealt with."""
        meant = self._worker.exchanges.get(_number_of(message), self)
        taken = meant._dealt_with(message, channel)  # noqa: SLF001 - one of our own
        if meant is not self and taken is not None:
            meant._ready.append(taken)  # noqa: SLF001
            return None
        return taken

    def _dealt_with(self, message: dict[str, object], channel: Channel) -> tuple[bool, object] | None:
        method = message.get("method")
        if method is None:
            return self._response(message, channel)
        if method == "items":
            return False, self._items(message)
        if method == "pull":
            self._feed(message)
        elif method == "callback":
            self._answer(message)
        else:
            self._notified(message)
        return None

    def _response(self, message: dict[str, object], channel: Channel) -> tuple[bool, object] | None:
        problem = message.get("error")
        if message.get("id") is None:
            raise UsageError(
                f"An argument of {self._what} can't be sent",
                reference="value-unsupported",
                causes=[str(problem.get("message")) if isinstance(problem, dict) else "The plugin's Python can't read it"],
            )
        if not ("result" in message or isinstance(problem, dict)):
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")
        if not self._worker.take(message):
            channel.discount_received()
            self._set_time(0.0)
            return None
        data = problem.get("data") if isinstance(problem, dict) else None
        if isinstance(data, dict) and data.get("stage") == "import":
            self._worker.reusable = False  # what an import that fails leaves behind, a second one trips over
        self._worker.exchanges.pop(self._number, None)
        channel.drain_output()
        return True, message

    def _answer(self, message: dict[str, object]) -> None:
        """Call the function of the app's that the plugin asks for, in this thread."""
        worker = self._worker
        params = message.get("params")
        if worker.on_callback is None or not isinstance(params, dict):
            raise WireError("a callback where none is offered")
        reply = worker.on_callback(params)
        if not worker.alive:  # what was called has ended it
            raise ChannelClosed
        number = message.get("id")
        try:
            worker.channel.send({"jsonrpc": "2.0", "id": number, **reply})
        except WireError as error:
            problem = {"code": -32000, "message": str(error), "data": {"type": "TypeError", "builtin": "TypeError"}}
            worker.channel.send({"jsonrpc": "2.0", "id": number, "error": problem})

    def _items(self, message: dict[str, object]) -> list[object]:
        params = message.get("params")
        if not isinstance(params, dict) or params.get("id") != self._number or not isinstance(params.get("values"), list):
            raise WireError("items of no stream")
        self._owed += "credit" in params
        self._items_bytes += self._worker.channel.take_size()
        values: list[object] = params["values"]
        return values

    def _notified(self, message: dict[str, object]) -> None:
        self._worker.channel.note_report()
        self._worker.notified(message, self._what, self._number)
        params = message.get("params")
        if isinstance(params, dict) and "credit" in params:
            self._owed += 1
            self._give_credit()

    def _feed(self, message: dict[str, object]) -> None:
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        feed, most = self.feeds.get(str(params.get("place"))), params.get("items")
        if feed is None or not isinstance(most, int) or params.get("id") != self._number:
            raise WireError("items are asked of nothing that was given")
        if feed.is_async:
            self.wanted.append((feed, most))  # for whoever steps without waiting
        else:
            feed.serve(most)

    def _give_credit(self) -> None:
        while self._owed:
            self._owed -= 1
            if self._worker.alive:
                self._worker.channel.send(_notification("credit", {"id": self._number}))


def _number_of(message: dict[str, object]) -> object:
    """The number of the request that the message belongs to; of a callback or a log record there is none."""
    if "method" not in message:
        return message.get("id")
    params = message.get("params")
    return params.get("id") if isinstance(params, dict) else None


def _is_last(taken: tuple[bool, object] | BaseException) -> bool:
    return isinstance(taken, BaseException) or taken[0]


def _notification(method: str, params: dict[str, object]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "params": params}
