"""`check`: projects, as their users will meet them, and the hooks of what is installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from plughost._wording import counted
from plughost.authoring import check_project, project_of
from plughost.cli._hooks import app_manager, check_installed
from plughost.cli._printer import visible
from plughost.cli._reports import silence_logging

if TYPE_CHECKING:
    from pluggy import PluginManager

    from plughost.authoring import Finding, Report
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._hooks import Installed
    from plughost.cli._printer import Printer
    from plughost.cli._terminal import Style

__all__ = ["check"]

_FAILED = 1
_STYLES: dict[str, Style] = {"error": "red", "warning": "cyan"}
_MIB = 1 << 20


def check(context: Context, values: Values) -> int:
    """The exit code is 1 where a project has errors, else what the installed plugins give."""
    silence_logging()
    targets = list(dict.fromkeys(values.texts("targets")))
    app = bool(values.text("app") or context.hookspecs)
    projects = [target for target in targets if _is_project(target)] if targets or app else ["."]
    names = [target for target in targets if target not in projects]
    as_json, printer = values.flag("json"), context.printer
    manager = app_manager(context, values) if app or names else None
    reports = []
    for source in projects:
        reports.append(_check(context, values, source, manager))
        if not as_json:
            _show(printer, reports[-1])
    installed = None
    if manager is not None and (names or not projects):
        installed = check_installed(context, manager, names, as_json=as_json)
        if not as_json:
            _show_installed(printer, installed)
    if as_json:
        printer.json(_document(printer, reports, installed))
    if any(report.count("error") for report in reports):
        return _FAILED
    return installed.exit_code if installed else 0


def _is_project(target: str) -> bool:
    return "/" in target or os.path.isdir(target)


def _check(context: Context, values: Values, source: str, manager: PluginManager | None) -> Report:
    project = values.text("project") or (manager.project_name if manager else project_of(source, context.project))
    return check_project(source, downloads=context.paths(), project=project, manager=manager)


def _document(printer: Printer, reports: list[Report], installed: Installed | None) -> dict[str, object]:
    document: dict[str, object] = {"projects": [report.record() for report in reports]} if reports else {}
    if installed:
        document["faults"] = [fault.record() for fault in installed.faults]
        document["errors"] = [printer.record(error) for error in installed.broken]
    return document


def _show(printer: Printer, report: Report) -> None:
    out = printer.out
    for finding in report.findings:
        printer.line(_line(printer, finding))
    counts = [counted(report.count(kind), kind) for kind in ("error", "warning", "note")]
    name = f"`{visible(report.name or report.source)}`"
    verdict = ", ".join(count for count in counts if not count.startswith("0 ")) or "nothing to complain of"
    offered = (
        f"{counted(report.tools, 'tool')}, {counted(report.hooks, 'hook')}" if report.hooks else counted(report.tools, "tool")
    )
    importing = report.importing
    measured = f", imported in {importing.duration_s:.2f} s with {importing.memory_bytes / _MIB:.0f} MiB" if importing else ""
    detail = f"({offered}, {counted(report.examples, 'example')}{measured})" if report.name else ""
    done = out.paint("red" if report.count("error") else "green", "Checked")
    what = out.highlight(f"{name} for `{report.project}`")
    printer.line(f"{done} {what}: {verdict} {out.paint('dim', detail)}".rstrip())


def _line(printer: Printer, finding: Finding) -> str:
    out = printer.out
    style = _STYLES.get(finding.severity, "dim")
    said = f"{visible(finding.where)}: {visible(finding.message)}; {finding.advice[:1].lower()}{finding.advice[1:]}"
    reference = out.paint("dim", f"[{finding.reference}]")
    return f"{out.paint(style, finding.severity)}: {out.highlight(' '.join(said.split()))} {reference}"


def _show_installed(printer: Printer, installed: Installed) -> None:
    for broken in installed.broken:
        printer.error(broken)
    if error := installed.error():
        printer.error(error)
