"""BuiltWheel → Lockfile: every package that the plugin's venv will have, to the version and the hash.

Above it: the venv and the host; below it: the wheel's record and the installer.
"""

from __future__ import annotations

from plughost.lock._lockfile import LockedPackage, Lockfile, read
from plughost.lock._resolve import adopt, ahead, resolve

__all__ = ["LockedPackage", "Lockfile", "adopt", "ahead", "read", "resolve"]
