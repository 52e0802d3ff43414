"""Code as text → code objects: all but the last expression, and that expression, whose value is the result."""

from __future__ import annotations

import __future__
import ast
import linecache
import re
import textwrap
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

__all__ = ["Sources"]

#: Of so many pieces of code the lines are kept, which tracebacks show and `inspect` finds.
_MOST_KEPT = 500

#: Figures are saved, and modules are never old here.
_SHOWING = re.compile(r"\s*%(?:matplotlib|config\s+InlineBackend|(?:load|reload)_ext\s+autoreload|autoreload)\b")

_FUTURE_FLAGS = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]


class Sources:
    """The pieces of code of one interpreter. What one of them imports `from __future__` holds for those after it."""

    def __init__(self) -> None:
        self._flags = 0
        self._count = 0
        self._kept: OrderedDict[str, str] = OrderedDict()

    def __contains__(self, filename: str) -> bool:
        return filename in self._kept

    def keep(self, text: str, name: str = "") -> str:
        """Take a piece of code; the name of its file, as tracebacks have it."""
        self._count += 1
        filename = "<{}>".format(name or "task {}".format(self._count))
        text = _without_indentation(text)
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        self._kept[filename] = text
        self._kept.move_to_end(filename)
        if len(self._kept) > _MOST_KEPT:
            linecache.cache.pop(self._kept.popitem(last=False)[0], None)
        return filename

    def compiled(self, filename: str) -> tuple[CodeType | None, CodeType | None]:
        """The statements, and the last expression; either may be missing.

        Raises: SyntaxError, ValueError, RecursionError, MemoryError: it can't be compiled.
        """
        text = self._kept[filename]
        try:
            return self._compiled_as_notebook(text, filename)
        except UnicodeEncodeError as error:
            raise _not_allowed("half a character, a lone surrogate,", text, error.start, filename) from None
        except SyntaxError as error:
            if error.text is None and error.filename == filename and error.lineno:
                error.text = linecache.getline(filename, error.lineno)
            raise

    def _compiled_as_notebook(self, text: str, filename: str) -> tuple[CodeType | None, CodeType | None]:
        """As it is, but for the lines that only tell a notebook how to show what it shows."""
        try:
            return self._compiled(text, filename)
        except SyntaxError as error:
            lines = text.splitlines(keepends=True)
            place = (error.lineno or 0) - 1
            if not (0 <= place < len(lines) and _SHOWING.match(lines[place])):
                raise
        lines[place] = lines[place].partition("%")[0] + "pass\n"
        return self._compiled_as_notebook("".join(lines), filename)

    def _compiled(self, text: str, filename: str) -> tuple[CodeType | None, CodeType | None]:
        tree = self._compile(text, filename, "exec", ast.PyCF_ONLY_AST)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        statements = expression = None
        if tree.body:
            statements = self._compile(tree, filename, "exec")
            self._flags |= sum(flag for flag in _FUTURE_FLAGS if statements.co_flags & flag)
        if last is not None:
            expression = self._compile(ast.Expression(last.value), filename, "eval")
        return statements, expression

    def _compile(self, source: str | ast.AST, filename: str, mode: str, flags: int = 0) -> Any:
        # Without the features of this very module, and with `await` outside of functions.
        flags |= self._flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        return compile(source, filename, mode, flags, dont_inherit=True)


def _not_allowed(what: str, text: str, place: int, filename: str) -> SyntaxError:
    lines = text[: place + 1].splitlines()
    return SyntaxError("{} can't be in code".format(what), (filename, len(lines), len(lines[-1]), None))


def _without_indentation(text: str) -> str:
    """A block that was cut out of an indented place runs as well; line numbers stay as they are."""
    text = text[1:] if text.startswith("\ufeff") else text  # as some editors mark a file's beginning
    first = next((line for line in text.splitlines() if line.strip()), "")
    return textwrap.dedent(text) if first[:1].isspace() else text
