"""Where a plugin can't start a process, it is told so, and what would allow it.

Above it: the confinement; below it: `os`, and `subprocess` once the plugin has imported it. It is the kernel that refuses, and
all that is changed here is what is said of it.
"""

from __future__ import annotations

import errno
import os
import sys

from ._events import when_imported
from ._standing_in import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Protocol

    class Plain(Protocol):
        def __call__(self, *args: object, **kwargs: object) -> object: ...


__all__ = ["explain_processes"]

_FORKING = ("fork", "forkpty")
_STARTING = ("posix_spawn", "posix_spawnp", "execv", "execve")
_NOT_STARTED = 127 << 8  # the status of a shell that wasn't


def explain_processes(plugin: str, for_python: str, for_program: str) -> None:
    """From now on. `for_python` says what would allow processes of the plugin's own Python, `for_program` other programs, too."""

    def refusal(program: object) -> OSError:
        path = program if isinstance(program, (str, bytes, os.PathLike)) else None
        name = "" if path is None else os.fsdecode(path)
        is_own = not name or name == sys.executable or name.startswith(sys.prefix + "/")
        what = "`{}` can't be started".format(name) if name else "no process can be forked"
        remedy = for_python if is_own else for_program
        text = "plughost: {}: the policy of `{}` has processes = 1; {}".format(what, plugin, remedy)
        return PermissionError(errno.EPERM, text)

    for name in _FORKING:
        _tell(os, name, lambda _args: refusal(None))
    for name in _STARTING:
        _tell(os, name, lambda args: refusal(args[0] if args else None))
    _tell_aside(refusal)
    for module in ("subprocess", "multiprocessing.util"):
        when_imported(module, lambda: _explain_forks_of_programs(refusal))


def _tell(owner: ModuleType, name: str, refusal: Callable[[tuple[object, ...]], OSError]) -> None:
    plain: Plain = getattr(owner, name)

    def tell(*args: object, **kwargs: object) -> object:
        try:
            return plain(*args, **kwargs)
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
        raise refusal(args)

    replace(owner, name, tell)


def _tell_aside(refusal: Callable[[object], OSError]) -> None:
    """Of `os.system`, which has a status and no exception: on stderr, where a shell would tell it, too."""
    name = "system"
    plain: Plain = getattr(os, name)

    def system(*args: object, **kwargs: object) -> object:
        status = plain(*args, **kwargs)
        if status == _NOT_STARTED:
            os.write(2, "{}\n".format(refusal("/bin/sh").args[1]).encode())
        return status

    replace(os, name, system)


def _explain_forks_of_programs(refusal: Callable[[object], OSError]) -> None:
    """What `subprocess` and `multiprocessing` start programs by."""
    import _posixsubprocess

    if hasattr(_posixsubprocess.fork_exec, "__wrapped__"):
        return
    _tell(_posixsubprocess, "fork_exec", lambda args: refusal(_program(args)))
    subprocess = sys.modules.get("subprocess")
    if hasattr(subprocess, "_fork_exec"):  # Python 3.11 and later
        subprocess.__dict__["_fork_exec"] = _posixsubprocess.fork_exec


def _program(args: tuple[object, ...]) -> object:
    """The first of the arguments of `fork_exec` are the program's own."""
    own = args[0] if args else ()
    return next(iter(own), None) if isinstance(own, (list, tuple)) else None
