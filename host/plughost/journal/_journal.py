"""Writing down how a call went.

Above it: whoever makes calls; below it: the spool. It is on the way of every call. One that goes well is left to a `Writer`; what
there is more to say of gets a line, most of which is kept from the call before it.
"""

from __future__ import annotations

import time

from plughost.errors import CallCancelled, CallTimeout, LimitExceeded, PlughostError, PluginCrashed, PluginError, UsageError
from plughost.journal._arguments import digest, fields, kept_arguments
from plughost.journal._spool import Spool
from plughost.journal._writer import LINE, Clock, NoWriter, Writer
from plughost.runner.wire import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Protocol, Self

    from plughost.paths import Store

    class Revision(Protocol):
        """The plugin that is called: which revision of it."""

        name: str
        revision: str

        @property
        def manifest(self) -> Mapping[str, object]: ...

    class Counted(Protocol):
        """What counts the bytes that a plugin's process was sent, answered and printed."""

        sent_bytes: int
        received_bytes: int
        printed_bytes: int

    class Measured(Protocol):
        """The plugin's process: when it was started, the calls that it has had, the most memory that it was seen to need."""

        started_ns: int
        calls: int
        measured_ns: int
        peak_bytes: int

        @property
        def channel(self) -> Counted: ...

        @property
        def pid(self) -> int: ...

        def measure(self) -> None: ...


__all__ = ["MEASURED_EVERY_NS", "Journal", "NoJournal", "Recording"]

#: How often the memory of a process that is called again and again is noted.
MEASURED_EVERY_NS = 60 * 10**9
#: Parts of lines that are kept: one for each tool of each revision.
_MOST_KEPT = 4096
#: Characters of a message, which is one line, and of a traceback, whose end says more than its beginning.
_LONGEST_MESSAGE = 500
_LONGEST_TRACEBACK = 16_000
_LONGEST_TYPE = 200
#: As shells have them: 128 and the signal's number.
_EXIT_CODES = {KeyboardInterrupt: 130, BrokenPipeError: 141}
_OUTCOMES = (
    (PluginError, "raised"),
    (LimitExceeded, "limited"),
    (PluginCrashed, "crashed"),
    (CallTimeout, "timed-out"),
    (CallCancelled, "cancelled"),
    (UsageError, "refused"),
)


class Journal:
    """The records of one project's calls. Safe for several threads, and in a forked copy of the process.

    `keeps_arguments` says whether arguments are recorded too. Nothing that goes wrong here reaches a call.
    """

    __slots__ = ("_clock", "_heads", "_spool", "_writers", "keeps_arguments")

    def __init__(self, store: Store, *, keeps_arguments: bool = False) -> None:
        self.keeps_arguments = keeps_arguments
        self._heads: dict[tuple[str, str, str], bytes] = {}
        self._writers: dict[tuple[str, str, str], Writer] = {}
        self._clock = Clock()

        def take_all_in() -> None:
            from plughost.journal._take_in import take_in

            take_in(store, wait=False)

        self._spool = Spool(store.spool, take_all_in)

    def writer(self, plugin: Revision, tool: str) -> Writer:
        """What notes calls of a tool that went well, and whose arguments are not kept, at less cost than `note`."""
        key = (plugin.name, plugin.revision, tool)
        writer = self._writers.get(key)
        if writer is None:
            if len(self._writers) >= _MOST_KEPT:
                self._writers.clear()
            writer = self._writers[key] = Writer(self._spool, self._clock, self._head(plugin, tool))
        return writer

    def keep(
        self,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        said: Mapping[str, object] | None = None,
    ) -> bytes:
        """What `note` is to be given of the arguments, before the call may change them. Of `env` the names are kept.

        `said` is what the caller said of the policy, see `Arguments`.
        """
        more = kept_arguments(args, kwargs, said)
        if timeout_s is not None or env:
            more += b"," + fields({"timeout_s": timeout_s, "env": " ".join(sorted(env or {}))})
        return more

    def note(
        self,
        plugin: Revision,
        tool: str,
        worker: Measured,
        began_ns: int,
        kept: bytes = b"",
        error: BaseException | None = None,
        ended_ns: int = 0,
    ) -> None:
        """Append a call that has ended: well, or by `error`. `kept` is what `keep` made of its arguments.

        `began_ns` and `ended_ns`, by default now, are of `time.perf_counter_ns()`. What the worker was sent and has sent since
        it was last noted is this call's.
        """
        ended_ns = ended_ns or time.perf_counter_ns()
        channel = worker.channel
        sent, received, printed = channel.sent_bytes, channel.received_bytes, channel.printed_bytes
        channel.sent_bytes = channel.received_bytes = channel.printed_bytes = 0
        if error is None and not kept:
            self.writer(plugin, tool).note(began_ns, ended_ns, sent, received, printed)
        else:
            more = kept if error is None else kept + _failure(error, keeps_arguments=self.keeps_arguments)
            head, at_ns = self._head(plugin, tool), self._clock.time_ns(began_ns)
            self._spool.append(LINE % (head, at_ns, ended_ns - began_ns, sent, received, printed, more))
        self.measure_if_due(plugin, worker, ended_ns)

    def measure_if_due(self, plugin: Revision, worker: Measured, used_ns: int) -> None:
        """Append now and then what a process needs that is called again and again; who uses a `Writer` asks for that.

        `used_ns` is when it was used last, a `time.perf_counter_ns()`.
        """
        if used_ns - worker.measured_ns > MEASURED_EVERY_NS:
            self.measure(plugin, worker)

    def measure(self, plugin: Revision, worker: Measured) -> None:
        """Append what a process has needed so far."""
        worker.measure()
        self.note_worker(plugin, worker)

    def note_failure(self, plugin: Revision, error: BaseException) -> None:
        """Append a call that had no process to go to: which tool it was for is not known by then."""
        failure = _failure(error, keeps_arguments=self.keeps_arguments)
        self._spool.append(LINE % (self._head(plugin, ""), time.time_ns(), 0, 0, 0, 0, failure))

    def note_worker(self, plugin: Revision, worker: Measured) -> None:
        """Append what a plugin's process has needed so far; of several such lines of a process the last one counts."""
        record = {
            "worker": worker.pid,
            "plugin": plugin.name,
            "version": str(plugin.manifest.get("version", "")),
            "revision": plugin.revision,
            "at": worker.started_ns,
            "noted": time.time_ns(),
            "calls": worker.calls,
            "peak": worker.peak_bytes,
        }
        self._spool.append(b"\n{%b}\n" % fields(record))

    def _head(self, plugin: Revision, tool: str) -> bytes:
        """The part of a line that all calls of a tool have in common."""
        key = (plugin.name, plugin.revision, tool)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= _MOST_KEPT:
                self._heads.clear()
            origin = plugin.manifest.get("origin")
            head = self._heads[key] = fields(
                {
                    "plugin": plugin.name,
                    "version": str(plugin.manifest.get("version", "")),
                    "commit": str(origin.get("commit_id", "")) if isinstance(origin, dict) else "",
                    "revision": plugin.revision,
                    "tool": tool,
                }
            )
        return head

    def close(self) -> None:
        """Let go of the file; it can be used again."""
        self._spool.close()


