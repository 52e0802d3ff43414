"""One worker that serves many calls at once.

Above it: `_seats`, which says who may use it; below it: the worker's channel. Each call has a *lane*, which hears what concerns
this call alone. No thread stands between: of those that wait for answers, one reads what comes, and hands the others what is
theirs; when it has its own, it passes the reading on. What several say at a time, one of them writes. An event loop reads by
itself.
"""

from __future__ import annotations

import _thread
import os
import select
import time
from collections import deque

from plughost.runner.framing import Assembler, gathered
from plughost.runner.wire import TooDeep, Unmade, WireError, pack, unpack
from plughost.worker._channel import Channel, ChannelClosed
from plughost.worker._exchange import MOST_SHOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from plughost.errors import PlughostError
    from plughost.worker._worker import Worker

    class Bell(Protocol):
        """What somebody waits by."""

        def release(self) -> None: ...


__all__ = ["Lane", "Shared"]

_RESPONSE = b'{"jsonrpc":"2.0","id":'
_NUMBER = len(_RESPONSE)
_NUMBER_ENDS = _NUMBER + 22  # at the latest
_FRAMES = b'"frames":'
_BY_CALL = frozenset(("items", "progress", "pull", "output", "log"))
#: How long a writer waits for room in the pipe before it looks again whether somebody reads what the child has to say before.
_ROOM_EVERY_MS = 50


