"""A proxy that speaks SOCKS: 5 without authentication, 4, and 4a; to connect, and nothing else.

Above it: the broker; below it: the gate and streams. Source: RFC 1928; SOCKS4.protocol and SOCKS4A.protocol of OpenSSH's archive.

Sockets that don't block can't wait for its answers. For those the runner's `_dialing` writes a byte 1, and the host and the port
as SOCKS5 has a name; from there on, it is the host that is heard, or the connection is reset.
"""

from __future__ import annotations

import socket
import time

from plughost.sandbox._broker_gate import NotReached
from plughost.sandbox._broker_stream import IDLE_S, tunnel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.sandbox._broker_gate import Gate
    from plughost.sandbox._broker_stream import Stream

__all__ = ["serve_socks4", "serve_socks5", "serve_unanswered"]

_ASKING_S = 30.0
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_NO_AUTHENTICATION, _NONE_ACCEPTABLE = 0, 0xFF
_NOT_A_COMMAND, _NOT_AN_ADDRESS_TYPE = 7, 8
_GRANTED_4, _REJECTED_4 = 90, 91
_LONGEST_TEXT = 256
#: In SOCKS4, the first three bytes of an address that says: the name comes after it.
_NAME_FOLLOWS = b"\0\0\0"


async def serve_socks5(client: Stream, gate: Gate) -> None:
    until = time.monotonic() + _ASKING_S
    _, offered = await client.exactly(2, until)
    methods = await client.exactly(offered, until)
    if _NO_AUTHENTICATION not in methods:
        await client.send(bytes((5, _NONE_ACCEPTABLE)), until)
        return
    await client.send(bytes((5, _NO_AUTHENTICATION)), until)
    version, command, _, kind = await client.exactly(4, until)
    if version != 5 or kind not in {_IPV4, _NAME, _IPV6}:  # noqa: PLR2004
        await client.send(_reply_5(_NOT_AN_ADDRESS_TYPE), until)
        return
    host = await _host(client, kind, until)
    port = int.from_bytes(await client.exactly(2, until), "big")
    if command != _CONNECT:
        await client.send(_reply_5(_NOT_A_COMMAND), until)
        return
    await _connect(client, gate, host, port, _reply_5)


async def serve_socks4(client: Stream, gate: Gate) -> None:
    until = time.monotonic() + _ASKING_S
    head = await client.exactly(8, until)
    await client.up_to(b"\0", _LONGEST_TEXT, until)  # the user's name
    address = head[4:]
    if address.startswith(_NAME_FOLLOWS) and address[3]:
        host = (await client.up_to(b"\0", _LONGEST_TEXT, until))[:-1].decode("utf-8", "replace")
    else:
        host = socket.inet_ntoa(address)
    if head[1] != _CONNECT:
        await client.send(_reply_4(_NOT_A_COMMAND), until)
        return
    await _connect(client, gate, host, int.from_bytes(head[2:4], "big"), _reply_4)


async def serve_unanswered(client: Stream, gate: Gate) -> None:
    until = time.monotonic() + _ASKING_S
    await client.exactly(1, until)
    host = await _host(client, _NAME, until)
    port = int.from_bytes(await client.exactly(2, until), "big")
    try:
        there = await gate.open(host, port)
    except NotReached:
        client.reset()
        return
    try:
        await tunnel(client, there)
    finally:
        there.close()


async def _host(client: Stream, kind: int, until: float) -> str:
    if kind == _NAME:
        (length,) = await client.exactly(1, until)
        return (await client.exactly(length, until)).decode("utf-8", "replace")
    if kind == _IPV6:
        return socket.inet_ntop(socket.AF_INET6, await client.exactly(16, until))
    return socket.inet_ntoa(await client.exactly(4, until))


async def _connect(client: Stream, gate: Gate, host: str, port: int, reply: Callable[[int], bytes]) -> None:
    try:
        there = await gate.open(host, port)
    except NotReached as error:
        await client.send(reply(error.reply), time.monotonic() + _ASKING_S)
        return
    try:
        await client.send(reply(0), time.monotonic() + IDLE_S)
        await tunnel(client, there)
    finally:
        there.close()


def _reply_5(code: int) -> bytes:
    """Without the address that the connection is made from, which is nobody's business inside."""
    return bytes((5, code, 0, _IPV4, 0, 0, 0, 0, 0, 0))


def _reply_4(code: int) -> bytes:
    return bytes((0, _REJECTED_4 if code else _GRANTED_4, 0, 0, 0, 0, 0, 0))
