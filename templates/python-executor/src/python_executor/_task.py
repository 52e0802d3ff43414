"""The tool for one piece of code."""

from __future__ import annotations

import functools
import keyword
import threading

from ._failures import NO_PYTHON, of_instruction
from ._instructions import code_for
from ._interpreter import Interpreter
from ._markdown import code_in, is_markdown
from ._records import Execution  # plughost reads the annotations
from ._shown import variables

__all__ = ["check", "execute_python_task", "interpreter", "run"]

_MAKING = threading.Lock()
#: How it is told that what a language model gave can't be read as code.
_NO_CODE = ("SyntaxError", "IndentationError", "TabError")


def execute_python_task(
    code: str | None = None,
    instruction: str | None = None,
    context: dict[str, object] | None = None,
    *,
    timeout_s: float | None = None,
    arrays: bool = False,
    fresh: bool = False,
) -> Execution:
    """Run Python code, and say what came of it.

    Variables stay for the next call in the same session. Code that fails is no error of this tool: `error` says what was wrong,
    in which line, and what to do next.

    Args:
        code: statements; if the last one is an expression, its value is the result. It may `await`, and stand in Markdown.
        instruction: in place of code, what it should do, in words: the host app's function `complete` makes code of it.
        context: variables that are set before.
        timeout_s: the code is interrupted after so many seconds, and its variables are kept.
        arrays: whether arrays and tables come back as what they are; else as lists. A host without numpy can't take them.
        fresh: forget all variables first.

    Returns:
        Whether it succeeded, its result, what it printed, its error, the files that it wrote, and its variables.

    Raises:
        ValueError: there is neither code nor an instruction, or both; a name in `context` can't be one; or there is no time.

    Examples:
        >>> execute_python_task("n = 20\\nn + 1")["result"]
        21
        >>> execute_python_task("print(greeting)", context={"greeting": "hello"})["output"]
        'hello\\n'
        >>> execute_python_task("1 / 0")["error"]["type"]
        'ZeroDivisionError'
    """
    check(code, instruction, context, timeout_s)
    if fresh:
        interpreter().forget()
    return run(code, instruction, context, timeout_s=timeout_s, arrays=arrays)


def interpreter() -> Interpreter:
    """The one of this process, which is one caller's in a session."""
    with _MAKING:  # the first calls of two threads
        return make_once()


@functools.lru_cache(maxsize=None)
def make_once() -> Interpreter:
    return Interpreter()


def check(code: str | None, instruction: str | None, context: dict[str, object] | None, timeout_s: float | None = None) -> None:
    """Raises: ValueError: they make no task."""
    if (code is None) == (instruction is None):
        raise ValueError("give either `code` or `instruction`")
    if instruction is not None and not instruction.strip():
        raise ValueError("`instruction` is empty: say what the code should do")
    if timeout_s is not None and not timeout_s > 0:
        raise ValueError("`timeout_s` is to be above 0")
    for name in context or ():
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError("`{}` in `context` can't be the name of a variable".format(name))


def run(
    code: str | None,
    instruction: str | None,
    context: dict[str, object] | None,
    *,
    name: str = "",
    timeout_s: float | None = None,
    arrays: bool = False,
) -> Execution:
    """Run the code, or what the instruction becomes."""
    runs, given, made = interpreter(), context or {}, None
    if code is None:
        try:
            code = made = code_for(instruction or "", {**runs.namespace, **given})
        except Exception as error:  # of the app's function, too
            return _not_run(error)
    elif is_markdown(code):
        code = made = code_in(code)
    done = runs.run(code, context=given, name=name, timeout_s=timeout_s, arrays=arrays)
    done["code"] = made
    if instruction is not None and done["error"] is not None and done["error"]["type"] in _NO_CODE:
        done["error"]["suggestion"] = NO_PYTHON.format(done["error"]["suggestion"])
    return done


def _not_run(error: Exception) -> Execution:
    return {
        "success": False,
        "result": None,
        "result_type": None,
        "output": "",
        "error": of_instruction(error),
        "artifacts": [],
        "variables": variables(interpreter().namespace),
        "execution_time": 0.0,
        "code": None,
    }
