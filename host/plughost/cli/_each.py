"""One thing done to each of several plugins: what became of each is told at once, or comes in one document."""

from __future__ import annotations

from plughost.errors import PlughostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from plughost.cli._printer import Printer

    Done = TypeVar("Done")

__all__ = ["for_each"]


def for_each(
    names: Iterable[str],
    do: Callable[[str], Done],
    *,
    record: Callable[[str, Done], object],
    tell: Callable[[str, Done], None],
    printer: Printer,
    as_json: bool,
) -> int:
    """Do it to each; where it fails, its error is told, and the others go on. The exit code is that of the first error.

    With `as_json` there is one array: what `record` gives of each, or its name and `error`.
    """
    records: list[object] = []
    failed: PlughostError | None = None
    for name in names:
        try:
            done = do(name)
        except PlughostError as error:
            failed = failed or error
            records.append({"name": name, "error": printer.record(error)})
            if not as_json:
                printer.error(error)
            continue
        if as_json:
            records.append(record(name, done))
        else:
            tell(name, done)
    if as_json:
        printer.json(records)
    return failed.exit_code if failed else 0
