"""A program: install the plugin `attacker`, have it try everything, and say what came of it: `attacks.py FOLDER [OPTION…]`.

What there is to get at is outside of the plugin, and the test's own: files, listeners, a process, variables. Whether anything
came of an attempt is seen there, and in the memory, processes and threads that the worker came to; what the plugin says of itself
only adds to that. The output is a JSON object: of each attempt what was answered, by the plugin or by an error, and what was
seen.

`--without-namespaces` has the kernel refuse them to this process and its children, as many a container does. `--trusted`
confines nothing, by which one sees that attempts do get through. `--only GLOB`, as often as one likes, tries some. `--outlive`,
in a folder in which something was tried before, has a worker try to outlive its host, and waits to be killed.
"""

from __future__ import annotations

import argparse
import ast
import base64
import ctypes
import fnmatch
import hashlib
import json
import os
import select
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import plughost
from plughost import Host, PlughostError, SandboxError
from plughost.policy import DEFAULT, TRUSTED, Policy

PACKAGE = Path(__file__).parent / "packages" / "attacker" / "attacker"
RUNNER = Path(plughost.__file__).parent / "runner"
MODULES = ("network", "files", "processes", "starting", "memory", "spending", "rights", "inherited", "start", "end")
MIB = 1 << 20
LIMITS = {
    "memory_bytes": 96 * MIB,
    "cpu_s": 0.5,
    "wall_s": 1.0,
    "threads": 32,
    "open_files": 128,
    "file_bytes": 8 * MIB,
    "disk_bytes": 32 * MIB,
    "output_bytes": MIB,
    "result_bytes": 4 * MIB,
}
#: How far the worker may be over a limit by the time that it's noticed.
LATE = 1.5
#: How much may be on the disk beyond what is allowed, before anybody has looked.
WRITTEN_BEFORE_NOTICED = 384 * MIB
#: How an attempt says that it has made a file, and where.
MADE = "got: made "
MARKER_TEXT = '"key"'
SECRET = os.urandom(8).hex()
#: What is tried side by side, because it ends only at a limit; and what is tried in a process that nothing was tried in before.
TOGETHER, ALONE = ("spending",), ("memory", "end")

BYSTANDER = """
import ctypes, os, signal, sys
secret = ctypes.create_string_buffer(b"{secret}")
for number in (signal.SIGUSR1, signal.SIGIO, signal.SIGCONT):
    signal.signal(number, lambda number, frame: os.write(1, b"signal %d\\n" % number))
os.write(1, b"%d\\n" % ctypes.addressof(secret))
while sys.stdin.read(1):
    pass
"""


