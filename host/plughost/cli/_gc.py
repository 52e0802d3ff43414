"""`gc`: what nothing refers to, deleted or listed."""

from __future__ import annotations

from plughost._wording import counted
from plughost.cli._layout import size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._gc import Collected
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["collect"]


def collect(context: Context, values: Values) -> int:
    with context.host() as host:
        collected = host.collect_garbage(dry_run=values.flag("dry_run"))
    if values.flag("json"):
        context.printer.json(collected.record())
    else:
        _tell(context, collected)
    return 0


def _tell(context: Context, collected: Collected) -> None:
    printer, out = context.printer, context.printer.out
    if collected.busy:
        printer.message("Another process is adding a plugin, and clears up when it has done so")
        return
    if collected.dry_run:
        for one in collected.leftovers:
            printer.line(f"{size_text(one.size_bytes):>10}  {one.kind:<17}  {one.path}")
    for one in collected.left:
        printer.message(f"{out.paint('yellow', 'In use')}: {one.path}")
    count = len(collected.leftovers)
    freed = size_text(collected.freed_bytes)
    if not count:
        printer.message("There is nothing to delete")
    elif collected.dry_run:
        printer.message(f"{freed} would be freed")
    else:
        printer.message(f"{out.paint('green', 'Deleted')} {counted(count, 'thing')} ({freed} freed)")