class Lane(Channel):
    """What is said of one call, in both directions; in a channel's place."""

    __slots__ = (
        "_bell",
        "_come",
        "_is_cut",
        "_on_end",
        "_pipe",
        "ends_at",
        "is_over",
        "message",
        "move",
        "number",
        "on_printed",
        "shared",
    )

    def __init__(self, shared: Shared, number: int) -> None:
        self.shared = shared
        self.number = number
        self.bulk = shared.worker.channel.bulk
        self.sent_bytes = self.received_bytes = self.printed_bytes = 0
        #: What has come: lines that are responses, and messages.
        self._come: deque[bytes | dict[str, object]] = deque()
        self._bell: Bell | None = None
        #: Whether its response has come.
        self.is_over = False
        #: The request, for as long as the child may not have read it: up to where it ends, of all that was written.
        self.message: dict[str, object] | bytes | None = None
        self.ends_at = 0
        self.on_printed: Callable[[str], None] | None = None
        #: Sends the request to another worker, if that can be.
        self.move: Callable[[], bool] | None = None
        #: Readable when something has come; for those that wait for descriptors.
        self._pipe: tuple[int, int] | None = None
        #: Called when the response has come that nobody waits for.
        self._on_end: Callable[[], None] | None = None
        self._is_cut = False

    # What is heard.

    def put(self, what: bytes | dict[str, object]) -> None:
        """Whoever reads has read this."""
        if self._on_end is None:
            self._come.append(what)
            self.ring()
        elif self.is_over:
            self._end()

    def ring(self) -> bool:
        """Wake whoever waits by a bell; whether somebody does."""
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.release()
        if self._pipe is not None:
            with self.shared.lock:
                if self._pipe is not None:
                    _fill(self._pipe[1])
        return bell is not None

    def cut(self) -> None:
        """From any thread: whoever waits shall wait no longer."""
        self._is_cut = True
        self.ring()

    def abandon(self, on_end: Callable[[], None]) -> None:
        """Nobody waits for the response; `on_end` is called when it comes, or when it is given up."""
        with self.shared.lock:
            self._on_end = on_end
            self._come.clear()
            is_over = self.is_over
        if is_over:
            self._end()

    def give_up(self) -> None:
        """The time is over within which the response was to come: the worker takes no more calls, and ends after those it has."""
        shared = self.shared
        shared.look()
        if not self.is_over and shared.failure is None:
            shared.is_open = False
            shared.hung += 1
        self._end()

    def _end(self) -> None:
        with self.shared.lock:
            on_end, self._on_end = self._on_end, _nothing
        if on_end is not None:
            on_end()

    def close(self) -> None:
        """No descriptors are waited for any more."""
        with self.shared.lock:
            pipe, self._pipe = self._pipe, None
        for fd in pipe or ():
            os.close(fd)

    def has_come(self) -> bool:
        """Whether there is something to take, or nothing to wait for."""
        return bool(self._come) or self._is_cut

    def wait_by(self, bell: Bell) -> bool:
        """Have the bell rung once something has come; false: it has."""
        self._bell = bell
        if self._come or self._is_cut or self.shared.failure is not None:
            self._bell = None
            return False
        return True

    def receive(self, deadline: float | None) -> dict[str, object]:
        while True:
            message = self._next()
            if message is not None:
                return message
            self.shared.wait(self, deadline)

    def advance(self) -> dict[str, object] | None:
        if not self._come:
            self.shared.look()
        return self._next()

    def _next(self) -> dict[str, object] | None:
        while self._come:
            come = self._come.popleft()
            if isinstance(come, bytes):
                self.received_bytes += len(come)
                come = self._unpacked(come)
            if come.get("method") == "output":
                self._printed(come)
                continue
            return come
        if self.shared.failure is not None and not (self.may_move() and self.move is not None and self.move()):
            self.shared.raise_failure()
        if self._is_cut:
            raise ChannelClosed
        if self._pipe is not None:
            _empty(self._pipe[0])
        return None

    def may_move(self) -> bool:
        """Whether the worker, which is gone, can't have begun with it."""
        return self.message is not None and not self.shared.has_read(self)

    def line(self, deadline: float | None) -> bytes | None:
        """The response as it came, if that is what comes first, and it is a line; nothing is taken otherwise."""
        while not self._come:
            if self.shared.failure is not None:
                return None
            self.shared.wait(self, deadline)
        return self.line_nowait()

    def line_nowait(self) -> bytes | None:
        if not self._come or not isinstance(first := self._come[0], bytes):
            return None
        self._come.popleft()
        return first

    def take_in(self, chunk: bytes) -> None:
        self._come.appendleft(chunk)

    def _unpacked(self, line: bytes) -> dict[str, object]:
        try:
            return unpack(line)
        except TooDeep:
            raise
        except WireError as error:
            self.shared.fail(error)
            raise

    def _printed(self, message: dict[str, object]) -> None:
        params = message.get("params")
        text = params.get("text") if isinstance(params, dict) else None
        if not isinstance(text, str):
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")
        self.printed_bytes += len(text)
        if self.on_printed is not None:
            self.on_printed(text)

    # What is said.

    def send(self, message: dict[str, object]) -> None:
        self.sent_bytes += self.shared.send(message)

    def send_line(self, line: bytes) -> None:
        self.sent_bytes += len(line)
        self.shared.write(line)

    def drain_output(self) -> None:
        """The watcher's business, for all calls."""

    def discount_received(self) -> None: ...

    def descriptors(self) -> list[tuple[int, int]]:
        with self.shared.lock:
            if self._pipe is None:
                self._pipe = os.pipe()
                for fd in self._pipe:
                    os.set_blocking(fd, False)
            if self._come or self._is_cut or self.shared.failure is not None:
                _fill(self._pipe[1])
        return [(self._pipe[0], select.POLLIN), *self.shared.descriptors()]


