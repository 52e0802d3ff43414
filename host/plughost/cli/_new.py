"""`new`: a folder filled from a template."""

from __future__ import annotations

from pathlib import Path

from plughost._templates import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["new"]


def new(context: Context, values: Values) -> int:
    name = values.text("name")
    template = values.text("template") or "tool"
    folder = Path(values.text("into") or name)
    render(template, folder, name=name, description=values.text("description"), author=values.text("author"))
    out = context.printer.out
    made = out.highlight(f"`{folder}` from the template `{template}`")
    context.printer.message(f"{out.paint('green', 'Made')} {made}")
    return 0
