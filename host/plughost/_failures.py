"""What failures of uv and of pip have in common: rules that read a cause from a program's words, and what a backend complains of.

Above it: `_uv_errors` and `_pip_errors`, which know how each program writes; below it: errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plughost._installing import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from plughost.errors import InstallError

__all__ = ["MAX_CAUSE_CHARS", "Doing", "Rule", "backend_complaint", "to_error"]

MAX_CAUSE_CHARS = 600
_MAX_CAUSES = 4
#: What happened inside a build; what was printed there says more than the program that started it.
_BACKENDS_OWN = frozenset({"build-failed", "build-requires"})
#: `x.c:2:10: fatal error: x.h: No such file or directory`, and then the end of the command that compiled.
_COMPILER = re.compile(r"^[^\s:]+:\d+(:\d+)?: (fatal )?error: ")
_COMMAND_FAILED = re.compile(r"exit (status|code):? \d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What a program was asked to do: the sentence for its failure, and the error where its words fit no rule."""

    message: str
    error: type[InstallError]
    reference: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    pattern: str
    error: type[InstallError]
    reference: str
    hint: str = ""


def to_error(
    report: str, rules: Iterable[Rule], doing: Doing, *, causes: Sequence[str], complaint: str, log: str | PathLike[str]
) -> InstallError:
    """The error for `report`: what the first of the `rules` that matches says, else what `doing` says."""
    rule = next((rule for rule in rules if re.search(rule.pattern, report)), None)
    error, reference = (rule.error, rule.reference) if rule else (doing.error, doing.reference)
    if reference in _BACKENDS_OWN and complaint:
        causes = [complaint]
    shown = [redact(cause)[:MAX_CAUSE_CHARS].rstrip(".") for cause in causes if cause]
    return error(
        doing.message, reference=reference, causes=shown[:_MAX_CAUSES], hint=(rule.hint if rule else "") or doing.hint, log=log
    )


def backend_complaint(output: str) -> str:
    """The line of a backend's output that says what went wrong: its last exception, else its last line; "" for no output.

    Where that only says that a command failed, it is the compiler's first error.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    lines = everything = [line[indent:] for line in lines]
    tracebacks = [index for index, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if tracebacks:
        lines = [line for line in lines[tracebacks[-1] + 1 :] if not line.startswith(" ")][:1] or lines
    complaint = lines[-1] if lines else ""
    if _COMMAND_FAILED.search(complaint):
        complaint = next((line for line in everything if _COMPILER.match(line)), complaint)
    return redact(complaint.strip())[:MAX_CAUSE_CHARS]
