"""A call under way: asked for, and to be waited for or cancelled later.

Above it: `Caller`; below it: the workers. No thread waits for it: its answer is taken by whoever asks for that, in that thread.
"""

from __future__ import annotations

import _thread
import sys
from typing import TYPE_CHECKING

from plughost._pending import see_through
from plughost.call import ToolCall, choose_tool, conclude
from plughost.errors import CallCancelled, PluginCrashed, PluginError
from plughost.worker import CANCEL_GRACE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost._workers import Workers
    from plughost.call import Output
    from plughost.journal import Recording
    from plughost.registry import Installed
    from plughost.worker import Exchange, Worker

__all__ = ["Call", "submit"]


class Call:
    """A call under way, with the names that `concurrent.futures.Future` has. Safe for several threads.

    One that nobody refers to any more runs to its end, and its result is lost.
    """

    def __init__(
        self,
        workers: Workers,
        installed: Installed,
        tool: Mapping[str, object],
        worker: Worker,
        exchange: Exchange,
        output: Output,
        recording: Recording,
    ) -> None:
        self.plugin = installed.name
        self.tool = str(tool["name"])
        self._workers = workers
        self._installed = installed
        self._declared = tool
        self._worker = worker
        self._exchange = exchange
        self._output = output
        self._recording = recording
        self._turn = _thread.allocate_lock()  # of the one thread that reads
        self._is_cancelled = False
        self._is_over = False
        self._result: object = None
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Call {self.plugin}:{self.tool}, {'over' if self._is_over else 'under way'}>"

    def done(self) -> bool:
        """Whether `result` would not wait."""
        if not self._is_over and self._turn.acquire(blocking=False):
            try:
                self._look(0.0)
            finally:
                self._turn.release()
        return self._is_over

    def cancelled(self) -> bool:
        """Whether it was cancelled before it had an answer."""
        return self.done() and isinstance(self._error, CallCancelled)

    def result(self, timeout_s: float | None = None) -> object:
        """The tool's value; of a stream, the list of its items.

        Raises: TimeoutError: there is none after `timeout_s` seconds, and the call goes on. CallCancelled: by `cancel`. Else as
        `Caller.invoke` does.
        """
        error = self.exception(timeout_s)
        try:
            if error is not None:
                raise error
        finally:
            del error  # else its traceback refers to this frame, and this frame to it
        return self._result

    def exception(self, timeout_s: float | None = None) -> BaseException | None:
        """What `result` would raise.

        Raises: TimeoutError: as `result` does.
        """
        if not self._turn.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise TimeoutError(self._unanswered(timeout_s))
        try:
            self._look(timeout_s)
        finally:
            self._turn.release()
        if not self._is_over:
            raise TimeoutError(self._unanswered(timeout_s))
        return self._error

    def cancel(self) -> bool:
        """Have the plugin end it as by Ctrl-C, so that its `finally` runs; after the grace, its process tree is killed.

        False: it had its answer before.
        """
        if self.done():
            return False
        self._is_cancelled = True
        self._worker.cancel_nowait()
        killer = self._workers.pool.watcher.call_later(CANCEL_GRACE_S, self._worker.interrupt)
        try:
            self.exception()
        finally:
            killer.cancel()
        return self.cancelled()

    def _unanswered(self, timeout_s: float | None) -> str:
        return f"`{self.plugin}:{self.tool}` has not answered within {timeout_s or 0:g} s, and goes on"

    def _look(self, timeout_s: float | None) -> None:
        """See whether the answer comes within the time. Whoever calls this has the turn."""
        if self._is_over:
            return
        try:
            if not see_through([self._exchange], timeout_s=timeout_s):
                return
            self._result = conclude(self._exchange, self.plugin, self._declared)
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):  # Ctrl-C here, in the thread that waits
                self._worker.cancel()
                self._end()
                raise
        self._end()

    def _end(self) -> None:
        self._is_over = True
        if self._is_cancelled and (self._error is None or isinstance(self._error, PluginError | PluginCrashed)):
            self._error = CallCancelled(f"`{self.plugin}:{self.tool}` was cancelled")
        self._output.leave(self._worker)
        self._recording.end(self._error)
        self._workers.give_back(self._installed, self._worker, aside=True)
        if isinstance(self._error, PluginError | PluginCrashed):
            try:
                self._workers.blame_environment(self._installed, self._error)
            except Exception as error:  # noqa: BLE001 - for `result` to raise
                self._error = error

    def __del__(self) -> None:
        if not self._is_over and not sys.is_finalizing():
            self._workers.pool.let_finish(self._worker)


def submit(
    workers: Workers,
    installed: Installed,
    tool: str | None,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    *,
    make_output: Callable[[str, Mapping[str, object]], Output],
) -> Call:
    """Ask for a call. Raises: as `Caller.invoke` does, as far as that shows before there is an answer."""
    worker, manifest = workers.take(installed, may_be_held=False)
    try:
        chosen = choose_tool(installed.name, manifest, tool)
        recording = workers.recording(installed, worker, str(chosen["name"]), args, kwargs)
        output = make_output(installed.name, chosen)
        try:
            exchange = ToolCall(installed.name, chosen, args, kwargs, output=output).begin(worker)
        except BaseException as error:
            recording.end(error)
            raise
    except BaseException:
        workers.give_back(installed, worker)
        raise
    return Call(workers, installed, chosen, worker, exchange, output, recording)
