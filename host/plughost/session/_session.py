"""One session: calls of one caller to one process that keeps its state, in a folder that keeps its files.

Above it: the sessions of a host; below it: its calls, and its folder.
"""

from __future__ import annotations

import logging
import os
from contextlib import aclosing, contextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from plughost.call import ToolCall, choose_tool, invoke, stream
from plughost.errors import PlughostError
from plughost.registry import set_aside
from plughost.session import _ends
from plughost.session._artifacts import artifacts_of, written
from plughost.session._files import list_files
from plughost.session._keep import copy_files
from plughost.session._life import Life
from plughost.session._memory import resident_bytes
from plughost.session._outcome import SessionOutcome
from plughost.session._quick import open_route
from plughost.session._stats import SessionStats
from plughost.session._tasks import Tasks
from plughost.session._turn import Asker, Turn
from plughost.worker import time_given

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
    from typing import Self

    from plughost._route import Route
    from plughost._workers import Workers
    from plughost.call import Event
    from plughost.policy import Policy
    from plughost.registry import Installed
    from plughost.session._artifacts import Artifact
    from plughost.session._folder import Folder
    from plughost.session._limits import SessionLimits
    from plughost.session._outcome import MakeOutput
    from plughost.session._tasks import Task
    from plughost.worker import Worker

__all__ = ["Session"]


