"""What is asked of a worker and waited for in this thread: a call of a tool, and what the plugin offers.

Above it: the host; below it: the worker.
"""

from __future__ import annotations

import time

from plughost._values import tables
from plughost.call._errors import error_from
from plughost.call._tool_call import is_stream, result_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from plughost.call._tool_call import ToolCall
    from plughost.worker import Exchange, Worker

__all__ = ["Outcome", "conclude", "describe", "invoke", "load", "stream"]


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

    def __repr__(self) -> str:
        return f"{type(self).__name__}(plugin={self.plugin!r}, tool={self.tool!r}, result={self.result!r})"


def invoke(worker: Worker, call: ToolCall, *, on_item: Callable[[object], None] | None = None) -> Outcome:
    """Check the arguments, ask the worker, wait. A stream's items go to `on_item`, or into the result.

    The worker may still be starting: it does so while the arguments are being checked.

    Raises: UsageError: the arguments don't fit; the worker was not asked. PluginError: the tool raised. CallTimeout,
    PluginCrashed: and the worker is gone.
    """
    started = time.monotonic()
    items: list[object] = []
    streamed = is_stream(call.tool)
    exchange = call.begin(worker)
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
        call.output.leave(worker)
    result = result_of(message, call.plugin, call.tool, exchange)
    return Outcome(
        plugin=call.plugin,
        tool=str(call.tool["name"]),
        result=items if streamed and on_item is None and result is None else result,
        output=call.output.text(),
        output_truncated=call.output.truncated,
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


def stream(worker: Worker, call: ToolCall) -> Iterator[object]:
    """The items as they come; a tool that is no stream gives its value as the only item.

    Leaving early closes the generator in the child. Raises what `invoke` raises, after the items that came before.
    """
    exchange = call.begin(worker)
    streamed = is_stream(call.tool)
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
        result = result_of(message, call.plugin, call.tool, exchange)
    finally:
        call.output.leave(worker)
    if not streamed or result is not None:
        yield result


def load(worker: Worker, plugin: str, manifest: Mapping[str, object], *, timeout_s: float) -> Callable[[], None]:
    """Have the plugin imported, all that it offers; what is returned waits for that.

    Raises: PluginError: it can't be imported. CallTimeout, PluginCrashed.
    """
    offered = [each for key in ("tools", "hooks") for each in tables(manifest.get(key))]
    targets = list(dict.fromkeys(str(each["target"]) for each in offered if "target" in each))
    exchange = worker.begin("load", {"targets": targets}, what=f"`{plugin}`", timeout_s=timeout_s)

    def finish() -> None:
        message = exchange.step()[1]
        problem = message.get("error") if isinstance(message, dict) else None
        if isinstance(problem, dict):
            raise exchange.explained(error_from(problem, what=f"`{plugin}`"))

    return finish


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
