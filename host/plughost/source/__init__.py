"""A source string → SourceTree, exact to the commit.

`parse` reads the string, `resolve` says which exact commit or bytes it means (cheaply), `check_out` puts those on disk.

Above it: `add`; below it: git, the disk, and for archives on a server the network. It knows nothing of builds and indexes.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.source._check_out import check_out, resolve
    from plughost.source._git import check_out_commit
    from plughost.source._history import History, commits_between
    from plughost.source._parse import parse
    from plughost.source._records import Origin, Source, SourceTree
    from plughost.source._remote import Git, is_commit, redact_urls, resolve_ref
    from plughost.source._signers import AllowedSigners, demand_signature, is_signature_demanded
    from plughost.source._tree import project_folder

__all__ = [
    "AllowedSigners",
    "Git",
    "History",
    "Origin",
    "Source",
    "SourceTree",
    "check_out",
    "check_out_commit",
    "commits_between",
    "demand_signature",
    "is_commit",
    "is_signature_demanded",
    "parse",
    "project_folder",
    "redact_urls",
    "resolve",
    "resolve_ref",
]

# To see that nothing has changed takes `_remote`, which imports little, and none of the others.
__getattr__ = lazily(
    __name__,
    {
        "_check_out": ("check_out", "resolve"),
        "_git": ("check_out_commit",),
        "_history": ("History", "commits_between"),
        "_parse": ("parse",),
        "_records": ("Origin", "Source", "SourceTree"),
        "_remote": ("Git", "is_commit", "redact_urls", "resolve_ref"),
        "_signers": ("AllowedSigners", "demand_signature", "is_signature_demanded"),
        "_tree": ("project_folder",),
    },
)
