"""Caller: what a program does with plugins that are there. Tools are called, hooks are attached, functions are offered.

Above it: `Host`, and the twin of it that runs a plugin in process; below it: the workers and the calls.
"""

from __future__ import annotations

import _thread

from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Literal, ParamSpec, Self

    from pluggy import PluginManager

    from plughost._async import AsyncCalls
    from plughost._policies import GivenPolicy
    from plughost._route import Route
    from plughost._submit import Call
    from plughost._workers import Workers
    from plughost.call import Event, IsolatedPlugin, Outcome, Output
    from plughost.session import Session, SessionLimits, Sessions
    from plughost.worker import Deadline

    P = ParamSpec("P")

__all__ = ["Caller"]


class Caller:
    """Calls plugins, by workers that it reuses and that end with `close`, or with the process.

    What calls take is imported by the first: to say that an add has nothing to do must take less time than that.
    """

    def __init__(self, make_workers: Callable[[], Workers]) -> None:
        self._make_workers = make_workers
        self._made: Workers | None = None
        self._making = _thread.allocate_lock()
        self._routes: dict[tuple[str, str | None], Route] = {}
        self._awaited: AsyncCalls | None = None
        self._sessions: Sessions | None = None
        self._shares_sessions = False

    @property
    def _workers(self) -> Workers:
        if self._made is None:
            with self._making:
                self._made = self._made or self._make_workers()
        return self._made

    def _retire(self, plugin: str) -> None:
        """End the plugin's workers, each after the call that it is in."""
        if self._made is not None:
            self._routes.clear()
            self._made.retire(plugin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, plugin: str, tool: str | None = None, /, *args: object, **kwargs: object) -> object:
        """Call a tool and give its value; of a stream, the list of its items.

        `tool` may be left out where the plugin has only one. Values travel as docs/reference/values.md has it.

        Raises: as `invoke` does.
        """
        route = self._routes.get((plugin, tool)) or self._open_route(plugin, tool)
        return route(args, kwargs)

    def _open_route(self, plugin: str, tool: str | None) -> Route:
        """The quick way to a tool, if it is one to which there is one."""

        def slowly(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
            return self.invoke(plugin, tool, args=args, kwargs=kwargs).result

        workers = self._workers
        installed = workers.find(plugin)
        if not workers.are_quick(installed) or workers.journal.keeps_arguments:
            return slowly
        from plughost._route import stop_at
        from plughost.call import choose_tool, conclude, is_stream

        if workers.are_shared(installed):
            from plughost._shared_route import open_route
        else:
            from plughost._route import open_route

        chosen = choose_tool(installed.name, installed.manifest, tool)
        if is_stream(chosen):
            return slowly

        def reopen(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
            self._routes.pop((plugin, tool), None)
            return self.call(plugin, tool, *args, **kwargs)

        route = self._routes[plugin, tool] = open_route(
            workers,
            stop_at(installed, chosen, found_by=plugin),
            reopen=reopen,
            slowly=slowly,
            conclude=lambda exchange: conclude(exchange, installed.name, chosen),
        )
        return route

    def stream(self, plugin: str, tool: str | None = None, /, *args: object, **kwargs: object) -> Iterator[object]:
        """Call a tool and give its items as they come; leaving the loop early closes the generator in the child.

        Raises: as `invoke` does, an error of the plugin's after the items that came before it.
        """
        from plughost.call import ToolCall, choose_tool, stream

        installed = self._workers.find(plugin)
        worker, manifest = self._workers.take(installed)
        try:
            chosen = choose_tool(installed.name, manifest, tool)
            name = str(chosen["name"])
            with self._workers.blaming(installed), self._workers.recording(installed, worker, name, args, kwargs):
                output = self._output(installed.name, chosen)
                yield from stream(worker, ToolCall(installed.name, chosen, args, kwargs, output=output))
        finally:
            self._workers.give_back(installed, worker)

    async def acall(self, plugin: str, tool: str | None = None, /, *args: object, **kwargs: object) -> object:
        """As `call`, while the event loop goes on; no thread waits. Cancelled, it has the plugin end the call as by Ctrl-C.

        Raises: as `invoke` does.
        """
        return await (self._awaited or self._async_calls()).of_this_loop().call(plugin, tool, args, kwargs)

    def astream(self, plugin: str, tool: str | None = None, /, *args: object, **kwargs: object) -> AsyncIterator[object]:
        """As `stream`, for `async for`.

        Raises: as `invoke` does, an error of the plugin's after the items that came before it.
        """
        return self._async_calls().of_this_loop().stream(plugin, tool, args, kwargs)

    def _async_calls(self) -> AsyncCalls:
        if self._awaited is None:
            from plughost._async import AsyncCalls

            self._awaited = AsyncCalls(
                self._workers,
                make_output=self._output,
                invoke=lambda plugin, tool, args, kwargs: self.invoke(plugin, tool, args=args, kwargs=kwargs),
            )
        return self._awaited

    def submit(self, plugin: str, tool: str | None = None, /, *args: object, **kwargs: object) -> Call:
        """Ask for a call, and wait for its result later, or cancel it. It is under way when this returns.

        Raises: as `invoke` does, as far as that shows before there is an answer.
        """
        from plughost._submit import submit

        return submit(self._workers, self._workers.find(plugin), tool, args, kwargs, make_output=self._output)

    def deadline(self, timeout_s: float) -> Deadline:
        """A context manager: all calls within it, hooks included, have `timeout_s` seconds together.

        A call that isn't done by then is ended as by Ctrl-C, and raises CallTimeout; what doesn't end within a second is killed.
        """
        from plughost.worker import Deadline

        return Deadline(timeout_s)

    def warm(self, *plugins: str) -> None:
        """Have a worker of each plugin ready, its modules imported: what the first call would else wait for.

        Raises: UnknownError: no such plugin. PluginError, PluginCrashed: it can't be imported. StoreError, VenvError.
        """
        from plughost._warm import warm

        warm(self._workers, [self._workers.find(plugin) for plugin in plugins])

    def invoke(
        self,
        plugin: str,
        tool: str | None = None,
        *,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        policy: GivenPolicy | None = None,
        on_output: Callable[[bytes], None] | None = None,
        on_item: Callable[[object], None] | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> Outcome:
        """Call a tool with everything that can be said about a call, and know everything about how it went.

        `timeout_s` is for the call, from when its process has started; `deadline` is for all that there is to wait for.
        `env` is added to the child's environment, which else has an allow-list of ours. `policy`, a `Policy`, a preset's name or
        a table, is the most that the plugin may use in this call. A call with one of these has a worker of its own.
        `on_output` gets what the plugin prints as it comes, `on_item` the items of a stream, `on_event` what it prints, logs and
        says of its progress, instead of the host's own `on_event`; all in this thread. What one of them raises ends the call.

        Raises: UnknownError: no such plugin or tool. UsageError: the arguments don't fit; nothing was asked. PluginError: the
        tool raised; an instance of the built-in exception's type too. PluginCrashed, CallTimeout: the process and all that it
        started are gone. StoreError, VenvError: the plugin's environment is missing or damaged.
        """
        from plughost.call import ToolCall, choose_tool, invoke
        from plughost.worker import time_given

        timeout_s = time_given(timeout_s)
        workers, kwargs = self._workers, kwargs or {}
        installed = workers.find(plugin)
        chosen = None if installed.manifest.get("editable") else choose_tool(installed.name, installed.manifest, tool)
        worker, manifest = workers.take(installed, env=env, policy=policy)
        try:
            chosen = chosen or choose_tool(installed.name, manifest, tool)
            name = str(chosen["name"])
            said = workers.confining.policies.said(policy) if workers.journal.keeps_arguments else None
            with (
                workers.blaming(installed),
                workers.recording(installed, worker, name, args, kwargs, timeout_s=timeout_s, env=env, said=said) as recording,
            ):
                output = self._output(installed.name, chosen, on_output, on_event)
                asked = ToolCall(installed.name, chosen, args, kwargs, output=output, timeout_s=timeout_s)
                outcome = invoke(worker, asked, on_item=on_item)
                if not (on_item and outcome.is_stream):
                    recording.keep_result(outcome.result)
                return outcome
        finally:
            workers.give_back(installed, worker, reuse=not env and policy is None)

    def session(
        self,
        plugin: str,
        *,
        policy: GivenPolicy | None = None,
        idle_timeout_s: float | None = None,
        task_timeout_s: float | None = None,
        lifetime_s: float | None = None,
        max_tasks: float | None = None,
        memory_bytes: float | None = None,
        keep: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Session:
        """Open a session: a process and a work directory of one's own, kept between calls. To be closed, or used by `with`.

        `policy` narrows what the plugin may use. The limits are by default those of the settings, and `math.inf` is none: after
        `idle_timeout_s` seconds without a call it ends, after `lifetime_s` in any case; it makes `max_tasks` calls, each of at
        most `task_timeout_s`; its processes may need `memory_bytes` together. Where too many are open, the one ends that is idle
        for the longest. Its files are deleted with it, or copied into the folder `keep` first. `env` is added to its environment.

        Raises: UnknownError: no such plugin. UsageError: a policy or a limit can't be. SandboxError: the policy can't be enforced
        here. SessionError: too many are open, and all are busy. StoreError: the environment, or the store, can't be used.
        """
        given = {
            "idle_timeout_s": idle_timeout_s,
            "task_timeout_s": task_timeout_s,
            "lifetime_s": lifetime_s,
            "max_tasks": max_tasks,
            "memory_bytes": memory_bytes,
        }
        return self.sessions.open(
            self._workers,
            plugin,
            limits=self._session_limits().but(given),
            policy=policy,
            is_memory_given=memory_bytes is not None,
            keep=keep,
            env=env,
            make_output=self._output,
        )

    @property
    def sessions(self) -> Sessions:
        """Those that are open: to find, to count and to close."""
        if self._sessions is None:
            from plughost.session import Sessions

            watcher = self._workers.pool.watcher
            with self._making:
                if self._sessions is None:  # empty ones are false
                    self._sessions = Sessions(watcher)
        return self._sessions

    def share_sessions(self, sessions: Sessions) -> None:
        """Open sessions among those of other hosts. `close` leaves them to whoever has made `sessions`."""
        self._sessions, self._shares_sessions = sessions, True

    def _session_limits(self) -> SessionLimits:
        from plughost.session import SessionLimits

        return SessionLimits()

    def _output(
        self,
        plugin: str,
        tool: Mapping[str, object],
        on_output: Callable[[bytes], None] | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> Output:
        """What takes in whatever a call of `tool` reports."""
        on_event = on_event or self._workers.on_event
        if on_event is None:
            from plughost.call import Output

            return Output(on_output)
        from plughost.call import ReportingOutput

        return ReportingOutput(on_output, plugin=plugin, tool=str(tool["name"]), on_event=on_event)

    @property
    def on_event(self) -> Callable[[Event], object] | None:
        """Gets what plugins print, log and say of their progress, in all calls that have no `on_event` of their own.

        It is called in the thread that waits for the plugin; for what is printed in a hook, or between calls, in another one.
        """
        return self._workers.on_event

    @on_event.setter
    def on_event(self, on_event: Callable[[Event], object] | None) -> None:
        self._workers.on_event = on_event

    # Hooks.

    def attach(
        self,
        manager: PluginManager,
        plugins: Iterable[str] | None = None,
        *,
        on_error: Literal["raise", "warn", "skip"] = "raise",
        timeout_s: float | None = None,
        timeouts: Mapping[str, float] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> list[IsolatedPlugin]:
        """Register installed plugins with pluggy's PluginManager, each under its own name; those that are new are returned.

        `plugins` are all by default, in the order of their names; pluggy calls what was registered last first. What is
        registered already, or blocked, is left alone. `timeout_s` is for each call of a hook, and `timeouts` has other times by
        plugin. `versions` has versions, or beginnings of commits, by plugin: those kept, instead of the one in force; a plugin
        `NAME@VERSION` is registered by that name, beside others of it. What is disabled is left out, now or for as long as it
        is. Nothing is started before a hook is called.

        Raises, where `on_error` is `raise`: ContractError: implementations don't fit their specifications. UnknownError,
        StoreError. All plugins that are sound are attached even then; `warn` gives a `PluginNotAttached` warning instead.
        """
        from plughost._attach import attach

        plugins = [plugins] if isinstance(plugins, str) else plugins
        return attach(
            self._workers,
            manager,
            plugins,
            on_error=on_error,
            timeout_s=timeout_s,
            timeouts=timeouts or {},
            versions=versions or {},
        )

    def offer(self, name: str, function: Callable[P, object]) -> None:
        """Let plugins call a function of the app's while a hook or a tool of theirs runs: `from plughost_app import NAME`.

        It runs in the thread that waits for the plugin, and may call the same plugin again. Given to a hook as an argument, it
        arrives as a function. What it raises arrives as an exception of the same built-in type.

        Raises: UsageError: `name` is no identifier.
        """
        if not name.isidentifier() or name.startswith("__"):
            raise UsageError(f"`{name}` can't be the name of a function", hint="Plugins import it: choose an identifier")
        self._workers.offers[name] = function

    def register_exception(self, kind: type[Exception], name: str = "") -> None:
        """Have errors of plugins be instances of `kind` where what they raise has its qualified name, or `name`.

        For exceptions of a package that the app and its plugins both have. Those that are built in need no registration.
        """
        self._workers.exception_types[name or f"{kind.__module__}.{kind.__qualname__}"] = kind

    def call_hook(self, manager: PluginManager, hook: str, /, **kwargs: object) -> object:
        """Call a hook as `manager.hook` does, the plugins of this host at the same time.

        Where the order decides, one after the other: for hooks of which the first result counts, and where there are wrappers.
        If one raises, the others are waited for before its error is.

        Raises: UnknownError: there is no such hook. Else whatever the hook raises.
        """
        from plughost._gather import call_together

        return call_together(manager, hook, kwargs)

    async def acall_hook(self, manager: PluginManager, hook: str, /, **kwargs: object) -> object:
        """As `call_hook`, without blocking the event loop, in whose thread local implementations run.

        Those that are coroutine functions are awaited: the result has their values. Where the order decides, all implementations
        run in another thread. A cancelled call ends the workers that have not answered.
        """
        from plughost._gather import call_together_async

        return await call_together_async(manager, hook, kwargs)

    def close(self) -> None:
        """End all workers, those of calls in other threads after these: each gets a moment for its exit handlers.

        The host can be used again afterwards.
        """
        if self._sessions is not None and not self._shares_sessions:
            self._sessions.close()
        if self._made is not None:
            self._made.close()
