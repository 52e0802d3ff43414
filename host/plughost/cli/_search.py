"""`search`: a line or two for each plugin that fits."""

from __future__ import annotations

from plughost._search import search as search_store
from plughost.cli._printer import visible
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._search import Match, Matches
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["search"]

_SHOWN = 20


def search(context: Context, values: Values) -> int:
    as_json = values.flag("json")
    found = search_store(
        context.paths(),
        values.texts("words"),
        tags=values.texts("tag"),
        installed=values.flag("installed"),
        index=values.text("index"),
        limit=_limit(values, default=None if as_json else _SHOWN),
    )
    if as_json:
        context.printer.json([match.record() for match in found.shown])
    elif found.shown:
        _tell(context, found)
    elif not context.printer.quiet:
        _tell_nothing(context)
    return 0


def _limit(values: Values, *, default: int | None) -> int | None:
    text = values.optional("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"`--limit {text}` is no number of plugins", reference="usage", hint="Such as `--limit 50`; 0 means all")
    return int(text) or None


def _tell(context: Context, found: Matches) -> None:
    printer, out = context.printer, context.printer.out
    width = max(len(match.name) for match in found.shown)
    lines = []
    for match in found.shown:
        name = out.paint("bold", match.name) + " " * (width - len(match.name))
        lines.append("  ".join(filter(None, (name, _state(context, match), visible(match.summary)))))
        about = [visible(match.source), *([f"tags: {', '.join(map(visible, match.tags))}"] if match.tags else [])]
        lines.append(" " * (width + 2) + out.paint("dim", "  ".join(about)))
    printer.line("\n".join(lines))
    if len(found.shown) < found.total:
        printer.message(out.paint("dim", f"… and {found.total - len(found.shown)} more; `--limit 0` shows all"))


def _state(context: Context, match: Match) -> str:
    if match.installed:
        return context.printer.out.paint("green", f"[installed {match.installed}]")
    return f"[{match.index}]"


def _tell_nothing(context: Context) -> None:
    from plughost.indexes import names

    err = context.printer.err
    err.write("Nothing fits\n")
    if not names(context.paths()):
        hint = f"`{context.command} index add NAME SOURCE` adds an index to look into"
        err.write(f"\n{err.paint('cyan', 'hint')}: {err.highlight(hint)}\n")
