"""Iterators of the caller's as iterators here: arguments whose items are asked for as they are needed.

Above it: the loop and its streams, which hear what the host gives; below it: nothing. Each time as many items are asked for as
were used up twice before, so that few are drawn in vain, and many are drawn quickly.
"""

from __future__ import annotations

from . import _exceptions
from ._stages import Staged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from ._streams import Streams

    Params = dict[str, object]

__all__ = ["Pulled", "Pulling"]

_MOST_ITEMS = 1024  # that are asked for at once


class Pulling:
    """What a call draws from its caller; a context manager around it."""

    def __init__(self, streams: Streams, number: object, may_ask: Callable[[], bool]) -> None:
        """`may_ask` says whether this is the thread that speaks with the host."""
        self._streams = streams
        self._number = number
        self._may_ask = may_ask
        self._pulled: dict[str, Pulled] = {}

    def put_in(self, places: Iterable[str], args: list[object], kwargs: dict[str, object]) -> None:
        """Put iterators in these places."""
        for place in places:
            pulled = self._pulled[place] = self._streams.pulled[self._number, place] = Pulled(
                self._asking(place), self._streams.wait
            )
            if place.isdigit():
                args[int(place)] = pulled
            else:
                kwargs[place] = pulled

    def _asking(self, place: str) -> Callable[[int], None]:
        def ask(count: int) -> None:
            if not self._may_ask():
                raise RuntimeError("an iterator of the caller's can be used only in the thread that was given it")
            self._streams.ask("pull", {"id": self._number, "place": place, "items": count})

        return ask

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        for place, pulled in self._pulled.items():
            pulled.expire()
            del self._streams.pulled[self._number, place]
            if isinstance(error, Staged) and error.error is pulled.error:
                error.given = place
            if isinstance(error, Staged) and error.error is pulled.misfit:
                error.stage = "arguments"


class Pulled:
    """An iterator, and an async one, for as long as the call lasts that it was given to."""

    def __init__(self, ask: Callable[[int], None], wait: Callable[[], None]) -> None:
        """`ask` asks the host for items, `wait` waits for what it says next."""
        self._ask, self._wait = ask, wait
        self._come: list[Params] = []
        self._is_asked = False
        self._is_cancelled = False
        self._is_over = False
        self._items = self._all()
        #: Makes of an item what the parameter's annotation asks for.
        self.make: Callable[[object], object] | None = None
        #: What the caller's iterator has raised; and what `make` has, since an item is nothing that is asked for.
        self.error: BaseException | None = None
        self.misfit: BaseException | None = None

    def __iter__(self) -> Iterator[object]:
        return self._items

    def __next__(self) -> object:
        return next(self._items)

    def __aiter__(self) -> Pulled:
        return self

    async def __anext__(self) -> object:
        try:
            return next(self._items)
        except StopIteration:
            raise StopAsyncIteration from None

    def take(self, params: Params) -> None:
        """What the host has given."""
        self._come.append(params)
        self._is_asked = "more" in params

    def cancel(self) -> None:
        """The host wants nothing more of the call: whoever waits for an item leaves."""
        self._is_cancelled = True

    def expire(self) -> None:
        """The call is over."""
        self._is_over = True

    def _all(self) -> Iterator[object]:
        count = 1
        while True:
            params = self._next(count)
            values = params.get("values")
            if isinstance(values, list):
                yield from values if self.make is None else map(self._made, values)
            error = params.get("error")
            if isinstance(error, dict):
                self.error = _exceptions.revive(error)
                raise self.error
            if "end" in params:
                return
            count = min(2 * count, _MOST_ITEMS)

    def _made(self, value: object) -> object:
        try:
            return value if self.make is None else self.make(value)
        except Exception as error:
            self.misfit = error
            raise

    def _next(self, count: int) -> Params:
        if self._is_over:
            raise RuntimeError("the call is over to which this iterator was given")
        while not self._come:
            if self._is_cancelled:
                raise GeneratorExit
            if not self._is_asked:
                self._is_asked = True
                self._ask(count)
            self._wait()
        return self._come.pop(0)
