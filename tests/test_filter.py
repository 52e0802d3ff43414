"""Which calls of the kernel a process may still make under a filter: each is tried by a process that has loaded it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost.sandbox import _filter, _syscalls
from plughost.sandbox._filter import OWN_PID, Rules, build

if TYPE_CHECKING:
    from collections.abc import Callable

    Act = Callable[[], object]

MACHINE = os.uname().machine
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or MACHINE not in {"x86_64", "aarch64"}, reason="there is no filter for this machine"
)

PYTHONS = sorted(
    path for minor in range(8, 15) for path in Path("~/.pyenv/versions").expanduser().glob(f"3.{minor}.*/bin/python3")
)
WORK = Path(__file__).parent / "confined_work.py"
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NAME, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 15, 4, 22, 38, 1
SECCOMP_MODE_FILTER = 2
F_SETSIG, F_SETOWN_EX, F_SETPIPE_SZ = 10, 15, 1031
TIOCSTI, FIOSETOWN = 0x5412, 0x8901
CLONE_THREAD, CLONE_PARENT, CLONE_NEWUSER = 0x10000, 0x8000, 0x10000000
SO_ATTACH_FILTER = 26
TCP_ULP = 31
PUNCH_HOLE_KEEPING_SIZE, CLOSE_RANGE_UNSHARE = 3, 2
LIFELINE, LEASE = 3, 4
CLOSE_RANGE, CLONE3 = 436, 435
NOT_YET_A_CALL = 999

ALONE = {"network": False, "children": False, "nursery": False, "threads": True}


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def narrow(program: bytes) -> None:
    """What a process does with its program."""
    program = program.replace(OWN_PID, struct.pack("<I", os.getpid()))
    memory = ctypes.create_string_buffer(program, len(program))
    header = _Program(len(program) // 8, ctypes.addressof(memory))
    assert LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(header)) == 0


def met(act: Act, **rules: bool) -> str:
    """What a process meets that has narrowed itself: the name of an error, `nothing`, or of the signal that ends it."""
    program = build(Rules(**{**ALONE, **rules}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytest's watchdog is a thread; the copy doesn't need it
        pid = os.fork()
    if pid == 0:
        code = 255
        try:
            narrow(program)
            act()
            code = 0
        except OSError as error:
            code = error.errno or 255
        except RuntimeError:  # what Python makes of EAGAIN for a thread
            code = errno.EAGAIN
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0:
        return signal.Signals(-code).name
    return errno.errorcode.get(code, "something else") if code else "nothing"


def by_number(number: int, *arguments: int) -> Act:
    def act() -> None:
        if LIBC.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) == -1:
            raise OSError(ctypes.get_errno(), "")

    return act


def by_name(name: str, *arguments: int) -> Act:
    groups = [value for group, value in vars(_syscalls).items() if group.isupper()]
    numbers = {name: number for group in groups for name, number in _syscalls.numbers(group, MACHINE).items()}
    return by_number(numbers[name], *arguments)


def forked() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if os.fork() == 0:
            os._exit(0)


def thread() -> None:
    running = threading.Thread(target=int)
    running.start()
    running.join()


def pair() -> None:
    one, other = socket.socketpair()
    one.send(b"x")
    assert other.recv(1) == b"x"


def mapping(flags: int) -> Act:
    return lambda: mmap.mmap(-1, mmap.PAGESIZE, flags=flags | mmap.MAP_ANONYMOUS)


def made(path: str, mode: int) -> Act:
    return lambda: os.open(path, os.O_CREAT | os.O_WRONLY, mode)


ITS_OWN = {
    "a thread": thread,
    "a pair of sockets": pair,
    "a signal to itself": lambda: os.kill(os.getpid(), signal.SIGCONT),
    "a signal to its thread": lambda: signal.raise_signal(signal.SIGCONT),
    "its limits": lambda: resource.prlimit(os.getpid(), resource.RLIMIT_CORE, (0, 0)),
    "its processors": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "its niceness": lambda: os.nice(1),
    "private memory": mapping(mmap.MAP_PRIVATE),
    "a mapped file": lambda: mmap.mmap(os.open(__file__, os.O_RDONLY), 1, prot=mmap.PROT_READ),
    "a pipe that doesn't block": lambda: os.set_blocking(os.pipe()[0], False),
    "flags of a pipe": lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETFL, os.O_NONBLOCK),
    "the name of a thread": by_name("prctl", PR_SET_NAME, 0),
    "a timer": lambda: signal.setitimer(signal.ITIMER_REAL, 60),
    "an epoll": select.epoll,
    "its own clock": lambda: time.clock_gettime((~0 << 3) | 2),
    "a clock of a thread": lambda: time.clock_gettime(time.pthread_getcpuclockid(threading.get_ident())),
    "to wait a while": lambda: time.sleep(0.001),
    "a lock that is waited for": lambda: threading.Lock().acquire(blocking=True, timeout=1),
    "room in a file": lambda: os.posix_fallocate(os.open(".", os.O_TMPFILE | os.O_RDWR), 0, 100),
    "to give room back": by_name("fallocate", 0, PUNCH_HOLE_KEEPING_SIZE, 0, 0),
}


@pytest.mark.parametrize("what", ITS_OWN)
def test_what_is_its_own_a_process_has_as_ever(what: str) -> None:
    # The name of a thread is read from nowhere, and nobody knows what is at descriptor 0.
    assert met(ITS_OWN[what]) in {"nothing", "EFAULT", "EINVAL", "ENODEV", "EBADF", "ESPIPE"}


REFUSED: dict[str, tuple[str, Act]] = {
    "a socket of the Internet": ("EACCES", socket.socket),
    "a socket by MPTCP": ("EACCES", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)),
    "a local socket": ("EACCES", lambda: socket.socket(socket.AF_UNIX)),
    "a pair that could send elsewhere": ("EACCES", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
    "a socket of the kernel's": ("EAFNOSUPPORT", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "a socket of the host's machine": ("EAFNOSUPPORT", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)),
    "a filter on a socket": ("EPERM", lambda: socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, b"")),
    "a descriptor by a message": ("EPERM", lambda: socket.recv_fds(socket.socketpair()[0], 1, 1)),
    "a copy of itself": ("EPERM", forked),
    "another program": ("EPERM", lambda: os.execv(sys.executable, [sys.executable, "-c", ""])),
    "a sibling": ("EPERM", by_name("clone", CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)),
    "a thread with a user namespace": ("EPERM", by_name("clone", CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0)),
    "a namespace": ("EPERM", by_name("unshare", CLONE_NEWUSER)),
    "a session": ("EPERM", os.setsid),
    "a process group": ("EPERM", lambda: os.setpgid(0, 0)),
    "a signal to the parent": ("EPERM", lambda: os.kill(os.getppid(), 0)),
    "the parent's limits": ("EPERM", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE)),
    "the parent's processors": ("EPERM", lambda: os.sched_setaffinity(os.getppid(), {0})),
    "the parent's niceness": ("EPERM", lambda: os.getpriority(os.PRIO_PROCESS, os.getppid())),
    "the parent's session": ("EPERM", lambda: os.getsid(os.getppid())),
    "a descriptor of the parent": ("EPERM", lambda: os.pidfd_open(os.getppid())),
    "the parent's memory": ("EPERM", by_name("process_vm_readv", 1, 0, 0, 0, 0, 0)),
    "the parent's clock": ("EINVAL", lambda: time.clock_gettime((~os.getppid() << 3) | 2)),
    "a timer by the parent's clock": ("EINVAL", by_name("timer_create", (~os.getppid() << 3) | 2, 0, 0)),
    "a lock that lends its owner a priority": ("ENOSYS", by_name("futex", 0, 6, 0, 0, 0, 0)),
    "the same by another number": ("ENOSYS", by_name("futex", 0, 128 | 13, 0, 0, 0, 0)),
    "a thread with descriptors of its own": ("EPERM", by_name("clone", CLONE_THREAD | 0x900, 0, 0, 0, 0)),
    "the same later": ("EPERM", by_name("close_range", 100, 200, CLOSE_RANGE_UNSHARE)),
    "to trace": ("EPERM", by_name("ptrace", 0, 0, 0, 0)),
    "to be hidden from the host": ("EPERM", by_name("prctl", PR_SET_DUMPABLE, 0)),
    "to outlive its parent": ("EPERM", by_name("prctl", PR_SET_PDEATHSIG, 0)),
    "shared memory": ("EPERM", mapping(mmap.MAP_SHARED)),
    "memory that grows": ("EPERM", mapping(mmap.MAP_PRIVATE | 0x100)),
    "huge pages": ("EPERM", mapping(mmap.MAP_PRIVATE | 0x40000)),
    "a file in memory": ("EPERM", lambda: os.memfd_create("x")),
    "shared memory by a key": ("EPERM", by_name("shmget", 0, 4096, 0o1600)),
    "memory that stays": ("EPERM", by_name("mlock", 0, 0)),
    "a key in the kernel": ("EPERM", by_name("add_key", 0, 0, 0, 0, 0)),
    "a program in the kernel": ("EPERM", by_name("bpf", 0, 0, 0)),
    "calls by a ring": ("EPERM", by_name("io_uring_setup", 1, 0)),
    "a file by its handle": ("EPERM", by_name("open_by_handle_at", 0, 0, 0)),
    "a mount": ("EPERM", by_name("mount", 0, 0, 0, 0, 0)),
    "another root": ("EPERM", lambda: os.chroot("/")),
    "room on the disk at once": (errno.errorcode[errno.EOPNOTSUPP], by_name("fallocate", 0, 0, 0, 1 << 40)),
    "a device in a file's place": ("EPERM", by_name("renameat2", -100, 0, -100, 0, 4)),
    "to hear of files": ("ENOSYS", by_number(294 if MACHINE == "x86_64" else 26, 0)),
    "a program with its owner's rights": ("EPERM", made(f"/tmp/{os.getpid()}", 0o4700)),
    "a file with its owner's rights": ("EPERM", lambda: os.fchmod(os.pipe()[0], 0o4700)),
    "a device": ("EPERM", lambda: os.mknod("/dev/null/none", 0o020600, 0x103)),
    "signals for a process": ("EPERM", lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid())),
    "another signal for a pipe": ("EPERM", lambda: fcntl.fcntl(os.pipe()[0], F_SETSIG, signal.SIGKILL)),
    "signals for a thread": ("EPERM", by_name("fcntl", 0, F_SETOWN_EX, 0)),
    "a larger pipe": ("EPERM", lambda: fcntl.fcntl(os.pipe()[0], F_SETPIPE_SZ, 1 << 20)),
    "a lease on a file": ("EPERM", lambda: fcntl.fcntl(os.open(__file__, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)),
    "input for a terminal": ("ENOTTY", by_name("ioctl", 0, TIOCSTI, 0)),
    "signals of a socket": ("ENOTTY", by_name("ioctl", 0, FIOSETOWN, 0)),
    "to close the lifeline's copies": ("EPERM", lambda: os.dup(LIFELINE)),
    "to put something in its place": ("EPERM", lambda: os.dup2(0, LIFELINE)),
    "to quieten it": ("EPERM", lambda: fcntl.fcntl(LIFELINE, fcntl.F_SETFL, 0)),
    "to have the lease alone": ("EPERM", lambda: fcntl.flock(LEASE, fcntl.LOCK_EX)),
    "a narrower filter": ("EPERM", by_name("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0)),
    "`clone3`, whose flags nobody sees": ("ENOSYS", by_number(CLONE3, 0, 0)),
    "a call that is yet to come": ("ENOSYS", by_number(NOT_YET_A_CALL)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_reaches_further_is_refused(what: str) -> None:
    error, act = REFUSED[what]
    assert met(act) == error


@pytest.mark.skipif(MACHINE != "x86_64", reason="other machines have one ABI")
def test_a_call_by_another_abi_ends_the_process() -> None:
    x32_getpid = 0x40000000 | 39

    def int80() -> None:
        code = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()

    assert met(by_number(x32_getpid)) == "SIGSYS"
    assert met(int80) == "SIGSYS"


def test_the_lifeline_stays_open_whatever_is_closed() -> None:
    def act() -> None:
        os.close(LIFELINE)
        os.closerange(LIFELINE, 64)
        by_number(CLOSE_RANGE, LIFELINE, 0xFFFFFFFF, 0)()  # as a libc does before it starts a program
        fcntl.fcntl(LIFELINE, fcntl.F_GETFD)

    pipe, before = os.pipe(), os.dup(LIFELINE) if Path(f"/proc/self/fd/{LIFELINE}").exists() else -1
    os.dup2(pipe[0], LIFELINE)
    try:
        assert met(act) == "nothing"
    finally:
        if before >= 0:
            os.dup2(before, LIFELINE)


@pytest.mark.parametrize(
    ("granted", "act"),
    [
        ("network", lambda: socket.socket().bind(("127.0.0.1", 0))),
        ("network", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
        ("network", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
        ("children", lambda: subprocess.run([sys.executable, "-c", ""], check=True)),
        ("children", lambda: os.kill(os.getppid(), 0)),
        ("nursery", forked),
        ("nursery", by_name("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0)),
        ("nursery", lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, -os.getpid())),
        ("local_sockets", lambda: socket.socket(socket.AF_UNIX).bind(f"\0plughost-{os.getpid()}")),
        ("private_tree", lambda: os.truncate("/dev/null/none", 0)),
    ],
)
def test_what_is_granted_can_be_done_and_else_not(granted: str, act: Act) -> None:
    assert met(act) in {"EPERM", "EACCES", "EAFNOSUPPORT"}
    assert met(act, **{granted: True}) in {"nothing", "ENOTDIR", "EFAULT"}


@pytest.mark.parametrize("act", [lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW), lambda: socket.socket(socket.AF_PACKET)])
def test_a_network_is_for_connections_only(act: Act) -> None:
    assert met(act, network=True) in {"EACCES", "EAFNOSUPPORT"}


def test_the_kernel_speaks_no_more_than_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connected:
        assert met(lambda: connected.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls"), network=True) == "EPERM"
        assert met(lambda: connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), network=True) == "nothing"


def test_a_nursery_starts_no_program_and_no_threads_are_none() -> None:
    assert met(lambda: os.execv(sys.executable, [sys.executable, "-c", ""]), nursery=True) == "EPERM"
    assert met(thread, threads=False) == "EAGAIN"


def test_nobody_leaves_the_group_that_ends_with_the_host() -> None:
    def leave() -> None:
        group = os.getpgrp()
        subprocess.run([sys.executable, "-c", ""], start_new_session=True, check=True)
        os.setpgid(0, 0)
        assert os.getpgrp() == group

    assert met(leave, children=True) == "nothing"


def test_modes_and_times_seem_to_change_where_the_files_may_be_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o600)

    def act() -> None:
        os.chmod(path, 0o644)
        os.utime(path, (1, 1))

    assert met(act) == "nothing"
    assert (path.stat().st_mode & 0o777, path.stat().st_mtime > 1) == (0o600, True)
    assert met(act, private_tree=True) == "nothing"
    assert (path.stat().st_mode & 0o777, path.stat().st_mtime) == (0o644, 1)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_there_is_a_filter_for_each_machine_that_the_kernel_takes(machine: str) -> None:
    most_instructions = 4096
    for count in range(1 << len(Rules.__slots__)):
        granted = frozenset(name for place, name in enumerate(Rules.__slots__) if count >> place & 1)
        assert len(_filter._build(machine, granted)) // 8 <= most_instructions
    with pytest.raises(LookupError):
        _filter._build("sparc64", frozenset())


@pytest.mark.parametrize("python", PYTHONS or [Path(sys.executable)], ids=lambda path: path.parts[-3])
def test_what_plugins_do_works_on_every_python(python: Path, tmp_path: Path) -> None:
    program = build(Rules(**ALONE, private_tree=True))
    done = subprocess.run(
        [python, "-I", WORK, program.hex(), OWN_PID.hex()], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
