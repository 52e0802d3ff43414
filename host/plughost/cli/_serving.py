"""The daemon's process: what `up` starts, or is.

Above it: `up`; below it: the daemon, and what performs a run.
"""

from __future__ import annotations

import os
import sys

from plughost.cli._served import performer
from plughost.daemon import Hosts
from plughost.daemon import serve as listen
from plughost.errors import PlughostError
from plughost.paths import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

__all__ = ["main", "serve"]


def main(argv: Sequence[str]) -> None:
    """The process that is nobody's child: says `ready` on the standard output, or what is wrong, and is silent from there on."""
    import signal

    root, project, program, idle_s = argv
    os.chdir("/")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    try:
        serve(Store(root, project), float(idle_s), program, ready=_say_ready)
    except PlughostError as error:
        _say("; ".join(error.causes) or error.message)
        sys.exit(error.exit_code)


def serve(store: Store, idle_s: float, program: str, *, ready: Callable[[], object]) -> None:
    """Be the daemon of `store`. Raises: StoreError: it can't be."""
    hosts = Hosts(store, program)
    try:
        listen(store, idle_s=idle_s, perform=performer(store, hosts, program), ready=ready, count_sessions=hosts.count_sessions)
    finally:
        hosts.close()


def _leave(_number: int, _at: FrameType | None) -> None:
    sys.exit(0)


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def _say_ready() -> None:
    _say("ready")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.close(nowhere)
