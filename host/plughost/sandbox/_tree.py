"""The files that a worker has: its environment, the Python below it, the system's libraries, and what its policy adds.

Above it: the plan; below it: nothing but the disk. What is made of it depends on the machine: a file tree that holds nothing
else, or, where there can be none, rules for what may be opened. A tree has all paths as they are outside, links included.
"""

from __future__ import annotations

import os

from plughost.paths import scan
from plughost.sandbox._base_python import base_python
from plughost.sandbox._given import TEMPORARY, not_in, overlap, without, without_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from plughost.policy import Policy

    Step = list[object]

__all__ = ["DEVICES", "EXECUTE", "OWN_MAPS", "READ", "SYSTEM", "WRITE", "Files", "maps_of_forks"]

#: Ways of access to files, as Landlock numbers them; see linux/landlock.h.
EXECUTE = 1 << 0
READ = 1 << 2 | 1 << 3
#: All but to execute, to make devices, and to command them.
WRITE = (1 << 15) - 1 & ~(EXECUTE | 1 << 6 | 1 << 11)
_COMMAND = 1 << 15

#: What a program needs of a system, and what is of nobody's. What isn't there is left out.
SYSTEM = (
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/lib",
    "/usr/share",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/sys/devices/system/cpu",
)
#: Of /proc: of the machine and of the process itself, but for its descriptors, which could be opened anew in other ways.
_PROCESS = tuple(
    f"/proc/{name}"
    for name in (
        *("cpuinfo", "loadavg", "meminfo", "stat", "uptime", "version", "sys/kernel/osrelease", "sys/vm/overcommit_memory"),
        *(f"self/{name}" for name in ("cmdline", "limits", "maps", "smaps_rollup", "stat", "statm", "status")),
    )
)
#: Never as a whole: by its folders for processes, those of others could be told, and one's own descriptors be opened anew.
_PROCESSES = "/proc"
_PROGRAM = "/proc/self/exe"
#: What the kernel shows of a process to that alone; and where a nursery finds its own.
_MAPS, _ROLLUP, OWN_MAPS = "/proc/self/maps", "/proc/self/smaps_rollup", "/proc/maps"
#: What programs of the system execute, in other folders than their own: git's commands, a compiler's passes.
_PROGRAMS, _HELPERS = "/usr/bin", ("/usr/lib", "/usr/libexec")
#: Other names of folders of programs, by which `sh` is known.
_ALIASES = ("/bin", "/sbin")
#: Not `/dev/zero`: what is mapped from it is shared memory that no limit counts.
DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
#: Pseudo-terminals of a worker's own, which have no number but among themselves; how many, since their buffers are the kernel's.
_TERMINALS, _MOST_TERMINALS = "/dev/pts", 16
_RESOLVER = (
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
)
_MOST_LINKS = 40  # on the way to a file, as the kernel has it
_MOST_TEMPORARY = 1 << 14  # files


