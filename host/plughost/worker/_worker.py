"""Launching a worker, asking it, ending it."""

from __future__ import annotations

import os
import time

from plughost import _process
from plughost.errors import CallTimeout, PlughostError, PluginCrashed, PluginError, UsageError
from plughost.runner.wire import TooDeep, WireError
from plughost.worker._channel import Channel, ChannelClosed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol, TypeVar

    _T = TypeVar("_T")

    class Process(Protocol):
        """A child process, or what stands in its place."""

        pid: int

        def wait(self, timeout_s: float | None = None) -> int | None: ...
        def kill_tree(self) -> None: ...
        def close(self) -> None: ...


__all__ = ["STREAM_CREDIT", "Exchange", "Worker", "launch"]

PROTOCOL = 1

#: How long a worker may take over its end (exit handlers, threads to join) before it is killed, and how long after it closed
#: the protocol without ending.
STOP_GRACE_S = 2.0
#: The last of what the plugin printed, kept to say why it crashed.
_TAIL_BYTES = 4096
_NUMBERS_LAST_S = 60.0
_MOST_SHOWN = 200  # characters of a message that is none
#: Items that the child may send ahead of the reader; it is given more when half are used up.
STREAM_CREDIT = 256

_RUNNER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "runner", "__main__.py")


def launch(venv: str, *, name: str, project: str, bytecode: str, extra_environment: Mapping[str, str] | None = None) -> Worker:
    """Start a worker in the environment at `venv`. Doesn't wait for it: the first request does.

    `name` is the plugin's, for messages; `bytecode` the folder for the runner's where it can't lie beside it. The child's
    environment is the allow-list of `_process` and `extra_environment`. While the worker lives, it holds a shared lock on the
    environment's marker, so that nobody deletes the environment under it.

    Raises: OSError: the environment is gone, or its interpreter can't be started.
    """
    import fcntl

    bin_folder = os.path.join(venv, "bin")
    environment = _process.base_environment({"VIRTUAL_ENV": venv})
    environment["PATH"] = os.pathsep.join(filter(None, (bin_folder, environment.get("PATH"))))
    environment.update(extra_environment or {})
    lease = os.open(os.path.join(venv, "plughost-venv.json"), os.O_RDONLY | os.O_CLOEXEC)
    opened = [lease]
    try:
        fcntl.flock(lease, fcntl.LOCK_SH)
        (child_in, our_in), (our_out, child_out), (our_err, child_err) = _process.pipe(), _process.pipe(), _process.pipe()
        opened += [our_in, our_out, our_err]
        try:
            child = _process.spawn(
                [os.path.join(bin_folder, "python"), "-I", "-S", *_bytecode_options(bytecode), _RUNNER],
                env=environment,
                stdin=child_in,
                stdout=child_out,
                stderr=child_err,
            )
        finally:
            for fd in (child_in, child_out, child_err):
                os.close(fd)
    except BaseException:
        for fd in opened:
            os.close(fd)
        raise
    channel = Channel(stdin=our_in, stdout=our_out, stderr=our_err, exit_fd=child.exit_descriptor())
    return Worker(child, channel, lease=lease, name=name, project=project)


def _bytecode_options(folder: str) -> list[str]:
    return [] if os.access(os.path.dirname(_RUNNER), os.W_OK) else ["-X", f"pycache_prefix={folder}"]


