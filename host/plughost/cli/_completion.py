"""`completion`: the script for a shell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["completion"]


def completion(context: Context, values: Values) -> int:
    from plughost.cli._click import script

    context.printer.out.write(script(values.text("shell"), context))
    return 0
