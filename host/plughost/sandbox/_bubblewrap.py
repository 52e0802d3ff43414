"""A file tree and a network of a process's own, made by bubblewrap where the process itself may not make them.

Above it: the machine and the plan; below it: `_process`. Some systems let only this program make namespaces, by a profile of
AppArmor for its path or by a setuid bit. So one that a user has brought along is of no use, and could be anything.

It makes files and networks; all else the process takes from itself as ever. There is no namespace of processes: numbers, signals
and the process group are what they are outside, and bubblewrap itself only waits for the process.
"""

from __future__ import annotations

import os
import stat

from plughost import _process
from plughost.runner.wire import WireError, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from plughost.sandbox._tree import Step

__all__ = ["Bubblewrap", "examine", "identity"]

_NAME = "bwrap"
#: Where an operator's programs are, before those of PATH.
_FOLDERS = ("/usr/bin",)
_TRIED_WITHIN_S = 10.0
_SIZED = ("--size", "65536")
_BIND = {"ro": "--ro-bind", "rw": "--bind", "dev": "--dev-bind"}
_ROOT = 0


def identity() -> str:
    """Which program is meant, and whether it has changed; "" where there is none."""
    program = _find()
    if not program:
        return ""
    state = os.stat(program)
    return f"{program} {state.st_ino} {state.st_mtime_ns} {state.st_mode:o}"


def examine() -> dict[str, str]:
    """What it does here: `bubblewrap` is its path, `identity` which it is; the rest says why something can't be done, if so."""
    program = _find()
    found = {"identity": identity()}
    if not program:
        return found
    found["bubblewrap"] = program
    users = found["wrapped-users"] = _tried(program, "--unshare-user")
    own = [] if users else ["--unshare-user"]
    found["wrapped-tree"] = _tried(program) if users else ""
    found["wrapped-net"] = _tried(program, *own, "--unshare-net")
    found["wrapped-size"] = _tried(program, *own, *_SIZED, "--tmpfs", "/tmp")  # noqa: S108
    return found


def _tried(program: str, *options: str) -> str:
    """Have it do what it would for a worker, and start something that is there in any case: itself."""
    tree = ["--perms", "1777", "--tmpfs", "/tmp", "--ro-bind", "/proc/self/status", "/tmp/status"]  # noqa: S108
    argv = [program, "--ro-bind", "/", "/", *options, *tree, "--", program, "--version"]
    try:
        completed = _process.run(argv, env={}, timeout_s=_TRIED_WITHIN_S)
    except (OSError, TimeoutError) as error:
        return f"`{program}`: {error}"
    if not completed.returncode:
        return ""
    return completed.stderr.strip() or f"`{program}` ended with {completed.returncode}"


def _find() -> str:
    folders = [*_FOLDERS, *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    paths = (os.path.join(folder, _NAME) for folder in folders if os.path.isabs(folder))
    return next((path for path in paths if os.access(path, os.X_OK) and _is_operators(path)), "")


def _is_operators(path: str) -> bool:
    """Whether root alone could have put it there, links and folders on the way to it included."""
    real = os.path.realpath(path)
    ways = {*_above(os.path.dirname(path)), *_above(os.path.dirname(real))}
    return stat.S_ISREG(os.stat(real).st_mode) and all(map(_is_roots, (path, real, *ways)))


def _above(folder: str) -> Iterator[str]:
    while folder != os.path.dirname(folder):
        yield folder
        folder = os.path.dirname(folder)


def _is_roots(path: str) -> bool:
    state = os.stat(path, follow_symlinks=False)
    # In a folder with the sticky bit, nobody else replaces what is root's.
    is_kept = not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or stat.S_ISLNK(state.st_mode) or state.st_mode & stat.S_ISVTX
    return state.st_uid == _ROOT and bool(is_kept)


class Bubblewrap:
    """The one that a process is started through; see `_process.Wrapper`."""

    __slots__ = ("_info", "_is_sized", "_opened", "_options", "_program", "_steps")

    def __init__(
        self, program: str, steps: Sequence[Step], folder: str, *, users: bool, network: bool, is_sized: bool = True
    ) -> None:
        """`steps` make the file tree, see the runner's `_tree`; `folder` is one in it, where the process begins.

        `users` and `network` say whether the process has those of its own, too. One with a setuid bit can't give files in memory
        a size (`is_sized`): then only the host watches how much there is.
        """
        self._is_sized = is_sized
        self._program = program
        self._steps = steps
        self._options = [*(["--unshare-user"] if users else ()), *(["--unshare-net"] if network else ()), "--chdir", folder]
        self._opened: list[int] = []
        self._info = -1

    def open(self, argv: Sequence[str], env: Mapping[str, str]) -> tuple[list[str], list[int]]:
        self._info, told = _process.pipe()
        self._opened.append(told)
        options = [*self._options, "--info-fd", str(told)]
        # Said to it, too: one with a setuid bit loses some of them when it starts.
        options += (part for name, value in env.items() for part in ("--setenv", name, value))
        options += (part for step in self._steps for part in self._said(*map(str, step)))
        options += ["--remount-ro", "/"]
        # By a descriptor: an argument list is short, and everybody may read it.
        given = self._readable("\0".join(options))
        return [self._program, "--args", str(given), "--", *argv], self._opened

    def _said(self, kind: str, path: str, *details: str) -> Iterable[str]:
        if kind == "bind":
            mode, source = details
            return (_BIND[mode], source, path)
        if kind == "link":
            return ("--symlink", details[0], path)
        if kind == "tmpfs":
            return ("--perms", "1777", *(("--size", details[0]) if self._is_sized else ()), "--tmpfs", path)
        if kind == "dir":
            return ("--dir", path)
        if kind == "terminals":  # which it makes with all else of its `/dev`
            return ()
        # An empty file is where something is bound: bubblewrap makes those by itself.
        return ("--file", str(self._readable(details[0])), path) if details[0] else ()

    def _readable(self, text: str) -> int:
        """A descriptor to read that from."""
        fd = _process.raised(os.memfd_create("plughost"))
        self._opened.append(fd)
        os.write(fd, os.fsencode(text))
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def settle(self) -> int | None:
        for fd in self._opened:
            os.close(fd)
        self._opened.clear()
        text = b""
        try:
            while not text.rstrip().endswith(b"}") and (chunk := os.read(self._info, 4096)):
                text += chunk
        finally:
            os.close(self._info)
        try:
            pid = unpack(text).get("child-pid")
        except WireError:  # it has failed, and says on stderr why
            return None
        return pid if isinstance(pid, int) else None
