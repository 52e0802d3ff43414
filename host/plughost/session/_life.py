"""The process of a session: started, lost, and started again, its state lost.

Above it: sessions; below it: the workers. Whoever uses it has the session's turn, but for `is_mid_call` and `interrupt`.
"""

from __future__ import annotations

from plughost._workers import DESCRIBE_TIMEOUT_S
from plughost.call import describe
from plughost.errors import CallTimeout, LimitExceeded, PluginCrashed, UnknownError, UsageError
from plughost.worker import IS_POSSIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plughost._workers import Workers
    from plughost.errors import PlughostError
    from plughost.registry import Installed
    from plughost.session._turn import Turn
    from plughost.worker import Worker

__all__ = ["Life", "is_refusal"]


class Life:
    """`start` starts a process. It is begun by the first that wants it."""

    def __init__(self, workers: Workers, installed: Installed, turn: Turn, start: Callable[[], Worker]) -> None:
        self._workers = workers
        self._installed = installed
        self._turn = turn
        self._start = start
        self._worker: Worker | None = None
        self._manifest: Mapping[str, object] = installed.manifest
        #: The process that was lost with its state, until somebody is told.
        self._lost: Worker | None = None
        #: Whether it was lost because somebody cancelled a call.
        self._was_called_off = False
        #: How many calls it has had: without one, it has no state that could be lost.
        self._calls = 0
        self._starts = 0

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self._starts - 1)

    @property
    def pid(self) -> int:
        """0 where there is none."""
        worker = self._worker
        return worker.pid if worker is not None and worker.alive else 0

    @property
    def ready(self) -> Worker | None:
        """The process, if there is one that has answered a call, and nothing that somebody has to be told first."""
        worker = self._worker
        return worker if worker is not None and worker.alive and self._calls and self._lost is None else None

    @property
    def manifest(self) -> Mapping[str, object]:
        """What the process offers, if there is one."""
        return self._manifest

    @property
    def is_mid_call(self) -> bool:
        """Whether this thread is in a function of the app's that the process has called."""
        held = self._workers.pool.find_held((self._installed.name, self._installed.revision))
        return held is not None and held is self._worker

    def begin(self, what: str) -> tuple[Worker, Mapping[str, object]]:
        """The process, for one more call, and the manifest that holds for it.

        Raises: PluginCrashed: it has ended since the last call, and with it the state; this is said once. What starting it does.
        """
        if self.is_mid_call:
            assert self._worker is not None
            return self._worker, self._manifest
        worker = self._worker
        if worker is not None and (not worker.alive or (self._calls and worker.has_ended())):
            worker.kill()
            self.lose()
        if (lost := self._lost) is not None:
            self._lost = None
            raise _lost(self._since_last_call(lost.crashed(what)))
        return self.run(), self._manifest

    def _since_last_call(self, error: PlughostError) -> PlughostError:
        """The error for a process that nobody was waiting for when it ended; a limit's end is called by its name."""
        if isinstance(error, LimitExceeded):
            return error
        return PluginCrashed(
            f"The process of a session of `{self._installed.name}` has ended since the last call that it answered",
            reference="session-lost",
            causes=["A call was cancelled in the middle"] if self._was_called_off else [error.message, *error.causes],
        )

    def run(self) -> Worker:
        """The process, which is started where there is none."""
        if self._worker is None:
            worker = self._start()
            try:
                self._manifest = self._described(worker)
            except BaseException:
                worker.kill()
                raise
            worker.leave_idle = self._ended_idle
            if IS_POSSIBLE:
                self._workers.pool.watcher.watch(worker)
            self._worker, self._calls, self._was_called_off = worker, 0, False
            self._starts += 1
        return self._worker

    def note(self, error: BaseException | None = None, *, is_called_off: bool = False) -> None:
        """A call has ended. An error that says that the process is gone says so of the state, too, unless nobody hears of it."""
        worker = self._worker
        if worker is None:
            return
        if error is not None and is_refusal(error) and worker.alive:
            worker.leave()  # it has not even said that it has started, perhaps: that is still to be read
            return
        self._calls += 1
        is_over = is_called_off or isinstance(error, CallTimeout)  # an event loop leaves the process to us
        if worker.alive and (is_over or not self._may_go_on(worker, error)):
            worker.stop()
        if worker.alive:
            worker.leave()
            return
        self.lose()
        self._was_called_off = is_called_off
        if is_called_off or error is None:
            return
        if isinstance(error, PluginCrashed | CallTimeout):
            self._lost = None
            _lost(error)
        elif self._calls == 1:  # there was nothing to lose
            self._lost = None

    def _may_go_on(self, worker: Worker, error: BaseException | None) -> bool:
        """Whether the state is worth more than what is wrong with the process: memory that is used up may be given back.

        What an import that fails has left behind isn't, where there is no state yet.
        """
        return worker.reusable or self._calls > 1 or isinstance(error, MemoryError)

    def lose(self) -> None:
        """It is gone."""
        self._lost = self._worker if self._calls else None
        self._worker = None

    def interrupt(self) -> None:
        """From any thread: end it, with what it does."""
        worker = self._worker
        if worker is not None and worker.alive:
            worker.interrupt()

    def retire(self) -> None:
        """It will not be called any more: end it, without waiting for that."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._workers.pool.watcher.dispose(worker)

    def stop(self) -> None:
        """End it, and wait for that."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    def _described(self, worker: Worker) -> Mapping[str, object]:
        entry_points = self._installed.manifest.get("entry_points")
        if not self._installed.manifest.get("editable") or not isinstance(entry_points, dict):
            return self._installed.manifest
        manifest = describe(worker, self._installed.name, entry_points, timeout_s=DESCRIBE_TIMEOUT_S)
        worker.channel.count_from_here()
        return manifest

    def _ended_idle(self, worker: Worker) -> bool:
        """The watcher's: the process has ended. In the middle of a call, whoever waits for it sees to that."""
        if worker is self._worker and self._turn.take(0):
            try:
                worker.kill()
                self.lose()
            finally:
                self._turn.give_back()
        return False


def is_refusal(error: BaseException) -> bool:
    """Whether it says that the call was none: the plugin was not asked."""
    return isinstance(error, UsageError | UnknownError)


def _lost(error: PlughostError) -> PlughostError:
    """The error, which says what it means for the session."""
    error.causes = (*error.causes, "The state of its session is lost; the session's files are kept")
    error.hint = (
        f"{error.hint}; the next call starts afresh" if isinstance(error, LimitExceeded) else "The next call starts afresh"
    )
    return error
