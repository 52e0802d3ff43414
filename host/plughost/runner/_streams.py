"""Streams: the items of a generator, sent in batches as they come, as far ahead of the reader as the window allows.

Above it: the loop; below it: the connection, and the thread that sends what would wait for too long (`flushing`). What the host
has to say of a stream may come while a callback is waited for: the loop gives it to `take`.
"""

from __future__ import annotations

import sys
from time import monotonic

from . import _printed, wire
from ._connection import Ended
from ._events import is_progress
from ._stages import Staged, stage
from .flushing import HELD_S, Flusher, Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ._pulling import Pulled

    class Link(Protocol):
        before_aside: Callable[[], None] | None

        def receive(self) -> dict[str, object]: ...
        def receive_nowait(self) -> dict[str, object] | None: ...
        def send(self, message: dict[str, object]) -> None: ...
        def send_line(self, line: bytes) -> None: ...

    class Items(Protocol):
        def __next__(self) -> object: ...

    Quote = Callable[[object], str]

__all__ = ["Filling", "Streams"]

#: How far the child may be ahead of the reader. It asks for credit whenever half of either is used up.
WINDOW_ITEMS, WINDOW_BYTES = 1024, 1 << 20
#: What a batch may weigh; each item weighs something, so that a window holds more than one batch.
_BATCH_WEIGHT, _ITEM_WEIGHT = 1 << 16, 128
_UNKNOWN_BYTES = 1 << 16  # what an item weighs whose size nobody knows
_SMALL = 1 << 62  # for an int that is smaller, no limit on digits matters

_flusher = Flusher()  # one thread is enough, however many streams there are at a time
_quote: Quote = getattr(sys.modules.get("_json"), "encode_basestring", wire.encode)


class _Cancelled(Exception):
    """The host wants no more of the stream that is being sent."""