class Shared:
    """The worker, from the first of several calls that overlap to the last. Safe for several threads."""

    __slots__ = (
        "_assembler",
        "_channel",
        "_out",
        "_partial",
        "_reading",
        "_said_bytes",
        "_waiting",
        "_writing",
        "_written_bytes",
        "failure",
        "flush_soon",
        "hung",
        "is_open",
        "lanes",
        "lock",
        "loop_thread",
        "read_bytes",
        "taken",
        "was_read",
        "worker",
    )

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._channel = worker.channel
        self._channel.bulk.tell = self.write
        #: How many calls have a place in it, and whether others may.
        self.taken = 0
        self.is_open = True
        #: How many have not ended when they were told to.
        self.hung = 0
        self.lanes: dict[int, Lane] = {}
        #: Why nothing more will be heard.
        self.failure: Exception | None = None
        #: Of what was written, how much the child had read when it ended.
        self.read_bytes = 0
        #: An event loop's: has `drain` called a little later, so that what is said until then goes with it; its thread; and
        #: whether something was read in the midst of a turn of the loop.
        self.flush_soon: Callable[[], None] | None = None
        self.loop_thread = 0
        self.was_read = False
        self._assembler = Assembler(self._channel.bulk)
        self._partial = b""
        self._reading = _thread.allocate_lock()
        #: Those that wait while another one reads.
        self._waiting: dict[Lane, None] = {}
        self._writing = _thread.allocate_lock()
        self._out: deque[bytes] = deque()
        #: How much was said, and how much of it was written.
        self._said_bytes = self._written_bytes = 0
        self.lock = _thread.allocate_lock()

    def open_lane(self) -> Lane:
        with self.lock:
            number = self.worker.next_id
            self.worker.next_id = number + 1
        return Lane(self, number)

    def ask(self, lane: Lane, message: dict[str, object] | bytes) -> None:
        """Send the request of a lane, which is heard from now on.

        Raises: WireError: it can't be sent; nothing was.
        """
        buffers = [message] if isinstance(message, bytes) else gathered(pack(message, self._channel.bulk))
        lane.sent_bytes += sum(map(len, buffers))
        lane.message = message
        self.lanes[lane.number] = lane
        self._write_all(buffers, lane)

    # Reading.

    def wait(self, lane: Lane, deadline: float | None) -> None:
        """Until something has come for the lane, or may have. `deadline` is a `time.monotonic()`.

        Raises: TimeoutError: it has passed.
        """
        left_s = None if deadline is None else deadline - time.monotonic()
        if left_s is not None and left_s <= 0:
            raise TimeoutError
        if self.loop_thread in {0, _thread.get_ident()} and self._reading.acquire(blocking=False):
            try:
                if self.loop_thread:
                    self.was_read = True
                    self.drain()
                if not lane.has_come() and self.failure is None:
                    self._read(left_s)
            finally:
                self._reading.release()
                if lane.has_come() or self.failure is not None:
                    self._pass_on()
            return
        bell = _thread.allocate_lock()
        bell.acquire()
        self._waiting[lane] = None
        is_next = True
        try:
            if lane.wait_by(bell) and (self._reading.locked() or self.loop_thread):
                is_next = bell.acquire(timeout=-1 if left_s is None else left_s) and not lane.has_come()
        finally:
            self._waiting.pop(lane, None)
            if not (is_next or self._reading.locked()):  # it may have been told to read, and won't
                self._pass_on()

    def _pass_on(self) -> None:
        """Leave the reading to one of those that wait."""
        while self._waiting:
            try:
                lane, _ = self._waiting.popitem()
            except KeyError:
                return
            if lane.ring():
                return

    def look(self) -> None:
        """Take what has come, without waiting, unless somebody else reads."""
        if self.flush_soon is None and self.failure is None and self._reading.acquire(blocking=False):
            try:
                self._read(0)
            finally:
                self._reading.release()
                self._pass_on()

    def _read(self, left_s: float | None) -> None:
        if left_s is not None and not self._channel.is_readable(left_s):
            return
        self.take_what_is_there()

    def take_what_is_there(self) -> None:
        """Read once, and hand each lane what is its own. What goes wrong is heard of by all lanes."""
        try:
            chunk = self._channel.read()
            self._take_in(chunk)
        except (ChannelClosed, WireError) as error:
            self.fail(error)

    def _take_in(self, chunk: bytes) -> None:
        if self._assembler.is_amid or _FRAMES in chunk:
            chunk, self._partial = self._partial + chunk, b""
            self._assembler.feed(chunk)
            while (message := self._assembler.next(self._check)) is not None:
                self._hand_over(message)
            return
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._partial += chunk
            return
        lines, self._partial = self._partial + chunk[:end], chunk[end:]
        take = self.lanes.pop
        for line in lines.split(b"\n")[:-1]:
            if line.startswith(_RESPONSE):
                number = line[_NUMBER : line.find(b",", _NUMBER, _NUMBER_ENDS)]
                lane = take(int(number), None) if number.isdigit() else None
                if lane is not None:
                    lane.message, lane.is_over = None, True
                    lane.put(line)
                    continue
            message = unpack(line)
            self._check(message)
            self._hand_over(message)

    def _lane_of(self, message: dict[str, object]) -> Lane | None:
        method, params = message.get("method"), message.get("params")
        number = message.get("id")
        if method is not None:
            number = params.get("call" if method == "callback" else "id") if isinstance(params, dict) else None
        return self.lanes.get(number) if isinstance(number, int) else None

    def _check(self, message: dict[str, object]) -> None:
        """Raises: WireError: nobody waits for such a message."""
        if self._lane_of(message) is None and message.get("method") != "log" and not self.worker.is_greeting(message):
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")

    def _hand_over(self, message: dict[str, object]) -> None:
        lane = self._lane_of(message)
        if lane is None:
            self.worker.notified(message)
            return
        if "method" not in message:
            del self.lanes[lane.number]
            lane.message, lane.is_over = None, True
        elif message["method"] not in _BY_CALL and message["method"] != "callback":
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")
        lane.put(message)

    def fail(self, error: Exception) -> None:
        """Nothing more will be heard: tell those that wait."""
        with self.lock:
            if self.failure is not None:
                return
            self.is_open = False
            self.read_bytes = self._written_bytes - self._channel.unread_bytes()
            self.failure = error
        for lane in list(self.lanes.values()):
            lane.ring()

    def raise_failure(self) -> None:
        """Raises: why nothing more is heard."""
        assert self.failure is not None
        if isinstance(self.failure, (TooDeep, Unmade)):
            raise WireError(str(self.failure))
        raise self.failure

    def has_read(self, lane: Lane) -> bool:
        """Of a worker that failed: whether it may have begun with the request."""
        return lane.message is None or lane.ends_at <= self.read_bytes

    def crashed(self, what: str) -> PlughostError:
        """As the worker's: the error for a call that it was in the middle of."""
        self.fail(ChannelClosed())
        with self.lock:
            return self.worker.crashed(what)

    def end(self) -> None:
        """Everybody has left who waits for something: end the process, and everything it started."""
        self.fail(ChannelClosed())
        with self.lock:
            self.worker.kill()

    # Writing.

    def send(self, message: dict[str, object]) -> int:
        buffers = gathered(pack(message, self._channel.bulk))
        self._write_all(buffers)
        return sum(map(len, buffers))

    def write(self, line: bytes) -> None:
        self._write_all([line])

    def _write_all(self, buffers: list[bytes], lane: Lane | None = None) -> None:
        with self.lock:
            self._out += buffers
            self._said_bytes += sum(map(len, buffers))
            if lane is not None:
                lane.ends_at = self._said_bytes
        if self.flush_soon is not None:
            self.flush_soon()
        else:
            self.drain()

    def drain(self) -> None:
        """Write what was said: one does it for all; what another says meanwhile goes with what is next."""
        while self._out and self._writing.acquire(blocking=False):
            try:
                while self.drain_nowait():
                    self._make_room()
            finally:
                self._writing.release()

    def drain_nowait(self) -> bool:
        """Write as much as there is room for; whether something is left."""
        out = self._out
        while out and self.failure is None:
            lines = []
            try:
                while True:
                    lines.append(out.popleft())
            except IndexError:
                pass
            data = b"".join(lines)
            try:
                written = self._channel.write(data)
            except ChannelClosed:
                return False  # it doesn't listen any more; what it last said is still to be read
            self._written_bytes += written
            if written < len(data):
                out.appendleft(data[written:])
                return True
        return False

    def _make_room(self) -> None:
        """Wait until the child has read something. It may be waiting itself until somebody reads what it says."""
        if self._reading.acquire(blocking=False):
            try:
                if not self._channel.has_room(None) and self.failure is None:
                    self.take_what_is_there()
            finally:
                self._reading.release()
                self._pass_on()
        else:
            self._channel.has_room(_ROOM_EVERY_MS)

    def descriptors(self) -> list[tuple[int, int]]:
        """What somebody who reads without waiting waits for. An event loop does that by itself."""
        return [(self._channel.out_fd, select.POLLIN)] if self.flush_soon is None else []


def _nothing() -> None: ...


def _fill(fd: int) -> None:
    try:
        os.write(fd, b"!")
    except BlockingIOError:
        pass


def _empty(fd: int) -> None:
    try:
        os.read(fd, _NUMBER_ENDS)
    except BlockingIOError:
        pass
