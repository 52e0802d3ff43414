"""The loop that a worker lives in: it answers what comes, the plainest calls in as few steps as there can be.

Above it: `_serve`, whose server answers all else; below it: the wire. The host writes a call of which nothing is special as

    {"jsonrpc":"2.0","id":N,"method":"call","params":{"target":"…","args":[…]}}

and has `,"kwargs":{…}` behind `args` where there are any. What stands between the number and the arguments, the *head*, is the
same text in each call of a tool. So it is looked up as it is, and only the arguments are read as JSON. What has no known head, or
goes on otherwise, is the server's. Names are local and steps stand in line, because looking a name up, or calling a function,
takes as long as most of them.
"""

from __future__ import annotations

import sys
from os import getpid as _getpid
from os import write as _write

from . import _printed, wire
from ._connection import Ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ._events import Events
    from .carrier import Carrier

    class Tool(Protocol):
        def __call__(self, *args: object, **kwargs: object) -> object: ...

    class Link(Protocol):
        """Where messages come from and go to: the pipes, or a twin of them in process. `replies` is a descriptor."""

        replies: int

        @property
        def bulk(self) -> Carrier: ...
        def read(self) -> bytes: ...
        def receive(self, chunk: bytes = b"") -> dict[str, object]: ...
        def has_more(self) -> bool: ...
        def send_line(self, line: bytes) -> None: ...
        def settle(self) -> None: ...

    class Server(Protocol):
        """`running` counts the calls that are being answered, one inside another; `heads` are those that are known."""

        running: int
        heads: dict[str, Tool]
        events: Events

        def answer(self, message: dict[str, object]) -> None: ...
        def known(self, target: object) -> Tool | None: ...
        def settled(self, number: object, value: object) -> object: ...
        def respond(self, number: object, value: object) -> None: ...
        def fail(self, number: object, error: BaseException) -> None: ...


__all__ = ["PLAIN", "answer_all", "head_of"]

#: Types of results that are neither awaited nor iterated.
PLAIN = frozenset((type(None), bool, int, float, str, bytes, list, dict, tuple))

_JSON = (str, int, float, list, tuple, dict, type(None))
_NUMBER = len('{"jsonrpc":"2.0","id":')  # where it begins
_NUMBER_ENDS = _NUMBER + 22  # at the latest
_ARGS = '"args":'
_KWARGS = ',"kwargs":'
_MOST_HEADS = 4096
#: As `wire.unpack` has it, and as members meet it that are none of large values.
_UNREADABLE = (ValueError, StopIteration, SystemError, RecursionError, LookupError, TypeError)


def answer_all(link: Link, server: Server) -> None:  # noqa: C901, PLR0912, PLR0915 - see above
    """Raises: Ended: the host has no more to ask."""
    read, write, replies, getpid, own_pid = link.read, _write, link.replies, _getpid, _getpid()
    scan, encode, quoted, plain, standard, events = wire.scan, wire.encode, wire.quoted, PLAIN, sys, server.events
    bulk, disclose = wire.BULK_BYTES, link.bulk.disclose_call
    args: object = None
    no_kwargs: dict[str, object] = {}
    heads = server.heads
    foreign: type = bytes  # the class, seen last, of a result that JSON has no form for
    while True:
        chunk = read()
        tool = None
        kwargs: object = no_kwargs
        try:
            text = chunk.decode()
            comma = text.find(",", _NUMBER, _NUMBER_ENDS)
            start = text.find(_ARGS, comma) + 7
            tool = heads.get(text[comma:start]) if text[-1] == "\n" else None  # of a part, nothing can be read yet
            if tool is not None:
                args, end = scan(text, start)
                rest = text[end:]
                if rest != "}}\n":
                    if rest.startswith(_KWARGS):
                        kwargs, end = scan(rest, len(_KWARGS))
                        rest = rest[end:]
                    if rest != "}}\n":
                        disclose(args, kwargs, rest[1:])
        except _UNREADABLE:
            tool = None
        if tool is None or type(args) is not list or type(kwargs) is not dict:
            _answer_other(link, server, chunk, heads)
            continue
        if events.relay is not None:
            events.catch_up()
        number = text[_NUMBER:comma]
        server.running = 1
        try:
            value = tool(*args, **kwargs) if kwargs else tool(*args)
            if type(value) not in plain:
                value = server.settled(int(number), value)
        except Ended:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the plugin raises, `sys.exit` and a stray Ctrl-C included
            server.running = 0
            server.fail(int(number), error)
            continue
        server.running = 0
        try:
            if type(value) is str:
                result = quoted(value) if len(value) < bulk else ""
            else:
                result = encode(value) if type(value) is not bytes and type(value) is not foreign else ""
            line = f'{{"jsonrpc":"2.0","id":{number},"result":{result}}}\n'.encode()
        except Exception:  # noqa: BLE001 - the other ways have the rule for it, or the words
            result, foreign = "", foreign if issubclass(type(value), _JSON) else type(value)
        if not result or (len(result) >= bulk and wire.has_bulk(value)):
            line = _with_bulk(link, number, value)
        if not line or getpid() != own_pid:
            server.respond(int(number), value)
            continue
        try:
            standard.stdout.flush()
            standard.stderr.flush()
        except BaseException:  # noqa: BLE001 - closed or replaced by the plugin
            _printed.flush()
        try:
            if events.relay is not None:
                link.settle()
            written = write(replies, line)
        except OSError:
            written = 0
        if written < len(line):
            link.send_line(line[written:])


def head_of(target: str) -> str:
    """What stands between the number and the arguments in a call of which nothing is special."""
    return f',"method":"call","params":{{"target":{wire.quoted(target)},"args":'


def _with_bulk(link: Link, number: str, value: object) -> bytes:
    """The line of a result with large values that lie in shared memory; nothing, where it isn't one."""
    try:
        return f'{{"jsonrpc":"2.0","id":{number},"result":{link.bulk.enclose(value)}'.encode()
    except BaseException:  # noqa: BLE001 - as above, or of a class of the plugin's
        return b""


def _answer_other(link: Link, server: Server, chunk: bytes, heads: dict[str, Tool]) -> None:
    """Whatever it is that has come, as far as it has, and what has come behind it. A call of a new tool leaves its head."""
    message = link.receive(chunk)
    while True:
        if server.events.relay is not None:
            server.events.catch_up()
        server.answer(message)
        params = message.get("params")
        if isinstance(params, dict) and params.keys() <= _PLAIN_PARAMS and len(heads) < _MOST_HEADS:
            tool = server.known(params.get("target"))
            if tool is not None:
                heads[head_of(params["target"])] = tool
        if not link.has_more():
            return
        message = link.receive()


_PLAIN_PARAMS = {"target", "args", "kwargs"}
