"""`remove`: plugins taken away, one after the other."""

from __future__ import annotations

from plughost.cli._layout import size_text
from plughost.errors import UnknownError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.registry import Removed

__all__ = ["remove"]


def remove(context: Context, values: Values) -> int:
    """Those that are there are removed, also where another name is unknown; that is said at the end."""
    printer = context.printer
    removed = []
    unknown: UnknownError | None = None
    with context.host() as host:
        for name in dict.fromkeys(values.texts("names")):
            try:
                removed.append(host.remove(name))
            except UnknownError as error:
                unknown = unknown or error
                continue
            if not values.flag("json"):
                _tell(context, removed[-1])
    if not values.flag("json"):
        if unknown:
            raise unknown
        return 0
    records = [one.record() for one in removed]
    printer.json({"error": printer.record(unknown), "removed": records} if unknown else records)
    return unknown.exit_code if unknown else 0


def _tell(context: Context, removed: Removed) -> None:
    printer, out = context.printer, context.printer.out
    freed = out.paint("dim", f"({size_text(removed.freed_bytes)} freed)")
    printer.message(f"{out.paint('green', 'Removed')} {out.highlight(f'`{removed.name}`')} {freed}")
