"""Where a Python's program says that its own library is: one that was copied has it where it was built.

Above it: the base Python; below it: nothing but the disk. Source: elf(5).
"""

from __future__ import annotations

import os
import struct

from plughost.paths import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["own_libraries"]

_HEAD_BYTES, _SEGMENT, _ENTRY = 64, struct.Struct("<2I6Q"), struct.Struct("<qQ")
_MAGIC_64_LITTLE = b"\x7fELF\x02\x01"
_LOADED, _DYNAMIC = 1, 2
_STRINGS, _SEARCHED = 5, (15, 29)  # DT_STRTAB; DT_RPATH and DT_RUNPATH
_LONGEST = 1 << 12
_NAME = "libpython"


def own_libraries(program: str) -> list[str]:
    """Python's own libraries in the folders that the program names; none for what isn't a program of Linux's, of 64 bits."""
    try:
        folders = list(_searched(program))
    except (OSError, struct.error):
        return []
    return [entry.path for folder in folders for entry in scan(folder) if entry.name.startswith(_NAME)]


def _searched(program: str) -> Iterator[str]:
    fd = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(fd, _HEAD_BYTES, 0)
        if not head.startswith(_MAGIC_64_LITTLE):
            return
        (start,), (size, count) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<2H", head, 54)
        segments = [_SEGMENT.unpack(os.pread(fd, _SEGMENT.size, start + size * number)) for number in range(count)]
        loaded = [(address, length, offset) for kind, _, offset, address, _, length, _, _ in segments if kind == _LOADED]
        for offset, length in [(segment[2], segment[5]) for segment in segments if segment[0] == _DYNAMIC]:
            entries = dict(_ENTRY.iter_unpack(os.pread(fd, length - length % _ENTRY.size, offset)))
            table = entries.get(_STRINGS, 0)
            strings = next((at + table - address for address, size, at in loaded if 0 <= table - address < size), 0)
            for tag in _SEARCHED:
                if tag in entries:
                    text = os.pread(fd, _LONGEST, strings + entries[tag]).partition(b"\0")[0]
                    yield from filter(os.path.isabs, os.fsdecode(text).split(":"))
    finally:
        os.close(fd)
