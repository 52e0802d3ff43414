"""How the proxies of one plugin reach it: with what worker, and what is noted of a call.

Above it: `attach`; below it: the workers, and hook implementations called on them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from plughost._gather import AHEAD, taken_ahead
from plughost._route import Stop
from plughost.call import Begun, HookCall, HookWrapping, Terms, conclude_hook
from plughost.contract import read_hooks
from plughost.errors import ContractError, PluginDisabled

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from plughost._route import Route
    from plughost._workers import Workers
    from plughost.contract import HookImplementation
    from plughost.journal import Recording
    from plughost.registry import Installed
    from plughost.worker import Worker

__all__ = ["Door"]


class Door:
    """How the proxies of one plugin reach it."""

    def __init__(
        self,
        workers: Workers,
        installed: Installed,
        implementations: Sequence[HookImplementation],
        timeout_s: float | None,
        *,
        found_by: str,
    ) -> None:
        self._workers = workers
        self._name = installed.name
        self._found_by = found_by
        #: The revision in force, as last seen, and those that may be called in it: by identity.
        self._sound: tuple[Installed, set[HookImplementation]] = (installed, set(implementations))
        self._routes: dict[HookImplementation, Route] = {}
        self._terms = Terms(offers=workers.offers, types=workers.exception_types, timeout_s=timeout_s)

    def call(self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """Its result; None, which pluggy leaves out, where the plugin is disabled."""
        begun = taken_ahead(implementation, args) if AHEAD.get() and not kwargs else None
        if begun is None:
            route = self._routes.get(implementation) or self._open_route(implementation)
            try:
                return route(args, kwargs)
            except PluginDisabled:
                return None
        return self._finish(begun)

    def _open_route(self, implementation: HookImplementation) -> Route:
        """The quick way to an implementation, if there is one to it."""

        def slowly(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
            return self._call_slowly(implementation, args, kwargs)

        workers, terms = self._workers, self._terms
        try:
            installed = self._current(implementation)
        except PluginDisabled:
            return slowly
        if (
            "generator" in implementation.kind
            or terms.timeout_s is not None
            or not workers.are_quick(installed)
            or workers.journal.keeps_arguments
        ):
            return slowly

        def reopen(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
            self._routes.pop(implementation, None)
            return self.call(implementation, args, kwargs)

        if workers.are_shared(installed):
            from plughost._shared_route import open_route
        else:
            from plughost._route import open_route
        stop = Stop(
            installed,
            found_by=self._found_by,
            target=implementation.target,
            label=f"`{implementation.plugin}:{implementation.function}`",
            noted_as=f"hook:{implementation.name}",
        )
        route = self._routes[implementation] = open_route(
            workers, stop, reopen=reopen, slowly=slowly, conclude=partial(conclude_hook, implementation, terms)
        )
        return route

    def _call_slowly(self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        try:
            installed = self._current(implementation)
        except PluginDisabled:
            return None
        if "generator" in implementation.kind:
            return self._items(implementation, args, kwargs)
        return self._finish(self._begin(installed, implementation, args, kwargs))

    def _finish(self, begun: Begun) -> object:
        with self._workers.blaming(self._sound[0]):
            return begun.finish()

    def begin(self, implementation: HookImplementation, args: Sequence[object]) -> Begun | None:
        """Ask the plugin without waiting for its answer; None where its process is in the middle of a call of this thread's."""
        try:
            installed = self._current(implementation)
        except PluginDisabled:
            return None
        return None if self._workers.is_held(installed) else self._begin(installed, implementation, args, {})

    def _begin(
        self,
        installed: Installed,
        implementation: HookImplementation,
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> Begun:
        """The worker is lent until `finish`."""
        worker, _ = self._workers.take(installed)
        recording = self._recording(installed, worker, implementation, args, kwargs)
        try:
            call = HookCall(worker, implementation, args, kwargs, terms=self._terms)
        except BaseException as error:
            recording.end(error)
            self._workers.give_back(installed, worker)
            raise

        def end(error: BaseException | None) -> None:
            recording.end(error, ended_ns=call.ended_ns)
            self._workers.give_back(installed, worker)

        return Begun(call, args, end)

    def _recording(
        self,
        installed: Installed,
        worker: Worker,
        implementation: HookImplementation,
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> Recording:
        name = f"hook:{implementation.name}"
        return self._workers.recording(installed, worker, name, args, kwargs, timeout_s=self._terms.timeout_s)

    def wrap(
        self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Generator[None, object, object]:
        """Between its halves this thread holds the worker: what the wrapper wraps of the same plugin runs in the same process."""
        try:
            installed = self._current(implementation)
        except PluginDisabled:
            return (yield)
        worker, _ = self._workers.take(installed)
        recording = self._recording(installed, worker, implementation, args, kwargs)
        wrapping = None
        try:
            wrapping = HookWrapping(worker, implementation, args, kwargs, terms=self._terms)
            self._workers.hold(installed, worker)
            try:
                result = yield from wrapping.run()
            finally:
                self._workers.release(installed, worker)
        except BaseException as error:
            recording.end(None if wrapping and error is wrapping.passed_on else error)
            raise
        else:
            recording.end(wrapping.forced)
            return result
        finally:
            self._workers.give_back(installed, worker)

    def _items(
        self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Iterator[object]:
        """As a generator function in process: nothing runs before the first item is asked for.

        Never in a process that this thread holds: nobody knows when the app is through with the items, and until then a process
        does nothing else.
        """
        installed = self._current(implementation)
        worker, _ = self._workers.take(installed, may_be_held=False)
        try:
            with self._recording(installed, worker, implementation, args, kwargs):
                yield from HookCall(worker, implementation, args, kwargs, terms=self._terms).items()
        finally:
            self._workers.give_back(installed, worker)

    def _current(self, implementation: HookImplementation) -> Installed:
        """The revision in force, if it still implements the hook as it did when it was attached.

        Raises: UnknownError: the plugin was removed. ContractError: it was updated, and the implementation is another.
        """
        installed = self._workers.find(self._found_by)
        seen, sound = self._sound
        if installed is not seen:
            self._sound = (installed, sound := set())
        if implementation in sound:
            return installed
        if not any(map(implementation.promises_the_same, read_hooks(implementation.plugin, installed.manifest))):
            raise ContractError(
                f"`{self._name}` no longer implements `{implementation.name}` as it did when it was attached",
                reference="hook-changed",
                causes=[f"It was `{implementation.definition()}`"],
                hint="Unregister it and attach it again",
            )
        sound.add(implementation)
        return installed
