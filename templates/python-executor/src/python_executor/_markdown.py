"""Markdown → the code in it: language models put code into fenced blocks, whoever they give it to."""

from __future__ import annotations

import ast
import re

__all__ = ["code_in", "is_markdown"]

_BLOCK = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+.-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_LANGUAGES = ("", "python", "py", "python3")


def code_in(text: str) -> str:
    """All blocks of Python in it; where there is no block at all, all of it.

    Raises: ValueError: there are blocks, but none of Python.
    """
    blocks = list(_BLOCK.finditer(text))
    found = [block[3] for block in blocks if block[2].lower() in _LANGUAGES]
    if blocks and not found:
        raise ValueError("there is no Python in it, but {}".format(", ".join(block[2] for block in blocks)))
    return "\n".join(found) if found else text


def is_markdown(text: str) -> bool:
    """Whether it is no code, but has code in blocks. Those of a docstring are no sign of that, where code is wrong elsewhere."""
    block = next((block for block in _BLOCK.finditer(text) if block[2].lower() in _LANGUAGES), None)
    if block is None or re.search("\"\"\"|'''", text[: block.start()]):
        return False
    try:
        compile(text, "<text>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return False
