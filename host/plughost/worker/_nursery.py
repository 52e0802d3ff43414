"""Workers that are forked, one for each call, from a process that has imported the plugin: its *nursery*.

Above it: the host, which knows whose calls want it; below it: the nursery's process, and the kernel. To all else a forked worker
is a `Worker` like any other. They are forked ahead, and nobody waits for that.
"""

from __future__ import annotations

import _thread
import os
import time

from plughost import _kernel
from plughost.runner.wire import WireError
from plughost.worker._asking import Asking, Order
from plughost.worker._channel import Channel, ChannelClosed
from plughost.worker._deadline import DEADLINE
from plughost.worker._exchange import STOP_GRACE_S
from plughost.worker._forked import ForkedChild, ForkedWorker
from plughost.worker._launch import launch, wanted_level
from plughost.worker._reserve import CALM_S, Reserve
from plughost.worker._worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost.sandbox import Confinement
    from plughost.worker._surroundings import Surroundings
    from plughost.worker._watch import Timer, Watcher

__all__ = ["IS_FORKING", "Held", "Nursery"]

#: Elsewhere each call has a worker that was started for it.
IS_FORKING = _kernel.LINUX and hasattr(os, "pidfd_open")

#: Libraries for linear algebra start threads when they are imported, and no process with threads is forked. The app's own
#: environment may say otherwise.
ONE_THREAD = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

#: To fork takes a millisecond for every 100 MiB or so; a nursery that takes longer than this was stopped.
_ANSWERS_WITHIN_S = 10.0
#: For how long calls wait for the import of a nursery that has just begun. What has little time may miss its end by as much.
_AWAITED_S = 2.0
#: How soon after a call there is time for what follows of it, and for the next ones.
_TEND_AFTER_S = 0.005
#: How many may be about to end while calls go on.
_MOST_PARTING = 8
#: Why nothing is asked any more of a process that gives answers which can't be.
_LYING = "of no use: its import has it break the protocol"
#: How long one that said goodbye is left to itself before it is watched.
_ENDS_WITHIN_S = 0.05


def without_threads() -> dict[str, str]:
    """What the environment of a process has that is to be forked."""
    return {name: os.environ.get(name, "1") for name in ONE_THREAD}


class Held:
    """What a process is confined by; `drop` lets go of it once the process is gone."""

    __slots__ = ("confinement", "drop")

    def __init__(self, confinement: Confinement, drop: Callable[[], None]) -> None:
        self.confinement = confinement
        self.drop = drop


