"""Policy → plan: what a child is to take from itself before it runs anything of a plugin's.

Above it: the host's workers; below it: the machine, the files and the filter. A plan is carried out by the runner's `_confine`,
which has the form of it.
"""

from __future__ import annotations

import os

from plughost.errors import SandboxError
from plughost.paths import RUNNER
from plughost.runner.wire import encode
from plughost.sandbox._breach import limit_of_files
from plughost.sandbox._broker_variables import proxy_variables
from plughost.sandbox._confinement import Confinement
from plughost.sandbox._filter import Rules, build
from plughost.sandbox._machine import Machine, free_user
from plughost.sandbox._missing import unenforceable
from plughost.sandbox._tree import OWN_MAPS, READ, WRITE, Files, maps_of_forks
from plughost.sandbox._variables import TEMPORARY, variables_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from plughost._process import Wrapper
    from plughost._remedies import Remedy
    from plughost.policy import Policy
    from plughost.sandbox._tree import Step

__all__ = ["Ways"]

_NEWNS, _NEWUSER, _NEWNET = 0x20000, 0x10000000, 0x40000000
#: Resources as setrlimit(2) numbers them on Linux.
_FSIZE, _DATA, _CORE, _NPROC, _NOFILE, _MEMLOCK, _SIGPENDING, _MSGQUEUE = 1, 2, 4, 6, 7, 8, 11, 12
#: Those of them that macOS keeps, as it numbers them; see its sys/resource.h.
_OF_MACOS = {_FSIZE: 1, _CORE: 4, _NOFILE: 8}
_SCOPES = 1 | 2  # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, LANDLOCK_SCOPE_SIGNAL
_SIGNALS_QUEUED = 256
_FOR_ALL = 0o005  # of a folder's mode: all may read and enter it
_MOST_TEMPORARY_BYTES = 256 << 20
#: Where a worker's network is its own, the one port in it at which something listens: the broker.
BROKER_PORT = 3128


