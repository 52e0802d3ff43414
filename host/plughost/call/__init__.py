"""Worker + arguments → result. Which tool is meant, whether the arguments fit, what came back.

Above it: the host; below it: the workers. It knows nothing of how a plugin was installed.
"""

from plughost.call._invoke import Outcome, Output, describe, invoke, is_stream, stream
from plughost.call._schema import resolved, type_text
from plughost.call._tools import choose_tool, split_name, tools_of

__all__ = [
    "Outcome",
    "Output",
    "choose_tool",
    "describe",
    "invoke",
    "is_stream",
    "resolved",
    "split_name",
    "stream",
    "tools_of",
    "type_text",
]
