"""A proxy that speaks HTTP/1.1: tunnels (`CONNECT`), and requests that name the whole URL.

Above it: the broker; below it: the gate, streams and heads. Each request is judged by itself, and has a connection of its own to
its host, while the client's serves any number, one after the other. `Host` is what the URL says, whatever the client has written.
"""

from __future__ import annotations

import time

from plughost.sandbox._broker_gate import NotReached
from plughost.sandbox._broker_head import CHUNKED, TO_THE_END, BadMessage, read_request, read_response
from plughost.sandbox._broker_stream import IDLE_S, EndOfStream, TooLong, tunnel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.sandbox._broker_gate import Gate
    from plughost.sandbox._broker_head import Request
    from plughost.sandbox._broker_loop import Task
    from plughost.sandbox._broker_stream import Stream

__all__ = ["serve_http"]

_HEAD_S = 30.0  # from its first byte on
_BETWEEN_REQUESTS_S = 300.0
_LONGEST_HEAD = 1 << 16
_LONGEST_CHUNK_HEAD = 1 << 12
#: What a client may still send once it has been refused, so that it gets to read why.
_MOST_UNREAD, _UNREAD_S = 1 << 20, 2.0
_CONTINUES = 200  # statuses below it come before the answer
_PHRASES = {400: "Bad Request", 431: "Request Header Fields Too Large", 501: "Not Implemented", 502: "Bad Gateway"}


async def serve_http(client: Stream, gate: Gate) -> None:
    """Until the client has no more requests, or has made one that it is refused."""
    try:
        while await client.peek(time.monotonic() + _BETWEEN_REQUESTS_S):
            head = await client.up_to(b"\r\n\r\n", _LONGEST_HEAD, time.monotonic() + _HEAD_S)
            request = read_request(head)
            if request.method == "CONNECT":
                await _connect(client, request, gate)
                return
            if not await _forward(client, request, gate):
                return
    except NotReached as error:
        await _refuse(client, error.status, error.text, error.text)
    except BadMessage as error:
        await _refuse(client, error.status, _PHRASES[error.status], error.text)
    except TooLong:
        await _refuse(client, 431, _PHRASES[431], f"the head is longer than {_LONGEST_HEAD} bytes")


async def _connect(client: Stream, request: Request, gate: Gate) -> None:
    there = await gate.open(request.host, request.port)
    try:
        await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n", time.monotonic() + IDLE_S)
        await tunnel(client, there)
    finally:
        there.close()


async def _forward(client: Stream, request: Request, gate: Gate) -> bool:
    """Whether the client's connection may have another request."""
    there = await gate.open(request.host, request.port)
    sending: Task | None = None
    try:
        await there.send(request.encoded(), time.monotonic() + IDLE_S)
        if request.length:
            sending = client.loop.start(_send_body(client, there, request))
        return await _answer(client, there, request) and request.is_whole
    finally:
        if sending is not None:
            sending.cancel()
        there.close()


async def _send_body(client: Stream, there: Stream, request: Request) -> None:
    """While the answer is waited for: it may come before, and say that the rest isn't wanted, or that it is."""
    try:
        await _copy(client, there, request.length)
        request.is_whole = True
    except (OSError, TooLong, BadMessage):
        there.finish()


async def _answer(client: Stream, there: Stream, request: Request) -> bool:
    while True:
        try:
            head = await there.up_to(b"\r\n\r\n", _LONGEST_HEAD, time.monotonic() + IDLE_S)
        except (OSError, TooLong):
            head = b""
        if not head:
            raise BadMessage(f"`{request.host}` has closed the connection without an answer", 502)
        response = read_response(head, method=request.method)
        persists = request.persists and response.length != TO_THE_END
        await client.send(response.encoded(persists=persists), time.monotonic() + IDLE_S)
        if response.status >= _CONTINUES:
            break
    try:
        await _copy(there, client, response.length)
    except (BadMessage, TooLong) as error:  # too late to say so
        raise EndOfStream from error
    return persists


async def _copy(source: Stream, sink: Stream, length: int) -> None:
    """Pass a body on, framed as it is."""
    if length == CHUNKED:
        await _copy_chunks(source, sink)
        return
    while length:
        received = await source.receive(time.monotonic() + IDLE_S, *([length] if 0 < length < 1 << 16 else []))
        if not received and length != TO_THE_END:
            raise EndOfStream
        if not received:
            return
        await sink.send(received, time.monotonic() + IDLE_S)
        length -= len(received) if length > 0 else 0


async def _copy_chunks(source: Stream, sink: Stream) -> None:
    while True:
        line = await source.up_to(b"\r\n", _LONGEST_CHUNK_HEAD, time.monotonic() + IDLE_S)
        digits = line.partition(b";")[0].strip()
        if not digits or digits.strip(b"0123456789abcdefABCDEF") or len(digits) > 16:  # noqa: PLR2004
            raise BadMessage("the body isn't in chunks")
        await sink.send(line, time.monotonic() + IDLE_S)
        size = int(digits, 16)
        if not size:
            break
        await _copy(source, sink, size + 2)
    trailer = b""
    while trailer != b"\r\n":
        trailer = await source.up_to(b"\r\n", _LONGEST_CHUNK_HEAD, time.monotonic() + IDLE_S)
        if not trailer:
            raise EndOfStream
        await sink.send(trailer, time.monotonic() + IDLE_S)


async def _refuse(client: Stream, status: int, phrase: str, text: str) -> None:
    """The phrase says it too, since that is what a client shows of a tunnel that it isn't given."""
    body = f"plughost: {text}\n".encode()
    prefix = "" if phrase in _PHRASES.values() else "plughost: "
    head = f"HTTP/1.1 {status} {prefix}{phrase}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    until = time.monotonic() + _UNREAD_S
    await client.send(head.encode() + b"Connection: close\r\n\r\n" + body, until)
    client.finish()
    unread = 0
    while unread < _MOST_UNREAD and (received := await client.receive(until)):
        unread += len(received)