class Outside:
    """What a plugin is after, and what it must not reach. `changes` says what has been."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "outside"
        self.folder.mkdir()
        self.temporary = folder / "temporary"  # a place beside the plugin's own, where there are sockets too
        self.temporary.mkdir()
        for path in (self.folder / "secret", self.temporary / "secret"):
            path.write_text(SECRET)
        self.folder.chmod(0o755)
        (self.folder / "writable").write_text("as it was")
        (self.folder / "expendable").touch()
        (self.folder / "link").symlink_to(SECRET)
        self.home = self.folder / "home"
        self.home.mkdir()
        (self.home / ".netrc").write_text(SECRET)
        os.environ["HOME"] = str(self.home)
        self.came: list[str] = []
        self._listen()
        self._start_bystander()
        self._before = self._state()

    def _listen(self) -> None:
        def listener(family: int, kind: int, address: object) -> socket.socket:
            made = socket.socket(family, kind)
            made.bind(address)
            if kind == socket.SOCK_STREAM:
                made.listen()
            self.listeners.append(made)
            return made

        self.listeners: list[socket.socket] = []
        self.tcp = listener(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0)).getsockname()[1]
        self.tcp6 = (
            listener(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)).getsockname()[1] if socket.has_dualstack_ipv6() else 1
        )
        self.udp = listener(socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 0)).getsockname()[1]
        self.abstract = f"attacks-{SECRET}"
        listener(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.abstract}")
        listener(socket.AF_UNIX, socket.SOCK_STREAM, str(self.temporary / "stream"))
        listener(socket.AF_UNIX, socket.SOCK_DGRAM, str(self.temporary / "datagrams"))
        for name in ("stream", "datagrams"):
            (self.temporary / name).chmod(0o777)
        self.temporary.chmod(0o755)
        fast_open = 23
        self.listeners[0].setsockopt(socket.IPPROTO_TCP, fast_open, 5)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            for ready in select.select(self.listeners, [], [])[0]:
                if ready.type == socket.SOCK_STREAM:
                    ready.accept()[0].close()
                    self.came.append("a connection")
                else:
                    self.came.append(f"a datagram {ready.recv(100)!r}")

    def _start_bystander(self) -> None:
        self.bystander = subprocess.Popen(
            [sys.executable, "-I", "-c", BYSTANDER.format(secret=SECRET)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        assert self.bystander.stdout is not None
        self.address = int(self.bystander.stdout.readline())
        os.set_blocking(self.bystander.stdout.fileno(), False)

    def facts(self, store: Path, other_plugin: str) -> dict[str, object]:
        return {
            "secret": str(self.folder / "secret"),
            "temporary_secret": str(self.temporary / "secret"),
            "writable": str(self.folder / "writable"),
            "expendable": str(self.folder / "expendable"),
            "link": str(self.folder / "link"),
            "folder": str(self.folder),
            "home": str(self.home),
            "store": str(store),
            "other_plugin": other_plugin,
            "runner": str(RUNNER / "_serve.py"),
            "unix": str(self.temporary / "stream"),
            "unix_datagrams": str(self.temporary / "datagrams"),
            "abstract": self.abstract,
            "tcp": self.tcp,
            "tcp6": self.tcp6,
            "udp": self.udp,
            "host": os.getpid(),
            "bystander": self.bystander.pid,
            "bystander_address": self.address,
            "nobody": 2**22 - 7,
            "marker_text": MARKER_TEXT,
            "wanted_bytes": LIMITS["memory_bytes"] * 3,
            "many": 500,
            "late_bytes": WRITTEN_BEFORE_NOTICED,
            **{name: LIMITS[name] for name in ("memory_bytes", "threads", "file_bytes", "disk_bytes")},
        }

    def changes(self) -> list[str]:
        """What has come or changed since it was last asked, put back to how it was."""
        assert self.bystander.stdout is not None
        seen, self.came = self.came, []
        seen += (self.bystander.stdout.read() or b"").decode().splitlines()
        if self.bystander.poll() is not None:
            seen.append(f"the bystander ended with {self.bystander.returncode}")
            self._start_bystander()
        now = self._state()
        seen += [
            f"{name}: {now.get(name)}, was {self._before.get(name)}"
            for name in now.keys() | self._before.keys()
            if now.get(name) != self._before.get(name)
        ]
        self._before = now
        return seen

    def _state(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for folder in (self.folder, self.temporary):
            for path in folder.iterdir():
                status = path.lstat()
                content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
                found[str(path)] = (content, status.st_mode, status.st_uid, status.st_mtime_ns)
        if self.bystander.poll() is None:
            pid = self.bystander.pid
            found["niceness"] = os.getpriority(os.PRIO_PROCESS, pid)
            found["scheduler"] = os.sched_getscheduler(pid)
            found["processors"] = os.sched_getaffinity(pid)
        return found

    def close(self) -> None:
        self.bystander.kill()
        self.bystander.wait()


class Watch(threading.Thread):
    """The most that any one worker of this process came to, with all that it has started: memory, processes, threads."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._others = {os.getpid()}
        self.most = {"memory": 0, "processes": 0, "threads": 0}

    def ignore(self, pid: int) -> None:
        self._others.add(pid)

    def run(self) -> None:
        while True:
            for worker in children(os.getpid()):
                if worker not in self._others:
                    self._look(worker)
            time.sleep(0.01)

    def _look(self, worker: int) -> None:
        statuses = [status for pid in (worker, *descendants(worker)) if (status := status_of(pid))]
        memory = sum(status.get(name, 0) for status in statuses for name in ("RssAnon", "RssShmem", "VmPTE")) * 1024
        now = {"memory": memory, "processes": len(statuses), "threads": sum(status.get("Threads", 0) for status in statuses)}
        self.most = {name: max(count, now[name]) for name, count in self.most.items()}

    def reset(self) -> dict[str, int]:
        most, self.most = self.most, dict.fromkeys(self.most, 0)
        return most


