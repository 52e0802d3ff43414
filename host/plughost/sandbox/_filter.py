"""Which system calls a confined process may make, as a program for the kernel (seccomp).

Above it: `_plan`, which has it built; the runner loads it. Below it: `_syscalls` and `_bpf`.

What is allowed is listed, and all else is refused: with EPERM, what is known and dangerous; with ENOSYS, what isn't listed at
all, so that a libc falls back to what there was before. It keeps what nothing else keeps: sockets that leave by ways which
Landlock doesn't see, memory that no limit counts, signals and limits of other processes, and calls in which faults of the
kernel's were found time and again. What files a process can reach, its tree of files and Landlock keep.
"""

from __future__ import annotations

import errno
import functools
import os
import struct
import sys

from plughost.sandbox import _syscalls
from plughost.sandbox._bpf import ALLOW, PRETEND, has_bits, is_at_least, is_below, one_of, program, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.sandbox._bpf import Code

__all__ = ["OWN_PID", "Rules", "build"]

#: Stands in the program for the number of the process that loads it, as a little-endian word: who loads it puts its own there.
OWN_PID = struct.pack("<I", 0x7E57A11E)

_OWN = struct.unpack("<I", OWN_PID)[0]
_REFUSED, _UNKNOWN, _DENIED = refuse(errno.EPERM), refuse(errno.ENOSYS), refuse(errno.EACCES)

#: Descriptors of every worker's: the lifeline, by which the kernel kills it when its host ends, and the lease on its environment.
_HELD = (3, 4)

_SET_ID_BITS = 0o6000
_KIND_BITS = 0o060000  # in the modes of all that is neither a plain file nor a named pipe
_O_CREAT_OR_TMPFILE = 0o100 | 0o20000000

_CLONE_FILES, _CLONE_THREAD = 0x400, 0x10000
#: New namespaces, and to be traced by, or a sibling of, who called.
_CLONE_NEVER = 0x7E020000 | 0x2000 | 0x8000

_CLOSE_RANGE_UNSHARE = 2
_LAST_DESCRIPTOR = 0xFFFFFFFF

_MAP_SHARED, _MAP_ANONYMOUS = 0x1, 0x20
#: MAP_GROWSDOWN, MAP_LOCKED, MAP_HUGETLB: memory that RLIMIT_DATA doesn't count, or that can't be swapped out.
_MAP_NEVER = 0x100 | 0x2000 | 0x40000

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_FLAGS = 1, 2, 0o4000 | 0o2000000
_STREAM_TYPES = tuple(_SOCK_STREAM | flags for flags in (0, 0o4000, 0o2000000, _SOCK_FLAGS))
_PROTOCOLS = (0, 1, 6, 17, 58)  # as the type has it, ICMP, TCP, UDP, ICMPv6: no other way past what looks at TCP and UDP
_SOL_SOCKET = 1
#: SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF: programs in the kernel.
_ATTACH_OPTIONS = (26, 50, 51, 52)
#: SO_SNDBUF, SO_RCVBUF: how much of the kernel's memory waits in a socket, which no limit counts. They are wishes anyway.
_BUFFER_OPTIONS = (7, 8)
#: TCP_ULP: to have the kernel speak TLS, by code of its own that no library needs.
_SOL_TCP, _UPPER_PROTOCOL = 6, 31

_F_GETFD, _F_GETFL = 1, 3
#: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, locks (POSIX and OFD), F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS.
#: Not: whom to send signals (F_SETOWN, F_SETSIG), leases, notifications, larger pipes.
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1033, 1034)
#: F_SETOWN and F_SETSIG, by which a nursery ties each process that it forks to the host.
_TYING_COMMANDS = (8, 10)

#: TCGETS (and as of newer libcs), TIOCGWINSZ, FIONREAD, FIONBIO, TIOCOUTQ, FIONCLEX, FIOCLEX.
_IOCTL_COMMANDS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5411, 0x5450, 0x5451)
#: Of pseudo-terminals, which a process has none of but its own: TCSETS, TCSETSW, TCSETSF (and as of newer libcs), TCSBRK, TCXONC,
#: TCFLSH, TIOCSWINSZ, TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER. Not: to type for somebody (TIOCSTI), other disciplines (TIOCSETD).
_TERMINAL_COMMANDS = (
    *(0x5402, 0x5403, 0x5404, 0x402C542B, 0x402C542C, 0x402C542D, 0x5409, 0x540A, 0x540B, 0x5414),
    *(0x80045430, 0x40045431, 0x5441),
)
#: TIOCSCTTY, TIOCNOTTY: to have it for a session of one's own, which there is none of.
_SESSION_COMMANDS = (0x540E, 0x5422)
#: SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFMTU, SIOCGIFINDEX.
_INTERFACE_COMMANDS = (0x8910, 0x8912, 0x8913, 0x8915, 0x891B, 0x8921, 0x8933)

