"""A bundle: one file that holds all that a plugin is made of, for a machine without a network.

Above it: `add` and the host; below it: the registry, the lock and pip, which fetches what is locked. What a bundle says is
believed only as far as its bytes bear it out: digests, the lock's hashes, the names and kinds of its members.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.bundle._export import Exported, export
    from plughost.bundle._unpack import Unpacked, unpack

__all__ = ["Exported", "Unpacked", "export", "unpack"]

__getattr__ = lazily(
    __name__,
    {"_export": ("Exported", "export"), "_unpack": ("Unpacked", "unpack")},
)
