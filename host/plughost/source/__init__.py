"""A source string → SourceTree, exact to the commit.

`parse` reads the string, `resolve` says which exact commit or bytes it means (cheaply), `check_out` puts those on disk.

Above it: `add`; below it: git, the disk, and for archives on a server the network. It knows nothing of builds and indexes.
"""

from plughost.source._check_out import check_out, resolve
from plughost.source._parse import parse
from plughost.source._records import Origin, Source, SourceTree

__all__ = ["Origin", "Source", "SourceTree", "check_out", "parse", "resolve"]
