"""`doctor`: what is wrong, where, and what to do; and what plughost has found on this machine."""

from __future__ import annotations

from plughost._wording import counted
from plughost.cli._layout import size_text
from plughost.cli._printer import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._printer import Printer
    from plughost.health import Fault, Machine

__all__ = ["doctor", "fault_record", "tell_faults"]

#: As where something could not be installed: it is not in order, and that is nobody's mistake on the command line.
_FAULTY = 5


def doctor(context: Context, values: Values) -> int:
    """The exit code is 0 if all is sound."""
    from plughost import registry
    from plughost._repair import diagnose, diagnose_store
    from plughost.health import examine_machine

    store, printer = context.paths(), context.printer
    names = [registry.normalize_name(name) for name in dict.fromkeys(values.texts("names"))]
    machine: Machine | None = None
    if names:
        faults = diagnose(store, names)
    else:
        with context.host() as host:
            machine, on_machine = examine_machine(store, waived=host.policies.waived)
        faults = [*on_machine, *diagnose_store(store)]
    plugins = names or registry.installed_names(store)
    if values.flag("json"):
        about = {"machine": machine.record()} if machine else {}
        printer.json({**about, "plugins": plugins, "faults": [fault_record(printer, fault) for fault in faults]})
        return _FAULTY if faults else 0
    if machine:
        for line in _machine_lines(machine, printer):
            printer.message(line)
    tell_faults(printer, faults)
    sound = len(plugins) - len({fault.plugin for fault in faults if fault.plugin})
    if plugins and sound:
        printer.message(f"{printer.out.paint('green', 'Sound')}: {counted(sound, 'plugin')}")
    return _FAULTY if faults else 0


def fault_record(printer: Printer, fault: Fault) -> dict[str, object]:
    """The fault for a program, its remedy as it can be typed here."""
    return {**fault.record(), "plugin": fault.plugin or None, "remedy": printer.typed(fault.remedy)}


def tell_faults(printer: Printer, faults: Sequence[Fault]) -> None:
    """Each fault under the name of its plugin, and the remedy once for all that have the same."""
    out = printer.out
    for name in dict.fromkeys(fault.plugin for fault in faults):
        own = [fault for fault in faults if fault.plugin == name]
        printer.line(out.paint("bold", name or "This machine"))
        for fault in own:
            printer.line(f"  {out.paint('red', fault.reference)}: {out.highlight(visible(fault.what))}")
            if f"`{fault.where}`" not in fault.what:
                printer.line(f"    {out.paint('dim', visible(fault.where))}")
        for remedy in dict.fromkeys(fault.remedy for fault in own):
            printer.line(f"  {out.paint('cyan', 'hint')}: {out.highlight(printer.typed(remedy))}")


def _machine_lines(machine: Machine, printer: Printer) -> Iterator[str]:
    out = printer.out
    there = "" if machine.exists else ", not there yet"
    rows = [
        ("plughost", f"{machine.plughost}  on Python {machine.python}"),
        ("store", f"{machine.store}  ({size_text(machine.free_bytes)} free{there})"),
        ("uv", f"{machine.uv_version}  {machine.uv}"),
        ("git", f"{machine.git_version}  {machine.git}"),
        (
            "confined",
            "not the default policy: see below"
            if machine.unenforceable
            else f"with Landlock {machine.landlock}, seccomp and namespaces",
        ),
        *(("python", f"{version}  {path}") for version, path in machine.pythons),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        yield f"{out.paint('dim', name.ljust(width))}  {value.strip() or 'none'}"
    for note in machine.notes:
        yield f"{out.paint('dim', 'note'.ljust(width))}  {out.highlight(note)}"
    yield ""