#: PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_SET_TIMERSLACK,
#: PR_GET_TIMERSLACK, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_SVE_SET_VL,
#: PR_SVE_GET_VL, PR_PAC_RESET_KEYS, PR_SET_TAGGED_ADDR_CTRL, PR_GET_TAGGED_ADDR_CTRL, PR_SET_VMA (the name of a mapping).
#: Not PR_SET_DUMPABLE: it would keep the host from looking at the process.
_PRCTL_OPTIONS = (2, 3, 15, 16, 21, 23, 29, 30, 38, 39, 41, 42, 50, 51, 54, 55, 56, 0x53564D41)
_PR_SET_SECCOMP = 22

#: Clocks by a process's number: the process's own is known by 0 as well, and of threads there are none but its own.
_CLOCKS_OF_PROCESSES, _CLOCK_OF_THREAD, _OWN_CLOCK = 1 << 31, 4, 0xFFFFFFFA
#: FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE.
_GIVE_BACK = 3
_RENAME_WHITEOUT = 4  # leaves a device behind

_PRIO_PROCESS = 0
_IOPRIO_PROCESS = 1
_PERSONALITIES = (0, 0xFFFFFFFF)  # that of every process, and the question


class Rules:
    """What differs between the filters of two policies, or two machines.

    `network`: sockets of the Internet may be made; where they lead, the network namespace says. `children`: programs may be
    started, and signals sent to whatever the kernel lets them be sent to. `nursery`: the process forks workers, each of which
    narrows itself further. `threads`: there may be more than one. `private_tree`: the process has a tree of files of its own, so
    it may change modes, owners and attributes of files. `local_sockets`: sockets may have a path, or a name in the kernel, since
    neither leads to anybody else's; several processes need that.
    """

    __slots__ = ("children", "local_sockets", "network", "nursery", "private_tree", "threads")

    def __init__(
        self,
        *,
        network: bool,
        children: bool,
        nursery: bool,
        threads: bool,
        private_tree: bool = False,
        local_sockets: bool = False,
    ) -> None:
        self.network = network
        self.children = children
        self.nursery = nursery
        self.threads = threads
        self.private_tree = private_tree
        self.local_sockets = local_sockets


def build(rules: Rules) -> bytes:
    """The program for this machine, in which who loads it puts its own process number for `OWN_PID`.

    Raises: LookupError: the numbers of the calls of this machine aren't known.
    """
    machine = os.uname().machine if sys.maxsize > 1 << 32 else "a 32-bit system"
    return _build(machine, frozenset(name for name in Rules.__slots__ if getattr(rules, name)))


@functools.lru_cache(maxsize=64)
def _build(machine: str, granted: frozenset[str]) -> bytes:
    rules = Rules(**{name: name in granted for name in Rules.__slots__})
    verdicts: dict[int, Code] = {}
    for group, verdict in _groups(rules).items():
        verdicts.update(dict.fromkeys(_syscalls.numbers(group, machine).values(), verdict))
    judged = {**_of_files(rules), **_of_descriptors(rules), **_of_processes(rules), **_of_scheduling(), **_of_sockets(rules)}
    for name, number in _syscalls.numbers(_syscalls.JUDGED, machine).items():
        verdicts[number] = judged[name]
    return program(machine, verdicts, _UNKNOWN)


def _groups(rules: Rules) -> dict[str, Code]:
    """What becomes of calls whatever their arguments are."""
    has_sockets = rules.network or rules.local_sockets
    return {
        _syscalls.HARMLESS: ALLOW,
        _syscalls.OF_SOCKETS: _allowed_if(has_sockets, _DENIED),
        # By a message a descriptor comes in that may be a copy of one that is held.
        _syscalls.OF_MESSAGES: _allowed_if(has_sockets or rules.nursery),
        _syscalls.OF_CHILDREN: _allowed_if(rules.children),
        # The group is what the kernel kills when the host ends, however that ends: nobody leaves it, and those who would, to
        # signal what they start apart from themselves, go on all the same. A nursery's forks have groups of their own.
        _syscalls.OF_GROUPS: _allowed_if(rules.nursery, PRETEND if rules.children else _REFUSED),
        _syscalls.OF_NARROWING: _allowed_if(rules.nursery),
        # Where they'd reach files of others, `shutil.copy2` and its like still do what they can.
        _syscalls.OF_OWNERS: _allowed_if(rules.private_tree, PRETEND),
        _syscalls.OF_ATTRIBUTES: _allowed_if(rules.private_tree, refuse(errno.EOPNOTSUPP)),
        _syscalls.REFUSED: _REFUSED,
    }