class Files:
    """What there is for one policy and one environment, but for the work directory.

    `own` are further paths that are read: the runner's, and those of a plugin that is run from its source.
    """

    def __init__(self, policy: Policy, venv: str, own: Sequence[str]) -> None:
        self._python, self.bases = base_python(venv)
        self._executables, self._changeable = [], []
        if policy.processes != 1:
            execute = list(without_processes(not_in(policy.write, policy.execute)))
            helpers = _HELPERS if _PROGRAMS in execute else ()
            self._executables = [os.path.join(venv, "bin"), self._python, *execute, *helpers, *_loaders()]
            self._changeable = [path for path in policy.execute if path not in execute]
        everything = [entry.path for entry in os.scandir("/") if entry.path not in (TEMPORARY, _PROCESSES)]
        hidden = [os.path.realpath(path) for path in policy.hide]
        write = [*(everything if "/" in policy.write else ()), *not_in(policy.write, policy.write)]
        read = [*SYSTEM, *(_RESOLVER if policy.network == "on" else ()), *self.bases, venv, *own, *self._executables]
        read += [*(everything if "/" in policy.read else ()), *not_in(policy.write, policy.read)]
        read, write = list(without_processes(read)), list(without_processes(write))
        taken = (*policy.read, *policy.write)
        self._has_terminals = policy.processes != 1 and not any(overlap(path, _TERMINALS) for path in taken)
        self._aliases = [path for path in _ALIASES if os.path.islink(path) and os.path.realpath(path) in policy.execute]
        self.write = list(without(hidden, write))
        self.read = list(without(hidden, read))
        self._tree: _Tree | None = None

    def tree(self, work: str, *, temporary_bytes: int, user: int, group: int, has_forks: bool) -> list[Step]:
        """The steps of a plan that make a tree of them; see the runner's `_tree`."""
        if self._tree is None:
            self._tree = self._made(temporary_bytes)  # by one step: other threads may be at it
        tree = self._tree.copy()
        texts = {
            "/etc/passwd": f"root:x:0:0::/:\nplugin:x:{user}:{group}:plugin:{work}:\nnobody:x:65534:65534::/:\n",
            "/etc/group": f"root:x:0:\nplugin:x:{group}:\nnogroup:x:65534:\n",
            "/etc/hosts": f"127.0.0.1 localhost {os.uname().nodename}\n::1 localhost\n",
        }
        for path, text in texts.items():
            tree.add(path, ["file", path, text])
        tree.place(work, "rw")
        return list(_for_forks(tree.steps, maps_of_forks(work))) if has_forks else tree.steps

    def _made(self, temporary_bytes: int) -> _Tree:
        tree = _Tree()
        tree.add(TEMPORARY, ["tmpfs", TEMPORARY, temporary_bytes, _MOST_TEMPORARY])
        for path in ("/dev/shm", "/var/tmp"):  # noqa: S108
            tree.add(path, ["link", path, TEMPORARY])
        for path in sorted({*self.read, *self.write}, key=lambda path: path.count("/")):
            tree.place(path, "rw" if path in self.write else "ro")
        for path in self._aliases:
            tree.add(path, ["link", path, os.readlink(path)])
        for path in _PROCESS:
            tree.place(path, "ro")
        for path in DEVICES:
            tree.place(path, "dev")
        if self._has_terminals:
            tree.add(_TERMINALS, ["terminals", _TERMINALS, _MOST_TERMINALS])
            tree.add("/dev/ptmx", ["link", "/dev/ptmx", _TERMINALS + "/ptmx"])
        if not self._executables:  # else `self` may be several, and each another program
            tree.add(_PROGRAM, ["link", _PROGRAM, self._python])
        return tree

    def rules_of_forks(self, work: str, *, has_tree: bool) -> list[list[object]]:
        """The same for each of several processes in one tree, but for what is its own: that is in `work`, and nobody else's."""
        if not has_tree:
            return [rule for rule in self.rules("", has_tree=False) if rule[0]]
        # In few rules, since each of them takes time: by whole folders, but for those in which something is one's own.
        apart = (_top(work), TEMPORARY, "/dev")
        bound = [*self.read, *self.write, *_PROCESS]
        readable = {path if _top(path) in apart else _top(path) for path in bound}
        rules: list[list[object]] = [[path, READ] for path in sorted({*readable, "/etc"})]
        rules += [[path, EXECUTE | READ] for path in self._executables]
        rules.append([maps_of_forks(work), READ])
        return [*rules, *([path, READ | WRITE] for path in (*self.write, *DEVICES))]

    def rules(self, work: str, *, has_tree: bool) -> list[list[object]]:
        """What of them may be opened, and how; in a tree of their own, all that isn't said to be written."""
        readable = ["/"] if has_tree else [*self.read, *_PROCESS]
        rules: list[list[object]] = [[path, READ] for path in readable]
        # In a tree, what the plugin has made a link to something else leads to nothing that isn't there anyway.
        executables = [*self._executables, *(self._changeable if has_tree else ())]
        rules += [[path, EXECUTE | READ] for path in executables]
        rules += [[path, READ | WRITE] for path in (*self.write, work)]
        if has_tree and self._has_terminals:
            rules.append([_TERMINALS, READ | WRITE | _COMMAND])
        return [*rules, *([path, READ | WRITE] for path in (*DEVICES, *([TEMPORARY] if has_tree else ())))]