class Ways:
    """How processes are confined on one machine: plans by policy and environment, of which the costly parts are kept."""

    def __init__(self, machine: Machine, own: Sequence[str]) -> None:
        self._machine = machine
        runner = os.path.dirname(RUNNER)
        self._own = [runner, *own]
        self._sources = max(entry.stat().st_mtime for entry in os.scandir(runner) if entry.name.endswith(".py"))
        self._files: dict[tuple[Policy, str, tuple[str, ...]], Files] = {}

    def user_for(self, policy: Policy, venv: str) -> int | None:
        """The number that a worker's user is to have, where it isn't ours: the kernel then counts its processes alone."""
        machine = self._machine
        if policy.is_trusted or not (machine.can("tree") and machine.can("ids")) or not _is_public(venv):
            return None
        return free_user()

    def keeps_signals(self, *, has_own_user: bool) -> bool:
        """Whether processes that may signal more than themselves, to wait upon those that they fork, reach no others."""
        return has_own_user or self._machine.has_scopes or self._machine.has_seatbelt

    def unenforced(self, policy: Policy, waived: Collection[str]) -> tuple[str, ...]:
        """Which limits of the policy this machine can't enforce, of those that are waived."""
        return tuple(each.name for each in unenforceable(policy, self._machine) if each.name in waived)

    def refuse_unenforceable(
        self, policy: Policy, *, plugin: str, waived: Collection[str], has_own_user: bool | None = None
    ) -> None:
        """Raises: SandboxError: something can't be kept here, and isn't `waived`."""
        missing = [each for each in unenforceable(policy, self._machine, has_own_user=has_own_user) if each.name not in waived]
        if missing:
            waivers = ",".join(sorted({*waived, *(each.name for each in missing)}))
            raise SandboxError(
                f"`{plugin}` is not started: its policy can't be enforced on this machine",
                reference="policy-unenforceable",
                causes=[f"`{each.name}` ({each.what}): {each.why}; it takes {each.how}" for each in missing],
                hint="Have what it takes; or do without, by the variable "
                f"`PLUGHOST_ALLOW_UNENFORCED={waivers}` or the setting `allow-unenforced`",
            )

    def confine(
        self,
        policy: Policy,
        *,
        plugin: str,
        remedy: Remedy | None = None,
        venv: str,
        work: str,
        variables: Mapping[str, str],
        user: int | None = None,
        own: Sequence[str] = (),
        waived: Collection[str] = (),
        is_nursery: bool = False,
    ) -> Confinement:
        """`variables` are those of the host's that there are to choose from; `own` what else the plugin is made of.

        `remedy` is what would allow it what it is denied, for messages. What can't be kept on this machine isn't: that is for
        `refuse_unenforceable` to see first.
        """
        machine = self._machine
        files = self._files_of(policy, venv, tuple(own))
        has_hosts = isinstance(policy.network, tuple) and bool(policy.network) and machine.has_own_network
        has_network = has_hosts or (_has_local_sockets(policy, machine) and machine.has_own_network)
        plan: dict[str, object] = {
            "sources": self._sources,
            "folder": work,
            "filter": "" if machine.has_seatbelt else _filter(policy, machine, is_nursery=is_nursery),
            **self._spaces(policy, user, has_network=has_network),
            **_denials(policy, plugin, remedy, has_hosts=has_hosts),
        }
        if has_hosts:
            plan["port"] = BROKER_PORT
        if machine.has_seatbelt:
            plan.update(_under_seatbelt(policy))
        steps = self._steps(policy, files, work, user, is_nursery=is_nursery)
        wrapper = self._wrapper(policy, files, steps, work, has_network=has_network)
        if wrapper is None:
            plan["tree"] = steps
        if machine.abi:
            scopes = _SCOPES if machine.has_scopes else 0
            plan["landlock"] = {"abi": machine.abi, "rules": files.rules(work, has_tree=machine.has_own_tree), "scopes": scopes}
        if is_nursery:
            plan["fork"] = _of_forks(policy, files, work, machine)
        return Confinement(
            policy,
            encode(plan).encode(),
            work=work,
            environment=self._environment(policy, venv, work, variables, has_hosts=has_hosts),
            waived=waived,
            has_hosts=has_hosts,
            has_network=has_network and wrapper is None,
            remedy=remedy,
            wrapper=wrapper,
        )

    def _spaces(self, policy: Policy, user: int | None, *, has_network: bool) -> dict[str, object]:
        """Which namespaces and which user the process has for its own, and what the kernel therefore counts for it."""
        machine = self._machine
        flags = 0 if machine.bubblewrap else self._namespaces(has_network=has_network)
        has_users = machine.can("wrapped-users") if machine.bubblewrap else bool(flags & _NEWUSER)
        plan: dict[str, object] = {
            "unshare": flags,
            "map": [os.getuid(), os.getgid()],
            "limits": _limits(policy, is_alone=user is not None or has_users),
        }
        if user is not None:
            plan["ids"] = [user, user]
        if has_network:
            plan["network"] = True
        return plan

    def _steps(self, policy: Policy, files: Files, work: str, user: int | None, *, is_nursery: bool) -> list[Step]:
        """What makes its tree of files; nothing where it can have none."""
        if not self._machine.has_own_tree:
            os.makedirs(os.path.join(work, TEMPORARY), 0o700, exist_ok=True)
            return []
        number, group = (user, user) if user is not None else (os.getuid(), os.getgid())
        size = _temporary_bytes(policy)
        return files.tree(work, temporary_bytes=size, user=number, group=group, has_forks=is_nursery)

    def _environment(
        self, policy: Policy, venv: str, work: str, variables: Mapping[str, str], *, has_hosts: bool
    ) -> dict[str, str]:
        environment = variables_for(policy, venv, work, variables, has_tree=self._machine.has_own_tree)
        if has_hosts:
            environment.update(proxy_variables(BROKER_PORT))
        return environment

    def _wrapper(self, policy: Policy, files: Files, steps: Sequence[Step], work: str, *, has_network: bool) -> Wrapper | None:
        """What a process is started through; None where it confines itself alone."""
        machine = self._machine
        if machine.has_seatbelt:
            return _seatbelt(policy, files, work)
        if machine.bubblewrap:
            from plughost.sandbox._bubblewrap import Bubblewrap

            users, is_sized = machine.can("wrapped-users"), machine.can("wrapped-size")
            return Bubblewrap(machine.bubblewrap, steps, work, users=users, network=has_network, is_sized=is_sized)
        return None

    def _namespaces(self, *, has_network: bool) -> int:
        """Those that a process makes for itself, as the flags of unshare(2) have them."""
        machine = self._machine
        flags = (_NEWNS if machine.has_own_tree else 0) | (_NEWNET if has_network else 0)
        if flags and not (machine.can("tree") and (machine.can("net") or not has_network)):
            flags |= _NEWUSER
        return flags

    def _files_of(self, policy: Policy, venv: str, own: tuple[str, ...]) -> Files:
        key = (policy, venv, own)
        files = self._files.get(key)
        if files is None:
            files = self._files[key] = Files(policy, venv, [*self._own, *own])
        return files


