"""One call of one tool on one worker."""

from __future__ import annotations

import time

from plughost.call._arguments import argument_not_sendable, check
from plughost.call._errors import describe_exception, error_from
from plughost.runner.flushing import Flusher
from plughost.runner.wire import WireError
from plughost.worker import CUSTODY, Feed, is_async_iterator, is_iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from plughost.worker import Exchange, Worker

__all__ = ["Outcome", "begin_call", "conclude", "describe", "invoke", "is_stream", "load", "result_of", "stream"]

#: The most of a call's output that is kept: its end, since that is where the reason stands.
KEPT_OUTPUT_BYTES = 1 << 20


class Outcome:
    """What a call came to. `result` is the tool's value; of a stream, the list of its items, if they were not taken one by one.

    Of a generator that has given no item, but reported its progress, it is what the generator returned, if it did.
    `output` is what the plugin printed during the call, its last MiB (`output_truncated` says whether there was more).
    """

    __slots__ = ("duration_s", "is_stream", "output", "output_truncated", "plugin", "result", "tool")

    def __init__(
        self, *, plugin: str, tool: str, result: object, output: str, output_truncated: bool, duration_s: float, is_stream: bool
    ) -> None:
        self.plugin = plugin
        self.tool = tool
        self.result = result
        self.output = output
        self.output_truncated = output_truncated
        self.duration_s = duration_s
        self.is_stream = is_stream


class Output:
    """Collects what a plugin prints during a call, and passes it on: to whoever asked for it, else to whoever had it before."""

    __slots__ = ("_before", "_kept", "_pass_on", "truncated")

    def __init__(self, pass_on: Callable[[bytes], None] | None) -> None:
        self._kept = bytearray()
        self._pass_on = pass_on
        self._before: Callable[[bytes], None] | None = None
        self.truncated = False

    def take_over(self, worker: Worker) -> None:
        """Have what the worker prints from now on; `leave` gives it back."""
        self._before, worker.on_output = worker.on_output, self.add

    def leave(self, worker: Worker) -> None:
        worker.on_output = self._before

    def add(self, chunk: bytes) -> None:
        self._kept += chunk
        if len(self._kept) > 2 * KEPT_OUTPUT_BYTES:
            del self._kept[:-KEPT_OUTPUT_BYTES]
            self.truncated = True
        pass_on = self._pass_on or self._before
        if pass_on is not None:
            pass_on(chunk)

    def text(self) -> str:
        if len(self._kept) > KEPT_OUTPUT_BYTES:
            del self._kept[:-KEPT_OUTPUT_BYTES]
            self.truncated = True
        return self._kept.decode("utf-8", "replace")


def is_stream(tool: Mapping[str, object]) -> bool:
    """Whether the tool gives items one by one."""
    return tool.get("kind") in {"generator", "async-generator"}


def invoke(
    worker: Worker,
    plugin: str,
    tool: Mapping[str, object],
    *,
    args: Sequence[object] = (),
    kwargs: Mapping[str, object],
    timeout_s: float | None = None,
    on_item: Callable[[object], None] | None = None,
    output: Output,
) -> Outcome:
    """Check the arguments, ask the worker, wait. A stream's items go to `on_item`, or into the result.

    The worker may still be starting: it does so while the arguments are being checked.

    Raises: UsageError: the arguments don't fit; the worker was not asked. PluginError: the tool raised. CallTimeout,
    PluginCrashed: and the worker is gone.
    """
    started = time.monotonic()
    items: list[object] = []
    streamed = is_stream(tool)
    exchange = begin_call(worker, plugin, tool, args, kwargs, timeout_s, output)
    try:
        done, message = exchange.step()
        while not done:
            streamed = True
            assert isinstance(message, list)
            if on_item is None:
                items += message
                exchange.mind_total()
            else:
                for item in message:
                    on_item(item)
            done, message = exchange.step()
    except BaseException:
        worker.kill()  # an error of `on_item` leaves a stream half read
        raise
    finally:
        output.leave(worker)
    result = result_of(message, plugin, tool, exchange)
    return Outcome(
        plugin=plugin,
        tool=str(tool["name"]),
        result=items if streamed and on_item is None and result is None else result,
        output=output.text(),
        output_truncated=output.truncated,
        duration_s=time.monotonic() - started,
        is_stream=streamed and result is None,
    )


def conclude(exchange: Exchange, plugin: str, tool: Mapping[str, object]) -> object:
    """The result of a call that is under way: the tool's value; of a stream, the list of its items.

    Raises: as `invoke` does.
    """
    items: list[object] = []
    streamed = is_stream(tool)
    done, message = exchange.step()
    while not done:
        streamed = True
        assert isinstance(message, list)
        items += message
        exchange.mind_total()
        done, message = exchange.step()
    result = result_of(message, plugin, tool, exchange)
    return items if streamed and result is None else result


