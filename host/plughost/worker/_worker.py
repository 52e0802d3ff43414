"""Launching a worker, asking it, ending it."""

from __future__ import annotations

import _thread
import os
import time

from plughost import _kernel, _process
from plughost.errors import PlughostError, PluginCrashed
from plughost.runner.wire import WireError
from plughost.worker._channel import Channel, ChannelClosed, Raised
from plughost.worker._deadline import DEADLINE
from plughost.worker._exchange import CANCEL_GRACE_S, MOST_SHOWN, STOP_GRACE_S, Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from plughost.sandbox import Confinement, Guard
    from plughost.worker._pool import Crew
    from plughost.worker._watch import Watcher

    class Process(Protocol):
        """A child process, or what stands in its place. `peak_bytes` is known after its end, if it `is_measured`.

        `family` is the mark in the environment of all that it starts.
        """

        pid: int
        family: str
        returncode: int | None
        is_measured: bool
        wants_code: bool
        peak_bytes: int

        def wait(self, timeout_s: float | None = None) -> int | None: ...
        def cancel(self) -> None: ...
        def interrupt(self) -> None: ...
        def kill_tree(self) -> None: ...
        def may_have_left_some(self, started_s: float) -> bool: ...
        def close(self) -> None: ...


__all__ = ["Worker"]

PROTOCOL = 1

#: The last of what the plugin printed, kept to say why it crashed.
_TAIL_BYTES = 4096
_WARNING = 30  # `logging.WARNING`
#: How long the kernel may take to clear away what a killed process had, on a machine that has much else to do.
_DYING_S = 10.0


