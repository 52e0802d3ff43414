"""The workers of a host's plugins: found by name, launched, lent for a call.

Above it: `Host` and the hooks that it attaches; below it: the registry, the pool and the first question that a plugin is asked.
"""

from __future__ import annotations

import errno

from plughost import registry
from plughost.call import describe, describe_exception
from plughost.errors import StoreError
from plughost.worker import Pool, Worker, launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost.paths import Store
    from plughost.registry import Installed

__all__ = ["Workers"]

#: How long a plugin may take to be imported and to say what it offers.
DESCRIBE_TIMEOUT_S = 120.0
#: What says that this process or the machine has no descriptors, processes or memory left: nothing is wrong with a plugin then.
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


class Workers:
    """Safe to use from several threads."""

    def __init__(self, store: Store, project: str) -> None:
        self.store = store
        self.project = project
        self.pool = Pool()
        #: The app's functions that its plugins may call, and the exceptions that they may raise, by name.
        self.offers: dict[str, object] = {}
        self.exception_types: dict[str, type[Exception]] = {}
        self._switches: dict[str, str] = {}
        self._found: dict[str, tuple[tuple[int, int], Installed]] = {}

    def names(self) -> list[str]:
        """The plugins that there are, sorted."""
        return registry.installed_names(self.store)

    def find(self, name: str) -> Installed:
        """The revision in force, read again only when it has changed.

        Raises: UsageError, UnknownError, StoreError: as `registry.find`.
        """
        switch = self._switches.get(name)
        if switch is None:
            switch = self._switches[name] = registry.switch(self.store, name)
        stamp = registry.stamp(switch)
        known = self._found.get(name)
        if known is not None:
            if known[0] == stamp:
                return known[1]
            self._found.pop(name, None)
            self.pool.retire(known[1].name)  # updated or removed by another process, maybe
        installed = registry.find_callable(self.store, name)
        if stamp is not None:
            self._found[name] = (stamp, installed)
        return installed

    def take(
        self, installed: Installed, *, env: Mapping[str, str] | None = None, may_be_held: bool = True
    ) -> tuple[Worker, Mapping[str, object]]:
        """A worker, and the manifest that holds for it: what an editable plugin offers may have changed since it was added.

        It is the one that this thread holds, where there is one and `may_be_held`.

        Raises: StoreError: the environment can't be started. PluginError, PluginCrashed, CallTimeout: an editable plugin can't
        describe itself any more.
        """

        def start() -> Worker:
            worker = self.launch(installed.name, installed.venv, env)
            worker.on_callback = lambda params: self._called_back(installed, worker, params)
            worker.on_output = lambda chunk: _log(installed.name, chunk)
            return worker

        worker = start() if env else self.pool.take((installed.name, installed.revision), start, may_be_held=may_be_held)
        if not installed.manifest.get("editable"):
            return worker, installed.manifest
        entry_points = installed.manifest.get("entry_points")
        assert isinstance(entry_points, dict)
        try:
            return worker, describe(worker, installed.name, entry_points, timeout_s=DESCRIBE_TIMEOUT_S)
        except BaseException:
            self.give_back(installed, worker)
            raise

    def give_back(self, installed: Installed, worker: Worker, *, reuse: bool = True) -> None:
        reuse = reuse and not installed.manifest.get("editable")
        self.pool.give_back((installed.name, installed.revision), worker, reuse=reuse)

    def hold(self, installed: Installed, worker: Worker) -> None:
        """Until `release`, what this thread calls of that plugin is sent to `worker`, and finds the same state."""
        self.pool.hold((installed.name, installed.revision), worker)

    def release(self, installed: Installed, worker: Worker) -> None:
        self.pool.release((installed.name, installed.revision), worker)

    def is_held(self, installed: Installed) -> bool:
        """Whether what this thread calls of that plugin goes to a process that is in the middle of a call."""
        return self.pool.is_held((installed.name, installed.revision))

    def _called_back(self, installed: Installed, worker: Worker, params: Mapping[str, object]) -> dict[str, object]:
        """What a function of the app's answers the plugin: a JSON-RPC `result` or `error`."""
        args, kwargs = params.get("args"), params.get("kwargs")
        self.hold(installed, worker)
        try:
            function = self._offered(str(params.get("name")))
            assert callable(function)
            return {"result": function(*(args if isinstance(args, list) else ()), **(kwargs if isinstance(kwargs, dict) else {}))}
        except Exception as error:  # noqa: BLE001 - the plugin's to handle
            return {"error": {"code": -32000, "message": str(error), "data": describe_exception(error)}}
        finally:
            self.release(installed, worker)

    def _offered(self, name: str) -> object:
        if name in self.offers:
            return self.offers[name]
        offered = ", ".join(f"`{known}`" for known in self.offers) or "nothing"
        raise LookupError(f"the app offers no function `{name}`; it offers {offered}")

    def describe_new(self, name: str, venv: str, entry_points: Mapping[str, str]) -> dict[str, object]:
        """Start a plugin for the first time, in the environment just made, and have it say what it offers."""
        worker = self.launch(name, venv)
        try:
            return describe(worker, name, entry_points, timeout_s=DESCRIBE_TIMEOUT_S)
        finally:
            worker.stop()

    def launch(self, name: str, venv: str, env: Mapping[str, str] | None = None) -> Worker:
        try:
            return launch(venv, name=name, project=self.project, bytecode=self.store.runner_bytecode, extra_environment=env)
        except OSError as error:
            full = error.errno in _USED_UP
            raise StoreError(
                f"The environment of `{name}` can't be started",
                reference="venv-missing",
                causes=[str(error)],
                hint="Make fewer calls at once, or raise this process's limits: `ulimit -a` shows them"
                if full
                else f"Add it again with `--force`: `info {name}` shows from where",
            ) from error


def _log(plugin: str, chunk: bytes) -> None:
    """What a plugin prints, where nobody asked for it: records of the logger `plughost.plugin.NAME`, a line each."""
    import logging

    logger = logging.getLogger(f"plughost.plugin.{plugin}")
    if logger.isEnabledFor(logging.INFO):
        for line in chunk.decode("utf-8", "replace").splitlines():
            logger.info("%s", line)
