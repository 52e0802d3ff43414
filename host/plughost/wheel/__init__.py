"""SourceTree → BuiltWheel: the wheel of a plugin, and what its metadata says.

Above it: the lock and the host; below it: the source tree's record and the installer. Metadata is read from the archive; nothing
of the plugin is imported.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.wheel._build import build, build_again, build_editable
    from plughost.wheel._contents import WheelContents, contents_of, differences
    from plughost.wheel._hook import build_system_of
    from plughost.wheel._kept import KeptWheel, find_kept, keep
    from plughost.wheel._read import check, read
    from plughost.wheel._record import BuiltWheel

__all__ = [
    "BuiltWheel",
    "KeptWheel",
    "WheelContents",
    "build",
    "build_again",
    "build_editable",
    "build_system_of",
    "check",
    "contents_of",
    "differences",
    "find_kept",
    "keep",
    "read",
]

__getattr__ = lazily(
    __name__,
    {
        "_build": ("build", "build_again", "build_editable"),
        "_contents": ("WheelContents", "contents_of", "differences"),
        "_hook": ("build_system_of",),
        "_kept": ("KeptWheel", "find_kept", "keep"),
        "_read": ("check", "read"),
        "_record": ("BuiltWheel",),
    },
)