class Worker:
    """One child process that serves one plugin, one request at a time. Not for several threads at once.

    After any error that is not the plugin's own answer, the worker is dead and its process tree gone.
    """

    #: What comes of a call whose time is over, for its error.
    aftermath = "Its process and all that it started were ended"

    __slots__ = (
        "_attended",
        "_awaited",
        "_child",
        "_greeting",
        "_has_printed",
        "_is_copy",
        "_launched",
        "_name",
        "_sent",
        "_tail",
        "_tail_of",
        "_tending",
        "alive",
        "asked",
        "calls",
        "channel",
        "confinement",
        "crew",
        "exchanges",
        "goodbye_until",
        "guard",
        "lanes",
        "leave_idle",
        "measured_ns",
        "next_id",
        "on_begin",
        "on_callback",
        "on_close",
        "on_end",
        "on_look",
        "on_notification",
        "on_output",
        "peak_bytes",
        "reusable",
        "started_ns",
        "used_ns",
        "watcher",
    )

    def __init__(
        self,
        child: Process,
        channel: Channel,
        *,
        name: str,
        project: str,
        log_level: int | None = None,
        asked: Mapping[str, object] | None = None,
        is_greeted: bool = False,
    ) -> None:
        """`log_level` is that of the log records that it is to send, if any; `asked` what else it is told, see the runner.

        One that `is_greeted` knows all that already.
        """
        self._child, self.channel, self._name = child, channel, name
        self._tail = b""
        self._tail_of = 0  # the number of the request after the one that was printing it
        self._launched = time.monotonic()
        self.started_ns = time.time_ns()
        #: How many calls it has had, as its users count them.
        self.calls = 0
        #: The most memory that the process was seen to need; 0 where that can't be told.
        self.peak_bytes = 0
        self.measured_ns = time.perf_counter_ns()
        # Numbers that nobody guesses: a line that a plugin writes to every descriptor it finds is no answer to anything.
        self.next_id = int.from_bytes(os.urandom(6), "big")
        self._sent = 0  # the last number that was sent by another way than the quick one
        self._awaited: set[object] = set()
        #: Those under way, by their numbers: one inside another where a function of the app's that it called calls it, too.
        self.exchanges: dict[object, Exchange] = {}
        self.alive = True
        #: Whether a further call may find the plugin as a new process would have it.
        self.reusable = True
        #: Until when it may take over its end, a `time.monotonic()`; 0 before it was told to end.
        self.goodbye_until = 0.0
        #: When it was given back for the last time: a `time.perf_counter_ns()`.
        self.used_ns = 0
        #: Has whoever keeps it idle do so no longer, since it has ended; false where somebody else has it.
        self.leave_idle: Callable[[Worker], bool] | None = None
        self.watcher: Watcher | None = None
        #: Among which workers of the pool it counts.
        self.crew: Crew | None = None
        self._attended = False  # by whoever waits for what it prints, too
        self._has_printed = False  # meanwhile
        self._tending = _thread.RLock()
        self._is_copy = False
        #: What keeps the process to its policy; None where nothing does.
        self.confinement: Confinement | None = None
        #: What holds it against that from outside; and what a call that doesn't go the quick way tells that it begins.
        self.guard: Guard | None = None
        self.on_begin: Callable[[], None] | None = None
        #: The number of a quick call that is under way, of a worker that counts among none; else 0.
        self.asked = 0
        #: The calls under way, where it serves several at once.
        self.lanes: Mapping[int, object] | None = None
        #: Told now and then of a worker that goes on being used.
        self.on_look: Callable[[], None] | None = None
        #: What the plugin prints, as it comes.
        self.on_output: Callable[[bytes], None] | None = None
        #: Told once, before its descriptors are closed.
        self.on_close: Callable[[], None] | None = None
        #: Told once, when the process is gone.
        self.on_end: Callable[[], None] | None = None
        #: Answers the plugin when it calls a function of the app's: `name`, `args` and `kwargs` → `result` or `error`.
        self.on_callback: Callable[[dict[str, object]], dict[str, object]] | None = None
        #: What the plugin logs, and how far it has come: `log` or `progress`, `params`, what is called, and the call's number.
        self.on_notification: Callable[[str, dict[str, object], str, int], None] | None = None
        channel.on_output = self._printed
        channel.on_silence = self._silent
        channel.check = self._check
        channel.bulk.pid = child.pid
        # Not waited for: the child reads it when it is up, and the first answer that comes is this one's.
        greeting: dict[str, object] = {"protocol": PROTOCOL, "project": project, **(asked or {})}
        if log_level is not None:
            greeting["log"] = log_level
        self._greeting = 0 if is_greeted else self._send_request("initialize", greeting)
        channel.sent_bytes = 0  # that was no call's
        _process.own(self)

    def begin(self, method: str, params: dict[str, object], *, what: str, timeout_s: float | None = None) -> Exchange:
        """Send a request. `what` is how messages call it; `timeout_s` is for the whole of it, its items included.

        It begins when the process is up.

        Raises: WireError: `params` can't be sent; nothing happened. PluginCrashed: the worker is dead already.
        """
        if not self.alive:
            raise self.crashed(what)
        if self.on_begin is not None:
            self.on_begin()
        self.attend()
        exchange = Exchange(self, self._send_request(method, params), what=what)
        exchange.begin_time(timeout_s, DEADLINE.get())
        return exchange

    def follow(self, number: int, chunk: bytes, *, what: str) -> Exchange:
        """A request that was sent through the channel's `ask`, whose first words were these, as an exchange."""
        self._awaited.add(number)
        self._sent = number
        self.attend()
        self.channel.take_in(chunk)
        return Exchange(self, number, what=what)

    def request(self, method: str, params: dict[str, object], *, what: str, timeout_s: float | None = None) -> dict[str, object]:
        """Ask, and wait for the response: the whole JSON-RPC message, with `result` or `error`.

        Raises: as `begin` and `Exchange.step` do.
        """
        exchange = self.begin(method, params, what=what, timeout_s=timeout_s)
        while True:
            done, message = exchange.step()
            if done and isinstance(message, dict):
                return message

    def take(self, message: dict[str, object]) -> bool:
        """Count a response as given; false for that to `initialize`, which nobody waits for."""
        number = message.get("id")
        self._awaited.discard(number)
        return number != self._greeting

    def under_way(self) -> list[int]:
        """The numbers of the calls that it is in the middle of, as another thread sees it."""
        if self.lanes is not None:
            return list(self.lanes)
        if self.exchanges:  # the first is the call, the others are what it called back for
            return [number for number in list(self.exchanges)[:1] if isinstance(number, int)]
        # A quick call leaves no trace but that its worker is in use, and that nobody else has sent its number.
        last, crew = self.next_id - 1, self.crew
        if self.asked:
            return [self.asked]
        return [] if crew is None or last == self._sent or self.goodbye_until or self in crew.idle else [last]

    @property
    def is_up(self) -> bool:
        """Whether the process has started: its first answer is there."""
        return self._greeting not in self._awaited or self.channel.has_something()

    def is_greeting(self, message: dict[str, object]) -> bool:
        """Whether it is the response to `initialize`, for which nobody waits."""
        return message.get("id") == self._greeting and "method" not in message

    def notified(self, message: dict[str, object], what: str = "", number: int = 0) -> None:
        """Pass on a notification that is no item. Without `what` is called, nobody waits for it."""
        method, params = message.get("method"), message.get("params")
        if self.on_notification is None or not isinstance(params, dict) or not isinstance(method, str):
            return
        self.note_warning(message)
        try:
            self.on_notification(method, params, what, number)
        except WireError:  # it is none that the runner sends
            raise
        except Exception as error:
            raise Raised(error) from error

    def note_warning(self, message: dict[str, object]) -> None:
        """Keep the text of a log record that may say why the plugin crashes."""
        params = message.get("params")
        level = params.get("level") if isinstance(params, dict) else None
        if isinstance(params, dict) and isinstance(level, int) and level >= _WARNING:
            self.note_printed(f"{params.get('message')}\n".encode("utf-8", "replace"))

    def note_printed(self, data: bytes) -> None:
        """Keep the last of what is printed, for the same reason."""
        if self._is_tail_of_another():
            self._tail = b""
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        self._tail_of = self.next_id

    def _is_tail_of_another(self) -> bool:
        """Whether an earlier call has printed it; where several run at once, and before the first, that is all the same."""
        return self.lanes is None and self._tail_of not in {self.next_id, self._greeting + 1}

    def _send_request(self, method: str, params: dict[str, object]) -> int:
        number = self.next_id
        self.channel.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        self.next_id += 1
        self._sent = number
        self._awaited.add(number)
        return number

    def _check(self, message: dict[str, object]) -> None:
        """Raises: WireError: nobody waits for such a message."""
        method, number, params = message.get("method"), message.get("id"), message.get("params")
        if (method == "callback" and isinstance(number, str)) or method == "log":
            return
        is_known = isinstance(method, str | None)
        if is_known and method in {"items", "progress", "pull"} and isinstance(params, dict):
            number = params.get("id")
        is_meant = number in self._awaited if isinstance(number, int) else number is None and "error" in message
        if not (is_known and is_meant):
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")

    def has_ended(self) -> bool:
        """Whether the process is gone, or speaks unasked; only for a worker that has nothing to answer."""
        return self.channel.has_ended()

    @property
    def process(self) -> Process:
        """For whoever looks at it from outside."""
        return self._child

    @property
    def pid(self) -> int:
        return self._child.pid

    def look(self) -> None:
        """The watcher's, now and then: whoever counts what workers need may do so."""
        if self.on_look is not None:
            self.on_look()

    def measure(self) -> None:
        """Note what the process has needed so far, and when that was: `measured_ns`, a `time.perf_counter_ns()`."""
        self.measured_ns = time.perf_counter_ns()
        self.peak_bytes = max(self.peak_bytes, _process.peak_memory(self._child.pid))

    def leave_place(self) -> bool:
        """Give back a place in a worker that serves several calls at once; false where this is no such place."""
        return False

    def attend(self) -> None:
        """The caller waits for what the child prints, too: the watcher leaves that alone until `leave`."""
        if self.watcher is not None and not self._attended:
            with self._tending:
                self._attended = True

    def leave(self) -> None:
        if not self._attended:
            return
        with self._tending:
            self._attended = False
            has_printed, self._has_printed = self._has_printed, False
        if has_printed and self.watcher is not None:
            self.watcher.rearm(self)

    def read_printed_aside(self) -> bool:
        """The watcher's: take what was printed; false where whoever attends to the worker does so."""
        with self._tending:
            if self._attended:
                self._has_printed = True
                return False
            self.channel.drain_output()
            return True

    def end_unnoticed(self) -> None:
        """The watcher's: the process has ended, and whoever waits for it, if anybody does, has not noticed."""
        if not self.alive:
            return
        if self.leave_idle is not None and self.leave_idle(self):
            self.kill()
            return
        with self._tending:
            if self.alive and not self._attended:
                self.channel.wake()

    def await_exit(self, deadline: float) -> None:
        self._child.wait(max(0.0, deadline - time.monotonic()))

    def cancel_nowait(self) -> None:
        """Have what the child does end as by Ctrl-C; the worker is then to be given back, to end."""
        if self.alive:
            self.reusable = False
            self._child.cancel()

    def cancel(self) -> None:
        """Have what the child does end as by Ctrl-C, so that its `finally` runs, and then the process, within the grace."""
        if not self.alive:
            return
        deadline = time.monotonic() + CANCEL_GRACE_S
        self._child.cancel()
        try:
            while self._awaited - {self._greeting}:
                message = self.channel.receive(deadline)
                if "method" not in message:
                    self.take(message)
                elif message["method"] == "log":
                    self.notified(message)
        except BaseException as error:
            self.kill()
            if not isinstance(error, (ChannelClosed, Raised, TimeoutError, WireError)):  # a second Ctrl-C, say
                raise
        else:
            self.stop()

    def dismiss(self) -> None:
        """Ask the child to end; `stop` sees to it. Who has several to end dismisses all of them first."""
        if self.alive and not self.goodbye_until:
            self._measure_for_the_last_time()
            self._child.wants_code = False
            self.goodbye_until = time.monotonic() + STOP_GRACE_S
            # Asked in words, since a copy of this process may hold the child's input open.
            self._send_request("shutdown", {})
            self.channel.close_input()

    def depart(self) -> bool:
        """Whether somebody sees a child off that was dismissed, so that the watcher need not."""
        return False

    def stop(self) -> None:
        """End in good order: ask the child to, let its exit handlers run, then kill what is left."""
        self.dismiss()
        if self.alive:
            self.part(is_clean=self.await_goodbye() and not self._child.may_have_left_some(self._launched))

    @property
    def mark(self) -> str:
        """What all that the process has started bears in its environment."""
        return self._child.family

    def await_goodbye(self) -> bool:
        """Let a child that was dismissed end; whether it has. `part` has to follow."""
        self.attend()
        self.alive = False
        try:
            while True:
                message = self.channel.receive(self.goodbye_until)
                if message.get("method") == "log":
                    self.notified(message)
        except (ChannelClosed, Raised, TimeoutError, WireError):
            pass
        except BaseException:
            self.part(is_clean=False)
            raise
        return self._child.wait(max(0.0, self.goodbye_until - time.monotonic())) is not None

    def part(self, *, is_clean: bool) -> None:
        """Let go of a child that has had its time. Unless it has left nothing, all that it has started is killed."""
        if not is_clean:
            self._child.kill_tree()
        self._let_go()

    def interrupt(self) -> None:
        """From any thread: end the process. Whoever waits for it gets PluginCrashed, and ends what it has started."""
        if self.guard is not None:
            self.guard.is_called_off = True
        self._child.interrupt()

    def kill(self) -> None:
        """End the process and everything it started, at once."""
        if self.alive:
            self.alive = False
            self._measure_for_the_last_time()
            self._child.kill_tree()
            self._let_go()

    def _measure_for_the_last_time(self) -> None:
        if self.on_end is not None:
            self._child.is_measured = not _kernel.LINUX
            self.measure()

    def forget(self) -> None:
        """In a forked copy of this process: the worker is the original's, and so is what it prints."""
        if self.alive:
            self.alive = False
            self._is_copy = True
            self.on_close = None
            # Somebody may have held these locks when the copy was made.
            self.watcher, self._tending = None, _thread.RLock()
            self._close()

    def _let_go(self) -> None:
        """Read what the plugin printed last, and close every descriptor. The child is gone."""
        self.attend()
        try:
            self.channel.drain_output()
        except Raised:  # nothing is left that could be called off
            pass
        self._close()
        if self.on_end is not None:
            self.peak_bytes = max(self.peak_bytes, self._child.peak_bytes)
            self.on_end()

    def _close(self) -> None:
        self.exchanges.clear()
        _process.disown(self)
        if self.on_close is not None:
            self.on_close()
        if self.watcher is not None:
            self.watcher.unwatch(self)
        self._child.close()
        with self._tending:  # their numbers are others' afterwards
            self.channel.close()

    def _silent(self, fd: int) -> None:
        if self.watcher is not None:
            self.watcher.unwatch_printed(self, fd)

    def _printed(self, chunk: bytes) -> None:
        self.note_printed(chunk)
        if self.on_output is not None:
            try:
                self.on_output(chunk)
            except Exception as error:
                raise Raised(error) from error

    def explained(self, error: PlughostError) -> PlughostError:
        """What the plugin has raised, with the limit that it met, if it was one, or what would allow what it was denied."""
        if self.guard is None:
            return error
        explained = self.guard.explained(error)
        if self.guard.is_full:  # what is still in use, a further call would trip over
            self.reusable = False
        return explained

    def crashed(self, what: str) -> PlughostError:
        """The error for a child that went away during `what`; whatever is left of it is gone afterwards."""
        if self._is_copy:
            return PluginCrashed(
                f"{what} was under way when this process was forked from another, whose call it is",
                hint="The next call starts a new process",
            )
        self._child.is_measured = self.on_end is not None
        code = self._child.wait(STOP_GRACE_S)
        if code is None and _kernel.is_dying(self._child.pid):
            code = self._child.wait(_DYING_S)
        if self.alive:
            self.alive = False
            self._child.kill_tree()
            self._let_go()
        tail = b"" if self._is_tail_of_another() else self._tail
        last = tail.decode("utf-8", "replace").strip().splitlines()[-3:]
        if (refused := self._not_confined(what, code, last)) is not None:
            return refused
        causes = [f"It printed last: {line[-MOST_SHOWN:]}" for line in last]
        if self.guard is not None:
            return self.guard.crashed(what, code, causes)
        return PluginCrashed(
            f"{what} crashed: its process {_kernel.how_it_ended(code)} before it answered",
            causes=causes,
            hint="The next call starts a new process",
        )

    def _not_confined(self, what: str, code: int | None, last: list[str]) -> PlughostError | None:
        """The error for a child that couldn't confine itself, which it does before it answers anything."""
        if self.confinement is None or not (self._greeting in self._awaited or self.confinement.is_fork):
            return None
        from plughost.sandbox import confinement_failed

        return confinement_failed(self._name, what, code, last)
