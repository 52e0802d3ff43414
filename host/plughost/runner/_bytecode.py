"""The runner's own bytecode, complete before this process loses the right to write any.

Above it: `_start`, of a process that is to be confined; below it: the import system. What is imported later would else be
compiled at each start.
"""

from __future__ import annotations

import os
import sys

__all__ = ["complete"]

_MARK = "plughost-{}.whole"


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
