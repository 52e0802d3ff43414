"""SourceTree → BuiltWheel: the wheel of a plugin, and what its metadata says.

Above it: the lock and the host; below it: the source tree's record and the installer. Metadata is read from the archive; nothing
of the plugin is imported.
"""

from __future__ import annotations

from plughost.wheel._build import build
from plughost.wheel._kept import find_kept, keep
from plughost.wheel._read import BuiltWheel, NormalizedName, read

__all__ = ["BuiltWheel", "NormalizedName", "build", "find_kept", "keep", "read"]
