"""`repair`: plugins made whole again, and what that changed."""

from __future__ import annotations

from plughost.cli._doctor import fault_record, tell_faults
from plughost.cli._each import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._repair import Repaired
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._printer import Printer
    from plughost.host import Host

__all__ = ["repair"]

_FAULTY = 5


def repair(context: Context, values: Values) -> int:
    """The exit code is that of the first error, or says that something is left."""
    from plughost.cli._progress import ProgressLine

    printer = context.printer
    progress = ProgressLine(printer.err, quiet=printer.quiet)
    left: list[str] = []
    with context.host(progress) as host:

        def repair_one(name: str) -> Repaired:
            with progress:
                repaired = host.repair(name, offline=values.flag("offline"))
            if repaired.left:
                left.append(name)
            return repaired

        code = for_each(
            _names(values, host),
            repair_one,
            record=lambda _name, repaired: _record(printer, repaired),
            tell=lambda _name, repaired: _tell(printer, repaired),
            printer=printer,
            as_json=values.flag("json"),
        )
    return code or (_FAULTY if left else 0)


def _names(values: Values, host: Host) -> list[str]:
    """Which plugins; with all of them goes the index, which belongs to none."""
    from plughost import registry
    from plughost._repair import repair_store
    from plughost.errors import UsageError

    names = list(dict.fromkeys(values.texts("names")))
    if names and values.flag("all"):
        raise UsageError("`--all` is given, and names too", reference="usage", hint="Give one or the other")
    if not names:
        repair_store(host.store)
    return names or registry.installed_names(host.store)


def _record(printer: Printer, repaired: Repaired) -> dict[str, object]:
    def records(key: str) -> list[object]:
        return [fault_record(printer, fault) for fault in (repaired.faults if key == "faults" else repaired.left)]

    return {**repaired.record(), "faults": records("faults"), "left": records("left")}


def _tell(printer: Printer, repaired: Repaired) -> None:
    out = printer.out
    name = out.highlight(f"`{repaired.name}`")
    if not repaired.faults:
        printer.message(f"{name} is sound")
        return
    if repaired.changed:
        printer.message(f"{out.paint('green', 'Repaired')} {name} ({repaired.duration_s:.1f} s)")
        for fault in repaired.faults:
            if fault not in repaired.left:
                printer.message(f"  {out.paint('dim', fault.reference)}: {out.highlight(fault.what)}")
    for note in repaired.notes:
        printer.message(f"  {out.paint('yellow', 'note')}: {out.highlight(printer.typed(note))}")
    tell_faults(printer, repaired.left)
