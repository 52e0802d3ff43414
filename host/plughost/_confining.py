"""What each process of a plugin is confined by: its policy, and a work directory of its own.

Above it: the host's workers; below it: the sandbox. What it takes is imported with the first process that is not trusted.
"""

from __future__ import annotations

import _thread
import errno
import os
import stat
from functools import partial

from plughost import _process
from plughost._deletion import delete_folder
from plughost._remedies import Remedy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Protocol

    from plughost.paths import Store
    from plughost.policy import Policy
    from plughost.registry import Installed
    from plughost.sandbox import BuildLimits, Confinement, Ways, WorkFolders, Workshop

    #: A policy, the name of a preset, or the fields of a table.
    GivenPolicy = Policy | Mapping[str, object] | str

    class Policies(Protocol):
        """Which policy holds for a plugin, and what of policies need not be kept on this machine.

        `base` is that of plugins which nobody has granted anything. `said` is what a record keeps of a caller's word, `remedy`
        what would allow a plugin what it is denied.
        """

        @property
        def base(self) -> Policy: ...
        @property
        def waived(self) -> Collection[str]: ...
        def of(self, installed: Installed, /, *, caller: GivenPolicy | None = None) -> Policy: ...
        def build_limits(self) -> BuildLimits: ...
        def said(self, caller: GivenPolicy | None, /) -> Mapping[str, object]: ...
        def remedy(self, name: str, /, *, caller: GivenPolicy | None = None, is_new: bool = False) -> Remedy: ...


__all__ = ["Confining", "Everywhere", "own_files", "unenforced"]

#: Of a file's mode: what all may do with it.
_READ_BY_ALL, _WRITTEN_BY_ALL, _ENTERED_BY_ALL = 0o4, 0o6, 0o1


class Everywhere:
    """The same policy for all plugins."""

    waived: Collection[str] = ()

    def __init__(self, policy: Policy) -> None:
        self.base = policy

    def build_limits(self) -> BuildLimits:
        from plughost.sandbox import BuildLimits

        return BuildLimits()

    def of(self, _installed: Installed, /, *, caller: GivenPolicy | None = None) -> Policy:
        if caller is None:
            return self.base
        from plughost.policy import effective, terms_of

        return effective(app=self.base, caller=terms_of(caller))

    def said(self, _caller: GivenPolicy | None, /) -> Mapping[str, object]:
        return {}

    def remedy(self, name: str, /, *, caller: GivenPolicy | None = None, is_new: bool = False) -> Remedy:  # noqa: ARG002
        return Remedy(name, "", lambda _grant, _field: "app", is_new=is_new)


