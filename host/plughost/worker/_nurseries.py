"""The nurseries of a host, by plugin and revision.

Above it: the host; below it: `Nursery`. A plugin's nursery begins with its second call, since a program that makes only one gains
nothing by it. Until it is ready, and where it can't be, calls have workers that are started for them.
"""

from __future__ import annotations

import _thread
import time

from plughost import _process
from plughost.worker._nursery import IS_FORKING, Nursery
from plughost.worker._watch import IS_POSSIBLE
from plughost.worker._worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plughost.worker._nursery import Held
    from plughost.worker._pool import Pool
    from plughost.worker._surroundings import Surroundings

    Key = tuple[str, str]
    Confine = Callable[[], Held | None]

__all__ = ["Nurseries"]


#: How often they are looked at, as a part of the time for which they may be unused.
_LOOKS_A_TIME = 4


def _modules_of(manifest: Mapping[str, object]) -> list[str]:
    """The modules that the plugin's entry points name."""
    entry_points = manifest.get("entry_points")
    targets = entry_points.values() if isinstance(entry_points, dict) else ()
    return sorted({str(target).partition(":")[0].partition("[")[0].strip() for target in targets})


def _targets_of(manifest: Mapping[str, object]) -> list[str]:
    """What its tools and hook implementations are."""
    offered = [each for name in ("tools", "hooks") if isinstance(each := manifest.get(name), list)]
    return sorted({str(each["target"]) for all_of_them in offered for each in all_of_them if "target" in each})


class Nurseries:
    """Safe for several threads, and in a forked copy of the process.

    They end when nobody has used them for as long as a worker of `pool` may be idle.
    """

    def __init__(
        self,
        pool: Pool,
        project: str,
        bytecode: str,
        surroundings: Surroundings | None = None,
        *,
        told: Mapping[str, object] | None = None,
    ) -> None:
        """`told` is what each process is told besides."""
        self._pool, self._project, self._bytecode, self._surroundings = pool, project, bytecode, surroundings
        self._told = told
        self._closes_at_exit = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._nurseries: dict[Key, Nursery | None] = {}  # None: called once
        self._lock = _thread.RLock()
        self._looks = False

    def fork(self, key: Key, venv: str, manifest: Mapping[str, object], confine: Confine) -> Worker | None:
        """A worker of that plugin and revision, which has imported it; None where one has to be started.

        Raises: SandboxError: what it is to be confined by can't be enforced here.
        """
        if not IS_FORKING:
            return None
        with self._lock:
            is_first = key not in self._nurseries
            nursery = self._nurseries.get(key)
            if is_first:
                self._nurseries[key] = None
            elif nursery is None or nursery.is_of_no_use:
                nursery = self._begin_again(key, venv, manifest, confine, nursery)
        try:
            return nursery.fork() if nursery is not None else None
        except OSError:  # no process, descriptor or memory left: whoever starts a worker will find that too, and say so
            return None

    def fork_ahead(self, key: Key) -> None:
        """Have a worker ready for the next call, now that there is time for it."""
        nursery = self._nurseries.get(key)
        if nursery is not None:
            nursery.fork_ahead()

    def warm(self, key: Key, venv: str, manifest: Mapping[str, object], confine: Confine, *, timeout_s: float) -> None:
        """Have the nursery ready before there is a call; where that can't be, calls will do without.

        Raises: as `fork` does.
        """
        if not IS_FORKING:
            return
        with self._lock:
            nursery = self._nurseries.get(key)
            if nursery is None or nursery.is_of_no_use:
                nursery = self._begin_again(key, venv, manifest, confine, nursery)
        if nursery is not None:
            nursery.is_ready(timeout_s)

    def _begin_again(
        self, key: Key, venv: str, manifest: Mapping[str, object], confine: Confine, before: Nursery | None
    ) -> Nursery | None:
        """With the lock: the nursery that is used from now on."""
        if before is not None:
            before.close(self._pool.watcher.dispose)
        nursery = self._nurseries[key] = self._begin(key, venv, manifest, confine)
        return nursery

    def _begin(self, key: Key, venv: str, manifest: Mapping[str, object], confine: Confine) -> Nursery | None:
        if not self._closes_at_exit:
            import atexit

            self._closes_at_exit = True
            _process.own(self)
            atexit.register(self.close)
        self._look_later()
        try:
            nursery = Nursery(
                venv,
                _modules_of(manifest),
                _targets_of(manifest),
                watcher=self._pool.watcher,
                name=key[0],
                project=self._project,
                bytecode=self._bytecode,
                surroundings=self._surroundings,
                told=self._told,
                confine=confine,
            )
        except OSError:  # as in `fork`
            return None
        self._pool.guards.attach(nursery.parent, key[0], is_nursery=True)
        return nursery

    def retire(self, plugin: str) -> None:
        """End the nurseries of a plugin whose revision is no longer the one in force."""
        self._end(lambda key, _: key[0] == plugin)

    def _look_later(self) -> None:
        """With the lock: see to it that what nobody uses ends in time."""
        idle_s = self._pool.limits.idle_s
        if idle_s is not None and IS_POSSIBLE and not self._looks:
            self._looks = True
            self._pool.watcher.call_later(idle_s / _LOOKS_A_TIME, self._look)

    def _look(self) -> None:
        """In the watcher's thread: end what nobody has used for too long."""
        idle_s = self._pool.limits.idle_s
        assert idle_s is not None
        latest = time.monotonic() - idle_s
        self._end(lambda _, nursery: nursery.used_at <= latest, self._pool.watcher.dispose)
        with self._lock:
            self._looks = False
            if any(self._nurseries.values()):
                self._look_later()

    def close(self) -> None:
        """End all of them; those of whose workers some are in use, after these."""
        self._end(lambda _key, _nursery: True)

    def _end(self, is_meant: Callable[[Key, Nursery], bool], stop: Callable[[Worker], None] = Worker.stop) -> None:
        with self._lock:
            ended = {key: each for key, each in self._nurseries.items() if each is not None and is_meant(key, each)}
            for key in ended:
                del self._nurseries[key]
        for nursery in ended.values():
            nursery.close(stop)

    def forget(self) -> None:
        """In a forked copy of this process: the nurseries are the original's, and so may be whoever holds the lock."""
        self._begin_anew()
