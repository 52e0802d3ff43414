"""BuiltWheel → Lockfile: every package that the plugin's venv will have, to the version and the hash.

Above it: the venv and the host; below it: the wheel's record and the installer.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.lock._files import LockedFile, files
    from plughost.lock._lockfile import SUMS, LockedPackage, Lockfile, read, sums, versions
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
    "versions",
]

__getattr__ = lazily(
    __name__,
    {
        "_files": ("LockedFile", "files"),
        "_lockfile": ("SUMS", "LockedPackage", "Lockfile", "read", "sums", "versions"),
        "_resolve": ("adopt", "ahead", "resolve"),
        "_tags": ("tags_in_order", "tags_of"),
    },
)
