"""`rollback`: an earlier version of a plugin, put in force again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["rollback"]


def rollback(context: Context, values: Values) -> int:
    from plughost.cli._update import tell_changes, version_of

    printer, out = context.printer, context.printer.out
    with context.host() as host:
        rolled_back = host.rollback(values.text("name"), to=values.text("to"))
    if values.flag("json"):
        printer.json(rolled_back.record())
        return 0
    name = out.highlight(f"`{rolled_back.name}`")
    if not rolled_back.changed:
        printer.message(f"{name} {version_of(rolled_back.after)} is in force already")
        return 0
    printer.message(
        f"{out.paint('green', 'Rolled back')} {name} {version_of(rolled_back.before)} → {version_of(rolled_back.after)}"
    )
    if not printer.quiet:
        tell_changes(context, rolled_back)
        if not rolled_back.after.state.pinned:
            pin = out.highlight(f"`{context.command} pin {rolled_back.name}`")
            printer.line(f"The next update goes on from there; {pin} keeps it")
    return 0
