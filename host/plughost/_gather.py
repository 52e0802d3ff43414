"""The implementations of one hook call at the same time: each plugin is asked before the first answer is waited for.

Above it: `Host`; below it: the proxies, which find that they have been asked already. pluggy still makes the call: local
implementations run in their turn, results are in its order, its tracing sees everything.
"""

from __future__ import annotations

import asyncio
import difflib
import select
import selectors
import time
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from plughost.call import IsolatedPlugin, begin_ahead
from plughost.errors import UnknownError
from plughost.worker import Custody

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from pluggy import HookCaller, PluginManager

    from plughost.call import Begun
    from plughost.contract import HookImplementation

__all__ = ["call_together", "call_together_async", "taken_ahead"]


#: What was asked ahead for the hook call that is running.
_AHEAD: ContextVar[dict[HookImplementation, Begun] | None] = ContextVar("plughost_ahead", default=None)


def taken_ahead(implementation: HookImplementation, args: Sequence[object]) -> Begun | None:
    """The call that was begun for these very arguments, if there is one. A nested call of the same hook has others."""
    ahead = _AHEAD.get()
    begun = ahead.get(implementation) if ahead else None
    if ahead is None or begun is None or not all(a is b for a, b in zip(begun.args, args, strict=True)):
        return None
    del ahead[implementation]
    return begun


def call_together(manager: PluginManager, name: str, kwargs: Mapping[str, object]) -> object:
    """Call a hook, all isolated implementations at once; one after the other where pluggy's order allows nothing else."""
    caller = _caller(manager, name)
    ahead = _ask_all(caller, kwargs)
    if ahead is None:
        return caller(**kwargs)
    try:
        _see_through(ahead.values())
        return _call(caller, kwargs, ahead)
    finally:
        _discard(ahead)


async def call_together_async(manager: PluginManager, name: str, kwargs: Mapping[str, object]) -> object:
    """As `call_together`, while the event loop goes on; local implementations run in its thread, coroutines in the loop.

    Where the implementations have to run one after the other, all of them run in another thread.
    """
    caller = _caller(manager, name)
    ahead = _ask_all(caller, kwargs)
    if ahead is None:
        return await _awaited(await _call_aside(caller, kwargs))
    try:
        await _see_through_async(ahead.values())
        result = _call(caller, kwargs, ahead)
    finally:
        _discard(ahead)
    return await _awaited(result)


async def _call_aside(caller: HookCaller, kwargs: Mapping[str, object]) -> object:
    custody = Custody()
    try:
        return await asyncio.to_thread(custody.run, caller, **kwargs)
    except asyncio.CancelledError:
        custody.end()
        raise


async def _awaited(result: object) -> object:
    """Local implementations may be coroutine functions: isolated ones give their values, and so shall these."""
    if not isinstance(result, list):
        return await result if isinstance(result, Awaitable) else result
    waiting = {place: value for place, value in enumerate(result) if isinstance(value, Awaitable)}
    values = await _gather(waiting.values())
    for place, value in zip(waiting, values, strict=True):
        result[place] = value
    return result


async def _gather(awaitables: Iterable[Awaitable[object]]) -> list[object]:
    """All of them at once. None is under way any more when this ends, however it ends."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _caller(manager: PluginManager, name: str) -> HookCaller:
    caller: HookCaller | None = getattr(manager.hook, name, None)
    if caller is None:
        names = [known for known in vars(manager.hook) if not known.startswith("_")]
        near = difflib.get_close_matches(name, names, n=1)
        raise UnknownError(
            f"`{manager.project_name}` has no hook `{name}`",
            reference="hook-unknown",
            causes=[] if near else [f"Its hooks are {', '.join(f'`{known}`' for known in sorted(names))}"],
            hint=f"Did you mean `{near[0]}`?" if near else "Add its specification, or register a plugin that implements it",
        )
    return caller


def _ask_all(caller: HookCaller, kwargs: Mapping[str, object]) -> dict[HookImplementation, Begun] | None:
    """Begin every isolated implementation; None where the order among them matters, or pluggy is going to refuse the call."""
    implementations = caller.get_hookimpls()
    spec = caller.spec
    in_order = any(each.wrapper or each.hookwrapper for each in implementations) or (
        spec is not None and spec.opts["firstresult"]
    )
    if in_order or any(name not in kwargs for each in implementations for name in each.argnames):
        return None
    ahead: dict[HookImplementation, Begun] = {}
    try:
        for each in reversed(implementations):
            if isinstance(each.plugin, IsolatedPlugin):
                begun = begin_ahead(each.plugin, each.function.__name__, [kwargs[name] for name in each.argnames])
                if begun is not None:
                    ahead[begun[0]] = begun[1]
    except BaseException:
        _discard(ahead)
        raise
    return ahead


def _is_done(begun: Begun) -> bool:
    try:
        return begun.call.advance()
    except Exception:  # noqa: BLE001 - it is that implementation's, and raised in its turn
        return True


def _see_through(asked: Iterable[Begun]) -> None:
    """Until each has its answer, or the error that stands for it."""
    with _Pending(asked) as pending:
        while pending:
            pending.advance(pending.time_left_s())


async def _see_through_async(asked: Iterable[Begun]) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    with _Pending(asked) as pending:
        loop.add_reader(pending.fileno(), ready.set)
        try:
            while pending:
                left_s = pending.time_left_s()
                timer = None if left_s is None else loop.call_later(left_s, ready.set)
                try:
                    await ready.wait()
                finally:
                    if timer is not None:
                        timer.cancel()
                ready.clear()
                pending.advance(0)
        finally:
            loop.remove_reader(pending.fileno())


class _Pending:
    """Calls that have no answer yet, and what they wait for."""

    def __init__(self, asked: Iterable[Begun]) -> None:
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[Begun, list[tuple[int, int]]] = {}
        try:
            for begun in asked:
                self._advance(begun)
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
        deadlines = [begun.call.deadline for begun in self._waiting if begun.call.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def advance(self, timeout_s: float | None) -> None:
        """Wait until one of them can get on, or its time is over, and let it."""
        ready = {key.data: None for key, _ in self._selector.select(timeout_s)}
        for begun in ready or list(self._waiting):
            self._advance(begun)

    def _advance(self, begun: Begun) -> None:
        waits_for = [] if _is_done(begun) else begun.call.descriptors()
        before = self._waiting.pop(begun, [])
        if waits_for != before:
            for fd, _ in before:
                self._selector.unregister(fd)
            for fd, events in waits_for:
                self._selector.register(fd, selectors.EVENT_READ if events == select.POLLIN else selectors.EVENT_WRITE, begun)
        if waits_for:
            self._waiting[begun] = waits_for


def _call(caller: HookCaller, kwargs: Mapping[str, object], ahead: dict[HookImplementation, Begun]) -> object:
    token = _AHEAD.set(ahead)
    try:
        return caller(**kwargs)
    finally:
        _AHEAD.reset(token)


def _discard(ahead: dict[HookImplementation, Begun]) -> None:
    """What pluggy has not called, since an implementation before it raised or we were interrupted."""
    for begun in ahead.values():
        begun.abandon()
    ahead.clear()
