"""What a check can find, and how grave each of it is.

Above it: the checks; below it: nothing. Each reference is a heading of `docs/reference/check.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["RULES", "Finding", "Rule"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`advice` is what to do, as a sentence that follows the message; empty where the message says it."""

    severity: Severity
    advice: str


def _error(advice: str) -> Rule:
    return Rule(severity="error", advice=advice)


def _warning(advice: str) -> Rule:
    return Rule(severity="warning", advice=advice)


def _note(advice: str) -> Rule:
    return Rule(severity="note", advice=advice)


#: By reference.
RULES = {
    "not-installable": _error("Nobody could add it: correct this first"),
    "example-failed": _error("Correct the tool, or the example"),
    "example-invalid": _error("Correct the example"),
    "hook-mismatch": _error("Correct it by the app's hook specifications"),
    "file-conflict": _error("Rename the module: of two files with one name, one is lost"),
    "script-unresolved": _error("Correct the entry point, or take it out"),
    "summary-missing": _warning("Set `project.description`"),
    "licence-missing": _warning('Set `project.license`, such as `license = "MIT"`'),
    "python-missing": _warning('Set `project.requires-python`, such as `requires-python = ">=3.11"`'),
    "readme-missing": _warning('Set `project.readme`, such as `readme = "README.md"`'),
    "tool-undocumented": _warning("Say in its docstring what it does"),
    "parameter-untyped": _warning("Annotate it with a type that has a form in JSON: calls are checked against it"),
    "import-prints": _warning("Print when a tool is called, or not at all"),
    "import-slow": _warning("Import what is slow within the function that needs it"),
    "module-shadowed": _warning("Rename it: of two modules with one name, the first on the path is found"),
    "file-misplaced": _warning("Keep it out of the wheel"),
    "pth-file": _warning("Do without it: it runs whenever Python starts"),
    "parameter-undocumented": _note("Say in the docstring's `Args:` what it is"),
    "result-untyped": _note("Annotate what it returns"),
    "example-missing": _note("Put a `>>>` example into the docstring, or one into `plughost-examples.toml`"),
    "example-skipped": _note("Only calls of the tool with plain values are tried"),
    "dependency-unbounded": _note("Set a range, such as `httpx>=0.27,<1`: what is added today should work tomorrow"),
    "import-large": _note("Import what is large within the function that needs it"),
    "author-missing": _note("Set `project.authors`"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`where` is a tool, a parameter such as `forecast(city)`, a file, or a table of one."""

    reference: str
    where: str
    message: str

    @property
    def severity(self) -> Severity:
        return RULES[self.reference].severity

    @property
    def advice(self) -> str:
        return RULES[self.reference].advice

    def record(self) -> dict[str, object]:
        return {
            "severity": self.severity,
            "reference": self.reference,
            "where": self.where,
            "message": self.message,
            "advice": self.advice,
        }
