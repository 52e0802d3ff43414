"""Worker + arguments → result. Which tool is meant, whether the arguments fit, what came back.

Above it: the host; below it: the workers. It knows nothing of how a plugin was installed.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.call._errors import describe_exception
    from plughost.call._events import (
        Event,
        LogEvent,
        OutputEvent,
        ProgressEvent,
        ReportingOutput,
        event_of,
        log_again,
        log_printed,
    )
    from plughost.call._fit import Fit
    from plughost.call._hooks import HookCall, HookWrapping, Terms, conclude_hook
    from plughost.call._invoke import Outcome, conclude, describe, invoke, load, stream
    from plughost.call._output import Output
    from plughost.call._proxies import Begun, IsolatedPlugin, begin_ahead, make_plugin
    from plughost.call._schema import resolved, type_text
    from plughost.call._tool_call import ToolCall, is_stream, result_of
    from plughost.call._tools import choose_tool, split_name, tools_of

__all__ = [
    "Begun",
    "Event",
    "Fit",
    "HookCall",
    "HookWrapping",
    "IsolatedPlugin",
    "LogEvent",
    "Outcome",
    "Output",
    "OutputEvent",
    "ProgressEvent",
    "ReportingOutput",
    "Terms",
    "ToolCall",
    "begin_ahead",
    "choose_tool",
    "conclude",
    "conclude_hook",
    "describe",
    "describe_exception",
    "event_of",
    "invoke",
    "is_stream",
    "load",
    "log_again",
    "log_printed",
    "make_plugin",
    "resolved",
    "result_of",
    "split_name",
    "stream",
    "tools_of",
    "type_text",
]

# Who only runs a tool has no use for pluggy, and who only shows one has none for workers.
__getattr__ = lazily(
    __name__,
    {
        "_errors": ("describe_exception",),
        "_events": (
            "Event",
            "LogEvent",
            "OutputEvent",
            "ProgressEvent",
            "ReportingOutput",
            "event_of",
            "log_again",
            "log_printed",
        ),
        "_hooks": ("HookCall", "HookWrapping", "Terms", "conclude_hook"),
        "_invoke": ("Outcome", "conclude", "describe", "invoke", "load", "stream"),
        "_output": ("Output",),
        "_fit": ("Fit",),
        "_proxies": ("Begun", "IsolatedPlugin", "begin_ahead", "make_plugin"),
        "_schema": ("resolved", "type_text"),
        "_tool_call": ("ToolCall", "is_stream", "result_of"),
        "_tools": ("choose_tool", "split_name", "tools_of"),
    },
)
