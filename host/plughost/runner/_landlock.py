"""Landlock: this process and all that it starts may open the files that rules name, each in the ways that it says, and no others.

Above it: `_confine`; below it: the kernel's calls. Source: the kernel's Documentation/userspace-api/landlock.rst. Of its versions
(ABI), each knows more ways of access; what it doesn't know, it doesn't keep.
"""

from __future__ import annotations

import os
import struct

from ._system import numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["enforce", "restrict", "ruleset", "version"]

_VERSION = 1
_PATH_BENEATH = 1
_O_PATH = 0o10000000
#: By version, how many of the ways of access to files it knows: refer came with 2, truncate with 3, ioctl on devices with 5.
_WAYS = {1: 13, 2: 14, 3: 15, 4: 15}
_WAYS_NOW = 16
_SCOPES_SINCE = 6
_KIND, _FOLDER = 0o170000, 0o040000  # S_IFMT, S_IFDIR
#: What there is to do to a file; the rest is for folders.
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15


def version() -> int:
    """The kernel's ABI of Landlock.

    Raises: OSError: it has none, or it is turned off.
    """
    return numbered("landlock_create_ruleset", None, 0, _VERSION)


def restrict(abi: int, rules: Iterable[tuple[str, int]], *, scopes: int) -> None:
    """Have only these paths be opened from now on. What a rule names and isn't there is left out.

    `scopes` are what else the process is cut off from, where the kernel knows how: abstract sockets and signals of others.

    Raises: OSError: the kernel refuses.
    """
    made = ruleset(abi, rules, scopes=scopes)
    try:
        enforce(made)
    finally:
        os.close(made)


def ruleset(abi: int, rules: Iterable[tuple[str, int]], *, scopes: int) -> int:
    """The same for later: a descriptor, which `enforce` takes.

    Raises: OSError: the kernel refuses.
    """
    ways = (1 << _WAYS.get(abi, _WAYS_NOW)) - 1
    # No network rules: a filter keeps sockets from being made at all, since these rules know of TCP alone.
    attributes = struct.pack("3Q", ways, 0, scopes) if abi >= _SCOPES_SINCE else struct.pack("Q", ways)
    made = numbered("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        for path, access in rules:
            _add(made, path, access & ways)
    except BaseException:
        os.close(made)
        raise
    return made


def enforce(made: int) -> None:
    numbered("landlock_restrict_self", made, 0)


def _add(made: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, _O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not _is_folder(fd):
            access &= _OF_FILES
        numbered("landlock_add_rule", made, _PATH_BENEATH, struct.pack("=Qi", access, fd), 0)
    finally:
        os.close(fd)


def _is_folder(fd: int) -> bool:
    return os.fstat(fd).st_mode & _KIND == _FOLDER
