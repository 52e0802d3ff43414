"""BuiltWheel → Lockfile: every package that the plugin's venv will have, to the version and the hash.

Above it: the venv and the host; below it: the wheel's record and the installer.
"""

from __future__ import annotations

from plughost.lock._files import LockedFile, files
from plughost.lock._lockfile import SUMS, LockedPackage, Lockfile, read, sums
from plughost.lock._resolve import adopt, ahead, resolve
from plughost.lock._tags import tags_in_order, tags_of

__all__ = [
    "SUMS",
    "LockedFile",
    "LockedPackage",
    "Lockfile",
    "adopt",
    "ahead",
    "files",
    "read",
    "resolve",
    "sums",
    "tags_in_order",
    "tags_of",
]
