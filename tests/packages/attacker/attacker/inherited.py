"""At what a process has from the one that started it: descriptors, variables, what ties it to its host."""

# ruff: noqa: ARG001 - all are called the same way

import ctypes
import fcntl
import os
import signal
import socket
import stat
import sys
import termios
from types import SimpleNamespace

from . import kernel, starting

_LIFELINE, _LEASE = 3, 4
_PR_SET_PDEATHSIG = 1


def variables(outside):
    return os.environ.get("ATTACKER_SECRET")


def variables_at_start(outside):
    with open("/proc/self/environ", "rb") as file:
        return b"ATTACKER_SECRET" in file.read() and "is there"


def all_variables(outside):
    """Names that only a host has."""
    return [name for name in os.environ if name in ("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "AWS_SECRET_KEY")]


def files(outside):
    """Whatever file outside is open."""
    found = []
    for descriptor in range(256):
        try:
            status = os.fstat(descriptor)
            has_name = stat.S_ISREG(status.st_mode) and status.st_nlink  # what has none is memory, shared with the host
            data = os.pread(descriptor, 64, 0) if has_name else b""
        except OSError:
            continue
        if data:
            found.append((descriptor, data))
    return [each for each in found if outside.marker_text.encode() not in each[1]]


def files_opened_anew(outside):
    """What is open to be read, opened to be written."""
    for descriptor in range(256):
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_nlink:
                os.close(os.open("/proc/self/fd/{}".format(descriptor), os.O_RDWR))
                return "descriptor {}".format(descriptor)
        except OSError:
            continue
    return None


def folders(outside):
    for descriptor in range(256):
        try:
            return os.listdir(descriptor)
        except OSError:
            continue
    return None


def sockets(outside):
    """Those whose other end somebody else has made."""
    found = []
    for descriptor in range(256):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                found.append((descriptor, _maker(descriptor)))
        except OSError:
            continue
    return [each for each in found if each[1] != os.getpid()]


def _maker(descriptor):
    credentials = ctypes.create_string_buffer(12)
    kernel.LIBC.getsockopt(descriptor, socket.SOL_SOCKET, socket.SO_PEERCRED, credentials, ctypes.byref(ctypes.c_uint(12)))
    return ctypes.c_int.from_buffer(credentials).value


def terminals(outside):
    for descriptor in range(256):
        try:
            return termios.tcgetattr(descriptor) and "descriptor {}".format(descriptor)
        except (OSError, termios.error):
            continue
    return None


def lease_taken(outside):
    """The lock on the environment, held so that nobody else can start a worker."""
    fcntl.flock(_LEASE, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(_LEASE, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return "taken"


def lease_taken_by_its_file(outside):
    """The same, by a description of its own."""
    marker = os.open(os.path.join(sys.prefix, "plughost-venv.json"), os.O_RDONLY)
    try:
        fcntl.flock(_LEASE, fcntl.LOCK_UN)
    except OSError:
        pass
    try:
        os.close(_LEASE)
    except OSError:
        pass
    fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(marker)
    return "taken"


def lifeline_quiet(outside):
    """What kills it when its host ends: told not to."""
    fcntl.fcntl(_LIFELINE, fcntl.F_SETFL, 0)
    return "is quiet"


def lifeline_of_somebody_else(outside):
    fcntl.fcntl(_LIFELINE, fcntl.F_SETOWN, 0)
    return "is nobody's"


def lifeline_closed(outside):
    os.close(_LIFELINE)
    try:
        os.fstat(_LIFELINE)
    except OSError:
        return "closed"
    return None


def lifeline_closed_with_all(outside):
    before = set(_open())
    if _LIFELINE not in before:
        return "closed before"
    os.closerange(_LIFELINE, _LIFELINE + 1)
    return None if _LIFELINE in _open() else "closed"


def lifeline_replaced(outside):
    os.dup2(os.open(os.devnull, os.O_RDONLY), _LIFELINE)
    return "replaced"


def lifeline_copied(outside):
    return os.dup(_LIFELINE)


def lifeline_sent_to_itself(outside):
    """A copy of it by way of a message, quietened in its place."""
    import array

    one, other = socket.socketpair()
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [_LIFELINE]))])
    _, ancillary, _, _ = other.recvmsg(1, socket.CMSG_SPACE(4))
    copy = array.array("i", ancillary[0][2])[0]
    fcntl.fcntl(copy, fcntl.F_SETFL, 0)
    return "is quiet"


def outlive(_outside):
    """Not an attempt of its own: all of those on the lifeline, and then on and on, in what it has started too.

    The test ends the host meanwhile.
    """
    outside = SimpleNamespace()
    for act in (lifeline_quiet, lifeline_of_somebody_else, lifeline_replaced, lifeline_closed):
        try:
            act(outside)
        except OSError:
            pass
    os.closerange(_LIFELINE, _LIFELINE + 2)
    started = "nothing"
    try:
        started = starting.daemon(outside)
    except OSError:
        pass
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    print(os.getpid(), started, flush=True)
    while True:
        pass


def end_with_thread_of_host(outside):
    return kernel.LIBC.prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0 and "unset"


def _open():
    found = []
    for descriptor in range(256):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        found.append(descriptor)
    return found
