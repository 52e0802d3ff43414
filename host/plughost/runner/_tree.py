"""A file tree of this process's own: what the plan names is bound into an empty one, and nothing else is there.

Above it: `_confine`; below it: the kernel's calls. The process has a mount namespace of its own already. The steps of a plan,
each a list, in the order in which they are done:

| step | what there is afterwards |
|---|---|
| `dir`, path | an empty folder |
| `link`, path, target | a symbolic link |
| `file`, path, text | a file that says so |
| `tmpfs`, path, bytes, files | an empty file system in memory, of that size, which anybody may write to |
| `bind`, path, mode, source | what is at `source` outside; the mode is `ro`, `rw`, or `dev` for a device |

What isn't there outside is left out.
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
_MS_BIND, _MS_REC, _MS_SLAVE, _MS_NOSUID, _MS_NODEV = 1 << 12, 1 << 14, 1 << 19, 2, 4
_MNT_DETACH = 2
_RDONLY, _NOSUID, _NODEV = 1, 2, 4
_MODES = {"ro": _RDONLY | _NOSUID | _NODEV, "rw": _NOSUID | _NODEV, "dev": _NOSUID}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_OLD = "/.outside"


def enter(steps: Iterable[Step]) -> None:
    """Have the root folder be the tree of these steps; the old one is out of reach then.

    Raises: OSError: the kernel refuses.
    """
    call("mount", b"none", b"/", None, _MS_REC | _MS_SLAVE, None)  # what is mounted here is seen nowhere else
    base = next((folder for folder in ("/tmp", "/var/tmp", "/mnt", "/run") if os.path.isdir(folder)), "/")  # noqa: S108
    call("mount", b"tmpfs", base.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755")
    os.mkdir(base + _OLD)
    numbered("pivot_root", base.encode(), (base + _OLD).encode())
    os.chdir("/")
    for step in steps:
        _do(*(each if isinstance(each, int) else str(each) for each in step))
    call("umount2", _OLD.encode(), _MNT_DETACH)
    os.rmdir(_OLD)
    _set("/", _MODES["ro"], 0)


def _do(kind: int | str, path: int | str, *details: int | str) -> None:
    path = str(path)
    os.makedirs(os.path.dirname(path) if kind != "dir" else path, 0o755, exist_ok=True)
    if kind == "bind":
        _bind(path, *(str(each) for each in details))
    elif kind == "link":
        if not os.path.lexists(path):
            os.symlink(str(details[0]), path)
    elif kind == "file":
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(details[0]))
    elif kind == "tmpfs":
        os.makedirs(path, 0o755, exist_ok=True)
        options = "mode=1777,size={},nr_inodes={}".format(*details)
        call("mount", b"tmpfs", os.fsencode(path), b"tmpfs", _MS_NOSUID | _MS_NODEV, options.encode())


def _bind(path: str, mode: str, source: str) -> None:
    outside = _OLD + source
    try:
        is_folder = os.path.isdir(outside) if os.path.exists(outside) else None
    except OSError:
        return
    if is_folder is None:
        return
    if is_folder:
        os.makedirs(path, 0o755, exist_ok=True)
    elif not os.path.lexists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    call("mount", os.fsencode(outside), os.fsencode(path), None, _MS_BIND | _MS_REC, None)
    _set(path, _MODES[mode], _AT_RECURSIVE)


def _set(path: str, attributes: int, flags: int) -> None:
    """`mount_setattr`, not a remount: it takes whatever else is set as it is, and reaches what is mounted below."""
    numbered("mount_setattr", _AT_FDCWD, os.fsencode(path), flags, struct.pack("4Q", attributes, 0, 0, 0), 32)
