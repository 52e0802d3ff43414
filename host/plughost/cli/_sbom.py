"""`sbom`: a plugin's bill of materials."""

from __future__ import annotations

import json
import os

from plughost.cli._printer import escaped
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["sbom"]


def sbom(context: Context, values: Values) -> int:
    document = context.host().sbom(values.text("name"))
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    path = values.text("output")
    if not path:
        out = context.printer.out
        out.write(escaped(text) if out.is_terminal else text)
        return 0
    from plughost.paths import replace_file

    try:
        replace_file(os.path.abspath(path), text.encode())
    except OSError as error:
        raise UsageError(
            f"`{path}` can't be written",
            reference="usage",
            causes=[str(error)],
            hint="Give a file in a folder that you may write",
        ) from error
    out = context.printer.out
    context.printer.message(f"{out.paint('green', 'Wrote')} {out.highlight(f'`{path}`')}")
    return 0
