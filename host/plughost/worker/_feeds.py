"""Iterators that a caller gives as arguments: drawn from when the plugin asks for items, in the caller's own thread.

Above it: calls, and the exchange that hears what the plugin asks for; below it: the channel and the wire.
"""

from __future__ import annotations

import time

from plughost.errors import UsageError
from plughost.runner import wire
from plughost.runner.flushing import HELD_S, Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import TypeGuard

    from plughost.runner.flushing import Flusher
    from plughost.worker._channel import Channel

    Describe = Callable[[BaseException], dict[str, object]]

__all__ = ["Feed", "is_async_iterator", "is_iterator"]

#: What items may weigh that are sent together, each a little more than its text.
_MOST_WEIGHT, _ITEM_WEIGHT = 1 << 16, 128


def is_iterator(value: object) -> TypeGuard[Iterator[object]]:
    return hasattr(type(value), "__next__")


def is_async_iterator(value: object) -> TypeGuard[AsyncIterator[object]]:
    return hasattr(type(value), "__anext__")


class Feed(Waiting):
    """What one argument gives; `error` is what its iterator has raised, or what is wrong with an item of it.

    Each item is encoded when it comes, since its maker may go on to change it.
    """

    __slots__ = ("_begin", "_channel", "_describe", "_drawn", "_flusher", "_iterator", "_name", "_params", "_weight", "error")

    def __init__(
        self,
        place: str,
        iterator: Iterator[object] | AsyncIterator[object],
        *,
        name: str,
        flusher: Flusher,
        describe: Describe,
    ) -> None:
        """`name` is the parameter's; `describe` makes a record of an exception, for the plugin."""
        super().__init__()
        self._params: dict[str, object] = {"place": place}
        self._name = name
        self._iterator = iterator
        self._flusher = flusher
        self._describe = describe
        self._channel: Channel | None = None
        self._begin = ""
        self._drawn = self._weight = 0
        self.error: BaseException | None = None

    @property
    def is_async(self) -> bool:
        """Whether it can be drawn from by `aserve` alone."""
        return not is_iterator(self._iterator)

    def connect(self, channel: Channel, number: object) -> None:
        """From now on: what is drawn is for the call of that number."""
        self._channel = channel
        self._params["id"] = number
        params = wire.encode(self._params)
        self._begin = f'{{"jsonrpc":"2.0","method":"given","params":{params[:-1]},"values":['

    def serve(self, most: int) -> None:
        """Send up to `most` items; fewer where they are slow or large. What is drawn doesn't wait for what is slow to come."""
        assert is_iterator(self._iterator)
        step = self._iterator.__next__
        until = time.monotonic() + HELD_S
        end: dict[str, object] = {}
        self._weight = 0
        try:
            for left in range(most - 1, -1, -1):
                value = step()
                self._put(value)
                if self._weight >= _MOST_WEIGHT or time.monotonic() >= until:
                    break
                if left and not self.is_watched and not self._flusher.watch(self):
                    self.flush()
        except StopIteration:
            end = {"end": True}
        except Exception as error:  # noqa: BLE001 - the plugin's to handle; comes back to the caller if it doesn't
            end = self._failed(error)
        self._finish(end)

    async def aserve(self, most: int) -> None:
        """As `serve`, of an async iterator."""
        from asyncio import get_running_loop

        assert is_async_iterator(self._iterator)
        step = self._iterator.__anext__
        until = time.monotonic() + HELD_S
        end: dict[str, object] = {}
        self._weight = 0
        timer = None
        try:
            for left in range(most - 1, -1, -1):
                value = await step()
                self._put(value)
                if self._weight >= _MOST_WEIGHT or time.monotonic() >= until:
                    break
                if left and timer is None:
                    timer = get_running_loop().call_later(HELD_S, self.flush)
        except StopAsyncIteration:
            end = {"end": True}
        except Exception as error:  # noqa: BLE001 - as in `serve`
            end = self._failed(error)
        finally:
            if timer is not None:
                timer.cancel()
        self._finish(end)

    def _put(self, value: object) -> None:
        """Raises: WireError: the item has no wire form."""
        self._drawn += 1
        try:
            text = wire.encode(value)
        except Exception:  # noqa: BLE001 - the slow way has the rule for it, or the words
            text = ""
        if text and len(text) < wire.BULK_BYTES:
            self.texts.append(text)
        else:
            self.flush()
            self._say({"values": [value], "more": True})
        self._weight += len(text) + _ITEM_WEIGHT

    def send(self, texts: list[str]) -> None:
        self._write(texts, '],"more":true}}\n')

    def _finish(self, end: dict[str, object]) -> None:
        """Send what is left, and what there is to say of the end."""
        if end:
            self.flush()
            self._say(end)
        else:
            with self._lock:
                self._write(self.taken(), "]}}\n")

    def _write(self, texts: list[str], end: str) -> None:
        assert self._channel is not None
        # A lone surrogate, for which UTF-8 has no form, stands in a string, and becomes what JSON writes for it.
        self._channel.send_line((self._begin + ",".join(texts) + end).encode("utf-8", "backslashreplace"))

    def _say(self, what: dict[str, object]) -> None:
        assert self._channel is not None
        self._channel.send({"jsonrpc": "2.0", "method": "given", "params": {**self._params, **what}})

    def _failed(self, error: Exception) -> dict[str, object]:
        if isinstance(error, wire.WireError):
            place = wire.path_text([self._name, self._drawn - 1, *error.path[2:]])
            error = UsageError(
                f"Item {self._drawn - 1} of the argument `{self._name}` can't be sent",
                reference="value-unsupported",
                causes=[f"`{place}` {error.reason}"],
                hint="Turn it into text, numbers, bytes, dates, paths, dataclasses, or lists, sets and dicts of these",
            )
        self.error = error
        return {"error": self._describe(error)}

    def close(self) -> None:
        """Nothing more will be asked of it: end a generator. A file stays open, which its caller may go on reading."""
        self._flusher.close()
        close = getattr(self._iterator, "close", None)
        if close is not None and not hasattr(self._iterator, "readline"):
            close()

    async def aclose(self) -> None:
        """As `close`, of an async iterator."""
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()
