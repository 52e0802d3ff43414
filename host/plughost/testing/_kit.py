"""The kit that an app ships to the authors of its plugins: its specifications and its own checks, on a plugin as users get it.

Above it: the app's testing module; below it: `Host`. The plugin is built, locked, installed into a store that is thrown away,
and called in its own process.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plughost.contract import manager_with
from plughost.host import Host

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from pluggy import PluginManager

    from plughost._info import Plugin

    Check = Callable[["PluginUnderTest"], None]

__all__ = ["PluginKit", "PluginUnderTest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginUnderTest:
    """A plugin that is installed, and attached to a PluginManager that has the app's specifications and no other plugin."""

    host: Host
    manager: PluginManager
    plugin: Plugin


class PluginKit:
    """What an app asks of its plugins. `checks` are functions of a `PluginUnderTest` that raise where something is wrong."""

    def __init__(
        self, *, project: str, hookspecs: ModuleType | type | Sequence[ModuleType | type], checks: Sequence[Check] = ()
    ) -> None:
        self.project = project
        self.hookspecs = hookspecs
        self.checks = tuple(checks)

    @contextmanager
    def install(self, source: str | os.PathLike[str], *, timeout_s: float = 60.0) -> Iterator[PluginUnderTest]:
        """The plugin from `source`, until the block ends; `timeout_s` is for each call of a hook.

        Raises: ContractError: it doesn't fit the specifications. InstallError: it can't be installed.
        """
        with (
            tempfile.TemporaryDirectory(prefix="plughost-") as store,
            Host(self.project, store=store, hookspecs=self.hookspecs) as host,
        ):
            plugin = host.add(str(source)).plugin
            manager = manager_with(self.project, host.hookspecs)
            host.attach(manager, timeout_s=timeout_s)
            yield PluginUnderTest(host=host, manager=manager, plugin=plugin)

    def check(self, source: str | os.PathLike[str], *, timeout_s: float = 60.0) -> list[str]:
        """Install the plugin from `source` and run all checks on it; the names of those that passed.

        Raises: ExceptionGroup: what the checks raised, all of it. Else as `install`.
        """
        passed: list[str] = []
        failed: list[Exception] = []
        with self.install(source, timeout_s=timeout_s) as under_test:
            for check in self.checks:
                name = getattr(check, "__name__", repr(check))
                try:
                    check(under_test)
                except Exception as error:  # noqa: BLE001 - told of together, below
                    error.add_note(f"in the check `{name}` of `{self.project}`")
                    failed.append(error)
                else:
                    passed.append(name)
        if failed:
            raise ExceptionGroup(f"{len(failed)} of {len(self.checks)} checks failed", failed)
        return passed
