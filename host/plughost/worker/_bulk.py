"""The host's side of the memory that it shares with a child: the child makes it, and is not trusted to have made it well.

Above it: the channel; below it: the arena and the kernel. What doesn't look as it should is not used, and large values stay in
the stream. Whatever the child does to the memory afterwards, it spoils nothing but its own values: the size is sealed, each
place is checked, and what lies there is copied before it is looked at.
"""

from __future__ import annotations

import os
import stat

from plughost.runner.carrier import Carrier
from plughost.runner.wire import WireError
from plughost.worker._allocation import keep_freed_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.runner.arena import Arena

__all__ = ["Bulk"]

_SECTOR_BYTES = 512  # the unit of `st_blocks`
_MOST_OFFERS = 8  # of a child, which makes one, and no more where that wasn't taken
_GET_SEALS = 1034  # F_GET_SEALS, which only some builds of Python name
_YES = b'{"jsonrpc":"2.0","method":"memory","memory":true,"frames":[]}\n'
_NO = b'{"jsonrpc":"2.0","method":"memory","memory":false,"frames":[]}\n'


class Bulk(Carrier):
    """`tell` sends the child a line; which process it is has to be said before it offers anything."""

    __slots__ = ("_descriptor", "_offers", "is_counted", "pid", "tell")

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        super().__init__()
        self.tell = tell
        self.pid = 0
        #: Whether somebody will ask how much memory it takes, which costs a descriptor.
        self.is_counted = False
        self._offers = 0
        self._descriptor = -1

    def memory_bytes(self) -> int:
        """How much of the memory there is by now; -1 where there is none that we know of."""
        try:
            return os.fstat(self._descriptor).st_blocks * _SECTOR_BYTES
        except OSError:
            return -1

    def heard(self, news: object) -> None:
        """Open what the child offers: the number of a descriptor of its own. Another offer is none.

        Raises: WireError: it goes on offering something; what it is answered would pile up.
        """
        self._offers += 1
        if self._offers > _MOST_OFFERS:
            raise WireError("one offer of memory after the other")
        if self.receiving is not None or type(news) is not int:
            return
        try:
            arena, opened = _mapped(self.pid, news)
        except (OSError, ValueError):
            arena, opened = None, -1
        if arena is not None and self.is_counted:
            self._descriptor = opened
        elif opened >= 0:
            os.close(opened)
        if arena is not None:
            keep_freed_memory()
            self.receiving = arena
            self.share(arena)
        self.tell(_NO if self.receiving is None else _YES)

    def close(self) -> None:
        super().close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _mapped(pid: int, number: int) -> tuple[Arena | None, int]:
    """The memory at a child's descriptor, and a descriptor of it; None and -1 where it is not what it should be.

    Raises: OSError, ValueError: it can't be opened or mapped.
    """
    # Looked at before it is opened: to open a pipe or a device may block, or do something.
    found = os.open(f"/proc/{pid}/fd/{number}", os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            return None, -1
        opened = os.open(f"/proc/self/fd/{found}", os.O_RDWR | os.O_CLOEXEC)
    finally:
        os.close(found)
    try:
        from plughost.runner.arena import Arena

        if _is_fit(opened):
            return Arena(opened, of_host=True), opened
    except BaseException:
        os.close(opened)
        raise
    os.close(opened)
    return None, -1


def _is_fit(descriptor: int) -> bool:
    """Whether nobody can take its pages away, or make a look at one of them fail."""
    import fcntl
    import mmap

    from plughost.runner.arena import FORBIDDEN_SEALS, NEEDED_SEALS, SIZE_BYTES

    seals = fcntl.fcntl(descriptor, _GET_SEALS)  # fails for a file on a disk, or of another file system
    known = os.fstat(descriptor)
    return (
        seals & (NEEDED_SEALS | FORBIDDEN_SEALS) == NEEDED_SEALS
        and known.st_size == SIZE_BYTES
        and known.st_nlink == 0
        and os.fstatvfs(descriptor).f_bsize == mmap.PAGESIZE  # huge pages may be lacking when they are needed
    )
