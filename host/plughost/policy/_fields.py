"""The fields of a policy by their kinds, what they are called where people write them, and how their paths lie to each other."""

from __future__ import annotations

import os.path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KEYS", "NUMBERS", "PATHS", "PRESET", "TIMES", "is_in_any", "is_within", "shows_processes"]

#: The fields that are paths.
PATHS = frozenset(("read", "write", "hide", "execute"))
#: Those that are seconds, and all that are numbers, of which None is no limit.
TIMES = frozenset(("cpu_s", "wall_s"))
_SIZES = frozenset(("memory_bytes", "file_bytes", "disk_bytes", "output_bytes", "result_bytes"))
NUMBERS = TIMES | _SIZES | {"processes", "threads", "open_files"}

#: The key that names the preset from which the others start.
PRESET = "preset"
#: The fields by their keys, in the order in which they are shown.
KEYS = {
    "network": "network",
    "read": "read",
    "write": "write",
    "hide": "hide",
    "execute": "execute",
    "environment": "environment",
    "memory": "memory_bytes",
    "cpu": "cpu_s",
    "wall": "wall_s",
    "processes": "processes",
    "threads": "threads",
    "open-files": "open_files",
    "file-size": "file_bytes",
    "disk": "disk_bytes",
    "output": "output_bytes",
    "result": "result_bytes",
}


def shows_processes(path: str) -> bool:
    """Whether the kernel shows processes there: by one's folder (`root`, `fd`), a path leads to whatever that process has."""
    root, top, below, *_ = (*path.split("/", 3), "", "", "")
    return (root, top) == ("", "proc") and (below in {"", "self", "thread-self"} or below.isdigit())


def is_within(folder: str, path: str) -> bool:
    """Whether the path is the folder or in it, by their names."""
    return folder in {"/", path} or path.startswith(f"{folder}{os.path.sep}")


def is_in_any(path: str, folders: Iterable[str]) -> bool:
    """Whether the path is one of the folders or in one, by their names."""
    return any(is_within(folder, path) for folder in folders)
