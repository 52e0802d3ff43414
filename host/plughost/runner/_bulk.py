"""The child's side of the memory that it shares with its host: it makes it, offers it, and uses it once the host has it, too.

Above it: the connection; below it: the arena and the kernel. A worker that moves nothing large has no such memory. Where there
can be none, on other systems or under limits, large values stay in the stream.
"""

from __future__ import annotations

import os

from . import wire
from .carrier import Carrier

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select

__all__ = ["Offer", "make_ahead"]

_NOEXEC_SEAL = 0x8  # MFD_NOEXEC_SEAL: some systems refuse any other
_ADD_SEALS = 1033  # F_ADD_SEALS, which Python names from 3.9 on

#: The descriptor of memory that was made ahead, by a process that may not make any later on.
_ahead: list[int] = []


class Offer(Carrier):
    __slots__ = ("_descriptor", "_inode", "_is_tried", "_poll")

    def __init__(self) -> None:
        super().__init__()
        self._is_tried = False
        self._poll: type[select.poll] | None = None
        self._descriptor = self._inode = -1

    def outgrown(self) -> None:
        """Make the memory, and have the next message tell the host the number of its descriptor."""
        if self._is_tried:
            return
        self._is_tried = True
        try:
            self._make()
        except Exception:  # noqa: BLE001 - other systems, limits, and plugins that break imports: then without
            self._let_go_of_descriptor()

    def heard(self, news: object) -> None:
        """The host has opened the memory, or can't."""
        if news is True and self.receiving is not None:
            self.share(self.receiving)
        else:
            self.close()
        self._let_go_of_descriptor()

    def rest(self, descriptor: int) -> None:
        """Before a wait for the descriptor: give memory back that is not needed for a while, maybe in the middle of the wait."""
        due_s = self.due_s()
        if due_s is None or self._poll is None:
            return
        if due_s:
            poller = self._poll()
            poller.register(descriptor)
            if poller.poll(due_s * 1000):
                return
        self.trim()

    def _make(self) -> None:
        import fcntl
        import select

        from . import arena

        self._poll = select.poll

        self._descriptor = _ahead.pop() if _ahead else _made(arena.SIZE_BYTES)
        self._inode = os.fstat(self._descriptor).st_ino
        fcntl.fcntl(self._descriptor, _ADD_SEALS, arena.NEEDED_SEALS)
        self.receiving = arena.Arena(self._descriptor, of_host=False)
        self.news = self._descriptor

    def _let_go_of_descriptor(self) -> None:
        """The mapping holds the memory from now on. The number may be another file's by now: a plugin may close what it finds."""
        try:
            if self._descriptor >= 0 and os.fstat(self._descriptor).st_ino == self._inode:
                os.close(self._descriptor)
        except OSError:
            pass
        self._descriptor = -1


def make_ahead() -> None:
    """Have the memory be there, empty, before this process may not make any more, and only files up to a size."""
    try:
        _ahead.append(_made(wire.SHARED_BYTES))
    except (AttributeError, OSError):  # other systems, and limits
        pass


def _made(size: int) -> int:
    """A descriptor of memory without a name."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        descriptor = os.memfd_create("plughost", flags | _NOEXEC_SEAL)
    except OSError:  # an older kernel
        descriptor = os.memfd_create("plughost", flags)
    os.ftruncate(descriptor, size)
    return descriptor