def stream(
    worker: Worker,
    plugin: str,
    tool: Mapping[str, object],
    *,
    args: Sequence[object] = (),
    kwargs: Mapping[str, object],
    timeout_s: float | None = None,
    output: Output,
) -> Iterator[object]:
    """The items as they come; a tool that is no stream gives its value as the only item.

    Leaving early closes the generator in the child. Raises what `invoke` raises, after the items that came before.
    """
    exchange = begin_call(worker, plugin, tool, args, kwargs, timeout_s, output)
    streamed = is_stream(tool)
    try:
        done, message = exchange.step()
        while not done:
            streamed = True
            assert isinstance(message, list)
            try:
                yield from message
            except GeneratorExit:
                exchange.cancel()
                raise
            done, message = exchange.step()
        result = result_of(message, plugin, tool, exchange)
    finally:
        output.leave(worker)
    if not streamed or result is not None:
        yield result


def begin_call(
    worker: Worker,
    plugin: str,
    tool: Mapping[str, object],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    timeout_s: float | None,
    output: Output,
) -> Exchange:
    """Check the arguments and ask the worker. Whoever does so has `output` leave it in the end.

    Raises: UsageError: the arguments don't fit; the worker was not asked.
    """
    check(plugin, tool, args, kwargs)
    params: dict[str, object] = {"target": tool["target"], "args": list(args), "kwargs": dict(kwargs)}
    if tool.get("convert"):
        params["convert"] = tool["convert"]
    feeds = feeds_in(tool, args, kwargs)
    if feeds:
        params["pulled"] = list(feeds)
        params["args"] = [None if str(place) in feeds else value for place, value in enumerate(args)]
        params["kwargs"] = {name: None if name in feeds else value for name, value in kwargs.items()}
    output.take_over(worker)
    try:
        exchange = worker.begin("call", params, what=_label(plugin, tool), timeout_s=timeout_s)
    except WireError as error:
        output.leave(worker)
        raise argument_not_sendable(f"{plugin}:{tool['name']}", tool, error) from error
    exchange.feed_from(feeds)
    return exchange


def feeds_in(tool: Mapping[str, object], args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, Feed]:
    """The iterators among the arguments, by place or name."""
    places = tool.get("positional")
    names = [*places, *range(len(places), len(args))] if isinstance(places, list) else range(len(args))
    given = ((str(place), str(name), value) for place, (name, value) in enumerate(zip(names, args, strict=False)))
    drawn = [
        (place, name, value)
        for place, name, value in (*given, *((name, name, value) for name, value in kwargs.items()))
        if is_iterator(value) or is_async_iterator(value)
    ]
    if not drawn:
        return {}
    flusher = Flusher()  # of this call alone: its thread, if it ever begins, ends with it
    return {place: Feed(place, value, name=name, flusher=flusher, describe=describe_exception) for place, name, value in drawn}


def _label(plugin: str, tool: Mapping[str, object]) -> str:
    return f"`{plugin}:{tool['name']}`"


def result_of(message: object, plugin: str, tool: Mapping[str, object], exchange: Exchange) -> object:
    """What a response says.

    Raises: PluginError: that the tool raised. KeyboardInterrupt: whoever has the call made had Ctrl-C, and had it cancelled.
    """
    assert isinstance(message, dict)
    problem = message.get("error")
    if isinstance(problem, dict):
        if (custody := CUSTODY.get()) is not None and custody.is_cancelled and _is_interrupt(problem):
            raise KeyboardInterrupt
        raise exchange.original(problem) or exchange.explained(error_from(problem, what=_label(plugin, tool)))
    return message["result"]


def _is_interrupt(problem: dict[str, object]) -> bool:
    data = problem.get("data")
    return isinstance(data, dict) and data.get("type") == "KeyboardInterrupt"


def load(worker: Worker, plugin: str, manifest: Mapping[str, object], *, timeout_s: float) -> Callable[[], None]:
    """Have the plugin imported, all that it offers; what is returned waits for that.

    Raises: PluginError: it can't be imported. CallTimeout, PluginCrashed.
    """
    offered = [each for key in ("tools", "hooks") for each in _dicts(manifest.get(key))]
    targets = list(dict.fromkeys(str(each["target"]) for each in offered if "target" in each))
    exchange = worker.begin("load", {"targets": targets}, what=f"`{plugin}`", timeout_s=timeout_s)

    def finish() -> None:
        message = exchange.step()[1]
        problem = message.get("error") if isinstance(message, dict) else None
        if isinstance(problem, dict):
            raise exchange.explained(error_from(problem, what=f"`{plugin}`"))

    return finish


def _dicts(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def describe(worker: Worker, plugin: str, entry_points: Mapping[str, str], *, timeout_s: float) -> dict[str, object]:
    """Ask the plugin what it offers: `tools` and `hooks`, as in the manifest.

    Raises: PluginError: it can't be imported. DescribeError: an entry point is nothing that can be called. CallTimeout,
    PluginCrashed.
    """
    reply = worker.request("describe", {"entry_points": dict(entry_points)}, what=f"`{plugin}`", timeout_s=timeout_s)
    problem = reply.get("error")
    if isinstance(problem, dict):
        raise worker.explained(error_from(problem, what=f"`{plugin}`"))
    manifest = reply["result"]
    if (
        not isinstance(manifest, dict)
        or not isinstance(manifest.get("tools"), list)
        or not isinstance(manifest.get("hooks"), list)
    ):
        raise error_from({"message": "`describe` gave no manifest"}, what=f"`{plugin}`")
    return manifest
