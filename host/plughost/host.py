"""Host: what a program does with plugins. Each verb reads as its stages.

Above it: the command line and the apps that embed plughost; below it: the registry, the workers and the calls. The stages that
install are imported when something is added, not before.
"""

from __future__ import annotations

import os

from plughost import registry
from plughost._request import Request, find_unchanged
from plughost._workers import Workers
from plughost.call import Outcome, Output, choose_tool, invoke, stream
from plughost.paths import Store, default_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from plughost._info import Plugin
    from plughost._request import Added, Progress

__all__ = ["Host"]


class Host:
    """The plugins of one project: added, listed, called, removed. Safe to use from several threads; use it as a context manager.

    `project` is the pluggy project's name and the entry-point group that is looked up in plugins. `store` is the folder that
    holds them, by default the one that `PLUGHOST_HOME` names or the platform's data folder. Calls reuse workers, which end with
    `close`, or with the process.
    """

    def __init__(
        self,
        project: str = "plughost",
        *,
        store: str | os.PathLike[str] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.project = project
        self.store = Store(store if store is not None else default_store(project), project)
        self._on_progress = on_progress
        self._workers = Workers(self.store, project)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        source: str,
        *,
        name: str = "",
        python: str = "",
        force: bool = False,
        extras: Sequence[str] = (),
        with_: Sequence[str] = (),
        constraint: str | os.PathLike[str] | None = None,
        exclude_newer: str = "",
        installer: str = "",
        offline: bool = False,
        editable: bool = False,
        entry_points: Mapping[str, str] | None = None,
    ) -> Added:
        """Install a package under its own name, or `name`, and record what it offers.

        `source` is `git+URL[@REF][#subdirectory=…]`, a folder, a wheel, an sdist, or a requirement. `with_` are further
        requirements, `constraint` a file of them that only narrows, `exclude_newer` a date, `entry_points` name →
        `module:object` for a package that declares none. The same commit with the same options again changes nothing, unless
        `force`.

        Raises: UsageError: `source` or an option can't be read. InstallError and its kin: a stage failed. StoreError: the store
        can't be written. After any of them, and after a kill at any instant, what was installed before is as it was.
        """
        request = Request(
            source=source,
            name=name,
            python=python,
            force=force,
            extras=tuple(extras),
            with_=tuple(with_),
            constraint=None if constraint is None else os.fspath(constraint),
            exclude_newer=exclude_newer,
            installer=installer,
            offline=offline,
            editable=editable,
            entry_points=entry_points,
        )
        if unchanged := find_unchanged(self.store, request):
            return unchanged
        from plughost._add import add

        added = add(self.store, request, describe=self._workers.describe_new, report=self._on_progress)
        if added.changed:
            self._workers.pool.retire(added.name)
        return added

    def remove(self, name: str) -> registry.Removed:
        """Take a plugin away, with all that only it used; a damaged one too.

        Raises: UsageError: no valid name. UnknownError: it isn't installed.
        """
        from plughost._add import forget_packages

        normalized = registry.normalize_name(name)
        self._workers.pool.retire(normalized)
        removed = registry.remove(self.store, normalized)
        forget_packages(self.store, removed.packages)
        return removed

    def plugins(self) -> list[registry.PluginSummary]:
        """What is installed, by name. Starts nothing and imports nothing."""
        return registry.summaries(self.store)

    def info(self, name: str) -> Plugin:
        """All that is known of one plugin.

        Raises: UnknownError: it isn't installed. StoreError: its files are damaged.
        """
        from plughost._info import read_plugin

        return read_plugin(registry.find(self.store, name))

    def call(self, plugin: str, tool: str | None = None, /, *args: object, **kwargs: object) -> object:
        """Call a tool and give its value; of a stream, the list of its items.

        `tool` may be left out where the plugin has only one. Values travel as docs/reference/values.md has it.

        Raises: as `invoke` does.
        """
        return self.invoke(plugin, tool, args=args, kwargs=kwargs).result

    def stream(self, plugin: str, tool: str | None = None, /, *args: object, **kwargs: object) -> Iterator[object]:
        """Call a tool and give its items as they come; leaving the loop early closes the generator in the child.

        Raises: as `invoke` does, an error of the plugin's after the items that came before it.
        """
        installed = self._workers.find(plugin)
        worker, manifest = self._workers.take(installed)
        try:
            chosen = choose_tool(installed.name, manifest, tool)
            yield from stream(worker, installed.name, chosen, args=args, kwargs=kwargs, output=Output(None))
        finally:
            self._workers.give_back(installed, worker)

    def invoke(
        self,
        plugin: str,
        tool: str | None = None,
        *,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        on_output: Callable[[bytes], None] | None = None,
        on_item: Callable[[object], None] | None = None,
    ) -> Outcome:
        """Call a tool with everything that can be said about a call, and know everything about how it went.

        `env` is added to the child's environment, which else has an allow-list of ours; such a call has a worker of its own.
        `on_output` gets what the plugin prints as it comes, `on_item` the items of a stream.

        Raises: UnknownError: no such plugin or tool. UsageError: the arguments don't fit; nothing was asked. PluginError: the
        tool raised; an instance of the built-in exception's type too. PluginCrashed, CallTimeout: the process and all that it
        started are gone. StoreError: the plugin's environment is missing or damaged.
        """
        installed = self._workers.find(plugin)
        chosen = None if installed.manifest.get("editable") else choose_tool(installed.name, installed.manifest, tool)
        worker, manifest = self._workers.take(installed, env=env)
        try:
            chosen = chosen or choose_tool(installed.name, manifest, tool)
            return invoke(
                worker,
                installed.name,
                chosen,
                args=args,
                kwargs=kwargs or {},
                timeout_s=timeout_s,
                on_item=on_item,
                output=Output(on_output),
            )
        finally:
            self._workers.give_back(installed, worker, reuse=not env)

    def close(self) -> None:
        """End all workers: each gets a moment for its exit handlers. The host can be used again afterwards."""
        self._workers.pool.close()
