"""Lockfile → PluginVenv: one virtual environment for one lock, interpreter and platform, never changed once it is whole.

Above it: the worker and the host; below it: the lock's record and the installer.
"""

from __future__ import annotations

from plughost.venv._contents import installed, missing, size_bytes
from plughost.venv._create import PluginVenv, create, is_whole, remove

__all__ = ["PluginVenv", "create", "installed", "is_whole", "missing", "remove", "size_bytes"]
