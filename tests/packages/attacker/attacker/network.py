"""Out by a socket, whatever it is called. Who listens outside tells whether anything came."""

# ruff: noqa: ARG001 - all are called the same way

import ctypes
import os
import socket
import struct

from . import kernel

_MSG_FASTOPEN = 0x20000000
_MPTCP = 262
_SCTP = 132


def _speak(connection):
    connection.settimeout(1)
    connection.sendall(b"out\n")
    return "sent"


def tcp(outside):
    return _speak(socket.create_connection(("127.0.0.1", outside.tcp), 1))


def tcp_in_c(outside):
    """Past whatever Python's own module has become."""
    return _send_in_c(socket.AF_INET, socket.SOCK_STREAM, struct.pack("=H", socket.AF_INET) + _of_loopback(outside.tcp))


def tcp_by_fast_open_in_c(outside):
    address = struct.pack("=H", socket.AF_INET) + _of_loopback(outside.tcp)
    return _send_in_c(socket.AF_INET, socket.SOCK_STREAM, address, flags=_MSG_FASTOPEN)


def tcp_by_multipath_in_c(outside):
    address = struct.pack("=H", socket.AF_INET) + _of_loopback(outside.tcp)
    return _send_in_c(socket.AF_INET, socket.SOCK_STREAM, address, protocol=_MPTCP)


def udp_in_c(outside):
    return _send_in_c(socket.AF_INET, socket.SOCK_DGRAM, struct.pack("=H", socket.AF_INET) + _of_loopback(outside.udp))


def unix_in_c(outside):
    address = struct.pack("=H", socket.AF_UNIX) + outside.unix.encode() + b"\0"
    return _send_in_c(socket.AF_UNIX, socket.SOCK_STREAM, address)


def unix_abstract_in_c(outside):
    address = struct.pack("=H", socket.AF_UNIX) + b"\0" + outside.abstract.encode()
    return _send_in_c(socket.AF_UNIX, socket.SOCK_STREAM, address)


def _of_loopback(port):
    return struct.pack("!H4B8x", port, 127, 0, 0, 1)


def _send_in_c(family, kind, address, protocol=0, flags=0):
    descriptor = _checked(kernel.LIBC.socket(family, int(kind), protocol))
    try:
        if not flags:
            _checked(kernel.LIBC.connect(descriptor, address, len(address)))
            return _checked(kernel.LIBC.send(descriptor, b"out\n", 4, 0))
        return _checked(kernel.LIBC.sendto(descriptor, b"out\n", 4, flags, address, len(address)))
    finally:
        os.close(descriptor)


def _checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def tcp6(outside):
    return _speak(socket.create_connection(("::1", outside.tcp6), 1))


def tcp_by_fast_open(outside):
    connection = socket.socket()
    return connection.sendto(b"out\n", _MSG_FASTOPEN, ("127.0.0.1", outside.tcp))


def tcp_by_multipath(outside):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP)
    connection.connect(("127.0.0.1", outside.tcp))
    return _speak(connection)


def tcp_by_own_address(outside):
    """By an address of the machine's that isn't the loopback."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.connect(("192.0.2.1", 9))  # sends nothing, and tells from where it would
    return _speak(socket.create_connection((probe.getsockname()[0], outside.tcp), 1))


def sctp(outside):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, _SCTP)
    connection.connect(("127.0.0.1", outside.tcp))
    return _speak(connection)


def udp(outside):
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out\n", ("127.0.0.1", outside.udp))


def udp_connected(outside):
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.connect(("127.0.0.1", outside.udp))
    return connection.send(b"out\n")


def dns(outside):
    """A question whose name says it all, to the server that the listener outside is."""
    question = struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + b"\x03out\x07example\x00" + struct.pack("!2H", 1, 1)
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(question, ("127.0.0.1", outside.udp))


def raw(outside):
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(
        b"\x08\x00\xf7\xff\x00\x00\x00\x00", ("127.0.0.1", 0)
    )


def ping(outside):
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).sendto(
        b"\x08\x00\xf7\xff\x00\x00\x00\x00", ("127.0.0.1", 0)
    )


def packet(outside):
    return socket.socket(17, socket.SOCK_RAW, socket.htons(3)).bind(("lo", 0)) or "bound"  # AF_PACKET


def netlink(outside):
    """Which interfaces and addresses there are."""
    return ", ".join(name for _, name in socket.if_nameindex() if name != "lo")


def netlink_of_processes(outside):
    """The kernel's news of which processes begin and end."""
    return socket.socket(16, socket.SOCK_DGRAM, 11).bind((os.getpid(), 1)) or "bound"


def vsock(outside):
    connection = socket.socket(40, socket.SOCK_STREAM)  # AF_VSOCK
    connection.settimeout(1)
    return "made"


def crypto(outside):
    return socket.socket(38, socket.SOCK_SEQPACKET, 0).bind(("hash", "sha256")) or "bound"  # AF_ALG


def other_families(outside):
    """All the rest."""
    made = []
    for family in range(3, 64):
        if family in (10, 16, 17, 38, 40):  # those above
            continue
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                socket.socket(family, kind).close()
            except OSError:
                continue
            made.append(family)
    return made


def unix(outside):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(outside.unix)
    return _speak(connection)


def unix_abstract(outside):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("\0" + outside.abstract)
    return _speak(connection)


def unix_by_a_pair(outside):
    """Half of a pair of datagram sockets sends to whom it likes."""
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return one.sendto(b"out\n", outside.unix_datagrams)


def unix_by_a_pair_connected_anew(outside):
    one, other = socket.socketpair()
    other.close()
    one.connect(outside.unix)
    return _speak(one)


def descriptors_in_use(outside):
    """A connection by any descriptor that has come along."""
    for descriptor in range(64):
        address = struct.pack("=H", socket.AF_INET) + _of_loopback(outside.tcp)
        if kernel.LIBC.connect(descriptor, address, len(address)) == 0:
            return "by descriptor {}".format(descriptor)
    return None
