"""The quick look at an environment after a call has failed: whether that is why. It reads no more than the lists of files.

Above it: the workers; below it: the venv and the interpreters.
"""

from __future__ import annotations

import os

from plughost import _interpreters as interpreters
from plughost import venv as venvs

__all__ = ["first_fault"]


def first_fault(path: str) -> str:
    """What is wrong with the environment at `path`, as far as that shows at once; "" if nothing is."""
    python = os.path.join(path, "bin", "python")
    try:
        marker = venvs.read_marker(path)
    except (OSError, ValueError):
        return f"`{venvs.MARKER}` is missing or can't be read"
    found = interpreters.ask(python)
    if found is None:
        return f"`{os.path.realpath(python)}` doesn't start"
    if found.series != marker.interpreter.series:
        return f"It was made with Python {marker.interpreter.version}, and `{found.executable}` is Python {found.version} now"
    if not os.path.isfile(os.path.join(path, "pyvenv.cfg")):
        return "`pyvenv.cfg` is missing"
    if list(marker.packages) != venvs.installed(path):
        return "Other packages are in it than were installed"
    missing = venvs.missing(path)
    return f"`{missing}` is missing" if missing else ""
