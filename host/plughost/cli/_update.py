"""`update`: plugins made again from where they came."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._request import Added
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.errors import PlughostError

__all__ = ["update"]

_SHORT_COMMIT = 7


def update(context: Context, values: Values) -> int:
    """Each is updated, or its error told; the exit code is that of the first error."""
    from plughost.cli._progress import ProgressLine
    from plughost.errors import PlughostError

    printer = context.printer
    records: list[object] = []
    failed: PlughostError | None = None
    progress = ProgressLine(printer.err, quiet=printer.quiet)
    with context.host(progress) as host:
        for name in dict.fromkeys(values.texts("names")) or [plugin.name for plugin in host.plugins()]:
            before = ""
            try:
                before = host.info(name).version
                with progress:
                    updated = host.update(name)
            except PlughostError as error:
                failed = failed or error
                records.append({"name": name, "error": printer.record(error)})
                if not values.flag("json"):
                    printer.error(error)
                continue
            records.append({**updated.record(), "before": before})
            if not values.flag("json"):
                _tell(context, updated, before)
    if values.flag("json"):
        printer.json(records)
    return failed.exit_code if failed else 0


def _tell(context: Context, updated: Added, before: str) -> None:
    printer, out = context.printer, context.printer.out
    name = out.highlight(f"`{updated.name}`")
    commit = f" at `{updated.commit_id[:_SHORT_COMMIT]}`" if updated.commit_id else ""
    if updated.changed:
        versions = updated.version if updated.version == before else f"{before} → {updated.version}"
        printer.message(f"{out.paint('green', 'Updated')} {name} {versions}{out.highlight(commit)}")
    else:
        printer.message(f"{name} {updated.version} is up to date")
