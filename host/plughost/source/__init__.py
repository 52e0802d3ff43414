"""A source string → SourceTree, exact to the commit.

`parse` reads the string, `resolve` says which exact commit or bytes it means (cheaply), `check_out` puts those on disk.

Above it: `add`; below it: git, the disk, and for archives on a server the network. It knows nothing of builds and indexes.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.source._check_out import check_out, resolve
    from plughost.source._parse import parse
    from plughost.source._records import Origin, Source, SourceTree
    from plughost.source._signers import AllowedSigners, demand_signature, is_signature_demanded
    from plughost.source._tree import project_folder

__all__ = [
    "AllowedSigners",
    "Origin",
    "Source",
    "SourceTree",
    "check_out",
    "demand_signature",
    "is_signature_demanded",
    "parse",
    "project_folder",
    "resolve",
]

_HOMES = {
    "_check_out": ("check_out", "resolve"),
    "_parse": ("parse",),
    "_records": ("Origin", "Source", "SourceTree"),
    "_signers": ("AllowedSigners", "demand_signature", "is_signature_demanded"),
    "_tree": ("project_folder",),
}


def __getattr__(name: str) -> object:
    # Lazily: to see that nothing has changed takes `_remote`, which imports little, and none of these.
    for module, names in _HOMES.items():
        if name in names:
            import importlib

            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
