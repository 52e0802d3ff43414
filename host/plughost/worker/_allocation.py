"""How glibc keeps memory that was freed, in processes that exchange large values again and again.

By default it gives the kernel back whatever is free at the top of the heap, and maps large blocks anew each time: then each value
of a hundred KiB or more is paid for page by page, which takes longer than to copy it.
"""

from __future__ import annotations

import os

__all__ = ["ALLOCATION", "keep_freed_memory"]

#: Blocks from this size on are mapped, and are the kernel's again once they are freed; so much at most is kept of all others.
_MAPPED_FROM_BYTES, _KEPT_BYTES = 4 << 20, 8 << 20
#: M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3).
_MAPPED_FROM, _KEPT = -3, -1

#: For a child, by its environment.
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": str(_MAPPED_FROM_BYTES), "MALLOC_TRIM_THRESHOLD_": str(_KEPT_BYTES)}


def keep_freed_memory() -> None:
    """The same for this process; not where somebody has said how it is to be, nor where there is no glibc."""
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return
    import ctypes

    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    set_option(_MAPPED_FROM, _MAPPED_FROM_BYTES)
    set_option(_KEPT, _KEPT_BYTES)
