"""A file tree of this process's own: what the plan names is bound into an empty one, and nothing else is there.

Above it: `_confine`; below it: the kernel's calls. The process has a mount namespace of its own already. The steps of a plan,
each a list, in the order in which they are done:

| step | what there is afterwards |
|---|---|
| `dir`, path | an empty folder |
| `link`, path, target | a symbolic link |
| `file`, path, text | a file that says so |
| `tmpfs`, path, bytes, files | at a folder, an empty file system in memory, of that size, which anybody may write to |
| `terminals`, path, count | at a folder, pseudo-terminals of its own, so many at most |
| `bind`, path, mode, source | what is at `source` outside, in the place of what is at `path`; the mode is `ro`, `rw`, or `dev` |
"""

from __future__ import annotations

import os
import struct

from ._system import call, numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Step = list[object]

__all__ = ["enter"]

#: Source: linux/mount.h.
_MS_BIND, _MS_REC, _MS_SLAVE, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1 << 12, 1 << 14, 1 << 19, 2, 4, 8
_MNT_DETACH = 2
_RDONLY, _NOSUID, _NODEV = 1, 2, 4
_MODES = {"ro": _RDONLY | _NOSUID | _NODEV, "rw": _NOSUID | _NODEV, "dev": _NOSUID}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_OLD = "/.outside"


def enter(steps: Iterable[Step]) -> None:
    """Have the root folder be the tree of these steps; the old one is out of reach then.

    Raises: OSError: the kernel refuses, or something that is to be bound isn't there.
    """
    call("mount", b"none", b"/", None, _MS_REC | _MS_SLAVE, None)  # what is mounted here is seen nowhere else
    base = next((folder for folder in ("/tmp", "/var/tmp", "/mnt", "/run") if os.path.isdir(folder)), "/")  # noqa: S108
    call("mount", b"tmpfs", base.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755")
    mask = os.umask(0o022)  # what is made here is for the plugin's user, whoever may read what the host makes
    os.mkdir(base + _OLD)
    numbered("pivot_root", base.encode(), (base + _OLD).encode())
    os.chdir("/")
    for kind, path, *details in steps:
        try:
            _do(str(kind), str(path), details)
        except OSError as error:
            raise OSError(error.errno, "`{}` ({}): {}".format(path, kind, error)) from error
    _have_a_number()
    call("umount2", _OLD.encode(), _MNT_DETACH)
    os.rmdir(_OLD)
    os.umask(mask)
    _set("/", _MODES["ro"], 0)


def _do(kind: str, path: str, details: list[object]) -> None:
    if kind == "dir":
        os.mkdir(path, 0o755)
    elif kind == "link":
        os.symlink(str(details[0]), path)
    elif kind == "file":
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        os.write(fd, str(details[0]).encode())
        os.close(fd)
    elif kind == "tmpfs":
        options = "mode=1777,size={},nr_inodes={}".format(*details).encode()
        call("mount", b"tmpfs", os.fsencode(path), b"tmpfs", _MS_NOSUID | _MS_NODEV, options)
    elif kind == "terminals":
        options = "newinstance,ptmxmode=0666,mode=600,max={}".format(*details).encode()
        call("mount", b"devpts", os.fsencode(path), b"devpts", _MS_NOSUID | _MS_NOEXEC, options)
    elif kind == "bind":
        mode, source = map(str, details)
        call("mount", os.fsencode(_OLD + source), os.fsencode(path), None, _MS_BIND | _MS_REC, None)
        _set(path, _MODES[mode], _AT_RECURSIVE)


def _have_a_number() -> None:
    """Those who look after processes, `psutil` for one, look for their own by its number."""
    own = "/proc/{}".format(os.getpid())
    if os.path.isdir("/proc/self") and not os.path.lexists(own):  # which it has where all of /proc is its to read
        os.symlink("self", own)


def _set(path: str, attributes: int, flags: int) -> None:
    """`mount_setattr`, not a remount: it takes whatever else is set as it is, and reaches what is mounted below."""
    numbered("mount_setattr", _AT_FDCWD, os.fsencode(path), flags, struct.pack("4Q", attributes, 0, 0, 0), 32)
