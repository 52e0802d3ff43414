"""Catalogues of plugins: added, fetched, kept, searched, and made out of projects.

Above it: the host and the command line; below it: sources, and the store's paths. It knows nothing of what is installed.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.indexes._build import build
    from plughost.indexes._entry import Entry, Listing
    from plughost.indexes._kept import Kept, Origin, names, read, read_all
    from plughost.indexes._lookup import Found, is_bare_name, look_up
    from plughost.indexes._manage import Updated, add, remove, update

__all__ = [
    "Entry",
    "Found",
    "Kept",
    "Listing",
    "Origin",
    "Updated",
    "add",
    "build",
    "is_bare_name",
    "look_up",
    "names",
    "read",
    "read_all",
    "remove",
    "update",
]

__getattr__ = lazily(
    __name__,
    {
        "_build": ("build",),
        "_entry": ("Entry", "Listing"),
        "_kept": ("Kept", "Origin", "names", "read", "read_all"),
        "_lookup": ("Found", "is_bare_name", "look_up"),
        "_manage": ("Updated", "add", "remove", "update"),
    },
)
