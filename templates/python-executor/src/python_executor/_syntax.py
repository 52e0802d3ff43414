"""What to do about code that is no Python: where it is wrong, and what only looks like code."""

from __future__ import annotations

import re
import shlex
import sys

__all__ = ["of_syntax"]

_MOST_SHOWN = 200
_ADD = "To have what it installs, add the executor once more with it"
_PIP = re.compile(r"[%!]\s*(?:\S*python[\d.]*\s+-m\s+)?(?:uv\s+)?pip[\d.]*\s+install\s+(.*)")

_NEWER = (
    ((3, 12), re.compile(r"type\s+\w+.*=|(?:async\s+def|def|class)\s+\w+\[")),
    ((3, 11), re.compile(r"except\s*\*")),
    ((3, 10), re.compile(r"(?:match|case)\s.+:")),
)


def of_syntax(error: SyntaxError, line: str) -> str:
    """`line` is the one that is wrong, or nothing."""
    start = line.lstrip()
    if start.startswith(("%", "!")):
        return _of_notebook(start)
    if start.startswith((">>>", "In [")):
        return "Give the code alone, without the prompts in front of its lines and without what it has printed"
    if start.startswith(("```", "~~~")):
        return "Give the code alone, without the Markdown around it"
    if isinstance(error, IndentationError):
        return "Correct the indentation, with four spaces for each level{}".format(_pointed(error, line))
    return "Correct the syntax{}{}".format(_pointed(error, line), _of_newer_python(error, start))


def _of_newer_python(error: SyntaxError, start: str) -> str:
    """What is to be said of a line that a later version of Python would take."""
    here = sys.version_info[:2]
    since = next((since for since, pattern in _NEWER if here < since and pattern.match(start)), None)
    if since is not None:
        return "\nThat is for Python {}.{} and later; here is {}.{}".format(*since, *here)
    if here < (3, 12) and re.match("f-string: (?:unmatched|expecting '}')", str(error.msg)):
        return "\nUse other quotes within the braces than around the text; here is Python {}.{}".format(*here)
    return ""


def _of_notebook(line: str) -> str:
    pip = _PIP.match(line)
    if pip:
        added = " ".join("--with {}".format(shlex.quote(package)) for package in _packages(pip[1]) or ["PACKAGE"])
        return "Leave this line out, which only notebooks know. {}: `plughost add SOURCE {}`".format(_ADD, added)
    if line.startswith("%matplotlib"):
        return "Leave this line out, which only notebooks know: figures are saved as files by themselves"
    return "Leave out `{}…`, which only notebooks know: do it in Python itself".format(line[:1])


def _packages(arguments: str) -> list[str]:
    """What is to be installed, without the options."""
    words = re.split(r"\s+", re.sub(r"(?:^|\s)(?:-r|-c|-i|--\w[\w-]*-url)[\s=]+\S+", " ", arguments.partition("#")[0]).strip())
    return [word.strip("\"'") for word in words if word and not word.startswith("-")]


def _pointed(error: SyntaxError, line: str) -> str:
    """The line with a caret under the place."""
    text = line.rstrip("\n")
    if not text.strip() or not error.lineno or len(text) > _MOST_SHOWN:
        return "" if not error.lineno else " of line {}".format(error.lineno)
    column = min(max((error.offset or 1) - 1, 0), len(text))
    return " of line {}:\n    {}\n    {}^".format(error.lineno, text, re.sub(r"\S", " ", text[:column]))
