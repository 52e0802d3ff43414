"""Run Python code that somebody else has written, and say what came of it.

Two tools: one piece of code, and several steps in order. Whatever the code does, the answer is a record: its result, what it
printed, the files that it wrote, and where it failed, what to do next. Variables stay from call to call while the process lives.

    _task, _workflow    the two tools
      _instructions     an instruction in words → code, by a function of the host app's
      _markdown         a language model's answer → the code in it
      _interpreter      code → a finished run; keeps the variables
        _source         text → code objects, and the lines for tracebacks
        _streams        what the code prints
        _alarm          an end to what takes too long
        _figures        matplotlib's figures → files
        _files          which files are new or changed
        _values         the result, in a form that travels
        _tables         tables and columns → lists and objects
        _shown          values as short text
      _failures         an exception → its record
        _advice         what to do next
        _syntax         what to do about code that is no Python
        _packages       the name of a module → of the package that has it
    _records            what the tools take and give
"""

from ._task import execute_python_task
from ._workflow import execute_python_workflow

__all__ = ["execute_python_task", "execute_python_workflow"]
