"""`down`: the end of the daemon that `up` has started."""

from __future__ import annotations

from plughost.daemon import end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["down"]


def down(context: Context, values: Values) -> int:
    ended = end(context.paths())
    if values.flag("json"):
        context.printer.json({"ended": ended})
    else:
        context.printer.message("The daemon and its workers have ended" if ended else "The daemon is not up")
    return 0
