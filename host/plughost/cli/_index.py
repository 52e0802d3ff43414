"""`index add|list|remove|update`: where plugins are found."""

from __future__ import annotations

from plughost import indexes
from plughost._wording import counted
from plughost.cli._each import for_each
from plughost.cli._layout import columns
from plughost.cli._printer import visible
from plughost.errors import PlughostError, UnknownError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.indexes import Origin, Updated

__all__ = ["add", "list_", "remove", "update"]


def add(context: Context, values: Values) -> int:
    name, source = values.text("name"), values.text("source")
    origin = indexes.add(context.paths(), name, source, force=values.flag("force"), offline=context.host().settings.offline)
    printer, out = context.printer, context.printer.out
    if values.flag("json"):
        printer.json(origin.record())
    else:
        printer.message(
            f"{out.paint('green', 'Added')} the index {out.highlight(f'`{origin.name}`')} with {counted(origin.count, 'plugin')}"
        )
    return 0


def list_(context: Context, values: Values) -> int:
    """All are shown, damaged ones too; the exit code is then that of the error."""
    printer, store = context.printer, context.paths()
    origins: list[Origin] = []
    failed: list[PlughostError] = []
    for name in indexes.names(store):
        try:
            kept = indexes.read(store, name)
            kept.check()
            origins.append(kept.origin)
        except PlughostError as error:
            failed.append(error)
    origins.sort(key=lambda origin: origin.added)
    if values.flag("json"):
        printer.json([*(origin.record() for origin in origins), *({"error": printer.record(fault)} for fault in failed)])
    else:
        if origins or not failed:
            _tell_all(context, origins)
        for fault in failed:
            printer.error(fault)
    return failed[0].exit_code if failed else 0


def remove(context: Context, values: Values) -> int:
    """Those that are there are removed, also where another name is unknown; that is said at the end."""
    printer, out = context.printer, context.printer.out
    removed: list[str] = []
    unknown: UnknownError | None = None
    for name in dict.fromkeys(values.texts("names")):
        try:
            indexes.remove(context.paths(), name)
        except UnknownError as error:
            unknown = unknown or error
            continue
        removed.append(name)
        if not values.flag("json"):
            printer.message(f"{out.paint('green', 'Removed')} the index {out.highlight(f'`{name}`')}")
    if values.flag("json"):
        printer.json({"error": printer.record(unknown), "removed": removed} if unknown else removed)
    elif unknown:
        raise unknown
    return unknown.exit_code if unknown else 0


def update(context: Context, values: Values) -> int:
    """Each is fetched, or its error told; the exit code is that of the first error."""
    store = context.paths()
    offline = context.host().settings.offline
    return for_each(
        dict.fromkeys(values.texts("names")) or indexes.names(store),
        lambda name: indexes.update(store, name, offline=offline),
        record=lambda _name, updated: updated.record(),
        tell=lambda _name, updated: _tell(context, updated),
        printer=context.printer,
        as_json=values.flag("json"),
    )


def _tell_all(context: Context, origins: list[Origin]) -> None:
    printer, out = context.printer, context.printer.out
    if not origins:
        if not printer.quiet:
            printer.err.write(f"There are no indexes yet\n\n{printer.err.paint('cyan', 'hint')}: ")
            printer.err.write(f"`{context.command} index add NAME SOURCE` adds one\n")
        return
    rows = [("NAME", "PLUGINS", "FETCHED", "SOURCE")]
    rows += [
        (origin.name, str(origin.count), origin.fetched_at[:16].replace("T", " "), visible(origin.source)) for origin in origins
    ]
    head, *lines = columns(rows)
    for line in (out.paint("dim", head), *lines):
        printer.line(line)


def _tell(context: Context, updated: Updated) -> None:
    printer, out = context.printer, context.printer.out
    name = out.highlight(f"`{updated.origin.name}`")
    if not updated.changed:
        printer.message(f"The index {name} is up to date")
        return
    changes = [f"{len(updated.appeared)} new" if updated.appeared else "", f"{len(updated.gone)} gone" if updated.gone else ""]
    detail = ", ".join(filter(None, (counted(updated.origin.count, "plugin"), *changes)))
    printer.message(f"{out.paint('green', 'Updated')} the index {name} ({detail})")
