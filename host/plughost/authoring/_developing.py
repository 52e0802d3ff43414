"""A plugin that is being worked on: installed as it stands in its folder, and described and called again with each change.

Above it: the command line; below it: `Host`, and the contract, which says what a change means for callers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plughost._workers import Workers
from plughost.authoring._watching import BUILD_FILES, Watch
from plughost.contract import changes, find_faults, read_hooks
from plughost.errors import PlughostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from pluggy import PluginManager

    from plughost._info import Plugin
    from plughost.call import Outcome
    from plughost.contract import Change, Fault
    from plughost.host import Host

__all__ = ["Call", "Called", "Changed", "Described", "Failed", "Installed", "develop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is called again with each change, and where the plugin's printing and the items of a stream go meanwhile."""

    tool: str
    args: Sequence[object]
    kwargs: Mapping[str, object]
    timeout_s: float | None
    on_output: Callable[[bytes], None]
    on_item: Callable[[object], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The project has been installed, for the first time or again."""

    plugin: Plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """These files have changed."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What changes for callers, since it was described before; and which hook implementations don't fit the app."""

    changes: tuple[Change, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It can't be installed, described or called as it is now."""

    error: PlughostError


Event = Installed | Changed | Described | Called | Failed


def develop(host: Host, folder: Path, *, manager: PluginManager | None = None, call: Call | None = None) -> Iterator[Event]:
    """Install the project in `folder`, and go on with each change of it, without an end: whoever reads it, leaves it.

    Raises: KeyboardInterrupt: it came while files were watched, or in a call.
    """
    developed = _Developed(host, folder, manager)
    watch = Watch(str(folder))
    paths: list[str] = []
    while True:
        sound = yield from developed.look(install=not paths or any(Path(path).name in BUILD_FILES for path in paths))
        if call and sound and developed.plugin:
            yield from _called(host, developed.plugin.name, call)
        paths = watch.wait()
        yield Changed(paths=tuple(paths))


class _Developed:
    """The plugin as it was installed and described last."""

    def __init__(self, host: Host, folder: Path, manager: PluginManager | None) -> None:
        self.plugin: Plugin | None = None
        self._host = host
        self._folder = folder
        self._manager = manager
        self._manifest: Mapping[str, object] | None = None
        # A package of the older kind becomes a project only in a copy, which is made anew each time.
        self._editable = any((folder / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg"))

    def look(self, *, install: bool) -> Generator[Event, None, bool]:
        """Whether it can be called as it is now."""
        try:
            if install or self.plugin is None or not self._editable:
                self.plugin = self._host.add(str(self._folder), editable=self._editable, force=True, grant="all").plugin
                yield Installed(plugin=self.plugin)
            yield self._describe(self.plugin)
        except PlughostError as error:
            yield Failed(error=error)
            return False
        return True

    def _describe(self, plugin: Plugin) -> Described:
        workers = Workers(self._host.store, self._host.project, policies=self._host.policies)
        policy = self._host.policy_of(plugin.name)
        own = [str(self._folder)] if self._editable else []
        now = workers.describe_new(plugin.name, str(plugin.environment), plugin.entry_points, policy=policy, own=own)
        found = changes(self._manifest, now) if self._manifest is not None else []
        self._manifest = now
        faults = find_faults(read_hooks(plugin.name, now), self._manager, unknown=True) if self._manager else []
        return Described(changes=tuple(found), faults=tuple(faults))


def _called(host: Host, plugin: str, call: Call) -> Iterator[Event]:
    try:
        outcome = host.invoke(
            plugin,
            call.tool,
            args=call.args,
            kwargs=call.kwargs,
            timeout_s=call.timeout_s,
            on_output=call.on_output,
            on_item=call.on_item,
        )
    except PlughostError as error:
        yield Failed(error=error)
    else:
        yield Called(outcome=outcome)
