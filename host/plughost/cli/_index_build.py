"""`index build`: the file of an index, made out of projects."""

from __future__ import annotations

import os
import tomllib

from plughost import indexes
from plughost._wording import counted
from plughost.errors import UsageError
from plughost.paths import replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["build"]


def build(context: Context, values: Values) -> int:
    printer, out = context.printer, context.printer.out
    data = indexes.build(values.texts("sources"), name=values.text("name"), repository=values.text("repository"))
    path = values.text("output")
    if not path or path == "-":
        out.write(data)
        return 0
    try:
        replace_file(os.path.abspath(path), data)
    except OSError as error:
        raise UsageError(f"`{path}` can't be written", reference="usage", causes=[error.strerror or str(error)]) from error
    count = len(tomllib.loads(data.decode())["plugins"])
    printer.message(f"{out.paint('green', 'Wrote')} {out.highlight(f'`{path}`')} with {counted(count, 'plugin')}")
    return 0
