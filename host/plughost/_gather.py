"""The implementations of one hook call at the same time: each plugin is asked before the first answer is waited for.

Above it: `Host`; below it: the proxies, which find that they have been asked already. pluggy still makes the call: local
implementations run in their turn, results are in its order, its tracing sees everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from plughost._pending import see_through, see_through_async
from plughost._wording import did_you_mean, listed
from plughost.call import IsolatedPlugin, begin_ahead
from plughost.errors import UnknownError
from plughost.worker import Custody

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pluggy import HookCaller, PluginManager

    from plughost.call import Begun
    from plughost.contract import HookImplementation

__all__ = ["AHEAD", "call_together", "call_together_async", "taken_ahead"]


#: What was asked ahead for the hook call that is running.
AHEAD: ContextVar[dict[HookImplementation, Begun] | None] = ContextVar("plughost_ahead", default=None)


def taken_ahead(implementation: HookImplementation, args: Sequence[object]) -> Begun | None:
    """The call that was begun for these very arguments, if there is one. A nested call of the same hook has others."""
    ahead = AHEAD.get()
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
        see_through(begun.call for begun in ahead.values())
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
        await see_through_async(begun.call for begun in ahead.values())
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
        hint = did_you_mean(name, names, most=1)
        raise UnknownError(
            f"`{manager.project_name}` has no hook `{name}`",
            reference="hook-unknown",
            causes=[] if hint else [f"Its hooks are {listed(sorted(names))}"],
            hint=hint or "Add its specification, or register a plugin that implements it",
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


def _call(caller: HookCaller, kwargs: Mapping[str, object], ahead: dict[HookImplementation, Begun]) -> object:
    token = AHEAD.set(ahead)
    try:
        return caller(**kwargs)
    finally:
        AHEAD.reset(token)


def _discard(ahead: dict[HookImplementation, Begun]) -> None:
    """What pluggy has not called, since an implementation before it raised or we were interrupted."""
    for begun in ahead.values():
        begun.abandon()
    ahead.clear()
