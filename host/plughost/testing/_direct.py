"""A twin of a host that runs a plugin in this very process: a debugger stops in it, and the values are those of the wire.

Above it: tests, and people who look for a fault; below it: `Caller`, and the runner, which serves in a thread what it serves in a
child otherwise. There is no isolation: what the plugin prints, changes or breaks is this process's own.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import types
from importlib import import_module
from typing import TYPE_CHECKING

from plughost._caller import Caller
from plughost._workers import Workers
from plughost.errors import UnknownError, UsageError
from plughost.paths import Store
from plughost.registry import Installed, State
from plughost.runner import wire
from plughost.worker import Channel, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost._policies import GivenPolicy
    from plughost.errors import PluginCrashed, PluginError
    from plughost.policy import Policy
    from plughost.runner.carrier import Carrier
    from plughost.session import Sessions

__all__ = ["Direct"]

_READ_BYTES = 1 << 16


class Direct(Caller):
    """`host = Direct("weather", {"weather": "weather:forecast"})`, and then `call`, `stream`, `attach` as of a `Host`.

    `entry_points` are name → `module:object`, of the project's group. Arguments and results are copied by the rules of the wire,
    and errors are those that a `Host` raises; but what has run out of time goes on in its thread.

    Raises: PluginError: the plugin can't be imported. DescribeError: an entry point is nothing that can be called.
    """

    def __init__(self, name: str, entry_points: Mapping[str, str], *, project: str = "plughost") -> None:
        workers = _DirectWorkers(name, entry_points, project)
        super().__init__(lambda: workers)

    @property
    def sessions(self) -> Sessions:
        """Raises: UsageError: what the plugin keeps is in this process, and there is one of it."""
        raise UsageError(
            "A plugin that runs in process has no sessions",
            causes=["What it keeps in its modules is this process's, and is there for each further call"],
            hint="Call its tools one after the other, or use a `Host`",
        )


class _DirectWorkers(Workers):
    """Of one plugin, which is not installed; its workers are threads."""

    def __init__(self, name: str, entry_points: Mapping[str, str], project: str) -> None:
        super().__init__(Store(os.devnull, project), project)
        known: dict[str, object] = {"name": name, "version": "0", "venv": "direct", "entry_points": dict(entry_points)}
        manifest = {**known, **self.describe_new(name, "", entry_points)}
        self._installed = Installed(self.store, name, "direct", manifest, State("direct"))

    def names(self) -> list[str]:
        return [self._installed.name]

    def find(self, name: str) -> Installed:
        if name != self._installed.name:
            raise UnknownError(
                f"No plugin named `{name}` runs here", reference="plugin-unknown", hint=f"It is `{self._installed.name}`"
            )
        return self._installed

    def blame_environment(self, installed: Installed, error: PluginError | PluginCrashed) -> None:
        """It has none."""

    def are_shared(self, _installed: Installed) -> bool:
        """A thread serves one call at a time."""
        return False

    def launch(
        self,
        name: str,
        _venv: str,
        _env: Mapping[str, str] | None = None,
        *,
        policy: Policy,  # noqa: ARG002 - there is no process that could be kept to one
        own: Sequence[str] = (),  # noqa: ARG002 - likewise
        work: str = "",  # noqa: ARG002 - likewise
        asked: Mapping[str, object] | None = None,
        caller: GivenPolicy | None = None,  # noqa: ARG002 - as for `policy`
    ) -> Worker:
        (requests, our_in), (our_out, replies) = os.pipe(), os.pipe()
        nothing, held = os.pipe()  # where a child's output would come from
        channel = Channel(stdin=our_in, stdout=our_out, stderr=nothing, exit_fd=-1)
        return Worker(_Thread(requests, replies, held), channel, name=name, project=self.project, asked=asked)


class _Thread:
    """In a child process's place: the runner's loop, in a thread. It can't be killed; it ends with its conversation."""

    family = ""
    returncode: int | None = None
    is_measured = False
    wants_code = False
    peak_bytes = 0

    def __init__(self, requests: int, replies: int, held: int) -> None:
        """`held` is closed with it."""
        self.pid = os.getpid()
        self._held = held
        self._thread = threading.Thread(target=self._serve, args=(requests, replies), name="plughost-direct", daemon=True)
        self._thread.start()

    def may_have_left_some(self, started_s: float) -> bool:  # noqa: ARG002
        return False

    def wait(self, timeout_s: float | None = None) -> int | None:
        self._thread.join(timeout_s)
        return None if self._thread.is_alive() else 0

    def cancel(self) -> None:
        """Nothing that could be done."""

    def interrupt(self) -> None:
        """Nothing that could be done."""

    def kill_tree(self) -> None:
        """Nothing that could be done."""

    def close(self) -> None:
        os.close(self._held)

    def _serve(self, requests: int, replies: int) -> None:
        # The runner's modules by the name that they have in a child, so that both sides keep their own.
        if "plughost_runner" not in sys.modules:
            package = types.ModuleType("plughost_runner")
            package.__path__ = [os.path.dirname(wire.__file__)]
            sys.modules["plughost_runner"] = package
        try:
            import_module("plughost_runner._serve").serve(_Link(requests, replies), enter=lambda: None)
        finally:
            os.close(requests)
            os.close(replies)


class _Link:
    """The runner's end of the pipes, where their end is no reason to end the process."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self.replies = requests, replies
        self._lock = threading.RLock()  # what waits in a stream is sent by another thread
        self.before_aside: Callable[[], None] | None = None
        self._wire = import_module("plughost_runner.wire")
        self._ended = import_module("plughost_runner._connection").Ended
        framing = import_module("plughost_runner.framing")
        self.bulk: Carrier = import_module("plughost_runner.carrier").Carrier()
        self._assembler = framing.Assembler()

    def read(self) -> bytes:
        chunk = os.read(self._requests, _READ_BYTES)
        if not chunk:
            raise self._ended
        return chunk

    def receive(self, chunk: bytes = b"") -> dict[str, object]:
        chunk = chunk or (b"" if self._assembler.pending_bytes else self.read())
        while True:
            message: dict[str, object] | None = self._assembler.take(chunk)
            if message is not None:
                return message
            chunk = self.read()

    def receive_nowait(self) -> dict[str, object] | None:
        message: dict[str, object] | None = self._assembler.next()
        if message is None and select.select([self._requests], [], [], 0)[0]:
            message = self._assembler.take(self.read())
        return message

    def has_more(self) -> bool:
        pending: int = self._assembler.pending_bytes
        return pending > 0

    def send(self, message: dict[str, object]) -> None:
        with self._lock:
            for buffer in self._wire.pack(message):
                self.send_line(buffer)

    def send_line(self, line: bytes) -> None:
        view = memoryview(line)
        with self._lock:
            while view:
                try:
                    view = view[os.write(self.replies, view) :]
                except BrokenPipeError:  # nobody waits for it any more
                    raise self._ended from None