class Session:
    """Opened by `Host.session`, and to be closed: use it as a context manager. Safe for several threads, whose calls take turns.

    `folder` is its work directory, and `policy` what its process may use.
    """

    def __init__(
        self,
        workers: Workers,
        installed: Installed,
        *,
        limits: SessionLimits,
        policy: Policy,
        said: Mapping[str, object],
        env: Mapping[str, str],
        folder: Folder,
        start: Callable[[], Worker],
        check: Callable[[], object],
        make_output: MakeOutput,
        keep: str | None,
        on_clear: Callable[[Session], None],
    ) -> None:
        self.id = folder.id
        self.plugin = installed.name
        self.limits = limits
        self.policy = policy
        self.folder = folder.files
        #: What its caller said of the policy, and its variables: for the records of calls.
        self._said = said
        self._env = env
        self._folder = folder
        self._workers = workers
        self._installed = installed
        self._make_output = make_output
        self._keep = keep
        self._on_clear = on_clear
        self._explaining = limits.explaining(policy)
        self._routes: dict[str | None, Route] = {}
        turn = Turn()
        self.life = Life(workers, installed, turn, start)
        self.tasks = Tasks(self.id, self.plugin, limits, turn=turn, life=self.life, check=check, clear=self._clear)

    @property
    def manifest(self) -> Mapping[str, object]:
        """What the plugin offers, as of the revision that the session began on."""
        return self._installed.manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Session {self.id} of {self.plugin}: {self.tasks.state}>"

    def call(self, tool: str | None = None, /, *args: object, **kwargs: object) -> object:
        """Call a tool and give its value; of a stream, the list of its items.

        Raises: as `invoke` does.
        """
        route = self._routes.get(tool) or self._open_route(tool)
        return route(args, kwargs)

    def _open_route(self, tool: str | None) -> Route:
        """The quick way to a tool, if it is one to which there is one."""

        def slowly(args: Sequence[object], kwargs: Mapping[str, object]) -> object:
            with self.tasks.one() as task, self._asked(task, tool, args, kwargs) as asked:
                return invoke(task.worker, asked).result

        route = open_route(self._workers, self._installed, self.tasks, tool, slowly=slowly, explaining=self._explaining)
        if route is not None:
            self._routes[tool] = route
        return route or slowly

    async def acall(self, tool: str | None = None, /, *args: object, **kwargs: object) -> object:
        """As `call`, while the event loop goes on. Cancelled, it has the plugin end the call as by Ctrl-C: its state is lost.

        Raises: as `invoke` does.
        """
        from plughost._awaiting import ainvoke
        from plughost.session._awaited import one_awaited

        async with one_awaited(self.tasks) as task:
            with self._asked(task, tool, args, kwargs) as asked:
                return await ainvoke(task.worker, asked)

    def stream(self, tool: str | None = None, /, *args: object, **kwargs: object) -> Iterator[object]:
        """Call a tool and give its items as they come; leaving the loop early closes the generator in the child.

        Until then the session makes no other call.

        Raises: as `invoke` does, an error of the plugin's after the items that came before it.
        """
        with self.tasks.one() as task, self._asked(task, tool, args, kwargs) as asked:
            yield from stream(task.worker, asked)

    async def astream(self, tool: str | None = None, /, *args: object, **kwargs: object) -> AsyncGenerator[object, None]:
        """As `stream`, for `async for`. Cancelled while it waits for an item, it ends as `acall` does.

        Raises: as `invoke` does, an error of the plugin's after the items that came before it.
        """
        from plughost._awaiting import astream
        from plughost.session._awaited import one_awaited

        async with one_awaited(self.tasks) as task:
            with self._asked(task, tool, args, kwargs) as asked:
                async with aclosing(astream(task.worker, asked)) as items:
                    async for item in items:
                        yield item

    def invoke(
        self,
        tool: str | None = None,
        *,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        on_output: Callable[[bytes], None] | None = None,
        on_item: Callable[[object], None] | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> SessionOutcome:
        """Call a tool, and know everything about how it went, the files included that it wrote. The parameters are `Host`'s.

        `timeout_s` only shortens the time that the session gives each call.

        Raises: SessionEnded: it takes no more calls. PluginCrashed, CallTimeout: the process is gone, and the state with it; the
        files are kept, and the next call starts afresh. SessionError: this thread is in the middle of a stream of this session.
        Else as `Host.invoke` does.
        """
        with self.tasks.one(time_given(timeout_s)) as task:
            before = list_files(self.folder)
            with self._asked(task, tool, args, kwargs or {}, on_output, on_event) as asked:
                outcome = invoke(task.worker, asked, on_item=on_item)
            now = list_files(self.folder)
            artifacts = written(self.folder, before, now)
        return SessionOutcome(outcome, artifacts, artifacts_complete=before.is_whole and now.is_whole)

    @contextmanager
    def _asked(
        self,
        task: Task,
        tool: str | None,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        on_output: Callable[[bytes], None] | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> Iterator[ToolCall]:
        """The call, to be made in this block: the journal has it, and an environment that is damaged is found out."""
        chosen, workers = choose_tool(self.plugin, task.manifest, tool, in_session=True), self._workers
        name, limit_s = str(chosen["name"]), task.timeout_s
        with (
            workers.blaming(self._installed),
            workers.recording(
                self._installed, task.worker, name, args, kwargs, timeout_s=limit_s, env=self._env, said=self._said
            ),
            self._explaining,
        ):
            output = self._make_output(self.plugin, chosen, on_output, on_event)
            yield ToolCall(self.plugin, chosen, args, kwargs, output=output, timeout_s=limit_s)

    # Files.

    def artifacts(self) -> list[Artifact]:
        """All files that are in the work directory now, by their paths.

        Raises: SessionEnded: they are gone.
        """
        self._check_files()
        return artifacts_of(self.folder, list_files(self.folder).files.items())

    def keep(self, folder: str | os.PathLike[str]) -> list[Artifact]:
        """Copy the files into a folder, which is made where it isn't there; the copies. Files of the same names are replaced.

        Links, pipes and devices stay behind.

        Raises: UsageError: the folder can't be written. SessionEnded: the files are gone.
        """
        self._check_files()
        return copy_files(self.folder, os.fspath(folder))

    def _check_files(self) -> None:
        if (ended := self.tasks.ended()) is not None:
            raise ended

    # Looking, and ending.

    @property
    def stats(self) -> SessionStats:
        """What it has done, and needs now."""
        return self.stats_with(resident_bytes({self.life.pid}))

    def stats_with(self, memory: Mapping[int, int]) -> SessionStats:
        """The same; what processes need is known already, by their numbers."""
        limits, tasks = self.limits, self.tasks
        return SessionStats(
            id=self.id,
            plugin=self.plugin,
            version=str(self._installed.manifest.get("version") or ""),
            state=tasks.state,
            tasks=tasks.made,
            max_tasks=None if limits.max_tasks == inf else int(limits.max_tasks),
            failed=tasks.failed,
            restarts=self.life.restarts,
            memory_bytes=memory.get(self.life.pid, 0),
            age_s=round(tasks.age_s, 3),
            lifetime_s=None if limits.lifetime_s == inf else limits.lifetime_s,
            idle_s=round(tasks.idle_s, 3),
            idle_timeout_s=None if limits.idle_timeout_s == inf else limits.idle_timeout_s,
            folder=self.folder,
        )

    def close(self, *, keep: str | os.PathLike[str] | None = None) -> list[Artifact]:
        """End it, and a call that runs, and delete its files; with `keep` they are copied into that folder before: the copies.

        Raises: UsageError: that folder can't be written; the session is as it was.
        """
        return self._close(keep, Asker())

    def _close(self, keep: str | os.PathLike[str] | None, asker: Asker) -> list[Artifact]:
        kept = [] if keep is None or self.tasks.ended() else self.keep(keep)
        self.tasks.end(_ends.closed(), asker=asker)
        return kept

    async def aclose(self, *, keep: str | os.PathLike[str] | None = None) -> list[Artifact]:
        """As `close`, while the event loop goes on."""
        from plughost.session._awaited import aside, this_task

        return await aside(partial(self._close, keep, this_task()))

    def forget(self) -> None:
        """In a forked copy of this process: it is the original's."""
        self.tasks.forget()

    def _clear(self) -> None:
        """It has ended: what there is of it on the machine goes."""
        self.life.stop()
        try:
            if self._keep is not None:
                copy_files(self.folder, self._keep)
        except PlughostError as error:  # there may be nobody to tell
            aside = set_aside(self._workers.store, [self.folder], name=self.id)
            logging.getLogger("plughost").warning("%s; for a month they are in %s", error.message, aside)
        finally:
            self._folder.delete()
            self._on_clear(self)
