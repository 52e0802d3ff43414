"""Permissions on the command line: the flags that grant them, the question on a terminal, and how they are shown.

Above it: the commands that install; below it: the policies.
"""

from __future__ import annotations

import os
import sys

from plughost.cli._printer import visible
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._consent import GivenGrant, Permissions
    from plughost.cli._declaration import Values
    from plughost.cli._printer import Printer
    from plughost.cli._progress import ProgressLine

__all__ = ["granted", "granted_terms", "granted_text"]

_HOW_MANY = "Lists are given once, with commas: `read=/srv/maps,/srv/tiles`"


def granted(values: Values, printer: Printer, progress: ProgressLine) -> GivenGrant:
    """What the flags grant; without them, who is asked: the user, where there is a terminal, else nobody, who says how to answer.

    Raises: UsageError: the flags contradict each other, or say what can't be.
    """
    given, preset = values.texts("grant"), values.text("policy")
    words = [word for word in given if word in {"all", "none"}]
    if words and (len(given) > 1 or preset):
        raise UsageError(f"`--grant {words[0]}` is all that can be said, and more is", reference="usage")
    if words:
        return words[0]
    if given or preset:
        return granted_terms(given, preset)
    is_asked = not (values.flag("json") or printer.quiet) and sys.stdin is not None and sys.stdin.isatty()
    return (lambda permissions: _ask(permissions, printer, progress)) if is_asked and printer.err.is_terminal else _refuse


def granted_terms(given: tuple[str, ...], preset: str, *, option: str = "--grant", folder: str = "") -> dict[str, object]:
    """The fields that `NAME=VALUE`, given several times, and a preset say together; relative paths are of `folder`, or ours.

    Raises: UsageError: one of them can't be, or two say different things of one field.
    """
    from plughost.policy import read_term, terms_of

    terms = terms_of(preset, at="--policy") if preset else {}
    single: dict[str, object] = {}
    for text in given:
        term = read_term(text, option=option, folder=folder or os.getcwd())
        terms |= term
        if len(term) == 1:  # a preset speaks of all, and others may then differ from it
            ((field, value),) = term.items()
            if single.setdefault(field, value) != value:
                name = f"{option} {text.partition('=')[0].strip()}".strip()
                raise UsageError(f"`{name}` is given twice, and says two things", reference="usage", hint=_HOW_MANY)
    return terms


def granted_text(table: object) -> str:
    """A table of a policy on one line; "" if it is none."""
    if not isinstance(table, dict):
        return ""
    values = [(key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in table.items()]
    return "; ".join(f"{key} {value}" for key, value in values) or "nothing"


def _refuse(permissions: Permissions) -> bool:
    """Raises: GrantNeeded: nobody can be asked."""
    from plughost._consent import needed

    again = "`--grant all` with the same command" if permissions.is_new else f"`update {permissions.name} --grant all`"
    raise needed(permissions, f"{again} grants it, `--grant none` nothing, `--grant NAME=VALUE` what you say")


def _ask(permissions: Permissions, printer: Printer, progress: ProgressLine) -> bool:
    err = printer.err
    with progress.aside():
        name = err.highlight(f"`{permissions.name}`")
        err.write(f"{name} {visible(permissions.version)} asks for more than plugins may use:\n")
        for line in permissions.lines():
            err.write(f"  {visible(line)}\n")
        err.write("Grant these? [y/N] ")
        answer = sys.stdin.readline()
    if not answer:
        err.write("\n")
    return answer.strip().lower() in {"y", "yes"}
