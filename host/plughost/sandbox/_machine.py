"""What the kernel, and whoever runs this machine, let a process take from itself. It is tried, not guessed, and remembered.

Above it: the plan; below it: the runner's `probe`, and bubblewrap for what a process may not do by itself. The answer holds for
one user, between two starts of the machine, in the same namespaces and with the same capabilities, so that is what it is
remembered by.
"""

from __future__ import annotations

import os
import sys

from plughost import _process
from plughost.paths import RUNNER, read_file, replace_file
from plughost.runner.wire import WireError, encode, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Machine", "found_machine", "known_machine"]

_PROBED_WITHIN_S = 20.0
_FULL_MAP = 1 << 32
#: Numbers of users that no system gives away: above those of containers, below the end of 31 bits.
_FREE_USERS = (1_600_000_000, 2_000_000_000)
#: What lets somebody forbid namespaces, or allow them.
_SWITCHES = (
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/user/max_mnt_namespaces",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
)
_WAYS = ("landlock", "seccomp", "tree", "user-tree", "net", "user-net", "ids")
_FORMAT = 3
_SCOPES_SINCE = 6  # versions of Landlock


class Machine:
    """`abi` is the version of Landlock, 0 where there is none; `why_not` says by name what can't be done, and why.

    The names are those of the runner's probe: `landlock`, `seccomp`, `tree`, `user-tree`, `net`, `user-net`, `ids`; and, where a
    process can't have a tree by itself, those of `_bubblewrap`. On macOS there is `seatbelt` alone.
    """

    __slots__ = ("abi", "bubblewrap", "why_not")

    def __init__(self, abi: int, why_not: Mapping[str, str], *, bubblewrap: str = "") -> None:
        self.abi = abi
        self.why_not = why_not
        #: The path of the program that makes trees and networks here; "" where processes do so themselves, or nothing does.
        self.bubblewrap = bubblewrap if self.can("wrapped-tree") else ""

    def can(self, name: str) -> bool:
        return not self.why_not.get(name, "it was not tried")

    @property
    def has_seatbelt(self) -> bool:
        """Whether processes are confined by macOS's profiles."""
        return self.can("seatbelt")

    @property
    def has_scopes(self) -> bool:
        """Whether Landlock cuts processes off from the signals and the abstract sockets of others."""
        return self.abi >= _SCOPES_SINCE

    @property
    def has_own_tree(self) -> bool:
        """Whether a process can have a file tree of its own."""
        return self.can("tree") or self.can("user-tree") or bool(self.bubblewrap)

    @property
    def has_own_network(self) -> bool:
        return self.can("wrapped-net") if self.bubblewrap else self.can("net") or self.can("user-net")

    @property
    def has_own_users(self) -> bool:
        """Whether the kernel counts the processes of a worker apart from all others."""
        return (self.can("tree") and self.can("ids")) or self.can("user-tree") or self.can("wrapped-users")


def known_machine(cache: str) -> Machine:
    """What was found out and is remembered in the file `cache`, or is found out now.

    Raises: OSError: no process can be started.
    """
    if sys.platform not in _PROBES:
        return Machine(0, {})
    key = _circumstances()
    try:
        record = unpack(read_file(cache))
    except (OSError, WireError):
        record = {}
    kept = record.get("found")
    if record.get("key") == key and isinstance(kept, dict) and _is_of_now(kept):
        return _machine(kept)
    found = _probe()
    if "abi" not in found:  # it has failed: perhaps not the next time
        return _machine(found)
    try:
        os.makedirs(os.path.dirname(cache), exist_ok=True)
        replace_file(cache, encode({"key": key, "found": found}).encode(), durable=False)
    except OSError:  # a store that can't be written: found out each time
        pass
    return _machine(found)


def found_machine() -> Machine:
    """What is found out now; nothing is remembered.

    Raises: OSError: no process can be started.
    """
    return _machine(_probe()) if sys.platform in _PROBES else Machine(0, {})


def _machine(found: Mapping[str, object]) -> Machine:
    if "abi" not in found:
        return Machine(0, dict.fromkeys(_WAYS, str(found["probe"])))
    abi, bubblewrap = found.get("abi"), str(found.get("bubblewrap", ""))
    why_not = {name: str(why) for name, why in found.items() if name not in {"abi", "bubblewrap", "identity"}}
    return Machine(abi if isinstance(abi, int) else 0, why_not, bubblewrap=bubblewrap)


def _probe() -> dict[str, object]:
    return _PROBES[sys.platform]()


def _is_of_now(found: Mapping[str, object]) -> bool:
    """Whether it was this bubblewrap that was asked, if it was."""
    if "identity" not in found:
        return True
    from plughost.sandbox import _bubblewrap

    return found["identity"] == _bubblewrap.identity()


def _probe_seatbelt() -> dict[str, object]:
    from plughost.sandbox import _seatbelt
    from plughost.sandbox._base_python import python_parts

    return {"abi": 0, "seatbelt": _seatbelt.examine(python_parts(_process.own_python()))}


def _probe_kernel() -> dict[str, object]:
    argv = [_process.own_python(), "-I", "-S", RUNNER, "probe", str(free_user())]
    completed = _process.run(argv, env=_process.base_environment(), timeout_s=_PROBED_WITHIN_S)
    try:
        found = unpack(completed.stdout.encode())
    except WireError:
        return {"probe": completed.stderr.strip() or f"ended with {completed.returncode}"}
    if found.get("tree") and found.get("user-tree"):
        from plughost.sandbox import _bubblewrap

        found.update(_bubblewrap.examine())
    return found


#: By the system's name, what finds out; elsewhere, nothing confines.
_PROBES = {"linux": _probe_kernel, "darwin": _probe_seatbelt}


def _circumstances() -> str:
    """All that the answer depends on."""
    status = _text("/proc/self/status")
    told = [line for line in status.splitlines() if line.startswith(("CapEff", "CapBnd", "Seccomp:", "NoNewPrivs"))]
    spaces = [str(_inode(f"/proc/self/ns/{name}")) for name in ("user", "mnt", "net")]
    known = [str(_FORMAT), str(os.geteuid()), os.uname().release]
    return "\n".join([*known, *told, *spaces, *map(_text, _SWITCHES)])


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def free_user() -> int:
    """A number of a user and a group that nobody else has, as far as this process may give any away."""
    ranges = [tuple(map(int, line.split())) for line in _text("/proc/self/uid_map").splitlines()]
    first, _, count = max(ranges, key=lambda each: each[2], default=(0, 0, _FULL_MAP))
    low, high = _FREE_USERS
    if count == 1:  # none but its own: the next one is nobody's, and can't be had
        return first + 1
    if first + count < high:  # in a container, which has only so many
        low, high = first + count // 2, first + count - 1
    return low + int.from_bytes(os.urandom(4), "big") % max(1, high - low)