def _of_files(rules: Rules) -> dict[str, Code]:
    def mode(argument: int, verdict: Code) -> Code:
        return has_bits(argument, _SET_ID_BITS, _REFUSED, verdict)

    def kind(argument: int) -> Code:
        return mode(argument, has_bits(argument, _KIND_BITS, _REFUSED, ALLOW))

    def opening(flags: int) -> Code:
        return has_bits(flags, _O_CREAT_OR_TMPFILE, mode(flags + 1, ALLOW), ALLOW)

    changed = ALLOW if rules.private_tree else PRETEND
    return {
        "open": opening(1),
        "openat": opening(2),
        "creat": mode(1, ALLOW),
        "mknod": kind(1),
        "mknodat": kind(2),
        "chmod": mode(1, changed),
        "fchmod": mode(1, changed),
        "fchmodat": mode(2, changed),
        "fchmodat2": mode(2, changed),
        "renameat2": has_bits(4, _RENAME_WHITEOUT, _REFUSED, ALLOW),
        # What is on the disk at once, and not as fast as it is written, nobody can watch. A libc then writes instead.
        "fallocate": one_of(1, (_GIVE_BACK,), ALLOW, refuse(errno.EOPNOTSUPP)),
        "truncate": _allowed_if(rules.private_tree),  # by its name; Landlock knows it since ABI 3
        "sync": PRETEND,  # of all files of the machine
        "mmap": has_bits(3, _MAP_NEVER, _REFUSED, has_bits(3, _MAP_ANONYMOUS, has_bits(3, _MAP_SHARED, _REFUSED, ALLOW), ALLOW)),
    }


def _of_descriptors(rules: Rules) -> dict[str, Code]:
    """A worker can't close, copy or change the descriptors that tie it to its host; a nursery gives each of its own such ones."""
    held = () if rules.nursery else _HELD

    def unless_held(argument: int, then: Code, verdict: Code) -> Code:
        return one_of(argument, held, then, verdict) if held else verdict

    commands = one_of(1, (*_FCNTL_COMMANDS, *(_TYING_COMMANDS if rules.nursery else ())), ALLOW, _REFUSED)
    # Without such a call, a libc that starts a program would look in /proc for what to close, and give up. What Python has
    # opened, the kernel closes then anyway.
    all_above = one_of(1, (_LAST_DESCRIPTOR,), PRETEND, _UNKNOWN)
    below = is_below(0, max(held) + 1, all_above, ALLOW) if held else ALLOW
    closed = is_at_least(1, min(held), below, ALLOW) if held else ALLOW
    has_terminals = rules.children and rules.private_tree
    allowed = (*_IOCTL_COMMANDS, *(_INTERFACE_COMMANDS if rules.network else ()), *(_TERMINAL_COMMANDS if has_terminals else ()))
    session = one_of(1, _SESSION_COMMANDS if has_terminals else (), PRETEND, refuse(errno.ENOTTY))
    return {
        "close": unless_held(0, PRETEND, ALLOW),
        "close_range": has_bits(2, _CLOSE_RANGE_UNSHARE, _REFUSED, closed),
        "dup": unless_held(0, _REFUSED, ALLOW),
        "dup2": unless_held(0, _REFUSED, unless_held(1, _REFUSED, ALLOW)),
        "dup3": unless_held(0, _REFUSED, unless_held(1, _REFUSED, ALLOW)),
        "flock": unless_held(0, _REFUSED, ALLOW),
        "fcntl": unless_held(0, one_of(1, (_F_GETFD, _F_GETFL), ALLOW, _REFUSED), commands),
        "ioctl": one_of(1, allowed, ALLOW, session),
    }


