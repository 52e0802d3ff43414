"""`dev`: what each change of a plugin means, said as it is made."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from plughost._wording import listed
from plughost.authoring import project_of
from plughost.authoring._developing import Call, Called, Changed, Described, Failed, Installed, develop
from plughost.authoring._throw_away import throw_away_host
from plughost.cli._given import read_array, read_object, read_timeout
from plughost.cli._hooks import app_manager
from plughost.cli._printer import visible
from plughost.cli._reports import Reports
from plughost.errors import UsageError
from plughost.host import Host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.authoring._developing import Event
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._printer import Printer

__all__ = ["dev"]

_MOST_PATHS = 3


def dev(context: Context, values: Values) -> int:
    """Until Ctrl-C, which is how it ends when all is well: the exit code is 0 then."""
    printer = context.printer
    folder = Path(os.path.abspath(os.path.expanduser(values.text("path"))))
    if not folder.is_dir():
        raise UsageError(f"`{values.text('path')}` is no folder", reference="usage", hint="Name the folder of a project")
    manager = app_manager(context, values) if values.text("app") or context.hookspecs else None
    project = values.text("project") or (manager.project_name if manager else project_of(str(folder), context.project))
    reports = Reports(printer)
    call = _call(values, reports)
    with contextlib.suppress(KeyboardInterrupt), reports, _host(context, project, keep=values.flag("keep")) as host:
        host.on_event = reports.event
        for event in develop(host, folder, manager=manager, call=call):
            if isinstance(event, Failed) and not values.flag("keep") and printer.typed(event.error.hint) != event.error.hint:
                event.error.hint = ""  # the command in it would look for the plugin in another store
            reports.erase()
            _tell(printer, event)
    printer.err.end_line()
    return 0


@contextlib.contextmanager
def _host(context: Context, project: str, *, keep: bool) -> Iterator[Host]:
    if keep:
        with Host(project, store=context.store) as host:
            yield host
        return
    with throw_away_host(project, downloads=context.paths()) as (host, _):
        yield host


def _call(values: Values, reports: Reports) -> Call | None:
    tool = values.text("tool")
    if not tool:
        if values.text("kwargs") or values.text("args"):
            raise UsageError("Arguments are for a tool, and none is named", reference="usage", hint="`dev PATH TOOL --kwargs …`")
        return None
    return Call(
        tool=tool,
        args=read_array(values.text("args") or "[]"),
        kwargs=read_object(values.text("kwargs") or "{}"),
        timeout_s=read_timeout(values.optional("timeout")),
        on_output=reports.output,
        on_item=reports.item,
    )


def _tell(printer: Printer, event: Event) -> None:
    out = printer.out
    match event:
        case Installed(plugin=plugin):
            tools = listed(visible(str(tool["name"])) for tool in plugin.tools) or "no tools"
            what = f"`{plugin.name}` {plugin.version} for `{plugin.receipt.project}`: {tools}"
            printer.message(f"{out.paint('green', 'Installed')} {out.highlight(what)}; Ctrl-C ends it")
        case Changed(paths=paths):
            more = f" and {len(paths) - _MOST_PATHS} more" if len(paths) > _MOST_PATHS else ""
            shown = ", ".join(visible(path) for path in paths[:_MOST_PATHS])
            printer.message(out.paint("dim", f"{time.strftime('%H:%M:%S')}  {shown}{more}"))
        case Described(changes=changes, faults=faults):
            for change in changes:
                mark = out.paint("red", "breaking") if change.breaking else out.paint("green", change.kind)
                printer.line(f"  {mark}: {out.highlight(visible(change.message))}")
            for fault in faults:
                printer.line(f"  {out.paint('red', 'hook')}: {out.highlight(visible(fault.message))}")
        case Failed(error=error):
            printer.error(error)
        case Called(outcome=outcome) if not outcome.is_stream:
            printer.value(outcome.result)
