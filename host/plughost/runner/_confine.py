"""Confinement: this process takes from itself what its plan doesn't leave it, for good, and before any code but our own has run.

Above it: `_start`; below it: the kernel's calls. The host makes the plan, see its
`sandbox/_plan.py`, and writes it to stdin before anything else: a JSON object of the length that the argument `--confined` has.

| member | what is done, in this order |
|---|---|
| `outside` | it was confined before it began: nothing but `limits` and `folder` is left to do |
| `unshare` | namespaces of its own, as the flags of unshare(2) have them; 0 is none |
| `map` | in a user namespace: the user's and the group's number, there as outside |
| `port` | a socket that listens on the loopback of the network namespace, sent to the host through descriptor 5 |
| `network` | the network namespace's sockets hold no more than others do, where that can be said |
| `tree` | a file tree of its own, see `_tree` |
| `ids` | the user and the group that root becomes, which nobody else has |
| `limits` | pairs of a resource and its limit, see setrlimit(2) |
| `landlock` | `abi`, `rules`: pairs of a path and the ways in which it may be opened, `scopes`; see `_landlock` |
| `folder` | the working folder |
| `fork` | of a nursery: what its children do besides, see `_narrow` |
| `alone` | it has no other processes: what is said where it would start one, see `_processes` |
| `denied` | what is said of hosts, see `_denied` |
| `sources` | when the newest of the runner's sources was changed, see `_bytecode` |
| `filter` | the system calls that are left, as a program for seccomp(2), in hexadecimal digits |

A process that can't be confined as it was told ends, and says on stderr why.
"""

from __future__ import annotations

import os
import struct

from . import wire
from ._system import call, numbered, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    Plan = dict[str, object]

__all__ = ["become", "confine", "enter_namespaces", "forgo_privileges", "give_up", "load", "open_loopback", "read_plan"]

#: How the process ends where it can't be confined: EX_NOPERM of sysexits.h.
NOT_CONFINED = 77
#: Source: linux/prctl.h, linux/capability.h, linux/sched.h, linux/sockios.h, linux/if.h.
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION = 0x20080522
_CLONE_NEWUSER = 0x10000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_LINK = 5  # the descriptor by which the listening socket goes to the host
#: What stands in a filter for the number of the process that it is for.
_OWN_PID = struct.pack("<I", 0x7E57A11E)
_INSTRUCTION_BYTES = 8


def read_plan(length: int) -> Plan:
    """The plan, from stdin."""
    text = b""
    while len(text) < length:
        chunk = os.read(0, length - len(text))
        if not chunk:
            raise EOFError("the host has ended")
        text += chunk
    plan, _ = wire.scan(text.decode(), 0)
    assert isinstance(plan, dict)
    return plan


def confine(plan: Plan) -> None:
    """Do what the plan says; where that fails, the process ends."""
    if plan.get("outside"):
        _do([_limit, _enter_folder], plan)
        return
    steps = [_enter_namespaces, _listen, _limit_sockets, _enter_tree, _change_ids, _drop_capabilities, _limit, _forgo_privileges]
    _do([*steps, _restrict_files, _enter_folder, _filter_calls], plan)


def _do(steps: list[Callable[[Plan], None]], plan: Plan) -> None:
    for step in steps:
        try:
            step(plan)
        except Exception as error:  # noqa: BLE001 - whatever it is, no code of a plugin's may run now
            give_up(step.__name__.strip("_").replace("_", " "), error)


def give_up(what: str, error: Exception) -> None:
    """End the process, before it runs anything of a plugin's."""
    os.write(2, "plughost: this process can't be confined: {}: {}\n".format(what, error).encode())
    os._exit(NOT_CONFINED)


def enter_namespaces(flags: int, user: int, group: int) -> None:
    """Namespaces of this process's own; in one of users, the user and the group keep their numbers.

    Raises: OSError: the kernel, or whoever runs this machine, doesn't allow it.
    """
    call("unshare", flags)
    if flags & _CLONE_NEWUSER:
        for name, text in (("setgroups", "deny"), ("uid_map", "{0} {0} 1".format(user)), ("gid_map", "{0} {0} 1".format(group))):
            with open("/proc/self/" + name, "w", encoding="ascii") as file:
                file.write(text)