def _of_processes(rules: Rules) -> dict[str, Code]:
    signal = ALLOW if rules.children or rules.nursery else _own(0)
    forked = ALLOW if rules.children or rules.nursery else _REFUSED
    # With a table of its own, a thread could have as many descriptors again, of which nobody outside sees any.
    thread = has_bits(0, _CLONE_FILES, ALLOW, _REFUSED) if rules.threads else refuse(errno.EAGAIN)
    options = (*_PRCTL_OPTIONS, *((_PR_SET_SECCOMP,) if rules.nursery else ()))
    return {
        "clone": has_bits(0, _CLONE_NEVER, _REFUSED, has_bits(0, _CLONE_THREAD, thread, forked)),
        "fork": forked,
        "vfork": _allowed_if(rules.children),
        "kill": signal,
        "tkill": signal,
        "tgkill": signal,
        "rt_sigqueueinfo": signal,
        "rt_tgsigqueueinfo": signal,
        "getpgid": _own(0),
        "getsid": _own(0),
        "get_robust_list": _own(0),
        "prctl": one_of(0, options, ALLOW, _REFUSED),
        "prlimit64": _own(0),
        "personality": one_of(0, _PERSONALITIES, ALLOW, _REFUSED),
        "futex": _of_futexes(),
    }


def _of_futexes() -> Code:
    """All but those that lend their owner a priority (6, 7, 8, 11, 12, 13): an owner is named by number, whoever that is."""
    from_four = has_bits(1, 2, _UNKNOWN, ALLOW)
    from_eight = has_bits(1, 2, has_bits(1, 1, _UNKNOWN, ALLOW), has_bits(1, 1, ALLOW, _UNKNOWN))
    return has_bits(1, 8, has_bits(1, 4, _UNKNOWN, from_eight), has_bits(1, 4, from_four, ALLOW))


def _of_scheduling() -> dict[str, Code]:
    """Of itself only: even to ask would tell which processes there are."""
    numbered = has_bits(0, _CLOCK_OF_THREAD, ALLOW, one_of(0, (_OWN_CLOCK,), ALLOW, refuse(errno.EINVAL)))
    clock = is_at_least(0, _CLOCKS_OF_PROCESSES, numbered, ALLOW)
    calls = ("setaffinity", "setscheduler", "getscheduler", "setparam", "getparam", "setattr", "getattr", "rr_get_interval")
    return {
        **dict.fromkeys((f"sched_{call}" for call in calls), _own(0)),
        **dict.fromkeys(("clock_gettime", "clock_getres", "clock_nanosleep", "timer_create"), clock),
        "sched_getaffinity": _own(0, _UNKNOWN),  # asked of a thread by a libc, which does without if there is no such call
        "getpriority": one_of(0, (_PRIO_PROCESS,), _own(1), _REFUSED),
        "setpriority": one_of(0, (_PRIO_PROCESS,), _own(1), _REFUSED),
        "ioprio_get": one_of(0, (_IOPRIO_PROCESS,), _own(1), _REFUSED),
        "ioprio_set": one_of(0, (_IOPRIO_PROCESS,), _own(1), _REFUSED),
    }


def _of_sockets(rules: Rules) -> dict[str, Code]:
    local = one_of(1, _STREAM_TYPES, ALLOW, _DENIED)
    unsupported = refuse(errno.EAFNOSUPPORT)
    made = one_of(0, (_AF_UNIX,), local, unsupported) if rules.local_sockets else one_of(0, (_AF_UNIX,), _DENIED, unsupported)
    types = tuple(kind | flags for kind in (_SOCK_STREAM, _SOCK_DGRAM) for flags in (0, 0o4000, 0o2000000, _SOCK_FLAGS))
    if rules.network:
        protocols = one_of(2, _PROTOCOLS, ALLOW, refuse(errno.EPROTONOSUPPORT))
        routes = one_of(2, (0,), ALLOW, _DENIED)  # NETLINK_ROUTE: which addresses there are
        made = one_of(0, (_AF_INET, _AF_INET6), one_of(1, types, protocols, _DENIED), one_of(0, (_AF_NETLINK,), routes, made))
    else:
        made = one_of(0, (_AF_INET, _AF_INET6), _DENIED, made)
    option = one_of(2, _ATTACH_OPTIONS, _REFUSED, one_of(2, _BUFFER_OPTIONS, PRETEND, ALLOW))
    of_tcp = one_of(2, (_UPPER_PROTOCOL,), _REFUSED, ALLOW)
    return {
        "socket": made,
        "socketpair": one_of(0, (_AF_UNIX,), local, unsupported),
        "setsockopt": one_of(1, (_SOL_SOCKET,), option, one_of(1, (_SOL_TCP,), of_tcp, ALLOW)),
    }


def _own(argument: int, otherwise: Code = _REFUSED) -> Code:
    """The process itself, by its number or by 0."""
    return one_of(argument, (0, _OWN), ALLOW, otherwise)


def _allowed_if(condition: object, otherwise: Code = _REFUSED) -> Code:
    return ALLOW if condition else otherwise
