"""`audit`: known vulnerabilities, and what plugins bring along."""

from __future__ import annotations

from plughost._wording import counted
from plughost.cli._printer import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._terminal import Stream, Style
    from plughost.trust import Audit, Finding

__all__ = ["audit"]

_COLORS: dict[str, Style] = {"vulnerable": "red", "warning": "bold", "info": "dim"}
_FOUND = 1


def audit(context: Context, values: Values) -> int:
    """The exit code is 1 where something is above `info`, as other audits have it."""
    printer = context.printer
    with context.host() as host:
        audits = host.audit(*dict.fromkeys(values.texts("names")), offline=values.flag("offline"))
    if values.flag("json"):
        printer.json([one.record() for one in audits])
    else:
        for one in audits:
            for line in _lines(one, printer.out):
                printer.line(line)
        printer.message(_summary(audits))
    return 0 if all(one.is_clean for one in audits) else _FOUND


def _lines(audit: Audit, out: Stream) -> Iterator[str]:
    count = f"({counted(audit.packages, 'package')})"
    yield f"{out.paint('bold', audit.name)} {audit.version} {out.paint('dim', count)}".rstrip()
    for finding in audit.findings:
        level = out.paint(_COLORS[finding.level], finding.level.ljust(len("vulnerable")))
        yield f"  {level}  {visible(_text(finding))}"


def _text(finding: Finding) -> str:
    who = f"{finding.package} {finding.version}".strip()
    message = f"{who}: {finding.message}" if who else finding.message
    vulnerability = finding.vulnerability
    if vulnerability is None:
        return f"{message} ({finding.path})" if finding.path else message
    names = [vulnerability.identifier, *vulnerability.aliases]
    severity = f", {vulnerability.severity}" if vulnerability.severity else ""
    fixed = f"; fixed in {', '.join(vulnerability.fixed)}" if vulnerability.fixed else "; there is no fixed version"
    return f"{message} ({', '.join(names)}{severity}){fixed}"


def _summary(audits: Sequence[Audit]) -> str:
    levels: list[str] = [finding.level for one in audits for finding in one.findings]
    counts = [
        f"{number} {noun if number == 1 else plural}"
        for level, noun, plural in (("vulnerable", "vulnerability", "vulnerabilities"), ("warning", "warning", "warnings"))
        if (number := levels.count(level))
    ]
    said = " and ".join(counts) or "Nothing to worry about"
    plugins = counted(len(audits), "plugin")
    asked = all(one.asked for one in audits)
    return f"{said} in {plugins}" + ("" if asked or not audits else "; known vulnerabilities were not asked for")