class Recording:
    """A call that is recorded, from `began_ns` on, by default now, to `end`, or to that of a `with` block.

    What ends the block is recorded, and goes on.
    """

    __slots__ = ("_began_ns", "_journal", "_kept", "_plugin", "_tool", "_worker")

    def __init__(
        self, journal: Journal, plugin: Revision, worker: Measured, tool: str, kept: bytes, began_ns: int | None = None
    ) -> None:
        self._journal = journal
        self._plugin = plugin
        self._worker = worker
        self._tool = tool
        self._kept = kept
        self._began_ns = time.perf_counter_ns() if began_ns is None else began_ns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        self.end(error)

    def keep_result(self, result: object) -> None:
        """Where the arguments are kept, record too what tells the result from another one."""
        if self._kept:
            self._kept = b'%b,"digest":"%b"' % (self._kept, digest(result).encode())

    def end(self, error: BaseException | None = None, *, ended_ns: int = 0) -> None:
        self._journal.note(self._plugin, self._tool, self._worker, self._began_ns, self._kept, error, ended_ns)


_NO_WRITER = NoWriter()


class NoJournal(Journal):
    """In a journal's place where calls are not recorded."""

    __slots__ = ()

    def __init__(self) -> None:
        self.keeps_arguments = False

    def writer(self, *_: object) -> Writer:
        return _NO_WRITER

    def note(self, *_: object, **__: object) -> None: ...

    def measure(self, *_: object) -> None: ...

    def note_failure(self, *_: object) -> None: ...

    def note_worker(self, *_: object) -> None: ...

    def close(self) -> None: ...


def _failure(error: BaseException, *, keeps_arguments: bool) -> bytes:
    """The fields that say how a call ended which didn't go well.

    What is said of arguments that are refused has them in it.
    """
    exit_code: object = getattr(error, "exit_code", _EXIT_CODES.get(type(error)))
    record: dict[str, object] = {
        "outcome": "cancelled",
        "exit_code": exit_code if isinstance(exit_code, int) else None,
        "type": type(error).__qualname__,
    }
    if isinstance(error, PlughostError):
        record["outcome"] = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "failed")
        record["reference"] = error.reference
        record["type"] = error.type_name[:_LONGEST_TYPE] if isinstance(error, PluginError) else ""
        if keeps_arguments or not isinstance(error, UsageError):
            record["message"] = " ".join(error.message.split())[:_LONGEST_MESSAGE]
    if isinstance(error, PluginError):
        record["traceback"] = error.remote_traceback[-_LONGEST_TRACEBACK:]
    try:
        return b"," + fields(record)
    except WireError:  # a text of no use to anybody
        return b',"outcome":"failed"'
