"""What is asked of a nursery's process, and what it answers.

Above it: the nursery, which sees to it that one thread at a time asks; below it: a Unix socket for the questions, with which
descriptors travel, and the channel of the process for the answers.
"""

from __future__ import annotations

import _socket
import os
import sys
import time

from plughost import _process
from plughost.runner.wire import WireError, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost.worker._worker import Worker

__all__ = ["Asking", "Order"]


class Order:
    """A child that was asked for: the number of the request, and our ends of what the child has."""

    __slots__ = ("family", "lifeline", "number", "stderr", "stdin", "stdout")

    def __init__(self, number: int, family: str, stdin: int, stdout: int, stderr: int, lifeline: int) -> None:
        self.number = number
        self.family = family
        self.stdin, self.stdout, self.stderr, self.lifeline = stdin, stdout, stderr, lifeline

    def cancel(self) -> None:
        for fd in (self.stdin, self.stdout, self.stderr, self.lifeline):
            if fd >= 0:
                os.close(fd)


class Asking:
    """The questions and the answers. Not for several threads at once."""

    __slots__ = ("_answers", "_awaited", "_number", "_parent", "_socket", "_unheard")

    _parent: Worker

    def __init__(self) -> None:
        self._socket = -1
        self._number = 0
        self._answers: dict[object, dict[str, object]] = {}  # that came while another was waited for
        self._awaited: set[object] = set()  # the requests that were not answered yet
        self._unheard: set[object] = set()  # those of them whose answers nobody waits for

    def begin(self, parent: Worker) -> None:
        """The process is there."""
        self._parent, self._number = parent, parent.next_id
        parent.channel.check = self._check

    def make_socket(self) -> tuple[int, int]:
        """What stands in the place of the process's input: descriptors travel through it, too."""
        self._socket, theirs = (_process.raised(end.detach()) for end in _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM))
        return theirs, self._socket

    def order(self) -> Order:
        """Ask for a child, and don't wait for it."""
        opened: list[int] = []
        theirs: list[int] = []
        try:
            for is_input in (True, False, False):
                read, write = _process.pipe()
                opened.append(write if is_input else read)
                theirs.append(read if is_input else write)
            lifeline, ours = _process.new_lifeline()
            theirs.append(lifeline)
            opened.append(ours)
            family = os.urandom(8).hex()
            number = self.send("fork", {"family": family}, theirs)
        except BaseException:
            for fd in opened:
                if fd >= 0:
                    os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        return Order(number, family, *opened)

    def send(self, method: str, params: dict[str, object], descriptors: Sequence[int] = ()) -> int:
        """Raises: OSError: the nursery doesn't listen any more."""
        self._number += 1
        line = b"".join(pack({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}))
        packed = b"".join(fd.to_bytes(4, sys.byteorder) for fd in descriptors)
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, self._socket)
        try:
            socket.sendmsg([line], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if packed else [])
        finally:
            socket.detach()
        self._awaited.add(self._number)
        return self._number

    def tell(self, method: str, params: dict[str, object]) -> None:
        """As `send`, where nobody waits for the answer."""
        self._unheard.add(self.send(method, params))

    def answer(self, number: int, timeout_s: float) -> dict[str, object]:
        """Wait for the answer to a request.

        Raises: TimeoutError: there is none yet. ChannelClosed, WireError: there will be none.
        """
        deadline = time.monotonic() + timeout_s
        while number not in self._answers:
            message = self._parent.channel.receive(deadline) if timeout_s else self._parent.channel.advance()
            if message is None:
                raise TimeoutError
            if "method" in message:  # what an import has logged
                continue
            answered = message.get("id")
            self._awaited.discard(answered)
            if answered in self._unheard:
                self._unheard.discard(answered)
            else:
                self._answers[answered] = message
        return self._answers.pop(number)

    def _check(self, message: dict[str, object]) -> None:
        """Raises: WireError: nobody waits for that; who keeps answers must not be given any number of them."""
        number = message.get("id")
        is_awaited = (type(number) is int and number in self._awaited) or message.get("method") == "log"
        if not is_awaited and not self._parent.is_greeting(message):
            raise WireError("an answer to what was not asked")
