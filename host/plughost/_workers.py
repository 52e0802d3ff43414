"""The workers of a host's plugins: found by name, launched, lent for a call.

Above it: `Host` and the hooks that it attaches; below it: the registry, the pool and the first question that a plugin is asked.
"""

from __future__ import annotations

import _thread
import errno
import os
from functools import partial

from plughost import registry
from plughost._confining import Confining, Everywhere, own_files
from plughost._damage import Blaming, Damage
from plughost._listener import Listener
from plughost._wishes import Wishes
from plughost.call import describe
from plughost.errors import PlughostError, StoreError
from plughost.journal import Journal, NoJournal, Recording
from plughost.policy import DEFAULT
from plughost.worker import CUSTODY, Held, Nurseries, Pool, Worker, launch, without_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost._confining import Policies
    from plughost._limits import Limits
    from plughost._policies import GivenPolicy
    from plughost.call import Event
    from plughost.errors import PluginCrashed, PluginError
    from plughost.paths import Store
    from plughost.policy import Policy
    from plughost.registry import Installed
    from plughost.worker import Seats, Surroundings

__all__ = ["Workers"]

#: How long a plugin may take to be imported and to say what it offers.
DESCRIBE_TIMEOUT_S = 120.0
#: What says that this process or the machine has no descriptors, processes or memory left: nothing is wrong with a plugin then.
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
#: Kinds of functions that run in an event loop.
_OF_EVENT_LOOPS = {"coroutine", "async-generator"}


