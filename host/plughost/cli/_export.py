"""`export`: a plugin, with all that it needs, in one file."""

from __future__ import annotations

from plughost._wording import counted
from plughost.cli._layout import size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.bundle import Exported
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["export"]


def export(context: Context, values: Values) -> int:
    with context.host() as host:
        exported = host.export(values.text("name"), values.optional("output"), offline=values.flag("offline"))
    if values.flag("json"):
        context.printer.json(exported.record())
    else:
        _tell(context, exported)
    return 0


def _tell(context: Context, exported: Exported) -> None:
    printer, out = context.printer, context.printer.out
    wheels = f"{counted(exported.packages, 'wheel')}, {size_text(exported.size_bytes)}"
    written = f"{out.highlight(f'`{exported.name}`')} {exported.version} to {out.highlight(f'`{exported.path}`')}"
    printer.message(f"{out.paint('green', 'Exported')} {written} {out.paint('dim', f'({wheels})')}")
    printer.message(out.paint("dim", f"  sha256:{exported.sha256}"))