class Nursery:
    """The nursery of one plugin in one environment. Safe for several threads.

    Its process imports `modules`, where the `targets` are that will be called. Calls wait for that a moment, as they would for a
    worker of their own; where it takes longer, `fork` gives nothing until it is done. Where the import fails, or leaves threads
    behind, it never does, and `reason` says why.

    Raises: OSError: the environment is gone, or its interpreter can't be started.
    """

    def __init__(
        self,
        venv: str,
        modules: Sequence[str],
        targets: Sequence[str],
        *,
        watcher: Watcher,
        name: str,
        project: str,
        bytecode: str,
        surroundings: Surroundings | None = None,
        told: Mapping[str, object] | None = None,
        confine: Callable[[], Held | None] = lambda: None,
    ) -> None:
        """`confine` gives what its process is confined by, and who is told once that is gone."""
        self._name, self._project = name, project
        #: Why there are no forked workers, once that is known.
        self.reason = ""
        self.used_at = time.monotonic()
        self._awaited_until = self.used_at + _AWAITED_S
        self._lock = _thread.RLock()
        self._asking = Asking()
        self._orders: list[Order] = []
        self._reserve = Reserve()
        #: Those that said goodbye; the request by which some of them are reaped, and these.
        self._parting: list[ForkedWorker] = []
        self._reaping: tuple[int, list[ForkedWorker]] | None = None
        self._watcher = watcher
        self._timer: Timer | None = None
        self.log_level = wanted_level(name)
        #: Those that live, or have not been reaped.
        self.children: set[int] = set()
        self._is_ready = self._is_closing = False
        self._stop: Callable[[Worker], None] = Worker.stop
        held = confine()
        self._confinement = held.confinement if held else None
        try:
            self._parent = launch(
                venv,
                name=name,
                project=project,
                bytecode=bytecode,
                extra_environment=without_threads(),
                make_input=self._asking.make_socket,
                arguments=("nursery",),
                surroundings=surroundings,
                asked=told,
                confinement=self._confinement,
            )
        except BaseException:
            if held:
                held.drop()
            raise
        if held:
            self._parent.on_end = held.drop
        self._asking.begin(self._parent)
        self._greeting = self._asking.send("nurse", {"modules": list(modules), "targets": list(targets)})

    @property
    def pid(self) -> int:
        return self._parent.pid

    @property
    def parent(self) -> Worker:
        """The process that forks, for whoever watches it."""
        return self._parent

    def is_ready(self, timeout_s: float = 0.0) -> bool:
        """Whether it has imported the plugin and can fork; waits for that, at most `timeout_s`."""
        with self._lock:
            if self._is_ready or self.reason:
                return self._is_ready
            try:
                answer = self._asking.answer(self._greeting, timeout_s)
            except TimeoutError:
                return False
            except ChannelClosed:
                self._give_up("of no use: its import ended the process")
                return False
            except WireError:
                self._give_up(_LYING)
                return False
            result = answer.get("result")
            reason = result.get("fork") if isinstance(result, dict) else "of no use: the nursery can't be asked"
            if reason:
                self._give_up(str(reason))
                return False
            self._is_ready = True
            self._orders.append(self._asking.order())
            return True

    def fork(self) -> Worker | None:
        """A worker that has the plugin imported; None where there is none, or none yet: start one.

        Raises: OSError: there is no process, descriptor or memory left.
        """
        worker = None if self._has_ended() else self._reserve.take()
        if worker is not None:
            self.used_at = time.monotonic()
            return worker
        until = self._until()
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):
            return None
        try:
            if self._is_closing or not self.is_ready(max(0.0, until - time.monotonic())):
                return None
            self.used_at = time.monotonic()
            return self._taken()
        except WireError:
            self._give_up(_LYING)
            return None
        except (ChannelClosed, TimeoutError, BrokenPipeError, ConnectionError, BlockingIOError):
            self._give_up("")
            return None
        finally:
            self._lock.release()

    def _has_ended(self) -> bool:
        return _kernel.has_ended(self._parent.channel.exit_fd)

    def _taken(self) -> Worker:
        """With the lock. Raises: ChannelClosed: what forks them has ended."""
        if self._has_ended():
            raise ChannelClosed
        return self._reserve.take() or self._forked()

    def _forked(self) -> Worker:
        """With the lock: one that is not ready yet, or has to be asked for; and a further one is, while this one is at work."""
        self._reserve.note_lack()
        worker = None
        while worker is None:
            order = self._orders.pop(0) if self._orders else self._asking.order()
            worker = self._delivered(order)
        if not self._orders:
            self._orders.append(self._asking.order())
        return worker

    def fork_ahead(self) -> None:
        """Have children ready for the next calls, when there is time; not waited for."""
        timer = self._timer
        if self._is_ready and not self._is_closing and (timer is None or timer.at - time.monotonic() > _TEND_AFTER_S):
            if timer is not None:
                timer.cancel()
            self._timer = self._watcher.call_later(_TEND_AFTER_S, self._tend)

    def part_with(self, worker: ForkedWorker) -> bool:
        """Meet the end of a worker that was dismissed, when there is time; false where that is not for the nursery to do."""
        if self._is_closing or not self._is_ready or not self._parent.alive:
            return False
        self.used_at = time.monotonic()
        self._parting.append(worker)
        self.fork_ahead()
        return True

    def _tend(self) -> None:
        """In the watcher's thread, after calls: see to those that have ended, and to the reserve. Nothing is waited for."""
        self._timer = None
        if not self._lock.acquire(blocking=False):
            self.fork_ahead()
            return
        try:
            if not self._is_closing and self._parent.alive and self._is_ready:
                self._see_to_all()
        except WireError:
            self._give_up(_LYING)
        except (BrokenPipeError, ChannelClosed, ConnectionError):
            self._give_up("")
        except OSError:  # no descriptors or no processes are left, for the moment
            self._timer = self._watcher.call_later(CALM_S, self._tend)
        finally:
            self._lock.release()

    def _see_to_all(self) -> None:
        is_quiet = time.monotonic() - self.used_at >= _TEND_AFTER_S
        if is_quiet or len(self._parting) >= _MOST_PARTING:
            self._meet_ends()
        if is_quiet:
            self._take_ready()
            for worker in self._reserve.superfluous(self.used_at):
                worker.kill()
            while len(self._reserve) + len(self._orders) < self._reserve.size:
                self._orders.append(self._asking.order())
        if self._parting or self._reaping or self._orders or not is_quiet:
            self.fork_ahead()
        elif self._reserve.size > 1:
            self._timer = self._watcher.call_later(CALM_S, self._tend)

    def _take_ready(self) -> None:
        """Into the reserve, those of the children asked for that are there."""
        while self._orders:
            try:
                worker = self._delivered(self._orders[0], timeout_s=0.0)
            except TimeoutError:
                return
            except OSError:
                del self._orders[0]
                raise
            del self._orders[0]
            if worker is not None:
                self._reserve.add(worker)

    def _meet_ends(self) -> None:
        """Of those that said goodbye: have them reaped that have ended, all at once, and let go of those that are."""
        if self._reaping is not None:
            number, workers = self._reaping
            try:
                ends = _ends_in(self._asking.answer(number, 0.0), len(workers))
            except TimeoutError:
                return
            self._reaping = None
            self._let_go(workers, ends)
        parting, self._parting = self._parting, []
        gone = [worker for worker in parting if worker.is_over()]
        latest = time.monotonic() + STOP_GRACE_S - _ENDS_WITHIN_S
        for worker in parting:
            if worker not in gone:
                if worker.goodbye_until < latest:
                    worker.hurry()
                    self._watcher.see_off(worker)
                else:
                    self._parting.append(worker)
        if gone:
            self._reaping = self._asking.send("reap", {"pids": [worker.pid for worker in gone]}), gone

    def _let_go(self, workers: Sequence[ForkedWorker], ends: Sequence[tuple[int, int] | None]) -> None:
        """Of workers that were reaped. What one has left that has gone from its group bears its mark, and is killed."""
        first = min(worker.pid for worker in workers) if all(worker.is_young() for worker in workers) else 0
        marks = _kernel.borne_marks(after=first, known=self.children)
        for worker, end in zip(workers, ends, strict=True):
            code, peak_kib = end or (0, 0)
            worker.know_end(code, peak_kib * 1024)
            self.children.discard(worker.pid)
            worker.part(is_clean=worker.await_goodbye() and worker.mark not in marks)

    def _until(self) -> float:
        """How long a call waits for the process: a `time.monotonic()`."""
        until = time.monotonic() + _ANSWERS_WITHIN_S if self._is_ready else self._awaited_until
        deadline = DEADLINE.get()
        return until if deadline is None else min(until, deadline.at)

    @property
    def is_of_no_use(self) -> bool:
        """Whether a new one has to be begun: its process has ended, or the app wants other log records by now."""
        return not self.reason and (not self._parent.alive or self.log_level != wanted_level(self._name))

    def reap(self, child: ForkedChild) -> int | None:
        """The exit code of a child that has ended, which is then the child's `returncode`; None if it has not ended."""
        with self._lock:
            if child.returncode is not None:  # another thread was faster
                return child.returncode
            code = _kernel.UNKNOWN  # to all once the nursery is gone
            if self._parent.alive and not child.wants_code:
                self._tell_to_reap(child.pid)
            elif self._parent.alive:
                try:
                    number = self._asking.send("reap", {"pids": [child.pid]})
                    (end,) = _ends_in(self._asking.answer(number, _ANSWERS_WITHIN_S), 1)
                except (ChannelClosed, TimeoutError, WireError, OSError):
                    self._give_up("")
                else:
                    if end is None:
                        return None
                    code, _ = end
            child.returncode = code
            self.children.discard(child.pid)
            if self._is_closing:
                self._end()
            return child.returncode

    def _tell_to_reap(self, pid: int) -> None:
        """Of one that is known to have ended, and whose exit code nobody asks for: nothing is waited for."""
        try:
            self._asking.tell("reap", {"pids": [pid]})
        except OSError:
            self._give_up("")

    def close(self, stop: Callable[[Worker], None] = Worker.stop) -> None:
        """End the process by `stop`: now, or once those of its children have ended that serve calls."""
        with self._lock:
            self._is_closing, self._stop = True, stop
            self._end()

    def _end(self) -> None:
        self._drop_spares(Worker.stop)
        if not self.children and self._parent.alive:
            self._stop(self._parent)

    def _give_up(self, reason: str) -> None:
        self.reason = reason
        self._drop_spares(self._watcher.see_off)
        if self._parent.alive:
            self._parent.interrupt()  # alone: its children serve calls, and are nobody's descendants once it is gone
            self._parent.kill()

    def _drop_spares(self, stop: Callable[[Worker], None]) -> None:
        """And see those off, by `stop`, that are about to end: nobody else will."""
        orders, self._orders = self._orders, []
        for order in orders:
            if not self._parent.alive:
                order.cancel()
                continue
            try:
                worker = self._delivered(order)
            except (ChannelClosed, TimeoutError, WireError, OSError):
                continue
            if worker is not None:
                worker.kill()
        while (spare := self._reserve.take()) is not None:
            spare.kill()
        _, reaped = self._reaping or (0, [])
        parting, self._parting, self._reaping = [*reaped, *self._parting], [], None
        for ending in parting:
            stop(ending)

    # With the lock.

    def _delivered(self, order: Order, *, timeout_s: float = _ANSWERS_WITHIN_S) -> ForkedWorker | None:
        """The worker that was asked for.

        Raises: OSError: it could not be forked. ChannelClosed, TimeoutError, WireError: the nursery is of no use any more;
        unless it had no time to answer.
        """
        try:
            pid = _pid_in(self._asking.answer(order.number, timeout_s))
            # It is signalled by that number, and killed. An import may have it be anybody's.
            if pid <= 1 or _kernel.parent_of(pid) != self._parent.pid:
                raise WireError("a process that it has not forked")  # noqa: TRY301 - see below
        except TimeoutError:
            if timeout_s:
                order.cancel()
            raise
        except BaseException:
            order.cancel()
            raise
        child = ForkedChild(pid, self, lifeline=order.lifeline, family=order.family)
        self.children.add(pid)
        channel = Channel(stdin=order.stdin, stdout=order.stdout, stderr=order.stderr, exit_fd=child.exit_descriptor())
        worker = ForkedWorker(child, channel, self, name=self._name, project=self._project)
        if self._confinement is not None:
            worker.confinement = self._confinement.of_fork(order.family)
            if self._confinement.may_hand_over:
                child.tie()
        if worker.has_ended():
            worker.kill()
            return None
        return worker


def _ends_in(answer: dict[str, object], count: int) -> list[tuple[int, int] | None]:
    """Of each process that was to be reaped its exit code and the most KiB that it has had; None if it runs still.

    Raises: WireError: the answer isn't that.
    """
    ends = answer.get("result")
    if not isinstance(ends, list) or len(ends) != count:
        raise WireError("not the ends of those that it was asked for")
    return [_end_in(end) for end in ends]


def _end_in(end: object) -> tuple[int, int] | None:
    match end:
        case None:
            return None
        case [int(code), int(peak_kib)]:
            return code, peak_kib
    raise WireError("not an end")


def _pid_in(answer: dict[str, object]) -> int:
    """Raises: OSError: it could not be forked."""
    pid, problem = answer.get("result"), answer.get("error")
    if isinstance(pid, int):
        return pid
    data = problem.get("data") if isinstance(problem, dict) else None
    number = data.get("errno") if isinstance(data, dict) else None
    raise OSError(number if isinstance(number, int) else 0, "the nursery can't fork")
