"""Iterators that a caller gives as arguments: drawn from when the plugin asks for items, in the caller's own thread.

Above it: calls, and the exchange that hears what the plugin asks for; below it: the channel and the wire.
"""

from __future__ import annotations

import time

from plughost.errors import UsageError
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import TypeGuard

    from plughost.worker._channel import Channel

    Describe = Callable[[BaseException], dict[str, object]]

__all__ = ["Feed", "is_async_iterator", "is_iterator"]

#: How long items are gathered before they are sent, and what they may weigh, each a little more than its text.
_GATHERED_S = 0.002
_MOST_WEIGHT, _ITEM_WEIGHT = 1 << 16, 128


def is_iterator(value: object) -> TypeGuard[Iterator[object]]:
    return hasattr(type(value), "__next__")


def is_async_iterator(value: object) -> TypeGuard[AsyncIterator[object]]:
    return hasattr(type(value), "__anext__")


class Feed:
    """What one argument gives; `error` is what its iterator has raised, or what is wrong with an item of it."""

    __slots__ = ("_describe", "_drawn", "_iterator", "_name", "_place", "error")

    def __init__(self, place: str, iterator: Iterator[object] | AsyncIterator[object], *, name: str, describe: Describe) -> None:
        """`name` is the parameter's; `describe` makes a record of an exception, for the plugin."""
        self._place, self._name = place, name
        self._iterator = iterator
        self._describe = describe
        self._drawn = 0
        self.error: BaseException | None = None

    @property
    def is_async(self) -> bool:
        """Whether it can be drawn from by `aserve` alone."""
        return not is_iterator(self._iterator)

    def serve(self, channel: Channel, number: object, most: int) -> None:
        """Send up to `most` items for the call of that number; fewer where they are slow or large."""
        assert is_iterator(self._iterator)
        batch = _Batch(channel, number, self._place)
        step = self._iterator.__next__
        end: dict[str, object] = {}
        try:
            for _ in range(most):
                value = step()
                self._drawn += 1
                if not batch.put(value):
                    break
        except StopIteration:
            end = {"end": True}
        except Exception as error:  # noqa: BLE001 - the plugin's to handle; comes back to the caller if it doesn't
            end = self._failed(error)
        batch.send(end)

    async def aserve(self, channel: Channel, number: object, most: int) -> None:
        """As `serve`, of an async iterator."""
        assert is_async_iterator(self._iterator)
        batch = _Batch(channel, number, self._place)
        step = self._iterator.__anext__
        end: dict[str, object] = {}
        try:
            for _ in range(most):
                value = await step()
                self._drawn += 1
                if not batch.put(value):
                    break
        except StopAsyncIteration:
            end = {"end": True}
        except Exception as error:  # noqa: BLE001 - as in `serve`
            end = self._failed(error)
        batch.send(end)

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
        close = getattr(self._iterator, "close", None)
        if close is not None and not hasattr(self._iterator, "readline"):
            close()

    async def aclose(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()
        else:
            self.close()


class _Batch:
    """Items on their way into the child; each is encoded when it comes, since its maker may go on to change it."""

    __slots__ = ("_begin", "_channel", "_params", "_texts", "_until", "_weight")

    def __init__(self, channel: Channel, number: object, place: str) -> None:
        self._channel = channel
        self._params: dict[str, object] = {"id": number, "place": place}
        self._begin = f'{{"jsonrpc":"2.0","method":"given","params":{{"id":{number},"place":{wire.encode(place)},"values":['
        self._texts: list[str] = []
        self._weight = 0
        self._until = time.monotonic() + _GATHERED_S

    def put(self, value: object) -> bool:
        """Whether the batch has room for more, and time.

        Raises: WireError: the item has no wire form.
        """
        try:
            text = wire.encode(value)
        except Exception:  # noqa: BLE001 - the slow way has the rule for it, or the words
            text = ""
        if text and len(text) < wire.BULK_BYTES:
            self._texts.append(text)
        else:
            self._flush()
            self._channel.send({"jsonrpc": "2.0", "method": "given", "params": {**self._params, "values": [value], "more": True}})
        self._weight += len(text) + _ITEM_WEIGHT
        return self._weight < _MOST_WEIGHT and time.monotonic() < self._until

    def send(self, end: dict[str, object]) -> None:
        """Send what is left, and what there is to say of the end."""
        if end:
            self._flush()
            self._channel.send({"jsonrpc": "2.0", "method": "given", "params": {**self._params, **end}})
        else:
            self._write("]}}\n")

    def _flush(self) -> None:
        if self._texts:
            self._write('],"more":true}}\n')

    def _write(self, end: str) -> None:
        line = self._begin + ",".join(self._texts) + end
        self._texts.clear()
        # A lone surrogate, for which UTF-8 has no form, stands in a string, and becomes what JSON writes for it.
        self._channel.send_line(line.encode("utf-8", "backslashreplace"))
