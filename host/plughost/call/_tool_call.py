"""A call of a tool, as it is asked for, and what its answer says.

Above it: whoever waits for the answer, in a thread or an event loop; below it: the arguments' check, and the worker.
"""

from __future__ import annotations

from plughost.call._arguments import argument_not_sendable, check
from plughost.call._errors import describe_exception, error_from
from plughost.runner.flushing import Flusher
from plughost.runner.wire import WireError
from plughost.worker import CUSTODY, Feed, is_async_iterator, is_iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plughost.call._output import Output
    from plughost.worker import Exchange, Worker

__all__ = ["ToolCall", "is_stream", "result_of"]


class ToolCall:
    """A call that is to be made. `tool` is its entry in the manifest; `output` takes in what the plugin reports meanwhile."""

    __slots__ = ("args", "kwargs", "output", "plugin", "timeout_s", "tool")

    def __init__(
        self,
        plugin: str,
        tool: Mapping[str, object],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        output: Output,
        timeout_s: float | None = None,
    ) -> None:
        self.plugin = plugin
        self.tool = tool
        self.args = args
        self.kwargs = kwargs
        self.output = output
        self.timeout_s = timeout_s

    def begin(self, worker: Worker) -> Exchange:
        """Check the arguments and ask the worker. Whoever does so has `output` leave it in the end.

        Raises: UsageError: the arguments don't fit; the worker was not asked.
        """
        tool, args, kwargs = self.tool, self.args, self.kwargs
        check(self.plugin, tool, args, kwargs)
        params: dict[str, object] = {"target": tool["target"], "args": list(args), "kwargs": dict(kwargs)}
        if tool.get("convert"):
            params["convert"] = tool["convert"]
        feeds = _feeds_in(tool, args, kwargs)
        if feeds:
            params["pulled"] = list(feeds)
            params["args"] = [None if str(place) in feeds else value for place, value in enumerate(args)]
            params["kwargs"] = {name: None if name in feeds else value for name, value in kwargs.items()}
        self.output.take_over(worker)
        try:
            exchange = worker.begin("call", params, what=_label(self.plugin, tool), timeout_s=self.timeout_s)
        except WireError as error:
            self.output.leave(worker)
            raise argument_not_sendable(f"{self.plugin}:{tool['name']}", tool, error) from error
        exchange.feed_from(feeds)
        return exchange


def is_stream(tool: Mapping[str, object]) -> bool:
    """Whether the tool gives items one by one."""
    return tool.get("kind") in {"generator", "async-generator"}


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


def _feeds_in(tool: Mapping[str, object], args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, Feed]:
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