class Confining:
    """Safe for several threads. `variables` are those of which a policy passes some on."""

    def __init__(self, store: Store, policies: Policies, variables: Mapping[str, str]) -> None:
        self.policies = policies
        self._store = store
        self._variables = variables
        self._making = _thread.allocate_lock()
        self._ways: Ways | None = None
        self._folders: WorkFolders | None = None

    def confine(
        self,
        plugin: str,
        venv: str,
        policy: Policy,
        *,
        own: Sequence[str] = (),
        work: str = "",
        is_nursery: bool = False,
        caller: GivenPolicy | None = None,
    ) -> Confinement | None:
        """What a process of the plugin is started with; None if it is trusted. Without `work` it has a folder that goes with it.

        `own` are the files that it is run from, if these aren't all in its environment; `caller` is what one caller says of the
        policy, for messages.

        Raises: SandboxError: its policy can't be enforced here. OSError: the store can't be written, or no process started; or a
        nursery can't be kept from others, where another process can.
        """
        if policy.is_trusted:
            return None
        ways, folders = self._made()
        if self.policies.waived:
            _log_waived(plugin, ways.unenforced(policy, self.policies.waived))
        user = ways.user_for(policy, venv) if _are_for_all((*policy.read, *own), policy.write) else None
        has_own_user = user is not None
        if is_nursery and not ways.keeps_signals(has_own_user=has_own_user) and "signals" not in self.policies.waived:
            raise PermissionError(errno.EPERM, "A process that forks others could signal those of this user")
        ways.refuse_unenforceable(policy, plugin=plugin, waived=self.policies.waived, has_own_user=has_own_user)
        if work and user is not None:
            user = _adopt(work, user)
        is_new = not os.path.exists(self._store.plugin(plugin))
        remedy = self.policies.remedy(plugin, caller=caller, is_new=is_new)
        confinement = ways.confine(
            policy,
            plugin=plugin,
            remedy=remedy,
            venv=venv,
            work=work or folders.new(user),
            variables=self._variables,
            user=user,
            own=own,
            waived=self.policies.waived,
            is_nursery=is_nursery,
        )
        if work and policy.disk_bytes is not None:
            from plughost.sandbox import held_bytes

            confinement.found_bytes = held_bytes(work)
        if confinement.has_hosts:
            from plughost.sandbox import Broker

            hosts = policy.network if isinstance(policy.network, tuple) else ()
            confinement.serve_hosts(Broker(hosts, partial(_log_refusal, plugin), plugin=plugin, remedy=remedy.for_hosts()[0]))
        return confinement

    def workshop(self) -> Workshop | None:
        """Where packages are built; None where all that runs is trusted.

        Raises: OSError: no process can be started.
        """
        if self.policies.base.is_trusted:
            return None
        from plughost.sandbox import Workshop

        ways, folders = self._made()
        limits = self.policies.build_limits()
        return Workshop(ways, folders, python=_process.own_python(), limits=limits, waived=self.policies.waived)

    def close(self) -> None:
        """Let go of what nobody uses. It can be used again afterwards."""
        if self._folders is not None:
            self._folders.close()

    def drop(self, confinement: Confinement | None, *, is_nursery: bool = False) -> None:
        """Let go of what a process had that has ended: its broker, and its work directory, unless that is kept."""
        if confinement is None:
            return
        confinement.close()
        if is_nursery:  # of which copies may be left that nobody knows
            from plughost.sandbox import clear

            clear(confinement.work)
        elif self._folders is not None and self._folders.holds(confinement.work):
            delete_folder(confinement.work)

    def _made(self) -> tuple[Ways, WorkFolders]:
        with self._making:
            if self._ways is None or self._folders is None:
                from plughost.sandbox import Ways, WorkFolders, known_machine

                self._ways = Ways(known_machine(self._store.machine), [self._store.runner_bytecode])
                self._folders = WorkFolders(self._store.work)
            return self._ways, self._folders


def unenforced(policy: Policy, waived: Collection[str], store: Store) -> tuple[str, ...]:
    """Which limits of the policy this machine can't enforce, of those that are waived."""
    if not waived or policy.is_trusted:
        return ()
    from plughost.sandbox import known_machine, unenforceable

    return tuple(missing.name for missing in unenforceable(policy, known_machine(store.machine)) if missing.name in waived)


def own_files(manifest: Mapping[str, object]) -> list[str]:
    """The files that a plugin is run from besides its environment: the folder of an editable one."""
    if not manifest.get("editable"):
        return []
    from urllib.parse import unquote

    origin = manifest.get("origin")
    direct_url = origin.get("direct_url") if isinstance(origin, dict) else None
    url = str(direct_url.get("url")) if isinstance(direct_url, dict) else ""
    return [unquote(url.removeprefix("file://"))] if url.startswith("file://") else []


def _are_for_all(readable: Iterable[str], writable: Iterable[str]) -> bool:
    """Whether any user may use what a policy lets a plugin use; else its processes keep this process's user, who may.

    Where that is everything, there is somebody's own among it.
    """
    readable, writable = list(readable), list(writable)
    if "/" in (*readable, *writable):
        return False
    return all(_may_all(path, _READ_BY_ALL) for path in readable) and all(_may_all(path, _WRITTEN_BY_ALL) for path in writable)


def _may_all(path: str, mode: int) -> bool:
    try:
        state = os.stat(path)
    except OSError:  # it isn't there
        return True
    needed = mode | (_ENTERED_BY_ALL if stat.S_ISDIR(state.st_mode) else 0)
    return state.st_mode & needed == needed


def _log_waived(plugin: str, names: Sequence[str]) -> None:
    import logging

    if names:
        from plughost._wording import listed

        logging.getLogger("plughost").warning("`%s` is started though %s can't be enforced here", plugin, listed(names))


def _log_refusal(plugin: str, host: str, port: int) -> None:
    import logging

    logging.getLogger(f"plughost.plugin.{plugin}").warning("`%s:%s` can't be reached: the policy doesn't allow it", host, port)


def _adopt(work: str, user: int) -> int:
    """The user that a kept folder belongs to; it is given to `user` if it is still this process's own."""
    owner = os.stat(work).st_uid
    if owner != os.getuid():
        return owner
    os.chown(work, user, user)
    return user
