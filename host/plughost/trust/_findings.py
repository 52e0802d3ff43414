"""The records of an audit."""

from __future__ import annotations

from dataclasses import asdict, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Level = Literal["info", "warning", "vulnerable"]

__all__ = ["Audit", "Finding", "Vulnerability"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """A known vulnerability of one version of a package. `fixed` are the later versions without it, in order."""

    identifier: str
    aliases: tuple[str, ...]
    summary: str
    severity: str
    fixed: tuple[str, ...]

    def record(self) -> dict[str, object]:
        return {
            "id": self.identifier,
            "aliases": list(self.aliases),
            "summary": self.summary,
            "severity": self.severity or None,
            "fixed": list(self.fixed),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing worth knowing. `kind` is stable, kebab-case; `path` is relative to the environment, where it is inside."""

    level: Level
    kind: str
    message: str
    package: str = ""
    version: str = ""
    path: str = ""
    vulnerability: Vulnerability | None = None

    def record(self) -> dict[str, object]:
        vulnerability = self.vulnerability.record() if self.vulnerability else None
        record: dict[str, object] = {**asdict(self), "vulnerability": vulnerability}
        return {key: None if value == "" else value for key, value in record.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found of one plugin, the worst first. `packages` counts the locked ones.

    `asked` is whether a service was asked for known vulnerabilities: where it wasn't, that none are here says nothing.
    """

    name: str
    version: str
    packages: int
    asked: bool
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is above `info`."""
        return all(finding.level == "info" for finding in self.findings)

    def record(self) -> dict[str, object]:
        """As plain JSON values: what `audit --json` prints of each plugin."""
        return {
            "name": self.name,
            "version": self.version,
            "packages": self.packages,
            "asked": self.asked,
            "findings": [finding.record() for finding in self.findings],
        }
