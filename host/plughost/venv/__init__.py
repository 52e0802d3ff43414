"""Lockfile → PluginVenv: one virtual environment for one lock, interpreter and platform, never changed once it is whole.

Above it: the worker and the host; below it: the lock's record and the installer.
"""

from __future__ import annotations

from plughost.venv._contents import entry_points, installed, missing, size_bytes
from plughost.venv._create import PluginVenv, create, is_whole, read_marker, remove
from plughost.venv._fingerprint import MARKER, Damage, find_damage

__all__ = [
    "MARKER",
    "Damage",
    "PluginVenv",
    "create",
    "entry_points",
    "find_damage",
    "installed",
    "is_whole",
    "missing",
    "read_marker",
    "remove",
    "size_bytes",
]
