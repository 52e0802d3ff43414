"""What the standard library does by means that a confined process hasn't, done by such as it has.

Above it: the confinement; below it: `os`; `ctypes.util`, `mmap` and `multiprocessing`, once the plugin has imported them.

| where | it would | instead |
|---|---|---|
| `ctypes.util.find_library` | have programs list the libraries | the list that those would read, of the loader's |
| `mmap.mmap(-1, …)` | share memory that no limit counts | memory that is counted, see `_anonymous` |
| `os.killpg`, `os.getpgid` | signal the group that a child has begun | the child alone, which has begun none |
| `multiprocessing.shared_memory` | have a process clean up | nothing, if there is no other process: it goes with this one |
"""

from __future__ import annotations

import os
import sys

from ._events import when_imported
from ._standing_in import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["stand_in"]

#: Of glibc's `dl-cache.h`: where the newer form begins, how long its head and its entries are, and of which kind they are.
_CACHE, _CACHE_MAGIC = "/etc/ld.so.cache", b"glibc-ld.so.cache1.1"
_COUNT_AT, _HEAD_BYTES = 20, 48
_KINDS = {"x86_64": 0x0303, "aarch64": 0x0A03}


def stand_in(*, is_alone: bool) -> None:
    """From now on. `is_alone` says that no process can be started."""
    when_imported("ctypes.util", lambda: _find_libraries(sys.modules["ctypes.util"]))
    when_imported("mmap", lambda: _count_anonymous(is_alone=is_alone))
    if not is_alone:
        _signal_leaders()
    else:
        when_imported("multiprocessing.resource_tracker", lambda: _track_nothing(sys.modules["multiprocessing.resource_tracker"]))


def _count_anonymous(*, is_alone: bool) -> None:
    from ._anonymous import stand_in_for_anonymous

    stand_in_for_anonymous(is_alone=is_alone)


def _signal_leaders() -> None:
    """Nobody leaves the group that ends with the host, though `setsid` says so: who has started a session is signalled itself."""
    signal_group, find_group = os.killpg, os.getpgid

    def killpg(pgid: int, signal: int, /) -> None:
        try:
            signal_group(pgid, signal)
        except ProcessLookupError:
            os.kill(pgid, signal)

    def getpgid(pid: int) -> int:
        try:
            return find_group(pid)
        except PermissionError:
            os.kill(pid, 0)  # which raises if there is none
            return pid

    replace(os, "killpg", killpg)
    replace(os, "getpgid", getpgid)


def _find_libraries(module: ModuleType) -> None:
    def _findSoname_ldconfig(name: str) -> str | None:  # noqa: N802 - the name that it stands in for
        try:
            with open(_CACHE, "rb") as file:
                return _soname(file.read(), name, _KINDS.get(os.uname().machine, 0))
        except OSError:
            return None

    if hasattr(module, "_findSoname_ldconfig"):
        replace(module, "_findSoname_ldconfig", _findSoname_ldconfig)


def _soname(cache: bytes, name: str, kind: int) -> str | None:
    """The first library of that name, by the name that it is loaded by.

    Source: glibc, sysdeps/generic/dl-cache.h: `struct cache_file_new`, `struct file_entry_new`.
    """
    import struct

    start = cache.find(_CACHE_MAGIC)
    if start < 0:
        return None
    (count,) = struct.unpack_from("=I", cache, start + _COUNT_AT)
    entries = cache[start + _HEAD_BYTES : start + _HEAD_BYTES + count * struct.calcsize("=iIIIQ")]
    for flags, key, _path, _system, _hardware in struct.iter_unpack("=iIIIQ", entries):
        at = start + key
        if flags & 0xFFFF == kind and cache.startswith(b"lib" + os.fsencode(name) + b".", at):
            return os.fsdecode(cache[at : cache.index(b"\0", at)])
    return None


def _track_nothing(module: ModuleType) -> None:
    def _send(self: object, cmd: str, name: str, rtype: str) -> None:
        """Nothing: nobody is left to do it for."""

    replace(module.ResourceTracker, "_send", _send)
