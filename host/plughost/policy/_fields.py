"""The fields of a policy by their kinds, and what they are called where people write them."""

from __future__ import annotations

__all__ = ["KEYS", "NUMBERS", "PATHS", "PRESET", "TIMES", "shows_processes"]

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
