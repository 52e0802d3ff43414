"""Memory that both ends of one connection have mapped, for values that are too large for a pipe.

Above it: the runner's `_bulk` and the host's `worker/_bulk`, which make and open it, and `framing`, which has messages use it;
below it: the kernel. It knows nothing of messages.

The memory is a file without a name (`memfd_create`) of a fixed size, of which only what was written takes up any memory. It is
sealed against another size, so that neither end can take a page away under the other. What each end writes to has its own place:

    0                a page with two counters: how many of the other's blocks the child has taken, and the host
    _PAGE            what the host sends
    SIZE_BYTES // 2  what the child sends

Each half begins with a place for a value alone. Of two ends that only ask and answer in turn, each has read what lies there when
it sends something itself, so nothing has to be counted. Behind it are blocks. A sender writes behind what it wrote last, and
starts anew once all that it sent is taken. A receiver copies what it was sent before it looks at it, and only then counts it as
taken: what the sender writes later changes nothing that anybody uses.
"""

from __future__ import annotations

import _thread
import mmap
import time

from .wire import SHARED_BYTES, WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Buffer = bytes | bytearray | memoryview

__all__ = ["FORBIDDEN_SEALS", "NEEDED_SEALS", "SIZE_BYTES", "Arena"]

SIZE_BYTES = SHARED_BYTES
#: F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW: nobody changes its size, nor these seals. Python names them from 3.9 on.
NEEDED_SEALS = 0x1 | 0x2 | 0x4
#: F_SEAL_WRITE, F_SEAL_FUTURE_WRITE: it couldn't be written.
FORBIDDEN_SEALS = 0x8 | 0x10

_PAGE = max(mmap.PAGESIZE, mmap.ALLOCATIONGRANULARITY)
_HALF = SIZE_BYTES // 2
_ALIGNMENT = 64
_HOST_TOOK = 64 // 8  # of the counters, eight bytes each
#: What a half may keep of the memory that it has used. To get a page from the kernel again costs more than to copy it.
_KEPT_BYTES = 1 << 20
#: The place for a value alone: for more, what it takes to count is next to nothing.
_ALONE_BYTES = 1 << 18
#: How long more than that is kept after it was last needed.
_KEPT_S = 1.0


class Arena:
    """One end's view of the memory at a descriptor, which may be closed afterwards."""

    __slots__ = (
        "_counters",
        "_end",
        "_found_until",
        "_head",
        "_kept",
        "_lock",
        "_map",
        "_needed",
        "_own",
        "_sent",
        "_start",
        "_taken",
        "_theirs",
        "_top",
        "_view",
        "found_at",
        "keeps_more",
        "laid_at",
    )

    def __init__(self, descriptor: int, *, of_host: bool) -> None:
        """Raises: OSError, ValueError: it can't be mapped."""
        self._map = mmap.mmap(descriptor, SIZE_BYTES)
        self._view = memoryview(self._map)
        self._counters = self._view[:_PAGE].cast("Q")
        #: Where values alone are laid, and where the other end's are found.
        self.laid_at, self.found_at = (_PAGE, _HALF) if of_host else (_HALF, _PAGE)
        self._start, self._end = self.laid_at + _ALONE_BYTES, _HALF if of_host else SIZE_BYTES
        self._found_until = SIZE_BYTES if of_host else _HALF
        self._own, self._theirs = (_HOST_TOOK, 0) if of_host else (0, _HOST_TOOK)
        self._head = self._start
        self._sent = self._taken = 0
        #: Up to where pages are kept in any case, and up to where there may be some.
        self._kept = self._top = self._start + _KEPT_BYTES
        #: Whether there may be some: `trim` has something to do, some time.
        self.keeps_more = False
        self._needed = 0.0  # when pages beyond those were last needed
        self._lock = _thread.allocate_lock()

    def lay(self, data: Buffer) -> int:
        """Write to the place for a value alone; how much. Below 0 where that is too small."""
        start, size = self.laid_at, len(data)
        if size > _ALONE_BYTES:
            return -1
        if self.keeps_more:
            self.trim()
        self._map[start : start + size] = data
        return size

    def find(self, size: int) -> bytes:
        """What the other end has laid there.

        Raises: WireError: it can't be so much.
        """
        if not 0 <= size <= _ALONE_BYTES:
            raise WireError("more than has a place in the shared memory")
        start = self.found_at
        return self._map[start : start + size]

    def put(self, buffer: Buffer) -> int:
        """Write flat bytes as a block; where they lie. Below 0 where there is no room for them now."""
        with self._lock:
            sent = self._sent
            offset = self._start if self._counters[self._theirs] == sent else self._head
            end = offset + len(buffer)
            if end > self._end:
                return -1
            self._head = (end + _ALIGNMENT - 1) & -_ALIGNMENT
            self._sent = sent + 1
            if end > self._kept or self.keeps_more:
                self._note_use(end)
        self._map[offset:end] = buffer
        return offset

    def put_all(self, buffers: Sequence[Buffer]) -> list[list[int]] | None:
        """Write several; where each lies, as offset and size. None where there is no room for all of them now."""
        if self._head + sum(map(len, buffers)) + _ALIGNMENT * len(buffers) > self._end:
            return None
        return [[self.put(buffer), len(buffer)] for buffer in buffers]

    def view(self, offset: int, size: int) -> memoryview:
        """What the other end has written there: to be copied, released, and then counted by `took`.

        Raises: WireError: the other end can't have written there.
        """
        if not (self.found_at <= offset and 0 <= size <= self._found_until - offset):
            raise WireError("a place outside of the shared memory")
        return self._view[offset : offset + size]

    def count(self, places: Iterable[Sequence[int]]) -> int:
        """How many of these places, offset and size of each, have blocks of the other end's."""
        blocks, count = self.found_at + _ALONE_BYTES, 0
        for offset, _ in places:
            if offset >= blocks:
                count += 1
        return count

    def took(self, count: int) -> None:
        """So many of the other end's blocks have been copied."""
        with self._lock:
            self._taken += count
            self._counters[self._own] = self._taken

    def due_s(self) -> float | None:
        """In how many seconds `trim` has something to do; None: it has not."""
        return None if not self.keeps_more else max(0.0, self._needed + _KEPT_S - time.monotonic())

    def trim(self) -> None:
        """Give memory back to the system that was not needed for a while, unless something in it is still to be read."""
        with self._lock:
            if self.due_s() == 0.0 and self._counters[self._theirs] == self._sent:
                self._head = self._start
                self._give_back(self._kept)

    def close(self) -> None:
        """Unmap it; later, where a value is just being copied in another thread."""
        try:
            self._counters.release()
            self._view.release()
            self._map.close()
        except BufferError:
            pass

    def _note_use(self, end: int) -> None:
        """Remember up to where there are pages, and when so many were needed."""
        if end > self._start + (self._top - self._start) // 2:
            self._top = max(self._top, end)
            self.keeps_more = self._top > self._kept
            self._needed = time.monotonic()
        elif self.due_s() == 0.0:
            self._give_back(max(end, self._kept))

    def _give_back(self, start: int) -> None:
        first = (start + _PAGE - 1) // _PAGE * _PAGE
        last = (self._top + _PAGE - 1) // _PAGE * _PAGE
        if first < last:
            try:
                self._map.madvise(mmap.MADV_REMOVE, first, last - first)
            except (OSError, AttributeError):  # a system that has no such thing keeps it
                pass
        self._top = max(first, self._kept)
        self.keeps_more = self._top > self._kept
