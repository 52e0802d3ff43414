"""Whether a process is placed as the daemon is, so that a worker of the daemon's is what it would have started itself.

Above it: the server; below it: /proc. Variables and the working folder may differ: they go along with a call (`_hosts`). What
else a child inherits can't: limits, the umask, groups, capabilities, filters, namespaces. Where one of them differs the command
runs by itself; what only the daemon can do is done for whoever has the same rights. Left out is what is no promise to a plugin:
priority, the processors it may use, its control group.
"""

from __future__ import annotations

import os

__all__ = ["placement", "rights"]

_STATUS = (b"Uid", b"Gid", b"Groups", b"CapInh", b"CapPrm", b"CapEff", b"CapBnd", b"CapAmb", b"NoNewPrivs", b"Seccomp")
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid_for_children", "time_for_children", "user", "uts")


def placement(pid: int | str) -> object:
    """All that a child inherits and can't be told; to be compared.

    Raises: OSError: the process is gone, or hides it.
    """
    with open(f"/proc/{pid}/limits", "rb") as file:
        limits = file.read()
    return rights(pid), limits, _status(pid).get(b"Umask")


def rights(pid: int | str) -> object:
    """What of that says what the process may do; to be compared.

    Raises: OSError: as `placement` does.
    """
    status = _status(pid)
    namespaces = [_link(f"/proc/{pid}/ns/{name}") for name in _NAMESPACES]
    return [status.get(name) for name in _STATUS], namespaces, os.readlink(f"/proc/{pid}/root")


def _status(pid: int | str) -> dict[bytes, bytes]:
    with open(f"/proc/{pid}/status", "rb") as file:
        return dict(line.partition(b":\t")[::2] for line in file)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:  # an older kernel
        return ""