def become(user: int, group: int) -> None:
    """Have these numbers, and no others.

    Raises: OSError: the kernel refuses.
    """
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def open_loopback(port: int) -> _socket.socket:
    """A socket that listens there, in the network namespace that is this process's own.

    Raises: OSError: the kernel refuses.
    """
    import _socket
    import fcntl

    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    state = fcntl.ioctl(listener.fileno(), _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
    if not struct.unpack("16xH14x", state)[0] & _IFF_UP:  # bubblewrap has seen to that already, and left no rights to
        fcntl.ioctl(listener.fileno(), _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def load(program: bytes) -> None:
    """Have the kernel ask this filter about each system call from now on.

    Raises: OSError: the kernel refuses.
    """
    program = program.replace(_OWN_PID, struct.pack("<I", os.getpid()))
    # Where CPython has the contents of bytes: whatever else would tell takes milliseconds to import. Were it wrong, the kernel
    # would refuse.
    address = id(program) + bytes.__basicsize__ - 1
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, struct.pack("HxxxxxxP", len(program) // _INSTRUCTION_BYTES, address))


def _enter_namespaces(plan: Plan) -> None:
    flags = _number(plan, "unshare")
    if flags:
        enter_namespaces(flags, *_pair(plan, "map"))


def _listen(plan: Plan) -> None:
    """Have the host serve what connects to this process's own loopback: sockets belong to where they were made."""
    port = _number(plan, "port")
    if not port:
        return
    import _socket

    listener = open_loopback(port)
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, _LINK)
    link.sendmsg([b"l"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", listener.fileno()))])
    link.close()
    listener.close()


def _limit_sockets(plan: Plan) -> None:
    """What waits in a connection of TCP is memory that nothing counts. A container's settings may be there to be read alone."""
    for name in ("rmem", "wmem") if plan.get("network") else ():
        try:
            with open("/proc/sys/net/ipv4/tcp_" + name, "w", encoding="ascii") as file:
                file.write("4096 131072 212992")
        except OSError:
            pass


def _enter_tree(plan: Plan) -> None:
    tree = plan.get("tree")
    if isinstance(tree, list) and tree:
        from . import _tree

        _tree.enter(tree)


def _change_ids(plan: Plan) -> None:
    if plan.get("ids"):
        become(*_pair(plan, "ids"))


def _drop_capabilities(_plan: Plan) -> None:
    """All of them. None comes back: a program that is executed gains nothing, see `_forgo_privileges`."""
    numbered("capset", struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24))


def _limit(plan: Plan) -> None:
    limits = plan.get("limits")
    for kind, most in limits if isinstance(limits, list) else ():
        try:
            call("setrlimit", kind, struct.pack("2Q", most, most))
        except PermissionError:  # somebody has set a lower one before
            pass


def forgo_privileges() -> None:
    """Have no program that is executed gain anything, which the kernel wants of whoever restricts itself."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _forgo_privileges(_plan: Plan) -> None:
    forgo_privileges()
    # As it was before the numbers changed: whoever started it may see how much memory it needs.
    prctl(_PR_SET_DUMPABLE, 1)


def _restrict_files(plan: Plan) -> None:
    landlock = plan.get("landlock")
    if isinstance(landlock, dict):
        from . import _landlock

        rules = [(str(path), int(access)) for path, access in landlock["rules"]]
        _landlock.restrict(int(landlock["abi"]), rules, scopes=int(landlock["scopes"]))


def _enter_folder(plan: Plan) -> None:
    os.chdir(str(plan["folder"]))


def _filter_calls(plan: Plan) -> None:
    program = bytes.fromhex(str(plan.get("filter", "")))
    if program:
        load(program)


def _number(plan: Plan, name: str) -> int:
    value = plan.get(name, 0)
    return value if isinstance(value, int) else 0


def _pair(plan: Plan, name: str) -> tuple[int, int]:
    pair = plan[name]
    assert isinstance(pair, list)
    first, second = pair
    return int(first), int(second)
