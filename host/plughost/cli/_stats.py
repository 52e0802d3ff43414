"""`stats`: calls counted, by plugin and tool."""

from __future__ import annotations

from plughost.cli._layout import columns, duration_text, size_text
from plughost.cli._printer import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.journal import PluginStats

__all__ = ["stats"]

_HEADS = ("CALL", "CALLS", "FAILED", "MEDIAN", "P95", "MAX", "MEMORY")


def stats(context: Context, values: Values) -> int:
    printer = context.printer
    counted = context.host().stats(*values.texts("names"), since=values.text("since"))
    if values.flag("json"):
        printer.json([plugin.record() for plugin in counted])
    elif counted:
        rows = [row for plugin in counted for row in _rows(plugin)]
        head, *lines = columns([_HEADS, *rows], left=1)
        for line in (printer.out.paint("dim", head), *lines):
            printer.line(line)
    elif not printer.quiet:
        printer.err.write("No calls are recorded\n")
    return 0


def _rows(plugin: PluginStats) -> list[tuple[str, ...]]:
    """A row for each tool; the memory is the plugin's, and stands in its first."""
    memory = "" if plugin.peak_bytes is None else size_text(plugin.peak_bytes)
    return [
        (
            f"{plugin.plugin}:{visible(tool.tool)}" if tool.tool else plugin.plugin,
            str(tool.calls),
            f"{tool.failed} ({tool.error_rate:.1%})" if tool.failed else "0",
            duration_text(tool.median_s),
            duration_text(tool.p95_s),
            duration_text(tool.max_s),
            "" if number else memory,
        )
        for number, tool in enumerate(plugin.tools)
    ]