def _denials(policy: Policy, plugin: str, remedy: Remedy | None, *, has_hosts: bool) -> dict[str, object]:
    """What the process says of what it is denied."""
    plan: dict[str, object] = {}
    if policy.network != "on" and remedy is not None:
        plan["denied"] = [plugin, policy.network, BROKER_PORT if has_hosts else 0, *remedy.for_hosts()]
    if policy.processes == 1:
        plan["alone"] = [] if remedy is None else [plugin, *remedy.for_processes()]
    return plan


def _seatbelt(policy: Policy, files: Files, work: str) -> Wrapper:
    from plughost.sandbox._seatbelt import Seatbelt, profile

    text = profile(
        read=files.read,
        write=[*files.write, work],
        execute=[*files.bases, *(policy.execute if policy.processes != 1 else ())],
        has_network=policy.network == "on",
        has_children=policy.processes != 1,
    )
    return Seatbelt(text)


def _under_seatbelt(policy: Policy) -> dict[str, object]:
    """What is left to a process that was confined before it began."""
    limits = [[_OF_MACOS[kind], most] for kind, most in _limits(policy, is_alone=False) if kind in _OF_MACOS]
    return {"outside": True, "limits": limits}


def _temporary_bytes(policy: Policy) -> int:
    """How much memory there is for temporary files."""
    return min(filter(None, (policy.disk_bytes, policy.memory_bytes, _MOST_TEMPORARY_BYTES)))


def _is_public(path: str) -> bool:
    """Whether any user may read what is there, once it is in a tree of the user's own."""
    return os.stat(path).st_mode & _FOR_ALL == _FOR_ALL


def _limits(policy: Policy, *, is_alone: bool) -> list[list[int]]:
    """`is_alone` says whether the kernel counts the worker's processes and threads apart from others of the same user."""
    counted = is_alone and policy.threads is not None and policy.processes is not None
    wanted = {
        _FSIZE: limit_of_files(policy)[1],
        _DATA: policy.memory_bytes,
        _CORE: 0,
        _NPROC: max(policy.threads or 0, policy.processes or 0) if counted else None,
        _NOFILE: policy.open_files,
        _MEMLOCK: 0,
        _SIGPENDING: _SIGNALS_QUEUED,
        _MSGQUEUE: 0,
    }
    return [[kind, most] for kind, most in wanted.items() if most is not None]


def _of_forks(policy: Policy, files: Files, work: str, machine: Machine) -> dict[str, object]:
    """What the processes that a nursery forks take from themselves: what is one another's."""
    plan: dict[str, object] = {"folder": work, "filter": _filter(policy, machine, is_nursery=False)}
    if machine.has_own_tree:
        plan["maps"] = [OWN_MAPS, maps_of_forks(work)]
    if machine.abi:
        rules = files.rules_of_forks(work, has_tree=machine.has_own_tree)
        plan["landlock"] = {"abi": machine.abi, "rules": rules, "own": READ | WRITE}
    return plan


def _filter(policy: Policy, machine: Machine, *, is_nursery: bool) -> str:
    has_children = policy.processes != 1
    rules = Rules(
        network=policy.network != "off",
        children=has_children,
        nursery=is_nursery,
        threads=policy.threads != 1,
        private_tree=machine.has_own_tree,
        local_sockets=_has_local_sockets(policy, machine),
    )
    return build(rules).hex()


def _has_local_sockets(policy: Policy, machine: Machine) -> bool:
    """Whether sockets may have a name: in folders that others write to, there may be some of theirs."""
    is_apart = machine.has_own_tree and machine.has_scopes and not policy.read and not policy.write
    return policy.processes != 1 and is_apart
