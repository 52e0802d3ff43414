"""Processes as the kernel shows them: who descends from whom, when they end, what they have needed; and signals to them.

Above it: `_process`, which starts them; below it: the standard library.
"""

from __future__ import annotations

import os
import select
import sys
import time

__all__ = [
    "FAMILY_MARK",
    "LINUX",
    "UNKNOWN",
    "await_ends",
    "borne_marks",
    "has_ended",
    "how_it_ended",
    "is_dying",
    "may_have_left_some",
    "members",
    "open_pidfd",
    "parent_of",
    "peak_memory",
    "signal",
    "signal_group",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

LINUX = sys.platform == "linux"

NUMBERS_LAST_S = 60.0
#: In the place of the exit code of a process that had nobody to wait for it.
UNKNOWN = 1 << 16

_STAT_BYTES = 1024
_EXITING = 0x4  # PF_EXITING, among the flags
_KILLED = 1 << 8  # SIGKILL, among the signals that wait

#: In every child's environment, with a value of its own: how `kill_tree` finds a grandchild that left the group and its parent.
FAMILY_MARK = "PLUGHOST_FAMILY"


def peak_memory(pid: int | None = None) -> int:
    """The most memory that a process, by default this one, has needed so far, in bytes; 0 where that can't be told."""
    try:
        with open(f"/proc/{'self' if pid is None else pid}/status", "rb") as file:
            status = file.read()
    except OSError:
        return 0
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0


def members(root: int, mark: str) -> list[int]:
    """The processes descended from `root`, and those that bear `mark` in the environment they were started with."""
    if not LINUX:
        return []
    wanted = f"{FAMILY_MARK}={mark}".encode()
    parents: dict[int, int] = {}
    marked: set[int] = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
            with open(f"/proc/{entry}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    marked.add(int(entry))
        except OSError:  # gone, or somebody else's
            continue
    found = {root} if root > 0 else set()
    size = -1
    while size != len(found):
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return sorted((found | marked) - {os.getpid(), root})


def may_have_left_some(pid: int, mark: str, started_s: float, *, known: Collection[int] = ()) -> bool:
    """Whether a process that bears `mark` has begun since `pid` did; only then is it worth the time to look for all of them.

    `started_s` is a `time.monotonic()` from before `pid` began, `known` are processes without the mark. Numbers are given in
    turn, up to a largest one: within a minute they don't come round to where they were.
    """
    if not LINUX:
        return False
    if time.monotonic() - started_s > NUMBERS_LAST_S:
        return True
    try:
        with open("/proc/loadavg", "rb") as file:
            newest = int(file.read().split()[-1])
    except OSError:  # there is no /proc, and so nothing can be found
        return False
    if newest < pid:
        return True
    newer = (int(entry) for entry in os.listdir("/proc") if entry.isdigit() and int(entry) > pid)
    return any(_bears_mark(each, mark) for each in newer if each not in known)


def borne_marks(*, after: int = 0, known: Collection[int] = ()) -> set[str]:
    """The marks of which a process lives that bears it. Whoever has many families to ask for looks at each process once.

    Processes are left out whose number is not beyond `after`, and those that are `known`.
    """
    if not LINUX:
        return set()
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return {mark for pid in pids if pid > after and pid not in known and (mark := _mark_of(pid))}


def _bears_mark(pid: int, mark: str) -> bool:
    return _mark_of(pid) == mark


def _mark_of(pid: int) -> str:
    """The mark in the environment that the process was started with: only a child of ours has one, and what that started."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = b"\0" + file.read()
    except OSError:  # gone, or somebody else's
        return ""
    return variables.partition(f"\0{FAMILY_MARK}=".encode())[2].partition(b"\0")[0].decode("ascii", "replace")


def parent_of(pid: int) -> int:
    """The process that has started it, or has it by inheritance; 0 where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def open_pidfd(pid: int) -> int:
    """A descriptor that turns readable when the process ends; -1 if it is gone, or on a kernel before 5.3."""
    if not LINUX:
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def has_ended(pidfd: int) -> bool:
    """Whether the process has, whose descriptor that is."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(0))


def is_dying(pid: int) -> bool:
    """Whether the process was killed, though it may go on for as long as it takes the kernel to clear its memory away."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(_STAT_BYTES).rpartition(b")")[2].split()
        return bool(int(fields[6]) & _EXITING or int(fields[28]) & _KILLED)
    except (OSError, IndexError):  # gone, or there is no such file here: who asks it will see
        return False


def await_ends(pidfds: list[int], timeout_s: float) -> None:
    """Wait until all of these processes have ended, or `timeout_s` is over; closes the descriptors."""
    deadline = time.monotonic() + timeout_s
    for fd in pidfds:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll(max(0, deadline - time.monotonic()) * 1000)
        os.close(fd)


def signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def how_it_ended(code: int | None) -> str:
    """What is said of a process that ended with that code, below 0 for a signal, or `UNKNOWN`; None: it has not ended."""
    if code is None:
        return "closed its protocol stream and lived on"
    if code == UNKNOWN:
        return "ended"
    if code >= 0:
        return f"ended with exit code {code}"
    import signal as signals

    try:
        return f"was killed by {signals.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