def children(pid: int) -> list[int]:
    try:
        texts = [Path(f"/proc/{pid}/task/{task}/children").read_text() for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []
    return [int(child) for text in texts for child in text.split()]


def descendants(root: int) -> list[int]:
    found, new = [], [root]
    while new:
        below = children(new.pop())
        found += below
        new += below
    return found


def status_of(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    if lines[0] == "Name:\tbwrap":  # what makes the worker's file tree runs nothing of the plugin's
        return {}
    pairs = (line.split(":", 1) for line in lines)
    return {name: int(value.split()[0]) for name, value in pairs if name in ("RssAnon", "RssShmem", "VmPTE", "Threads")}


def attempts(patterns: list[str]) -> list[str]:
    """What the plugin can try, in the order of its files."""
    found = []
    for module in MODULES:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        functions = [each for each in tree.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
        found += [f"{module}.{each.name}" for each in functions if [argument.arg for argument in each.args.args] == ["outside"]]
    return [name for name in found if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def make_wheel(folder: Path, name: str, files: dict[str, bytes], tool: str) -> Path:
    """A wheel, so that what an installer would leave out of one can be in it: a `.pth` file."""
    about = f"{name}-1.0.dist-info"
    files = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: attacks\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[plughost]\nattempt = {tool}\n".encode(),
    }
    lines = [f"{path},sha256={digest(data)},{len(data)}" for path, data in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,", ""]).encode()
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    return path


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def attacker(folder: Path, facts: dict[str, object], *, at_start: bool) -> Path:
    files = {f"attacker/{path.name}": path.read_bytes() for path in PACKAGE.glob("*.py")}
    files["attacker/facts.json"] = json.dumps(facts).encode()
    if at_start:
        files["attacker.pth"] = b"import attacker.start; attacker.start.begin('path file')\n"
        files["sitecustomize.py"] = b"import attacker.start; attacker.start.begin('site')\n"
    return make_wheel(folder, "attacker", files, "attacker:attempt")


class Trial:
    """Has everything tried, and notes what came of it."""

    def __init__(self, options: argparse.Namespace, outside: Outside, store: Path) -> None:
        self.options = options
        self.outside = outside
        self.store = store
        self.results: dict[str, dict[str, object]] = {}
        self.watch = Watch()
        self.watch.ignore(outside.bystander.pid)

    def host(self, policy: Policy | None = None) -> Host:
        policy = TRUSTED if self.options.trusted else policy or Policy(**{**LIMITS, **self.options.policy})
        waived = self.options.allow_unenforced
        return Host(store=self.store, policy=policy, allow_unenforced=waived, isolation=self.options.isolation)

    def install(self, folder: Path) -> None:
        with self.host(DEFAULT.replace(**self.options.policy)) as host:
            host.add(str(make_wheel(folder, "other", {"other.py": b"def attempt(): pass\n"}, "other:attempt")), offline=True)
            other = next(self.store.glob("**/site-packages/other.py"))
            self.outside.changes()
            facts = self.outside.facts(self.store, str(other))
            # What gets through at each start would stand at every attempt.
            host.add(str(attacker(folder, facts, at_start=not self.options.trusted)), offline=True)
            self.note("add", "refused: it was described")
            self.note_left("add")

    def run(self, names: list[str]) -> None:
        self.watch.start()
        module = {name: name.partition(".")[0] for name in names}
        if self.options.trusted:  # where they'd get what they are after, and be somebody else afterwards
            module = {name: ALONE[0] if each == "rights" else each for name, each in module.items()}
        with self.host() as host:
            self.note("places", self.answer(host, "start.places"))
            for name in (name for name in names if module[name] not in (*TOGETHER, *ALONE)):
                self.note(name, self.answer(host, name))
        self.note_left("those in one process")
        alone = [name for name in names if module[name] in ALONE]
        with ThreadPoolExecutor(1 if self.options.trusted else 3) as pool:
            for name, answer in zip(alone, pool.map(self.answer_alone, alone), strict=True):
                self.note(name, answer)
        self.note_left("those alone")
        together = [name for name in names if module[name] in TOGETHER]
        with self.host() as host, ThreadPoolExecutor(8) as pool:
            for name, answer in zip(together, pool.map(lambda name: self.answer(host, name), together), strict=True):
                self.note(name, answer)
        self.note_left("those together")

    def answer_alone(self, name: str) -> str:
        with self.host() as host:
            return self.answer(host, name)

    def answer(self, host: Host, name: str) -> str:
        try:
            return str(host.call("attacker", "attempt", name))[:300]
        except PlughostError as error:
            return f"{error.reference}: {error.message} {error.causes}"[:600]

    def note(self, name: str, answer: str) -> None:
        seen = self.outside.changes()
        if answer.startswith(MADE):  # by that name, in a tree of files that may be the plugin's own
            answer, path = answer.removeprefix("got: "), Path(answer.removeprefix(MADE))
            if path.exists():
                path.unlink()
                seen.append(f"{path} is there")
        if SECRET in answer:
            seen.append("the secret is in the answer")
        limits = {"memory": LIMITS["memory_bytes"] * LATE, "threads": LIMITS["threads"] + 4, "processes": 1}
        seen += [f"a worker of {most} {what}" for what, most in self.watch.reset().items() if most > limits[what]]
        self.results[name] = {"answer": answer.replace(SECRET, "SECRET"), "seen": seen}

    def note_left(self, after: str) -> None:
        """What still runs once the host has ended all of its own; orphans come to this process."""
        deadline = time.monotonic() + 20
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.results[f"left after {after}"] = {"answer": "", "seen": left}

    def _left(self) -> list[str]:
        left = []
        for pid in descendants(os.getpid()):
            if pid == self.outside.bystander.pid:
                continue
            try:
                os.waitpid(pid, os.WNOHANG)
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if command:
                left.append(command.replace(b"\0", b" ").decode())
        return left


def adopt_orphans() -> None:
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def do_without_namespaces() -> None:
    """Have the kernel refuse them from here on."""
    from plughost.sandbox import _bpf, _syscalls

    refused, machine = _bpf.refuse(1), os.uname().machine
    numbers = {
        name: number
        for group in (_syscalls.JUDGED, _syscalls.REFUSED)
        for name, number in _syscalls.numbers(group, machine).items()
    }
    verdicts = dict.fromkeys((numbers[name] for name in ("unshare", "mount", "setns", "pivot_root", "chroot")), refused)
    verdicts[numbers["clone"]] = _bpf.has_bits(0, 0x7E020000, refused, _bpf.ALLOW)
    clone3 = 435
    program = _bpf.program(machine, {**verdicts, clone3: _bpf.refuse(38)}, _bpf.ALLOW)
    memory = ctypes.create_string_buffer(program, len(program))
    libc = ctypes.CDLL(None)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(memory))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, header) == 0


def outlive(store: Path, policy: Policy) -> None:
    with Host(store=store, policy=policy) as host:
        host.invoke("attacker", "attempt", args=["inherited.outlive"], on_output=lambda data: os.write(1, data) and None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--policy", type=json.loads, default={})
    parser.add_argument("--isolation")
    parser.add_argument("--trusted", action="store_true")
    parser.add_argument("--without-namespaces", action="store_true")
    parser.add_argument("--allow-unenforced", action="append", default=[])
    parser.add_argument("--outlive", action="store_true")
    options = parser.parse_args()
    os.environ["ATTACKER_SECRET"] = SECRET
    os.chdir(options.folder)
    adopt_orphans()
    if options.without_namespaces:
        do_without_namespaces()
    store = options.folder / "store"
    if options.outlive:
        outlive(store, DEFAULT.replace(**options.policy))
    outside = Outside(options.folder)
    trial = Trial(options, outside, store)
    try:
        trial.install(options.folder)
        trial.run(attempts(options.only or ["*"]))
    except SandboxError as error:
        trial.results["refused"] = {"answer": "", "seen": [error.message, *error.causes]}
    finally:
        outside.close()
    json.dump(trial.results, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
