"""One worker that serves many calls at once.

Above it: `_seats`, which says who may use it; below it: the worker's channel. Each call has a *lane*, which hears what concerns
this call alone. No thread stands between: of those that wait for answers, one reads what comes, and hands the others what is
theirs; when it has its own, it passes the reading on. What several say at a time, one of them writes. An event loop reads by
itself.
"""

from __future__ import annotations

import _thread
import select
import time
from collections import deque

from plughost.runner.framing import Assembler, gathered
from plughost.runner.wire import TooDeep, TooLarge, Unmade, WireError, pack, unpack
from plughost.worker._channel import ChannelClosed
from plughost.worker._exchange import MOST_SHOWN
from plughost.worker._lane import Lane

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.errors import PlughostError
    from plughost.worker._worker import Worker


__all__ = ["Shared"]

_RESPONSE = b'{"jsonrpc":"2.0","id":'
_NUMBER = len(_RESPONSE)
_NUMBER_ENDS = _NUMBER + 22  # at the latest
_FRAMES = b'"frames":'
#: What counts as printed.
_REPORTS = frozenset(("progress", "log"))
_BY_CALL = frozenset(("items", "progress", "pull", "output", "log"))
#: How long a writer waits for room in the pipe before it looks again whether somebody reads what the child has to say before.
_ROOM_EVERY_MS = 50


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
        worker.lanes = self.lanes
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
        if self._assembler.is_amid or _FRAMES in chunk or len(self._partial) > self._channel.read_bytes:
            chunk, self._partial = self._partial + chunk, b""
            assembler = self._assembler
            assembler.feed(chunk)
            while (message := assembler.next(self._check)) is not None:
                self._hand_over(message, assembler.message_bytes)
            return
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._partial += chunk
            self._mind_size(self._partial)
            return
        lines, self._partial = self._partial + chunk[:end], chunk[end:]
        take = self.lanes.pop
        if len(lines) > self._channel.read_bytes:
            self._mind_size(max(lines.split(b"\n"), key=len))
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
            self._hand_over(message, len(line))

    def mind_printed(self, printed_bytes: int) -> None:
        """What one of the calls has printed."""
        guard = self.worker.guard
        if guard is not None and guard.policy.output_bytes is not None and printed_bytes > guard.policy.output_bytes:
            guard.end_for("output_bytes", printed_bytes)

    def _mind_size(self, line: bytes) -> None:
        """Raises: TooLarge: the line is more than the child may send."""
        if len(line) > self._channel.bulk.most_bytes:
            raise TooLarge(len(line))

    def _lane_of(self, message: dict[str, object]) -> Lane | None:
        method, params = message.get("method"), message.get("params")
        number = message.get("id")
        if method is not None:
            number = params.get("call" if method == "callback" else "id") if isinstance(params, dict) else None
        return self.lanes.get(number) if isinstance(number, int) else None

    def _check(self, message: dict[str, object]) -> None:
        """Raises: WireError: nobody waits for such a message."""
        method = message.get("method")
        is_meant = self._lane_of(message) is not None or method == "log" or self.worker.is_greeting(message)
        if not (isinstance(method, str | None) and is_meant):
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")

    def _hand_over(self, message: dict[str, object], size: int) -> None:
        lane = self._lane_of(message)
        if message.get("method") in _REPORTS:
            (lane or self._channel).count_printed(size)
        if lane is None:
            if self.worker.is_greeting(message):
                self.worker.take(message)
            else:
                self.worker.notified(message)
            return
        if "method" not in message:
            del self.lanes[lane.number]
            lane.message, lane.is_over = None, True
        elif message["method"] not in _BY_CALL and message["method"] != "callback":
            raise WireError(f"an unexpected message: {str(message)[:MOST_SHOWN]}")
        lane.put(message, size)

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
        while self._out and self.failure is None and self._writing.acquire(blocking=False):
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
        fd = self._channel.out_fd if self.flush_soon is None and self.failure is None else -1
        return [(fd, select.POLLIN)] if fd >= 0 else []
