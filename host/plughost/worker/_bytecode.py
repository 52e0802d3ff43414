"""Having an environment compiled: a confined plugin may not write there, and would compile what it imports at each start.

Above it: whoever starts a plugin for the first time; below it: the runner's `_bytecode`. Nothing that is compiled is run.
"""

from __future__ import annotations

import os

from plughost import _process
from plughost.errors import PlughostError
from plughost.paths import RUNNER, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plughost.worker._worker import Worker

__all__ = ["compile_environment", "compile_library"]

_ASKED_S = 5.0
_COMPILED_WITHIN_S = 300.0
#: Folders of packages with what next to nobody imports, and there is much of it.
_LEFT_OUT = frozenset(("__pycache__", "test", "tests"))


def compile_environment(venv: str) -> None:
    """All modules of the environment that have no bytecode yet. Quiet where that fails: it only takes longer then."""
    _compile(venv, (path for folder in scan(os.path.join(venv, "lib")) for path in _sources(folder.path)))


def compile_library(worker: Worker, venv: str) -> None:
    """Of the modules that a worker has loaded, those of the Python that its environment is made from."""
    try:
        result = worker.request("uncompiled", {}, what="what is to be compiled", timeout_s=_ASKED_S).get("result")
    except PlughostError:  # it has ended: whoever calls it will hear
        return
    told = [path for path in result if isinstance(path, str)] if isinstance(result, list) else []
    own = _process.own_python()
    if told and os.path.realpath(os.path.join(venv, "bin", "python")) == own:
        library = os.path.join(os.path.dirname(os.path.realpath(os.__file__)), "")
        _compile(venv, filter(None, (_inside(path, library) for path in told)))


def _inside(path: str, folder: str) -> str:
    """Where a path leads that a plugin has told: a file in the folder, by a name in which nobody can change a link; else ""."""
    try:
        real = os.path.realpath(path, strict=True)
    except (OSError, ValueError):  # it isn't there, or can't be a path
        return ""
    return real if real.startswith(folder) else ""


def _sources(folder: str) -> Iterator[str]:
    """The modules in a folder and those below it, without bytecode."""
    compiled = {entry.name.partition(".")[0] for entry in scan(os.path.join(folder, "__pycache__"))}
    for entry in scan(folder):
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _LEFT_OUT:
                yield from _sources(entry.path)
        elif entry.name.endswith(".py") and entry.name[:-3] not in compiled:
            yield entry.path


def _compile(venv: str, paths: Iterable[str]) -> None:
    lines = os.fsencode("\n".join(path for path in paths if "\n" not in path))
    if not lines:
        return
    argv = [os.path.join(venv, "bin", "python"), "-I", "-S", RUNNER, "compile"]
    try:
        _process.run(argv, env=_process.base_environment(), input=lines, timeout_s=_COMPILED_WITHIN_S)
    except OSError:  # a TimeoutError is one too
        pass