def maps_of_forks(work: str) -> str:
    """Where a nursery keeps, for those that it forks, what memory they begin with: some look there which libraries are loaded."""
    return os.path.join(work, ".maps")


def _for_forks(steps: Iterable[Step], maps: str) -> Iterator[Step]:
    for kind, path, *details in steps:
        if path == _MAPS:
            yield [kind, OWN_MAPS, *details]
        elif path != _ROLLUP:
            yield [kind, path, *details]
    yield ["link", _MAPS, maps]


def _top(path: str) -> str:
    return "/" + path.split("/", 2)[1]


class _Tree:
    """Steps, and the paths that are there by them."""

    def __init__(self, steps: Iterable[Step] = (), modes: Mapping[str, str] | None = None) -> None:
        self.steps = list(steps)
        self._modes = dict(modes or {"/": ""})  # of what is bound; "" of what is made

    def copy(self) -> _Tree:
        return _Tree(self.steps, self._modes)

    def place(self, path: str, mode: str) -> None:
        """Have what is at `path` there under that name, links on the way to it included; what is not there is left out."""
        for _ in range(_MOST_LINKS):
            link = _first_link(path) if not path.startswith("/proc/") else ""
            if not link:
                self._bind(path, mode)
                return
            target = os.readlink(link)
            self.add(link, ["link", link, target])
            path = os.path.normpath(os.path.join(os.path.dirname(link), target) + path[len(link) :])

    def add(self, path: str, step: Step) -> None:
        """A step that makes something at `path`, unless there is something already."""
        if path in self._modes or self._is_bound(path):
            return
        self._make_way(path)
        if step[0] in {"tmpfs", "terminals"}:
            self.steps.append(["dir", path])
        self.steps.append(step)
        self._modes[path] = ""

    def _bind(self, path: str, mode: str) -> None:
        bound = self._is_bound(path)
        if bound == mode or not os.path.exists(path):
            return
        if not bound and path not in self._modes:
            self._make_way(path)
            self.steps.append(["dir", path] if os.path.isdir(path) else ["file", path, ""])
        self.steps.append(["bind", path, mode, path])
        self._modes[path] = mode

    def _make_way(self, path: str) -> None:
        """The folders above."""
        above = os.path.dirname(path)
        if above not in self._modes:
            self._make_way(above)
            self.steps.append(["dir", above])
            self._modes[above] = ""

    def _is_bound(self, path: str) -> str:
        """The mode in which it is there as a part of something; "" if it isn't."""
        while path != "/":
            if self._modes.get(path):
                return self._modes[path]
            path = os.path.dirname(path)
        return ""


def _first_link(path: str) -> str:
    """The first part of the path that is a symbolic link; "" if none is."""
    parts = path.split("/")
    for count in range(2, len(parts) + 1):
        part = "/".join(parts[:count])
        if os.path.islink(part):
            return part
    return ""


def _loaders() -> list[str]:
    """What starts programs that are linked with libraries; whoever may execute anything has to be able to execute these."""
    folders = [folder for folder in ("/lib64", "/lib") if os.path.isdir(folder)]
    below = [entry.path for entry in scan("/lib") if entry.name.endswith(("-gnu", "-musl"))]
    return [
        entry.path for folder in (*folders, *below) for entry in scan(folder) if entry.name.startswith(("ld-linux", "ld-musl-"))
    ]
