"""Memory of the kernel's in sockets that no descriptor is for: connections that nobody has accepted, and those closed too early.

Above it: the meter; below it: `/proc`. What is in sockets that have a descriptor, the number of descriptors bounds.
"""

from __future__ import annotations

__all__ = ["unheld_bytes"]

#: What waits in one of local sockets, at most: `net.core.wmem_default`. Those of TCP are held to it, see the runner's `_confine`.
_SOCKET_BYTES = 212_992
_MOST_HELD = 1024  # where a policy says nothing of descriptors
_USED = b"sockets: used "


def unheld_bytes(pid: int, most_held: int | None) -> int:
    """At most, in the network namespace that is the process's own; `most_held` is how many descriptors it may have."""
    try:
        with open(f"/proc/{pid}/net/sockstat", "rb") as file:
            line = file.readline()
    except OSError:  # it has ended
        return 0
    used = int(line[len(_USED) :]) if line.startswith(_USED) else 0
    return max(0, used - (most_held or _MOST_HELD)) * _SOCKET_BYTES
