"""`list`: a line for each plugin."""

from __future__ import annotations

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
    plugins = context.host().plugins()
    if values.flag("json"):
        printer.json([plugin.record() for plugin in plugins])
    elif plugins:
        for line in _table(context, plugins):
            printer.line(line)
    elif not printer.quiet:
        printer.err.write("Nothing is installed yet\n\n")
        printer.err.write(f"{printer.err.paint('cyan', 'hint')}: `{context.command} add SOURCE` adds a plugin\n")
    return 0


def _table(context: Context, plugins: list[PluginSummary]) -> list[str]:
    out = context.printer.out
    has_hooks = any(plugin.hooks for plugin in plugins)
    heads = ["NAME", "VERSION", "TOOLS", *(["HOOKS"] if has_hooks else []), "SOURCE"]
    rows = [
        [
            plugin.name,
            plugin.version,
            _names(plugin.tools),
            *([_names(plugin.hooks)] if has_hooks else []),
            visible(_source(plugin)),
        ]
        for plugin in plugins
    ]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads) - 1)]
    lines = [out.paint("dim", "  ".join([*map(str.ljust, heads, widths), heads[-1]]))]
    for plugin, row in zip(plugins, rows, strict=True):
        name, *cells = map(str.ljust, row, widths)
        last = out.paint("red", row[-1]) if plugin.fault else row[-1]
        lines.append("  ".join([out.paint("bold", name), *cells, last]).rstrip())
    return lines


def _names(names: tuple[str, ...]) -> str:
    shown = names if len(names) <= _MOST_NAMES + 1 else names[:_MOST_NAMES]
    return ", ".join(map(visible, shown)) + (f" +{len(names) - len(shown)}" if len(shown) < len(names) else "") or "-"


def _source(plugin: PluginSummary) -> str:
    if plugin.fault:
        return f"damaged: {plugin.fault}".replace("\n", " ")
    return f"{plugin.source} ({plugin.commit_id[:_SHORT_COMMIT]})" if plugin.commit_id else plugin.source
