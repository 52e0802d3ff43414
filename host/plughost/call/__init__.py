"""Worker + arguments → result. Which tool is meant, whether the arguments fit, what came back.

Above it: the host; below it: the workers. It knows nothing of how a plugin was installed.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.call._errors import describe_exception
    from plughost.call._hooks import HookCall, HookWrapping, Terms
    from plughost.call._invoke import Outcome, Output, describe, invoke, is_stream, stream
    from plughost.call._proxies import Begun, HookDoor, IsolatedPlugin, begin_ahead, make_plugin
    from plughost.call._schema import resolved, type_text
    from plughost.call._tools import choose_tool, split_name, tools_of

__all__ = [
    "Begun",
    "HookCall",
    "HookDoor",
    "HookWrapping",
    "IsolatedPlugin",
    "Outcome",
    "Output",
    "Terms",
    "begin_ahead",
    "choose_tool",
    "describe",
    "describe_exception",
    "invoke",
    "is_stream",
    "make_plugin",
    "resolved",
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
        "_hooks": ("HookCall", "HookWrapping", "Terms"),
        "_invoke": ("Outcome", "Output", "describe", "invoke", "is_stream", "stream"),
        "_proxies": ("Begun", "HookDoor", "IsolatedPlugin", "begin_ahead", "make_plugin"),
        "_schema": ("resolved", "type_text"),
        "_tools": ("choose_tool", "split_name", "tools_of"),
    },
)
