"""Which processes are a worker's.

Above it: the meter; below it: `/proc`. One that can't fork is one process, and needs none of this.
"""

from __future__ import annotations

import os
import time

from plughost._kernel import FAMILY_MARK
from plughost.sandbox._figures import cpu_ns, listed, read

__all__ = ["Census", "Family"]

#: How often all processes of the machine are looked through, in seconds, and how many times what that took.
_TAKEN_EVERY_S = 0.5
_TIMES_ITS_COST = 30
_MARK = f"\0{FAMILY_MARK}=".encode()


class _Person:
    """A process: when it began, so that no other one is taken for it, who started it, and what it has from there."""

    __slots__ = ("mark", "namespace", "parent", "start")

    def __init__(self, pid: int) -> None:
        self.parent, self.start = _origin(pid)
        self.mark = (b"\0" + read(f"/proc/{pid}/environ")).partition(_MARK)[2].partition(b"\0")[0].decode("ascii", "replace")
        self.namespace = _namespace_of(f"/proc/{pid}/ns/mnt")


class Census:
    """All processes of the machine, looked through for all families at once."""

    __slots__ = ("_due", "people", "taken_at")

    def __init__(self) -> None:
        self.people: dict[int, _Person] = {}
        self.taken_at = self._due = 0.0

    def take(self, now: float, *, anew: bool = False) -> None:
        """Now and then, or `anew`. `now` is a `time.monotonic()`."""
        if anew or now >= self._due:
            self.people = {int(entry): _Person(int(entry)) for entry in listed("/proc") if entry.isdigit()}
            self.taken_at = time.monotonic()
            self._due = now + max(_TAKEN_EVERY_S, _TIMES_ITS_COST * (self.taken_at - now))


class Family:
    """The processes of one worker: the one that was started, what descends from it, and what is like it.

    What has been seen is remembered, so that it is found again when its parent has ended. What has left its parent unseen has
    the mark in its environment all the same, or a mount namespace that is the worker's alone.
    """

    __slots__ = ("_census", "_has_namespace", "_known", "_mark", "_namespace", "_pin", "_root", "_seen_at")

    def __init__(self, root: int, mark: str, census: Census, *, has_namespace: bool) -> None:
        """`has_namespace` unless its mount namespace is that of other workers, too."""
        self._root = root
        self._mark = mark
        self._census = census
        self._has_namespace = has_namespace
        self._namespace = ""
        self._pin = -1  # a descriptor of it: while it is open, no other namespace has that number
        self._known = {root: _origin(root)[1]}
        self._seen_at = 0.0

    def look(self, now: float, *, thoroughly: bool = False) -> list[int]:
        """Those that live. `now` is a `time.monotonic()`. The whole machine is looked through now and then, or `thoroughly`."""
        self._census.take(now, anew=thoroughly)
        if self._seen_at < self._census.taken_at:
            self._seen_at = self._census.taken_at
            self._search()
        waiting = list(self._known)
        while waiting:
            pid = waiting.pop()
            if cpu_ns(pid) < 0:
                self._known.pop(pid, None)
                continue
            for child in _children(pid):
                if child not in self._known:
                    self._known[child] = _origin(child)[1]
                    waiting.append(child)
        return sorted(self._known)

    def _search(self) -> None:
        """Find all that are in the census, and forget those whose numbers are others' by now."""
        people = self._census.people
        self._pin_namespace()
        found = {
            pid: person.start
            for pid, person in people.items()
            if person.mark == self._mark or (person.namespace == self._namespace and self._namespace)
        }
        found.update((pid, start) for pid, start in self._known.items() if pid not in people or people[pid].start == start)
        size = 0
        while size != len(found):
            size = len(found)
            found.update((pid, person.start) for pid, person in people.items() if person.parent in found)
        if self._root in people:  # who started it is none of them; bubblewrap bears their mark
            found.pop(people[self._root].parent, None)
        self._known = found

    def _pin_namespace(self) -> None:
        """As soon as the worker has one of its own, which it makes when it starts."""
        if self._pin >= 0 or not self._has_namespace:
            return
        place = f"/proc/{self._root}/ns/mnt"
        if _namespace_of(place) == _namespace_of("/proc/self/ns/mnt"):
            return
        try:
            self._pin = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # gone
            return
        self._namespace = _namespace_of(f"/proc/self/fd/{self._pin}")

    def close(self) -> None:
        if self._pin >= 0:
            os.close(self._pin)
            self._pin = -1
            self._has_namespace, self._namespace = False, ""


def _origin(pid: int) -> tuple[int, int]:
    """The parent, and when the process began; 0 where there is none."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (int(fields[1]), int(fields[19])) if fields else (0, 0)


def _children(pid: int) -> list[int]:
    return [int(child) for task in listed(f"/proc/{pid}/task") for child in read(f"/proc/{pid}/task/{task}/children").split()]


def _namespace_of(place: str) -> str:
    try:
        return os.readlink(place)
    except OSError:
        return ""