class Worker:
    """One child process that serves one plugin, one request at a time. Not for several threads at once.

    After any error that is not the plugin's own answer, the worker is dead and its process tree gone.
    """

    __slots__ = (
        "_awaited",
        "_child",
        "_greeting",
        "_launched",
        "_lease",
        "_name",
        "_next_id",
        "_tail",
        "alive",
        "channel",
        "on_callback",
        "on_output",
        "reusable",
        "started_by",
    )

    def __init__(self, child: Process, channel: Channel, *, lease: int, name: str, project: str) -> None:
        self._child, self.channel, self._lease, self._name = child, channel, lease, name
        self._tail = b""
        self._launched = time.monotonic()
        # Numbers that nobody guesses: a line that a plugin writes to every descriptor it finds is no answer to anything.
        self._next_id = int.from_bytes(os.urandom(6), "big")
        self._awaited: set[object] = set()
        self.alive = True
        #: Whether a further call may find the plugin as a new process would have it.
        self.reusable = True
        self.started_by = os.getpid()
        #: What the plugin prints, as it comes.
        self.on_output: Callable[[bytes], None] | None = None
        #: Answers the plugin when it calls a function of the app's: `name`, `args` and `kwargs` → `result` or `error`.
        self.on_callback: Callable[[dict[str, object]], dict[str, object]] | None = None
        channel.on_output = self._printed
        channel.check = self._check
        # Not waited for: the child reads it when it is up, and the first answer that comes is this one's.
        self._greeting = self._send_request("initialize", {"protocol": PROTOCOL, "project": project})

    def begin(self, method: str, params: dict[str, object], *, what: str, timeout_s: float | None = None) -> Exchange:
        """Send a request. `what` is how messages call it; `timeout_s` is for the whole of it, its items included.

        Raises: WireError: `params` can't be sent; nothing happened.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        number = self._send_request(method, params)
        return Exchange(self, number, what=what, timeout_s=timeout_s, deadline=deadline)

    def request(self, method: str, params: dict[str, object], *, what: str, timeout_s: float | None = None) -> dict[str, object]:
        """Ask, and wait for the response: the whole JSON-RPC message, with `result` or `error`.

        Raises: as `begin` and `Exchange.step` do.
        """
        exchange = self.begin(method, params, what=what, timeout_s=timeout_s)
        while True:
            done, message = exchange.step()
            if done and isinstance(message, dict):
                return message

    def take(self, message: dict[str, object]) -> bool:
        """Count a response as given; false for that to `initialize`, which nobody waits for."""
        number = message.get("id")
        self._awaited.discard(number)
        return number != self._greeting

    def _send_request(self, method: str, params: dict[str, object]) -> int:
        number = self._next_id
        self.channel.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        self._next_id += 1
        self._awaited.add(number)
        return number

    def _check(self, message: dict[str, object]) -> None:
        """Raises: WireError: nobody waits for such a message."""
        method, number, params = message.get("method"), message.get("id"), message.get("params")
        if method == "callback" and isinstance(number, str):
            return
        if method == "item" and isinstance(params, dict):
            number = params.get("id")
        if not (number in self._awaited if isinstance(number, int) else number is None and "error" in message):
            raise WireError(f"an unexpected message: {str(message)[:_MOST_SHOWN]}")

    def has_ended(self) -> bool:
        """Whether the process is gone, or speaks unasked; only for a worker that has nothing to answer."""
        return self.channel.has_ended()

    def stop(self) -> None:
        """End in good order: ask the child to, let its exit handlers run, then kill what is left."""
        if not self.alive:
            return
        self.alive = False
        # Asked in words, since a forked copy of this process may hold the child's input open.
        self._send_request("shutdown", {})
        self.channel.close_input()
        deadline = time.monotonic() + STOP_GRACE_S
        try:
            while True:
                self.channel.receive(deadline)
        except (ChannelClosed, TimeoutError, WireError):
            pass
        finally:
            ended = self._child.wait(max(0.0, deadline - time.monotonic())) is not None
            if not ended or self._may_have_left_some():
                self._child.kill_tree()
            self._let_go()

    def kill(self) -> None:
        """End the process and everything it started, at once."""
        if self.alive:
            self.alive = False
            self._child.kill_tree()
            self._let_go()

    def _may_have_left_some(self) -> bool:
        """Whether a child's child has begun since the child did; only then is it worth the time to look for all of its own.

        Numbers are given in turn, up to a largest one: within a minute they don't come round to where they were.
        """
        if not _process.LINUX:
            return False
        if time.monotonic() - self._launched > _NUMBERS_LAST_S:
            return True
        with open("/proc/loadavg", "rb") as file:
            newest = int(file.read().split()[-1])
        newer = (entry for entry in os.listdir("/proc") if entry.isdigit() and int(entry) > self._child.pid)
        return newest < self._child.pid or any(map(_descends_from_a_child, newer))

    def forget(self) -> None:
        """In a forked copy of the host: let go of descriptors that are the original's business."""
        self.alive = False
        self._let_go()

    def _let_go(self) -> None:
        """Read what the plugin printed last, and close every descriptor. The child is gone, or somebody else's."""
        if self.started_by == os.getpid():
            self.channel.drain_output()
        self._child.close()
        self.channel.close()
        os.close(self._lease)

    def _printed(self, chunk: bytes) -> None:
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        if self.on_output is not None:
            self.on_output(chunk)

    def crashed(self, what: str) -> PlughostError:
        """The error for a child that went away during `what`; whatever is left of it is gone afterwards."""
        code = self._child.wait(STOP_GRACE_S)
        if self.alive:
            self.alive = False
            self._child.kill_tree()
            self._let_go()
        last = self._tail.decode("utf-8", "replace").strip().splitlines()[-3:]
        return PluginCrashed(
            f"{what} crashed: its process {_how_it_ended(code)} before it answered",
            causes=[f"It printed last: {line}" for line in last],
            hint="The next call starts a new process",
        )


