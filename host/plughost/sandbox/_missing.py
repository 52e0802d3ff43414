"""What a policy asks for and this machine doesn't keep: by name, so that somebody can do without it by name.

Above it: the plan, and whoever tells of machines and policies; below it: the machine.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.policy import Policy
    from plughost.sandbox._machine import Machine

__all__ = ["Missing", "unenforceable"]

_NO_SUCH_THING = "this system has no such thing"
_HOW_SPACES = (
    "bubblewrap (on Ubuntu 24.04 with `bwrap-userns-restrict`, the profile of AppArmor that comes with `apparmor-profiles`), "
    "or user namespaces (`sysctl user.max_user_namespaces` and, on Ubuntu, `kernel.apparmor_restrict_unprivileged_userns`)"
)
#: What bubblewrap was asked for: a tree of files, and a network.
_BY_BUBBLEWRAP = {"user-tree": "wrapped-tree", "user-net": "wrapped-net"}


class Missing:
    """Something that a policy asks for and this machine doesn't keep: its name, what it is, why not, and how to have it."""

    __slots__ = ("how", "name", "what", "why")

    def __init__(self, name: str, what: str, why: str, how: str) -> None:
        self.name, self.what, self.why, self.how = name, what, why, how


def unenforceable(policy: Policy, machine: Machine, *, has_own_user: bool | None = None) -> list[Missing]:
    """What of the policy can't be kept here. `has_own_user` is whether the plugin's processes have one, if that is known."""
    if has_own_user is None:
        has_own_user = machine.can("ids") and machine.can("tree")
    if policy.is_trusted:
        return []
    if machine.has_seatbelt:
        return list(_beyond_seatbelt(policy))
    missing = []
    limits_files = "/" not in policy.write
    if limits_files and not machine.abi:
        missing.append(
            Missing("files", "which files are opened", _why(machine, "landlock"), "Linux 5.13 or later, with Landlock")
        )
    if "/" not in policy.read and limits_files and not machine.has_own_tree:
        why = _why(machine, "user-tree", "tree")
        missing.append(Missing("file-names", "that names of other files can't be told", why, _HOW_SPACES))
    if not machine.can("seccomp"):
        what = "which system calls are made: network, processes and signals depend on it"
        missing.append(Missing("calls", what, _why(machine, "seccomp"), "Linux with seccomp, on x86_64 or aarch64"))
    if isinstance(policy.network, tuple) and policy.network and not machine.has_own_network:
        missing.append(Missing("hosts", "that only some hosts are reached", _why(machine, "user-net", "net"), _HOW_SPACES))
    if policy.processes not in (1, None) and not machine.has_own_users:
        why = _why(machine, "user-tree", "ids")
        missing.append(Missing("processes", "how many processes there are", why, _HOW_SPACES))
    if policy.processes != 1 and not machine.has_scopes and not has_own_user:
        why = f"the kernel's Landlock is of version {machine.abi}"
        missing.append(Missing("signals", "that other processes get no signals from it", why, "Linux 6.12 or later"))
    return missing


def _beyond_seatbelt(policy: Policy) -> Iterator[Missing]:
    """What a profile of macOS says nothing of, and nobody watches there."""
    why = "macOS has no means for it that plughost uses"
    if isinstance(policy.network, tuple) and policy.network:
        yield Missing("hosts", "that only some hosts are reached", why, "Linux")
    if policy.memory_bytes is not None:
        yield Missing("memory", "how much memory there is", why, "Linux, or a policy with no limit of it")
    if policy.processes not in (1, None):
        yield Missing("processes", "how many processes there are", why, "Linux, or one process")
    if not policy.cpu_s is policy.wall_s is policy.threads is policy.disk_bytes is None:
        yield Missing("watched", "CPU and wall time, threads and the disk", why, "Linux, or a policy with no limits of them")


def _why(machine: Machine, *names: str) -> str:
    """What the first of these has failed with; and bubblewrap, where that was asked for it, too."""
    known = next((machine.why_not[name] for name in (*names, "seatbelt") if machine.why_not.get(name)), _NO_SUCH_THING)
    return "; ".join(filter(None, (known, machine.why_not.get(_BY_BUBBLEWRAP.get(names[0], "")))))