class Filling:
    """Items that are quicker had several at a time."""

    def fill(self, take: Callable[[object], bool]) -> bool:
        """Give items to `take` for as long as it returns true; whether there may be more of them."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Streams:
    """Those of one connection: one inside another where the app, called back by a stream, calls the plugin."""

    def __init__(self, link: Link, answer: Callable[[dict[str, object]], None]) -> None:
        self._link = link
        self._answer = answer
        self._open: dict[object, _Stream] = {}
        #: Iterators of the caller's, by the call that they were given to, and their place among its arguments.
        self.pulled: dict[tuple[object, object], Pulled] = {}
        link.before_aside = self.flush

    def send(self, number: object, items: Items | Filling) -> object:
        """Send what `items` gives until it ends, or until the host wants no more; it is closed either way.

        What a generator returns is given, where it has yielded nothing but its progress.

        Raises: Staged: what it raises, after the items that came before.
        """
        stream = self._open[number] = _Stream(number, self._link)
        returned: object = None
        try:
            try:
                if isinstance(items, Filling):
                    self._fill(stream, items)
                else:
                    returned = self._step(stream, items)
            finally:
                _printed.flush()
                stream.flush()
        except (_Cancelled, Staged):
            if not stream.is_cancelled:
                raise
        finally:
            del self._open[number]
            _flusher.unwatch(stream)
            close = getattr(items, "close", None)
            if close is not None:
                with stage("call"):
                    close()
        return None if stream.has_items else returned

    def flush(self) -> None:
        """Send what waits: something else is about to be said that comes after it."""
        for stream in list(self._open.values()):
            stream.flush()

    def take(self, message: dict[str, object]) -> None:
        """What the host says or asks while a stream is being sent. What it says of another that is over comes too late."""
        if message.get("id") is not None:
            self._answer(message)
            return
        method, params = message.get("method"), message.get("params")
        if not isinstance(params, dict):
            return
        number = params.get("id")
        if method == "given":
            pulled = self.pulled.get((number, params.get("place")))
            if pulled is not None:
                pulled.take(params)
        elif number in self._open:
            if method == "credit":
                self._open[number].grant()
            elif method == "cancel":
                self._open[number].cancel()
                for each in [pulled for (call, _), pulled in self.pulled.items() if call == number]:
                    each.cancel()

    def ask(self, method: str, params: dict[str, object]) -> None:
        """Ask the host for something that comes in messages for `take`. What was yielded before goes before."""
        self.flush()
        self._link.send({"jsonrpc": "2.0", "method": method, "params": params})

    def wait(self) -> None:
        """Take what the host says next."""
        self.take(self._link.receive())

    def _step(self, stream: _Stream, items: Items) -> object:
        put, step = stream.put, items.__next__
        while True:
            try:
                item = step()
            except StopIteration as stop:
                return stop.value
            except Ended:
                raise
            except BaseException as error:
                raise Staged("call", error) from error
            if not put(item):
                self._hear(stream)

    def _fill(self, stream: _Stream, items: Filling) -> None:
        while True:
            with stage("call"):
                has_more = items.fill(stream.put)
            if not has_more:
                return
            self._hear(stream)

    def _hear(self, stream: _Stream) -> None:
        """What the host has said of late; and, while the window is full, what it is going to say."""
        while not stream.is_cancelled:
            message = self._link.receive() if stream.is_full else self._link.receive_nowait()
            if message is None:
                return
            self.take(message)
        raise _Cancelled


class _Stream(Waiting):
    """A stream that is being sent: what waits to be sent, and how far the reader is behind what was."""

    __slots__ = (
        "_ahead_bytes",
        "_ahead_items",
        "_begin",
        "_due",
        "_link",
        "_marks",
        "_number",
        "_sent",
        "_unmarked_bytes",
        "_unmarked_items",
        "_weight",
        "is_cancelled",
    )

    def __init__(self, number: object, link: Link) -> None:
        super().__init__()
        self._number, self._link = number, link
        name = _quote(number) if isinstance(number, str) else str(number)
        self._begin = '{"jsonrpc":"2.0","method":"items","params":{"id":' + name + ',"values":['
        self._sent = 0
        self._due = 0.0  # when the next batch goes, whatever its weight
        self._weight = 0
        # What the reader hasn't taken; and of that, what no credit has been asked for.
        self._ahead_items = self._ahead_bytes = self._unmarked_items = self._unmarked_bytes = 0
        self._marks: list[tuple[int, int]] = []
        self.is_cancelled = False

    @property
    def has_items(self) -> bool:
        return self._sent > 0

    @property
    def is_full(self) -> bool:
        """Whether the child is as far ahead of the reader as it may be."""
        return self._ahead_items >= WINDOW_ITEMS or self._ahead_bytes >= WINDOW_BYTES

    def cancel(self) -> None:
        """The host wants no more of it. To say that this was heard is to say that what follows may take its time."""
        self.is_cancelled = True
        with self._lock:
            self.send([])

    def put(self, item: object) -> bool:
        """Send the item with the next batch; false once one has gone, so that it is time to hear what the host says.

        It is encoded here and now: the generator may go on to change what it has yielded.

        Raises: Staged: the item has no wire form.
        """
        try:
            if type(item) is str:
                text = _quote(item)
            elif type(item) is int and -_SMALL < item < _SMALL:
                text = int.__repr__(item)
            elif type(item) is dict and "progress" in item and is_progress(item):
                text = ""
            else:
                text = wire.encode(item)
        except Exception:  # noqa: BLE001 - the slow way has the rule for it, or the words
            text = ""
        if not text or len(text) >= wire.BULK_BYTES:
            self._send_alone(item, len(text))
            return False
        self.texts.append(text)
        self._weight += len(text) + _ITEM_WEIGHT
        if self._weight < _BATCH_WEIGHT and monotonic() < self._due and (self.is_watched or _flusher.watch(self)):
            return True
        _printed.flush()
        self.flush()
        self._weight = 0
        self._due = monotonic() + HELD_S
        return False

    def send(self, texts: list[str]) -> None:
        line = self._begin + ",".join(texts)
        line += '],"credit":true}}\n' if self._asks(len(texts), len(line)) else "]}}\n"
        # A lone surrogate, for which UTF-8 has no form, stands in a string, and becomes what JSON writes for it.
        self._link.send_line(line.encode("utf-8", "backslashreplace"))

    def _send_alone(self, item: object, size: int) -> None:
        """Send what is no item, but says how far the generator has come; or isn't plain JSON, or had better travel beside it."""
        _printed.flush()
        self.flush()
        if type(item) is dict and "progress" in item and is_progress(item):
            credit = {"credit": True} if self._asks(0, _ITEM_WEIGHT) else {}  # the reader has to keep up with that, too
            self._link.send({"jsonrpc": "2.0", "method": "progress", "params": {"id": self._number, **item, **credit}})
            return
        with stage("result"):
            params: dict[str, object] = {"id": self._number, "values": [item]}
            if self._asks(1, size or _size_of(item)):
                params["credit"] = True
            try:
                self._link.send({"jsonrpc": "2.0", "method": "items", "params": params})
            except wire.WireError as error:
                path = ["items", self._sent - 1, *error.path[2:]]
                raise wire.WireError("`{}` {}".format(wire.path_text(path), error.reason), path) from error.__cause__
        self._due = monotonic() + HELD_S

    def _asks(self, items: int, size: int) -> bool:
        """Count what is sent now; whether credit is to be asked for with it."""
        self._sent += items
        self._ahead_items += items
        self._ahead_bytes += size
        self._unmarked_items += items
        self._unmarked_bytes += size
        if self._unmarked_items < WINDOW_ITEMS // 2 and self._unmarked_bytes < WINDOW_BYTES // 2:
            return False
        self._marks.append((self._unmarked_items, self._unmarked_bytes))
        self._unmarked_items = self._unmarked_bytes = 0
        return True

    def grant(self) -> None:
        """The reader has taken everything up to the earliest batch with which credit was asked for."""
        if self._marks:
            items, size = self._marks.pop(0)
            with self._lock:
                self._ahead_items -= items
                self._ahead_bytes -= size


def _size_of(item: object) -> int:
    """About as many bytes as the item takes."""
    try:
        return memoryview(item).nbytes  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):  # an array of dates has no view
        return _UNKNOWN_BYTES
