"""An instruction in words → code. The language model is the host app's, which offers a function, `complete(prompt) -> str`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ._markdown import code_in
from ._shown import variables

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NotOffered", "code_for"]

_PROMPT = """\
Write Python {version} code that does this:

{instruction}

Answer with one block of code, between ``` and ```, and nothing else. It runs as it is, at the top level of a module:
- Let the last line be an expression: its value is the answer.
- Write files into the current folder, by relative names. Figures of matplotlib are saved by themselves.
- Nobody can answer `input()`, and there may be no network and no other programs.
- Use Python's standard library{packages}.
"""
_VARIABLES = "\nThese variables are set already:\n{}\n"
_MOST_PACKAGES = 100


class NotOffered(LookupError):
    """There is nobody who could turn an instruction into code."""


def code_for(instruction: str, namespace: Mapping[str, object]) -> str:
    """The code that the app's `complete` has for the instruction; it is told of the variables that there are.

    Raises: NotOffered: the app offers none. ValueError: there is no code in its answer. Whatever `complete` raises.
    """
    answer = _complete(_prompt(instruction, namespace))
    if not isinstance(answer, str) or not answer.strip():
        raise ValueError("`complete` gave no text, but {!r}".format(answer))
    try:
        return code_in(answer)
    except ValueError as error:
        raise ValueError("`complete` gave no code: {}".format(error)) from None


def _complete(prompt: str) -> object:
    try:
        from plughost_app import complete
    except ImportError:  # not called by plughost
        raise NotOffered("There is no app that offers a function `complete`") from None
    try:
        return complete(prompt)
    except LookupError as error:
        if "offers no function" in str(error):
            raise NotOffered("The app offers no function `complete`") from None
        raise


def _prompt(instruction: str, namespace: Mapping[str, object]) -> str:
    packages = _packages()
    prompt = _PROMPT.format(
        version="{}.{}".format(*sys.version_info[:2]),
        instruction=instruction.strip(),
        packages=", or of other packages: " + ", ".join(packages) if packages else " alone",
    )
    there = ["- {}: {} = {}".format(name, value["type"], value["repr"]) for name, value in variables(namespace).items()]
    return prompt + (_VARIABLES.format("\n".join(there)) if there else "")


def _packages() -> list[str]:
    """Those that are installed here."""
    from importlib import metadata

    names = {str(one.metadata["Name"]) for one in metadata.distributions()} - {"python-executor"}
    return sorted(names, key=str.lower)[:_MOST_PACKAGES]
