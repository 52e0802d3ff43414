"""What a process may take from itself on this machine: each way of it is tried, in a child of its own.

Above it: `_start`, where the argument is `probe`; below it: what confines processes. The answer goes to stdout, a JSON object:
name → why it can't be done, or the empty text; and `abi`, the version of Landlock, 0 where there is none.
"""

from __future__ import annotations

import os
import struct

from . import _confine, _landlock, _tree, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["probe"]

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
_TREE: list[_tree.Step] = [
    ["dir", "/usr"],
    ["bind", "/usr", "ro", "/usr"],
    ["dir", "/memory"],
    ["tmpfs", "/memory", 1 << 20, 16],
]
_ALLOW = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)  # BPF_RET, SECCOMP_RET_ALLOW
_READS = 1 << 2


def probe(user: int) -> None:
    """Try everything; `user` is a number that root may become."""
    ways: dict[str, Callable[[], None]] = {
        "landlock": _restrict,
        "seccomp": _filter,
        "tree": lambda: _enter(_CLONE_NEWNS),
        "user-tree": lambda: _enter(_CLONE_NEWNS | _CLONE_NEWUSER),
        "net": lambda: _enter_network(0),
        "user-net": lambda: _enter_network(_CLONE_NEWUSER),
        "ids": lambda: _confine.become(user, user),
    }
    found: dict[str, object] = {name: _tried(way) for name, way in ways.items()}
    try:
        found["abi"] = _landlock.version()
    except OSError:
        found["abi"] = 0
    os.write(1, (wire.encode(found) + "\n").encode())


def _tried(way: Callable[[], None]) -> str:
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            way()
        except BaseException as error:  # noqa: BLE001 - the answer is why
            os.write(write, str(error).encode() or b"failed")
        os._exit(0)
    os.close(write)
    why = os.read(read, 4096).decode("utf-8", "replace")
    os.close(read)
    _, status = os.waitpid(pid, 0)
    return why or ("ended by signal {}".format(status & 0x7F) if status else "")


def _restrict() -> None:
    _confine.forgo_privileges()
    _landlock.restrict(_landlock.version(), [("/", _READS)], scopes=0)


def _filter() -> None:
    _confine.forgo_privileges()
    _confine.load(_ALLOW)


def _enter(flags: int) -> None:
    user, group = os.getuid(), os.getgid()
    _confine.enter_namespaces(flags, user, group)
    _tree.enter(_TREE)


def _enter_network(flags: int) -> None:
    _confine.enter_namespaces(flags | _CLONE_NEWNET, os.getuid(), os.getgid())
    _confine.open_loopback(8).close()
