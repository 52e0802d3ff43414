"""The Python that an environment was made from: which program it is, and which files belong to it.

Above it: the files of a worker, and who tries what confines it; below it: what its program names, and the disk.
"""

from __future__ import annotations

import os

from plughost.paths import scan
from plughost.policy import is_within
from plughost.sandbox._linked import own_libraries

__all__ = ["base_python", "python_parts"]

_SHARED = ("/", "/usr", "/usr/local")  # prefixes of a Python that is not alone there


def base_python(venv: str) -> tuple[str, list[str]]:
    """The program that the environment's Python is, and what belongs to it, by all names that lead there."""
    link = os.path.join(venv, "bin", "python")
    program = os.path.realpath(link)
    prefixes = {os.path.dirname(os.path.dirname(program))}
    prefixes.update(os.path.dirname(home) for home in [_home(venv)] if home)
    parts = [program, *(part for prefix in prefixes for part in _parts(prefix))]
    libraries = own_libraries(program)
    return program, [*parts, *(path for path in libraries if not any(is_within(part, path) for part in parts))]


def python_parts(program: str) -> list[str]:
    """What belongs to a Python that is no environment's."""
    return [program, *_parts(os.path.dirname(os.path.dirname(program)))]


def _home(venv: str) -> str:
    """Where the Python is that the environment was made from, as its own configuration has it."""
    try:
        with open(os.path.join(venv, "pyvenv.cfg"), encoding="utf-8") as file:
            lines = [line.partition("=") for line in file]
    except (OSError, ValueError):
        return ""
    homes = (value.strip() for key, _, value in lines if key.strip().lower() == "home")
    return next(filter(os.path.isabs, homes), "")


def _parts(prefix: str) -> list[str]:
    """What belongs to a Python, which may live among other programs."""
    if prefix not in _SHARED:
        return [prefix]
    programs = [entry.path for entry in scan(os.path.join(prefix, "bin")) if entry.name.startswith("python3")]
    return [*programs, os.path.join(prefix, "lib")]
