"""What a command finds around it: variables, the working folder, the standard streams, whoever may interrupt it.

Above it: the context, which hands it to the commands; below it: the process. A command that a daemon runs for another process
finds that process's surroundings (`_served`), so what such a command needs of them it asks for here.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from typing import Protocol, TextIO

    from plughost.host import Host
    from plughost.session import Sessions

    class Surroundings(Protocol):
        """See `Process`, which is the one that is meant where nothing else is said."""

        @property
        def environment(self) -> Mapping[str, str]: ...
        @property
        def home(self) -> str: ...
        def stream(self, name: str) -> TextIO | None: ...
        def columns(self) -> int: ...
        def read_input(self) -> bytes | None: ...
        def path(self, given: str) -> str: ...
        def store(self, chosen: str, project: str) -> str: ...
        def lend(self, make: Callable[[], Host], *, record_arguments: bool | None) -> AbstractContextManager[Host]: ...
        def sessions(self) -> Sessions | None: ...
        def check(self) -> None: ...


__all__ = ["OWN", "Process"]


class Process:
    """The surroundings of this process."""

    __slots__ = ()

    @property
    def environment(self) -> Mapping[str, str]:
        return os.environ

    @property
    def home(self) -> str:
        """The user's home folder; "~" where there is none."""
        return os.path.expanduser("~")

    def stream(self, name: str) -> TextIO | None:
        """The standard output or the standard error; None if the process was started without it."""
        stream: TextIO | None = getattr(sys, name)
        return stream

    def columns(self) -> int:
        """Those of the terminal; 80 where nobody knows."""
        import shutil

        return shutil.get_terminal_size().columns

    def read_input(self) -> bytes | None:
        """All of the standard input; None if the process was started without it."""
        return None if sys.stdin is None else sys.stdin.buffer.read()

    def path(self, given: str) -> str:
        """Where the file is that a user calls by this path."""
        return given

    def store(self, chosen: str, project: str) -> str:
        """The store that a user has chosen, or the one that is meant where nobody has."""
        from plughost.paths import default_store

        return os.path.abspath(os.path.expanduser(chosen)) if chosen else default_store(project)

    def lend(self, make: Callable[[], Host], *, record_arguments: bool | None) -> AbstractContextManager[Host]:  # noqa: ARG002
        """A host for the calls of one command, its workers included. `make` makes a new one."""
        return make()

    def sessions(self) -> Sessions | None:
        """Those that are kept between commands; None where this process keeps none."""
        return None

    def check(self) -> None:
        """Raises: KeyboardInterrupt: the user has asked for the end of a command that can't have noticed."""


OWN = Process()
