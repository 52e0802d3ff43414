"""Which files of a project have changed, found by looking at them again and again.

Above it: `_developing`; below it: the disk. It asks for no more than times and sizes, and for no more than so many files.
"""

from __future__ import annotations

import os
import time

__all__ = ["BUILD_FILES", "Watch"]

#: What decides how the project is installed; the rest of its sources are read where they are.
BUILD_FILES = frozenset(("package.json", "package.yaml", "package.yml", "pyproject.toml", "setup.cfg", "setup.py"))

_MOST_FILES = 5_000
_INTERVAL_S = 0.3
#: An editor, or git, writes several files: it is waited until they rest, though not longer than this.
_SETTLING_S = 3.0
_LEFT_OUT = frozenset(("__pycache__", "build", "dist", "node_modules", "venv"))

State = dict[str, tuple[int, int, int]]


class Watch:
    """The Python sources and build files of the project in `folder`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known = self._look()

    def wait(self) -> list[str]:
        """Wait until files have changed, appeared or gone; their paths in the project. An interrupt goes through."""
        while (now := self._look()) == self._known:
            time.sleep(_INTERVAL_S)
        deadline = time.monotonic() + _SETTLING_S
        while time.monotonic() < deadline:
            time.sleep(_INTERVAL_S)
            before, now = now, self._look()
            if now == before:
                break
        changed = sorted(path for path in self._known.keys() | now.keys() if self._known.get(path) != now.get(path))
        self._known = now
        return changed

    def _look(self) -> State:
        found: State = {}
        for root, folders, files in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not (name.startswith(".") or name in _LEFT_OUT))
            for name in files:
                if name in BUILD_FILES or name.endswith(".py"):
                    path = os.path.join(root, name)
                    try:
                        state = os.stat(path)
                    except OSError:  # gone by now
                        continue
                    found[os.path.relpath(path, self._folder)] = (state.st_mtime_ns, state.st_size, state.st_ino)
            if len(found) >= _MOST_FILES:
                break
        return found
