"""Docstrings as descriptions: the text, each parameter's, and that of what is returned.

Above it: the description of tools; below it: nothing. It reads the three styles in use: Google's and NumPy's sections, and
Sphinx's fields. What it doesn't recognize stays text.
"""

from __future__ import annotations

import inspect
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Docs", "parse"]

_PARAMETERS = {"args", "arguments", "parameters", "params", "attributes", "keyword args", "keyword arguments", "other parameters"}
_RETURNS = {"return", "returns", "yield", "yields"}
_DROPPED = {"raises", "raise", "except", "exceptions", "warns"}
_SECTIONS = _PARAMETERS | _RETURNS | _DROPPED

_RULE = re.compile(r"-{3,}\s*$")
_GOOGLE_ITEM = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY_ITEM = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_RETURNED_TYPE = re.compile(r"^[\w.]+(\[[^]]*])?:\s+")
_FIELD = re.compile(r":(\w+)(?:\s+([^:]*?))?\s*:(?:\s+(.*))?$")
_PARAMETER_FIELDS = {"param", "parameter", "arg", "argument", "key", "keyword", "var", "ivar", "cvar"}


class Docs:
    """What a docstring says."""

    __slots__ = ("description", "parameters", "returns")

    def __init__(self) -> None:
        self.description = ""
        self.parameters: dict[str, str] = {}
        self.returns = ""


def parse(docstring: str | None) -> Docs:
    docs = Docs()
    text: list[str] = []
    lines = inspect.cleandoc(docstring or "").splitlines()
    position = 0
    while position < len(lines):
        section, start, numpy = _header(lines, position)
        field = _FIELD.match(lines[position])
        if section:
            end = _end_of_numpy_section(lines, start) if numpy else _end_of_indented(lines, start)
            _read_section(docs, section, lines[start:end], numpy=numpy)
        elif field is not None:
            end = _end_of_indented(lines, position + 1)
            _read_field(docs, field, lines[position + 1 : end])
        else:
            end = position + 1
            text.append(lines[position])
        position = end
    docs.description = re.sub(r"\n{3,}", "\n\n", "\n".join(text)).strip()
    return docs


def _header(lines: list[str], position: int) -> tuple[str, int, bool]:
    """The section that begins at this line (or an empty string), where its body begins, and whether it is NumPy's."""
    line = lines[position].rstrip()
    following = lines[position + 1] if position + 1 < len(lines) else ""
    if line.lower() in _SECTIONS and _RULE.match(following):
        return line.lower(), position + 2, True
    if line.endswith(":") and line[:-1].lower() in _SECTIONS and (not following or following[0].isspace()):
        return line[:-1].lower(), position + 1, False
    return "", position, False


def _end_of_indented(lines: list[str], start: int) -> int:
    end = start
    while end < len(lines) and (not lines[end].strip() or lines[end][0].isspace()):
        end += 1
    return end


def _end_of_numpy_section(lines: list[str], start: int) -> int:
    """A NumPy section goes on to the next underlined line, or to the end."""
    for end in range(start, len(lines) - 1):
        if lines[end].strip() and _RULE.match(lines[end + 1]):
            return end
    return len(lines)


def _read_section(docs: Docs, section: str, lines: list[str], *, numpy: bool) -> None:
    body = inspect.cleandoc("\n" + "\n".join(lines)).splitlines()
    if section in _PARAMETERS:
        for names, text in _items(body, _NUMPY_ITEM if numpy else _GOOGLE_ITEM):
            for name in names.split(","):
                docs.parameters[name.strip().lstrip("*")] = text
    elif section in _RETURNS:
        if numpy:  # the first line is the type
            body = [line for line in body if line[:1].isspace()] or body
        docs.returns = _RETURNED_TYPE.sub("", _joined(body))


def _items(lines: list[str], pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Names and text of each item: a line at the margin, and the indented lines below it."""
    position = 0
    while position < len(lines):
        item = pattern.match(lines[position])
        end = _end_of_indented(lines, position + 1)
        if item is not None:
            yield item.group(1), _joined([*item.groups()[1:], *lines[position + 1 : end]])
        position = end


def _read_field(docs: Docs, field: re.Match[str], more: list[str]) -> None:
    kind, name, first = field.groups(default="")
    if kind in _PARAMETER_FIELDS and name:
        docs.parameters[name.split()[-1].lstrip("*")] = _joined([first, *more])
    elif kind in _RETURNS:
        docs.returns = _joined([first, *more])


def _joined(lines: list[str]) -> str:
    """A paragraph as one line; paragraphs stay apart."""
    paragraphs = "\n".join(line.strip() for line in lines).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()
