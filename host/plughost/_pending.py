"""Waiting for several plugins at once, or for one of them while an event loop goes on.

Above it: whoever has asked them; below it: readiness, of descriptors and of time.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from plughost.worker import Exchange

__all__ = ["Asked", "Steps", "see_through", "see_through_async"]


class Asked(Protocol):
    """What a plugin was asked for. What `advance` raises stands for the answer."""

    @property
    def deadline(self) -> float | None: ...
    def descriptors(self) -> list[tuple[int, int]]: ...
    def advance(self) -> bool: ...


def see_through(asked: Iterable[Asked], *, timeout_s: float | None = None) -> bool:
    """Until each has its answer, or the error that stands for it; false where the time is over before."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    with _Pending(asked) as pending:
        while pending:
            left_s = pending.time_left_s()
            if until is not None:
                ours_s = until - time.monotonic()
                if ours_s <= 0:
                    return False
                left_s = ours_s if left_s is None else min(left_s, ours_s)
            pending.advance(left_s)
    return True


async def see_through_async(asked: Iterable[Asked]) -> None:
    """As `see_through`, while the event loop goes on."""
    with _Pending(asked) as pending, _Bell(pending.fileno()) as bell:
        while pending:
            await bell.rung(pending.time_left_s())
            pending.advance(0)


class Steps:
    """The steps of one exchange, while the event loop goes on. A context manager."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._waits = _Waits()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waits.close()

    async def step(self) -> tuple[bool, object]:
        """As `Exchange.step`, but that whose time is over is the caller's to call off."""
        exchange = self._exchange
        if (taken := exchange.step_nowait()) is not None:
            return taken
        with _Bell(self._waits.fileno()) as bell:
            while True:
                if exchange.wanted:
                    await exchange.aserve()
                if (taken := exchange.step_nowait()) is not None:
                    return taken
                if not exchange.wanted:
                    left_s = None if exchange.deadline is None else exchange.deadline - time.monotonic()
                    if left_s is not None and left_s <= 0:
                        raise exchange.too_late()
                    self._waits.wait_for(exchange.descriptors())
                    await bell.rung(left_s)


class _Waits:
    """A descriptor that is readable when one of some others is ready."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._registered: list[tuple[int, int]] = []

    def fileno(self) -> int:
        return self._selector.fileno()

    def wait_for(self, descriptors: list[tuple[int, int]]) -> None:
        """Instead of those before: descriptors with their events, as for `select.poll`."""
        if descriptors != self._registered:
            for fd, _ in self._registered:
                self._selector.unregister(fd)
            for fd, events in descriptors:
                self._selector.register(fd, _event(events))
            self._registered = descriptors

    def close(self) -> None:
        self._selector.close()


class _Bell:
    """Rings in the event loop when a descriptor is readable, or after a time."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()

    def __enter__(self) -> Self:
        self._loop.add_reader(self._fd, self._ready.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._fd)

    async def rung(self, timeout_s: float | None) -> None:
        timer = None if timeout_s is None else self._loop.call_later(timeout_s, self._ready.set)
        try:
            await self._ready.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._ready.clear()


class _Pending:
    """Those that have no answer yet, and what they wait for."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[Asked, list[tuple[int, int]]] = {}
        try:
            for each in asked:
                self._advance(each)
        except BaseException:
            self._selector.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def fileno(self) -> int:
        """Readable when `advance` has something to do before any time is over."""
        return self._selector.fileno()

    def time_left_s(self) -> float | None:
        deadlines = [each.deadline for each in self._waiting if each.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def advance(self, timeout_s: float | None) -> None:
        """Wait until one of them can get on, or its time is over, and let it."""
        ready = {key.data: None for key, _ in self._selector.select(timeout_s)}
        for each in ready or list(self._waiting):
            self._advance(each)

    def _advance(self, asked: Asked) -> None:
        waits_for = [] if _is_done(asked) else asked.descriptors()
        before = self._waiting.pop(asked, [])
        if waits_for != before:
            for fd, _ in before:
                self._selector.unregister(fd)
            waits_for = [each for each in waits_for if self._register(*each, asked)]
        if waits_for:
            self._waiting[asked] = waits_for

    def _register(self, fd: int, events: int, asked: Asked) -> bool:
        try:
            self._selector.register(fd, _event(events), asked)
        except OSError:  # closed meanwhile by another of those who share a worker, which its own descriptor tells of
            return False
        return True


def _is_done(asked: Asked) -> bool:
    try:
        return asked.advance()
    except Exception:  # noqa: BLE001 - it is that one's, and raised in its turn
        return True


def _event(events: int) -> int:
    return selectors.EVENT_READ if events == select.POLLIN else selectors.EVENT_WRITE
