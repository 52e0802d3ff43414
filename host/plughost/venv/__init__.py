"""Lockfile → PluginVenv: one virtual environment for one lock, interpreter and platform, never changed once it is whole.

Above it: the worker and the host; below it: the lock's record and the installer.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.venv._contents import entry_points, files_of, size_bytes
    from plughost.venv._create import PluginVenv, create, read_marker, remove
    from plughost.venv._fingerprint import Damage, find_damage
    from plughost.venv._standing import MARKER, installed, is_whole, missing

__all__ = [
    "MARKER",
    "Damage",
    "PluginVenv",
    "create",
    "entry_points",
    "files_of",
    "find_damage",
    "installed",
    "is_whole",
    "missing",
    "read_marker",
    "remove",
    "size_bytes",
]

__getattr__ = lazily(
    __name__,
    {
        "_contents": ("entry_points", "files_of", "size_bytes"),
        "_create": ("PluginVenv", "create", "read_marker", "remove"),
        "_fingerprint": ("Damage", "find_damage"),
        "_standing": ("MARKER", "installed", "is_whole", "missing"),
    },
)
