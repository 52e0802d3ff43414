"""Settings: what the user, the project and the operator want without saying so each time, and where each value comes from.

Above it: the host and the command line; below it: files of TOML and the environment. It knows what a setting is called and which
values it takes, not what becomes of them.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.settings._declared import DeclaredPlugin, DeclaredSet, read_declared
    from plughost.settings._document import did_you_mean
    from plughost.settings._instant import absolute
    from plughost.settings._keys import KEYS, Key
    from plughost.settings._load import load, user_file
    from plughost.settings._settings import Place, Settings

__all__ = [
    "KEYS",
    "DeclaredPlugin",
    "DeclaredSet",
    "Key",
    "Place",
    "Settings",
    "absolute",
    "did_you_mean",
    "load",
    "read_declared",
    "user_file",
]

__getattr__ = lazily(
    __name__,
    {
        "_declared": ("DeclaredPlugin", "DeclaredSet", "read_declared"),
        "_document": ("did_you_mean",),
        "_instant": ("absolute",),
        "_keys": ("KEYS", "Key"),
        "_load": ("load", "user_file"),
        "_settings": ("Place", "Settings"),
    },
)