class Workers:
    """Safe to use from several threads.

    `open_journal` gives what calls are recorded in. It is asked by the first call, while that waits for its plugin. `wishes` are
    what the app says of how plugins are run, `policies` what these may use. Values of libraries come `plainly`, as lists and
    records, to who has none of these libraries.
    """

    def __init__(
        self,
        store: Store,
        project: str,
        *,
        open_journal: Callable[[], Journal] = NoJournal,
        wishes: Wishes | None = None,
        limits: Limits | None = None,
        surroundings: Surroundings | None = None,
        policies: Policies | None = None,
        plainly: bool = False,
    ) -> None:
        self.store = store
        self.project = project
        self._open_journal = open_journal
        self._wishes = wishes or Wishes()
        self._opening = _thread.allocate_lock()
        self._journal: Journal | None = None
        self.pool = Pool(limits)
        self._surroundings = surroundings
        variables = os.environ if surroundings is None else surroundings.environment
        self.confining = Confining(store, policies or Everywhere(DEFAULT), variables)
        self._told = {"plainly": True} if plainly else {}
        self._nurseries = Nurseries(self.pool, project, store.runner_bytecode, surroundings, told=self._told)
        #: The app's functions that its plugins may call, and the exceptions that they may raise, by name.
        self.offers: dict[str, object] = {}
        self.exception_types: dict[str, type[Exception]] = {}
        #: Has what plugins report in calls that have nobody else for it.
        self.on_event: Callable[[Event], object] | None = None
        self._seats: dict[tuple[str, ...], Seats] = {}
        self._switches: dict[str, str] = {}
        self._found: dict[str, tuple[tuple[int, int], Installed]] = {}
        self._damage = Damage()

    def names(self) -> list[str]:
        """The plugins that there are, sorted."""
        return registry.installed_names(self.store)

    def find(self, name: str) -> Installed:
        """The revision in force, read again only when it has changed.

        Raises: UsageError, UnknownError, StoreError: as `registry.find`.
        """
        if self.pool.guards.is_asleep:
            self.pool.guards.rouse()
        switch = self._switches.get(name)
        if switch is None:
            switch = self._switches[name] = registry.switch(self.store, name)
        stamp = registry.stamp(switch)
        known = self._found.get(name)
        if known is not None:
            if known[0] == stamp:
                return known[1]
            self._found.pop(name, None)
            self.retire(known[1].name)  # updated or removed by another process, maybe
        installed = registry.find_callable(self.store, name)
        self._wishes.apply(installed.name, installed.manifest)
        if stamp is not None:
            self._found[name] = (stamp, installed)
        return installed

    def retire(self, plugin: str) -> None:
        """End the plugin's workers, each after the call that it is in."""
        self.pool.retire(plugin)
        self._nurseries.retire(plugin)

    def are_exclusive(self, installed: Installed) -> bool:
        """Whether a worker of the plugin is one process that serves one call after the other, and knows what it offers."""
        manifest = installed.manifest
        return not manifest.get("editable") and manifest.get("isolation") != "call" and manifest.get("concurrency", 1) == 1

    def are_shared(self, installed: Installed) -> bool:
        """Whether a worker of the plugin serves several calls at once."""
        manifest = installed.manifest
        return not manifest.get("editable") and manifest.get("isolation") != "call" and manifest.get("concurrency", 1) != 1

    def seats(self, installed: Installed, *, lane: str = "") -> Seats:
        """Places in workers that serve several calls at once; with a lane, those of an event loop."""
        key = (installed.name, installed.revision, lane) if lane else (installed.name, installed.revision)
        seats = self._seats.get(key)
        if seats is None or seats.crew.is_over:
            places = installed.manifest.get("concurrency")
            assert isinstance(places, int)
            with self._opening:
                seats = self._seats.get(key)
                if seats is None or seats.crew.is_over:
                    from plughost.worker import Seats

                    seats = Seats(self.pool, key, lambda: self._start(installed), places=places, in_loop=bool(lane))
                    self._seats[key] = seats
        return seats

    def are_quick(self, installed: Installed) -> bool:
        """Whether there are routes to what the plugin offers."""
        return self.are_exclusive(installed) or self.are_shared(installed)

    @property
    def journal(self) -> Journal:
        """What calls are recorded in."""
        return self._journal or self._opened()

    def recording(
        self,
        installed: Installed,
        worker: Worker,
        tool: str,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        said: Mapping[str, object] | None = None,
    ) -> Recording:
        """The record of a call that begins now. `said` is what its caller said of the policy, see `Policies`."""
        journal = self.journal
        kept = journal.keep(args, kwargs, timeout_s=timeout_s, env=env, said=said) if journal.keeps_arguments else b""
        return Recording(journal, installed, worker, tool, kept)

    def recorded(self, installed: Installed, worker: Worker, tool: str, began_ns: int) -> Recording:
        """The record of a call that began a while ago, by `time.perf_counter_ns()`, and whose arguments aren't kept."""
        return Recording(self.journal, installed, worker, tool, b"", began_ns)

    def blaming(self, installed: Installed) -> Blaming:
        """Has an error that ends a `with` block be the environment's, as `blame_environment` has it."""
        return Blaming(self.blame_environment, installed)

    def _opened(self) -> Journal:
        with self._opening:
            if self._journal is None:
                self._journal = self._open_journal()
        return self._journal

    def close(self) -> None:
        """End all workers, and let go of the journal. Both can be used again afterwards."""
        self.pool.close()
        self._nurseries.close()
        self.confining.close()
        if self._journal is not None:
            self._journal.close()

    def take(
        self,
        installed: Installed,
        *,
        env: Mapping[str, str] | None = None,
        policy: GivenPolicy | None = None,
        may_be_held: bool = True,
    ) -> tuple[Worker, Mapping[str, object]]:
        """A worker, and the manifest that holds for it: what an editable plugin offers may have changed since it was added.

        It is the one that this thread holds, where there is one and `may_be_held`.

        Raises: StoreError: the environment can't be started. PluginError, PluginCrashed, CallTimeout: an editable plugin can't
        describe itself any more.
        """
        try:
            return self._take(installed, env=env, policy=policy, may_be_held=may_be_held)
        except PlughostError as error:
            self.journal.note_failure(installed, error)
            raise

    def take_nowait(self, installed: Installed, *, lane: str) -> Worker | None:
        """A worker that is shared by those of this lane alone, if one is to be had without waiting.

        Raises: as `take` does.
        """
        try:
            if self.are_shared(installed):
                return self.seats(installed, lane=lane).seat_nowait(lambda seat: self.attend_to(installed, seat))
            worker = self.pool.take_nowait((installed.name, installed.revision, lane), lambda: self._start(installed))
        except PlughostError as error:
            self.journal.note_failure(installed, error)
            raise
        if worker is not None:
            worker.calls += 1
        return worker

    def warm_nursery(self, installed: Installed) -> bool:
        """Have the nursery ready from which the plugin's processes are forked; false where they aren't."""
        if installed.manifest.get("isolation") != "call" or installed.manifest.get("fork"):
            return False
        key = (installed.name, installed.revision)
        confine = partial(self._confine_nursery, installed)
        self._nurseries.warm(key, installed.venv, installed.manifest, confine, timeout_s=DESCRIBE_TIMEOUT_S)
        return True

    def _start(self, installed: Installed, env: Mapping[str, str] | None = None, policy: GivenPolicy | None = None) -> Worker:
        is_for_one = bool(env) or policy is not None
        worker = None if is_for_one else self._forked(installed)
        if worker is None:
            asked = {} if is_for_one else self._asked_of(installed)
            effective = self.confining.policies.of(installed, caller=policy)
            own = own_files(installed.manifest)
            worker = self.launch(installed.name, installed.venv, env, asked=asked, policy=effective, own=own, caller=policy)
        else:
            self.pool.guards.attach(worker, installed.name)
        return self._looked_after(installed, worker)

    def start_for(
        self,
        installed: Installed,
        *,
        policy: Policy,
        folder: str,
        env: Mapping[str, str] | None = None,
        caller: GivenPolicy | None = None,
    ) -> Worker:
        """A worker for one caller, who ends it; the pool knows nothing of it. `folder` is its work directory, and stays.

        `caller` is what that one has said of the policy, for messages.

        Raises: as `launch` does.
        """
        own = own_files(installed.manifest)
        worker = self.launch(installed.name, installed.venv, env, policy=policy, own=own, work=folder, caller=caller)
        return self._looked_after(installed, worker)

    def _looked_after(self, installed: Installed, worker: Worker) -> Worker:
        worker.on_end = lambda: self._ended(installed, worker)
        worker.on_look = lambda: self.journal.measure_if_due(installed, worker, worker.used_ns)
        self.attend_to(installed, worker)
        return worker

    def _asked_of(self, installed: Installed) -> dict[str, object]:
        """What the plugin's processes are told of how many calls they are to serve at once."""
        manifest = installed.manifest
        if not self.are_shared(installed):
            return {}
        listed = [each for name in ("tools", "hooks") if isinstance(each := manifest.get(name), list)]
        kinds = {str(each.get("kind")) for all_of_them in listed for each in all_of_them if isinstance(each, dict)}
        return {"concurrency": manifest["concurrency"], "coroutines": not kinds.isdisjoint(_OF_EVENT_LOOPS)}

    def attend_to(self, installed: Installed, worker: Worker) -> None:
        """Have what the plugin says, besides its answers, go where it belongs."""
        Listener(self, installed, worker).attach()

    def _take(
        self, installed: Installed, *, env: Mapping[str, str] | None, policy: GivenPolicy | None, may_be_held: bool
    ) -> tuple[Worker, Mapping[str, object]]:
        def start() -> Worker:
            return self._start(installed, env, policy)

        is_for_one = bool(env) or policy is not None
        if not is_for_one and self.are_shared(installed):
            seats, key = self.seats(installed), (installed.name, installed.revision)
            seat = seats.seat(key, lambda seat: self.attend_to(installed, seat), may_be_held=may_be_held)
            return seat, installed.manifest
        worker = start() if is_for_one else self.pool.take((installed.name, installed.revision), start, may_be_held=may_be_held)
        if is_for_one and (custody := CUSTODY.get()) is not None:
            custody.add(worker)
        worker.calls += 1
        if not installed.manifest.get("editable"):
            return worker, installed.manifest
        entry_points = installed.manifest.get("entry_points")
        assert isinstance(entry_points, dict)
        try:
            manifest = describe(worker, installed.name, entry_points, timeout_s=DESCRIBE_TIMEOUT_S)
        except BaseException:
            self.give_back(installed, worker)
            raise
        worker.channel.count_from_here()
        return worker, manifest

    def give_back(self, installed: Installed, worker: Worker, *, reuse: bool = True, aside: bool = False) -> None:
        if worker.leave_place():
            return
        for_one_call = installed.manifest.get("isolation") == "call"
        reuse = reuse and not for_one_call and not installed.manifest.get("editable")
        self.pool.give_back((installed.name, installed.revision), worker, reuse=reuse, aside=aside or for_one_call)
        if for_one_call:
            self._nurseries.fork_ahead((installed.name, installed.revision))

    def _forked(self, installed: Installed) -> Worker | None:
        """A worker from the plugin's nursery, where each call is to have a process of its own and there is a nursery."""
        manifest = installed.manifest
        if manifest.get("isolation") != "call" or manifest.get("editable") or manifest.get("fork"):
            return None
        confine = partial(self._confine_nursery, installed)
        return self._nurseries.fork((installed.name, installed.revision), installed.venv, manifest, confine)

    def _confine_nursery(self, installed: Installed) -> Held | None:
        policy = self.confining.policies.of(installed)
        confinement = self.confining.confine(installed.name, installed.venv, policy, is_nursery=True)
        return None if confinement is None else Held(confinement, partial(self.confining.drop, confinement, is_nursery=True))

    def hold(self, installed: Installed, worker: Worker) -> None:
        """Until `release`, what this thread calls of that plugin is sent to `worker`, and finds the same state."""
        self.pool.hold((installed.name, installed.revision), worker)

    def release(self, installed: Installed, worker: Worker) -> None:
        self.pool.release((installed.name, installed.revision), worker)

    def is_held(self, installed: Installed) -> bool:
        """Whether what this thread calls of that plugin goes to a process that is in the middle of a call."""
        return self.pool.is_held((installed.name, installed.revision))

    def _ended(self, installed: Installed, worker: Worker) -> None:
        self.confining.drop(worker.confinement)
        if self._journal is not None and worker.calls:
            self._journal.note_worker(installed, worker)

    def describe_new(
        self, name: str, venv: str, entry_points: Mapping[str, str], *, policy: Policy | None = None, own: Sequence[str] = ()
    ) -> dict[str, object]:
        """Start a plugin for the first time, in the environment just made, and have it say what it offers.

        What a confined plugin will import is compiled before, since it can't write there itself. Its policy is, if nothing else
        is said, that of plugins which nobody has granted anything.
        """
        from plughost.worker import compile_environment, compile_library

        policy = policy or self.confining.policies.base
        if not policy.is_trusted:
            compile_environment(venv)
        worker = self.launch(name, venv, without_threads(), policy=policy, own=own)
        try:
            manifest = describe(worker, name, entry_points, timeout_s=DESCRIBE_TIMEOUT_S)
            if worker.confinement is not None:
                compile_library(worker, venv)
            return manifest
        finally:
            worker.stop()
            self.confining.drop(worker.confinement)

    def launch(
        self,
        name: str,
        venv: str,
        env: Mapping[str, str] | None = None,
        *,
        policy: Policy,
        own: Sequence[str] = (),
        work: str = "",
        asked: Mapping[str, object] | None = None,
        caller: GivenPolicy | None = None,
    ) -> Worker:
        """Start a process of a plugin, kept to a policy; `own` are the files that it is run from besides its environment.

        `work` is a work directory that stays; without it there is one that goes with the process. `caller` is for messages.

        Raises: SandboxError: the policy can't be enforced here. StoreError: the environment can't be started.
        """
        confinement = None
        try:
            confinement = self.confining.confine(name, venv, policy, own=own, work=work, caller=caller)
            worker = launch(
                venv,
                name=name,
                project=self.project,
                bytecode=self.store.runner_bytecode,
                extra_environment=env,
                surroundings=self._surroundings_in(work) if work else self._surroundings,
                asked={**(asked or {}), **self._told},
                confinement=confinement,
            )
        except OSError as error:
            self.confining.drop(confinement)
            full = error.errno in _USED_UP
            raise StoreError(
                f"The environment of `{name}` can't be started",
                reference="venv-missing",
                causes=[str(error)],
                hint="Make fewer calls at once, or raise this process's limits: `ulimit -a` shows them"
                if full
                else f"`repair {name}` makes it again",
            ) from error
        self.pool.guards.attach(worker, name)
        return worker

    def _surroundings_in(self, folder: str) -> Surroundings:
        """Those of an open worker that works in `folder`."""
        from plughost.worker import Surroundings

        return Surroundings(self._surroundings.environment if self._surroundings else None, folder)

    def blame_environment(self, installed: Installed, error: PluginError | PluginCrashed) -> None:
        """Say so where a call failed because the plugin's environment is damaged; quick, and only where it may be that.

        Raises: VenvError: it is.
        """
        self._damage.blame(installed, error)
