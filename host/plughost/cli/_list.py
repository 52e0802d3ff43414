"""`list`: a line for each plugin."""

from __future__ import annotations

from plughost import registry
from plughost.cli._printer import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.registry import PluginSummary

__all__ = ["list_"]

_SHORT_COMMIT = 7
_MOST_NAMES = 3


def list_(context: Context, values: Values) -> int:
    printer = context.printer
    plugins = registry.summaries(context.paths())
    if values.flag("json"):
        printer.json([plugin.record() for plugin in plugins])
    elif plugins:
        printer.line("\n".join(_table(context, plugins)))
    elif not printer.quiet:
        printer.err.write("Nothing is installed yet\n\n")
        printer.err.write(f"{printer.err.paint('cyan', 'hint')}: `{context.command} add SOURCE` adds a plugin\n")
    return 0


def _table(context: Context, plugins: list[PluginSummary]) -> list[str]:
    """Made for a thousand plugins: a row takes a microsecond or two."""
    columns = [
        ["NAME", *(plugin.name for plugin in plugins)],
        ["VERSION", *map(_version, plugins)],
        ["TOOLS", *(_names(plugin.tools) for plugin in plugins)],
        ["HOOKS", *(_names(plugin.hooks) for plugin in plugins)],
        ["SOURCE", *map(_source, plugins)],
    ]
    if not any(plugin.hooks for plugin in plugins):
        del columns[3]
    widths = [max(map(len, column)) for column in columns[:-1]]
    head, *rows = zip(*columns, strict=True)
    out = context.printer.out
    layout = "  ".join([*(f"%-{width}s" for width in widths), "%s"])
    if not out.color:
        return [layout % row for row in (head, *rows)]
    lines = [out.paint("dim", (layout % head).rstrip())]
    for plugin, row in zip(plugins, rows, strict=True):
        name = out.paint("bold", row[0]) + " " * (widths[0] - len(row[0]))
        last = out.paint("red", row[-1]) if plugin.fault else row[-1]
        lines.append(("  ".join([name, *map(str.ljust, row[1:-1], widths[1:]), last])).rstrip())
    return lines


def _version(plugin: PluginSummary) -> str:
    if not (plugin.disabled or plugin.pinned):
        return plugin.version
    marks = ", ".join(mark for mark, holds in (("disabled", plugin.disabled), ("pinned", plugin.pinned)) if holds)
    return f"{plugin.version} ({marks})"


def _names(names: tuple[str, ...]) -> str:
    if len(names) > _MOST_NAMES + 1:
        return f"{visible(', '.join(names[:_MOST_NAMES]))} +{len(names) - _MOST_NAMES}"
    return visible(", ".join(names)) or "-"


def _source(plugin: PluginSummary) -> str:
    if plugin.fault:
        return visible(f"damaged: {plugin.fault}".replace("\n", " "))
    return visible(f"{plugin.source} ({plugin.commit_id[:_SHORT_COMMIT]})" if plugin.commit_id else plugin.source)
