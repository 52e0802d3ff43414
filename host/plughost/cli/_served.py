"""A `run` that a daemon performs for another process: the same code, in that process's surroundings.

Above it: `up`, which hands it to the daemon; below it: the quick reader and the commands.
"""

from __future__ import annotations

import io
import os
import pwd
from contextlib import contextmanager

from plughost.cli._context import Context
from plughost.cli._execute import execute
from plughost.cli._limits import are_given
from plughost.cli._quick import parse
from plughost.daemon import Declined, Run
from plughost.daemon._link import ERR, OUT, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    from _typeshed import ReadableBuffer

    from plughost.daemon import Hosts
    from plughost.host import Host
    from plughost.paths import Store
    from plughost.session import Sessions

__all__ = ["performer"]

_DEFAULT_COLUMNS = 80


def performer(store: Store, hosts: Hosts, program: str) -> Callable[[Run], int]:
    """What performs a run on `store`, its calls made by `hosts`. `program` is what people type."""

    def perform(run: Run) -> int:
        request = run.request
        parsed = None if "_PLUGHOST_COMPLETE" in request.environment else parse(request.argv)
        if parsed is None:
            raise Declined  # help, a mistake: click's
        command, values = parsed
        is_of_sessions = command.name.startswith("session ")
        if is_of_sessions != run.is_only_here or values.text("store") != request.chosen_store:
            raise Declined
        if not is_of_sessions and (command.name != "run" or values.flag("no_daemon") or are_given(values)):
            raise Declined  # what is said of limits holds for that one call
        context = Context(program=program, project=store.project, surroundings=_Caller(run, store, hosts)).given(values)
        return run.custody.run(execute, command, context, values)

    return perform


class _Caller:
    """The surroundings of the process that asked."""

    def __init__(self, run: Run, store: Store, hosts: Hosts) -> None:
        self._run = run
        self._store = store
        self._hosts = hosts
        self.environment: Mapping[str, str] = run.request.environment

    @property
    def home(self) -> str:
        return self.environment["HOME"] if "HOME" in self.environment else pwd.getpwuid(os.getuid()).pw_dir

    def stream(self, name: str) -> TextIO | None:
        request = self._run.request
        kind, described = (OUT, request.output) if name == "stdout" else (ERR, request.error)
        if not described:
            return None
        what, _, encoding = described.partition(" ")
        raw = _Sent(self._run, kind, is_terminal=what == "terminal")
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding)

    def columns(self) -> int:
        chosen = self.environment.get("COLUMNS", "")
        # As `shutil.get_terminal_size` has it.
        return (int(chosen) if chosen.isdecimal() else 0) or self._run.request.columns or _DEFAULT_COLUMNS

    def read_input(self) -> bytes | None:
        return self._run.read_input() if self._run.request.has_input else None

    def path(self, given: str) -> str:
        return os.path.join(self._run.request.folder, given)

    def store(self, chosen: str, project: str) -> str:  # noqa: ARG002 - the process has found the daemon by them
        return self._store.root

    @contextmanager
    def lend(self, make: Callable[[], Host], *, record_arguments: bool | None) -> Iterator[Host]:  # noqa: ARG002
        self._run.check()
        with self._hosts.lend(self.environment, self._run.request.folder, record_arguments=record_arguments) as host:
            self._run.begin()
            yield host

    def sessions(self) -> Sessions:
        self._run.check()
        self._run.begin()
        return self._hosts.sessions

    def check(self) -> None:
        self._run.check()


class _Sent(io.RawIOBase):
    """What is written here, the process that asked writes to its own stream."""

    def __init__(self, run: Run, kind: bytes, *, is_terminal: bool) -> None:
        self._run = run
        self._kind = kind
        self._is_terminal = is_terminal

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, data: ReadableBuffer, /) -> int:
        sent = bytes(data)
        for part in parts(sent):
            self._run.send(self._kind, part)
        return len(sent)
