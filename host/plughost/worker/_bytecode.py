"""Having compiled what a plugin imports: it may not write into its environment itself, and would compile it at each start.

Above it: whoever starts a plugin for the first time; below it: the runner's `_bytecode`. Nothing that is compiled is run.
"""

from __future__ import annotations

import os

from plughost import _process
from plughost.errors import PlughostError
from plughost.worker._launch import RUNNER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.worker._worker import Worker

__all__ = ["compile_imported"]

_ASKED_S = 5.0
_COMPILED_WITHIN_S = 120.0


def compile_imported(worker: Worker, venv: str) -> None:
    """Of the modules that a worker has loaded, those of its environment and of the Python below it. Quiet where that fails."""
    try:
        result = worker.request("uncompiled", {}, what="what is to be compiled", timeout_s=_ASKED_S).get("result")
    except PlughostError:  # it has ended: whoever calls it will hear
        return
    python = os.path.join(venv, "bin", "python")
    library = os.path.dirname(os.__file__) if os.path.realpath(python) == os.path.realpath(_own_python()) else ""
    roots = tuple(os.path.join(os.path.realpath(root), "") for root in (venv, library) if root)
    told = [path for path in result if isinstance(path, str)] if isinstance(result, list) else []
    # The plugin has told them: no link may lead anywhere else.
    paths = [path for path in told if "\n" not in path and os.path.realpath(path).startswith(roots)]
    if not paths:
        return
    try:
        lines = "\n".join(paths).encode("utf-8", "surrogateescape")
        argv = [python, "-I", "-S", RUNNER, "compile"]
        _process.run(argv, env=_process.base_environment(), input=lines, timeout_s=_COMPILED_WITHIN_S)
    except (OSError, UnicodeEncodeError):
        pass


def _own_python() -> str:
    import sys

    return getattr(sys, "_base_executable", sys.executable)