class Exchange:
    """A request on its way: items as they come, then the response."""

    __slots__ = ("_number", "_ready", "_taken", "_timeout_s", "_what", "_worker", "deadline")

    def __init__(self, worker: Worker, number: int, *, what: str, timeout_s: float | None, deadline: float | None) -> None:
        self._worker = worker
        self._number = number
        self._what = what
        self._timeout_s = timeout_s
        #: When its time is over: a `time.monotonic()`.
        self.deadline = deadline
        self._taken = 0
        self._ready: list[tuple[bool, object] | BaseException] = []  # what `advance` has taken already

    def step(self) -> tuple[bool, object]:
        """(False, an item) while a stream runs, then (True, the response).

        Raises: CallTimeout, PluginCrashed: and the worker is gone, as after any interrupt.
        """
        if self._ready:
            first = self._ready[0]
            if isinstance(first, BaseException):
                raise first
            del self._ready[0]
            return first
        return self._guarded(self._wait)

    def advance(self) -> bool:
        """Take what has come without waiting; whether the response is there, or the error that stands for it.

        What it takes, and what it meets, is for `step` to give.
        """
        while not (self._ready and _is_last(self._ready[-1])):
            try:
                taken = self._guarded(self._poll)
            except Exception as error:  # noqa: BLE001 - raised by `step`
                taken = error
            if taken is None:
                return False
            self._ready.append(taken)
        return True

    def descriptors(self) -> list[tuple[int, int]]:
        """What to wait for before `advance` can get on: descriptors with their events, as for `select.poll`."""
        return self._worker.channel.descriptors()

    def abandon(self) -> None:
        """Nobody wants the response: unless it is there, the worker ends."""
        if not (self._ready and _is_last(self._ready[-1])):
            self._worker.kill()

    def _guarded(self, take: Callable[[Channel], _T]) -> _T:
        """Whatever `take` meets is one of our errors, and the worker is gone."""
        worker = self._worker
        if not worker.alive:  # a call into the same worker, from a function that it had called back, has ended it
            raise worker.crashed(self._what)
        try:
            return take(worker.channel)
        except TimeoutError:
            worker.kill()
            raise CallTimeout(
                f"{self._what} took longer than {self._timeout_s or STOP_GRACE_S:g} s",
                causes=["Its process and all that it started were ended"],
                hint="Give it more time with `--timeout`, or `timeout_s=` from Python",
            ) from None
        except ChannelClosed:
            raise worker.crashed(self._what) from None
        except TooDeep as error:
            worker.kill()
            raise PluginError(
                f"{self._what} returned a value that can't be sent: {error}", reference="result-unsupported"
            ) from None
        except WireError as error:
            worker.kill()
            raise PluginCrashed(
                f"{self._what} broke the protocol, and its process was ended",
                reference="protocol-violated",
                causes=[str(error)],
                hint="The plugin writes to a descriptor that isn't its own",
            ) from None
        except BaseException:  # an interrupt, or an error of whoever takes the output
            worker.kill()
            raise

    def cancel(self) -> None:
        """Have the generator closed in the child, and wait for that a moment; a generator that goes on costs its worker."""
        self._worker.channel.send(_notification("cancel", {"id": self._number}))
        self._timeout_s, self.deadline = None, time.monotonic() + STOP_GRACE_S
        try:
            while not self.step()[0]:
                pass
        except (CallTimeout, PluginCrashed):
            pass

    def _wait(self, channel: Channel) -> tuple[bool, object]:
        while True:
            taken = self._handle(channel.receive(self.deadline), channel)
            if taken is not None:
                return taken

    def _poll(self, channel: Channel) -> tuple[bool, object] | BaseException | None:
        """As `_wait`, but None once nothing more is there: what the channel has read already wakes nobody up."""
        while (message := channel.advance()) is not None:
            taken = self._handle(message, channel)
            if taken is not None:
                return taken
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise TimeoutError
        return None

    def _handle(self, message: dict[str, object], channel: Channel) -> tuple[bool, object] | None:
        """An item, the response, or None: it was neither, and is dealt with."""
        if message.get("method") == "item":
            return False, self._item(message, channel)
        if message.get("method") == "callback":
            self._answer(message)
            return None
        problem = message.get("error")
        if message.get("id") is None:
            raise UsageError(
                f"An argument of {self._what} can't be sent",
                reference="value-unsupported",
                causes=[str(problem.get("message")) if isinstance(problem, dict) else "The plugin's Python can't read it"],
            )
        if not ("result" in message or isinstance(problem, dict)):
            raise WireError(f"an unexpected message: {str(message)[:_MOST_SHOWN]}")
        if not self._worker.take(message):
            return None
        data = problem.get("data") if isinstance(problem, dict) else None
        if isinstance(data, dict) and data.get("stage") == "import":
            self._worker.reusable = False  # what an import that fails leaves behind, a second one trips over
        channel.drain_output()
        return True, message

    def _answer(self, message: dict[str, object]) -> None:
        """Call the function of the app's that the plugin asks for, in this thread."""
        worker = self._worker
        params = message.get("params")
        if worker.on_callback is None or not isinstance(params, dict):
            raise WireError("a callback where none is offered")
        reply = worker.on_callback(params)
        if not worker.alive:  # what was called has ended it
            raise ChannelClosed
        number = message.get("id")
        try:
            worker.channel.send({"jsonrpc": "2.0", "id": number, **reply})
        except WireError as error:
            problem = {"code": -32000, "message": str(error), "data": {"type": "TypeError", "builtin": "TypeError"}}
            worker.channel.send({"jsonrpc": "2.0", "id": number, "error": problem})

    def _item(self, message: dict[str, object], channel: Channel) -> object:
        params = message.get("params")
        if not isinstance(params, dict) or params.get("id") != self._number or "value" not in params:
            raise WireError("an item of no stream")
        self._taken += 1
        if self._taken % (STREAM_CREDIT // 2) == 0:
            channel.send(_notification("credit", {"id": self._number, "items": STREAM_CREDIT // 2}))
        return params["value"]


def _is_last(taken: tuple[bool, object] | BaseException) -> bool:
    return isinstance(taken, BaseException) or taken[0]


def _descends_from_a_child(pid: str) -> bool:
    """Whether the process has in its environment what only our children have, and theirs."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{_process.FAMILY_MARK}=".encode() in file.read()
    except OSError:  # gone, or somebody else's
        return False


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "closed its protocol stream and lived on"
    if code >= 0:
        return f"ended with exit code {code}"
    import signal

    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _notification(method: str, params: dict[str, object]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "params": params}
