"""A control group (cgroup v2) for each worker, where the user owns a part of that tree: the kernel counts then, and not we.

Above it: whoever starts workers, and the guard; below it: files. Memory is limited for all processes together and to the byte,
processes are limited whoever's they are, and all of them are killed at once. Who owns such a part: root, most of the time; others
in a scope of their own, `systemd-run --user --scope -p Delegate=yes`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.policy import Policy

__all__ = ["Cgroup", "Cgroups", "find_root", "sweep"]

_MOUNTED_AT = "/sys/fs/cgroup"
_NEEDED = {"memory", "pids"}
#: Names of groups are `plughost-<the host's process>-<a number>`: so it is known whose they are when the host has been killed.
_PREFIX = "plughost-"
_OURS = f"{_PREFIX}host"


def find_root(*, own: str = "/proc/self/cgroup", mounted_at: str = _MOUNTED_AT) -> str | None:
    """The folder in which groups for workers can be made; None where the user owns none.

    A group that has children with limits may hold no processes. So this process moves into a child of its own group, if it is
    alone there.
    """
    root = _own_group(own, mounted_at)
    if root is not None and os.path.basename(root) == _OURS:  # where another host of this process has moved it
        root = os.path.dirname(root)
    if root is None or not set(_words(root, "cgroup.controllers")) >= _NEEDED or not os.access(root, os.W_OK):
        return None
    if set(_words(root, "cgroup.subtree_control")) >= _NEEDED:
        return root
    if _enable(root):
        return root
    if _words(root, "cgroup.procs") != [str(os.getpid())]:
        return None
    try:
        os.makedirs(os.path.join(root, _OURS), exist_ok=True)
        _write(os.path.join(root, _OURS), "cgroup.procs", str(os.getpid()))
    except OSError:
        return None
    return root if _enable(root) else None


def _own_group(own: str, mounted_at: str) -> str | None:
    try:
        with open(own, encoding="utf-8") as file:
            lines = [line.strip().split(":", 2) for line in file]
    except OSError:
        return None
    path = next((entry[2] for entry in lines if entry[:2] == ["0", ""]), None)
    return None if path is None else os.path.join(mounted_at, path.strip("/")).rstrip("/")


def _enable(root: str) -> bool:
    try:
        _write(root, "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(_NEEDED)))
    except OSError:
        return False
    return True


class Cgroup:
    """The group of one worker.

    Raises: OSError: it can't be made, or doesn't take its limits.
    """

    __slots__ = ("path",)

    def __init__(self, root: str, name: str, policy: Policy) -> None:
        self.path = os.path.join(root, f"{_PREFIX}{os.getpid()}-{name}")
        os.mkdir(self.path)
        try:
            self._limit(policy)
        except OSError:
            self.remove()
            raise

    def _limit(self, policy: Policy) -> None:
        if policy.memory_bytes is not None:
            _write(self.path, "memory.max", str(policy.memory_bytes))
            _write(self.path, "memory.oom.group", "1")
            if os.path.exists(os.path.join(self.path, "memory.swap.max")):
                _write(self.path, "memory.swap.max", "0")
        if policy.processes is not None and policy.threads is not None:
            _write(self.path, "pids.max", str(policy.processes + policy.threads - 1))  # the kernel counts threads

    def add(self, pid: int) -> None:
        """Raises: OSError: it has ended, or belongs to somebody else."""
        _write(self.path, "cgroup.procs", str(pid))

    def oom_kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        words = _words(self.path, "memory.events")
        found = dict(zip(words[::2], words[1::2], strict=False))
        return int(found.get("oom_kill", 0))

    def kill(self) -> bool:
        """Kill all processes in it; false where the kernel, before 5.14, can't."""
        try:
            _kill(self.path)
        except OSError:
            return False
        return True

    def remove(self) -> bool:
        """Whether it is gone, which it can't be while a process is in it."""
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


class Cgroups:
    """Those of one host's workers, if there can be any."""

    __slots__ = ("_root",)

    def __init__(self, root: str | None) -> None:
        self._root = root
        if root is not None:
            sweep(root)

    def enter(self, pid: int, policy: Policy) -> Cgroup | None:
        """A group with that process in it; None where there can be none."""
        if self._root is None:
            return None
        group = None
        try:
            group = Cgroup(self._root, str(pid), policy)
            group.add(pid)
        except OSError:  # the process has ended, or somebody else has set a limit to this: then we count
            if group is not None:
                group.remove()
            return None
        return group


def sweep(root: str) -> None:
    """Kill and remove what hosts have left that were killed themselves."""
    for name in os.listdir(root):
        owner = name.removeprefix(_PREFIX).partition("-")[0]
        if name.startswith(_PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            path = os.path.join(root, name)
            for step in (_kill, os.rmdir):
                try:
                    step(path)
                except OSError:  # its processes are just ending: the next host sweeps it
                    continue


def _kill(group: str) -> None:
    _write(group, "cgroup.kill", "1")


def _words(group: str, name: str) -> list[str]:
    try:
        with open(os.path.join(group, name), encoding="utf-8") as file:
            return file.read().split()
    except OSError:
        return []


def _write(group: str, name: str, text: str) -> None:
    # The kernel takes each of these in one write.
    fd = os.open(os.path.join(group, name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
