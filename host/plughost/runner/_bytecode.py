"""Bytecode, where plugins may write none: of the runner's own modules, and of those that a plugin has imported.

Above it: `_start` and `_serve`; below it: the import system. A process that is confined can't write into its environment. So the
runner's modules are compiled before it is; and of what it has imported then, the host has the rest compiled by another process,
where the argument is `compile`: it compiles the files whose paths are the lines on its stdin, and runs nothing of them.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["compile_listed", "complete", "uncompiled"]

_MARK = "plughost-{}.whole"
_READ_BYTES = 1 << 16
#: For one compiler. A few megabytes of source may take as many gigabytes: who imports that has it compiled within its own limits.
_MOST_BYTES = 1 << 29


def complete(changed: float) -> None:
    """Compile all of the runner's modules, unless that was done since the last of them was changed (seconds since 1970)."""
    import _frozen_importlib_external as machinery

    package = sys.modules[__package__ or ""]
    folder = package.__path__[0]
    mark = os.path.join(os.path.dirname(machinery.cache_from_source(os.path.join(folder, "x.py"))), _MARK)
    mark = mark.format(sys.implementation.cache_tag)
    try:
        if os.stat(mark).st_mtime >= changed:
            return
    except OSError:
        pass
    for name in os.listdir(folder):
        module, extension = os.path.splitext(name)
        if extension == ".py":
            machinery.SourceFileLoader("plughost_runner." + module, os.path.join(folder, name)).get_code(
                "plughost_runner." + module
            )
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_WRONLY, 0o644))
        os.utime(mark)
    except OSError:  # a folder that can't be written: they are compiled each time
        pass


def uncompiled() -> list[str]:
    """The sources of modules that are loaded, and have no bytecode where that would be looked for."""
    found = set()
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        source, cached = getattr(spec, "origin", None), getattr(spec, "cached", None)
        if type(source) is str and type(cached) is str and source.endswith(".py") and not os.path.exists(cached):
            found.add(source)
    return sorted(found)


def compile_listed() -> None:
    """In a process for that alone, which has as many copies as there are processors."""
    listed = b""
    while True:
        chunk = os.read(0, _READ_BYTES)
        if not chunk:
            break
        listed += chunk
    _limit()
    paths = [os.fsdecode(line) for line in listed.split(b"\n")]  # a name may have all else that ends a line for Python
    shares = max(1, min(4, os.cpu_count() or 1, len(paths) // 16))
    children = []
    for share in range(shares):
        pid = os.fork() if share else 0
        if not pid and share:
            _compile(paths[share::shares])
            os._exit(0)
        children.append(pid)
    _compile(paths[::shares])
    for pid in children[1:]:
        os.waitpid(pid, 0)


def _limit() -> None:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, _MOST_BYTES))
    except (OSError, ValueError):  # somebody has set a lower one before
        pass


def _compile(paths: Sequence[str]) -> None:
    import _frozen_importlib_external as machinery

    for path in paths:
        try:
            machinery.SourceFileLoader("compiled", path).get_code("compiled")
        except Exception:  # noqa: BLE001, S112 - no memory is one too; whoever imports it will hear
            continue
