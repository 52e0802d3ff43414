"""At rights that a user's program doesn't have, and at calls in which faults of the kernel's were found."""

# ruff: noqa: ARG001 - all are called the same way

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import time

from . import kernel

_NEW = {"user": 0x10000000, "mounts": 0x20000, "network": 0x40000000, "processes": 0x20000000, "names": 0x4000000}
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_PDEATHSIG, _PR_CAPBSET_READ, _PR_CAP_AMBIENT = 4, 22, 1, 23, 47


def _status(name):
    with open("/proc/self/status") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))


def be_root(outside):
    """Where it is, by its number: to have what that would give."""
    if os.getuid() == 0:
        return kernel.reaches("swapon", b"/none", 0)
    return os.setuid(0) or "is root"


def be_of_roots_group(outside):
    os.setgroups([0])
    return "is of the group"


def be_somebody_else(outside):
    os.setresuid(54321, 54321, 54321)
    return "is"


def capabilities(outside):
    """Those that are left."""
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    kernel.call("capget", header, data)
    return "{:x}".format(data[0] | data[1] | data[3] | data[4]) if any(data) else None


def all_capabilities(outside):
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
    return kernel.call("capset", header, data) or "all"


def new_privileges(outside):
    """Whether a program with its owner's rights would have them."""
    return "it would" if kernel.LIBC.prctl(39, 0, 0, 0, 0) == 0 else None


def user_namespace(outside):
    return kernel.call("unshare", _NEW["user"]) or "made"


def other_namespaces(outside):
    return kernel.call("unshare", _NEW["mounts"]) or "made"


def network_namespace(outside):
    return kernel.call("unshare", _NEW["network"]) or "made"


def namespace_of_a_child(outside):
    pid = kernel.call("clone", _NEW["user"] | int(signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "made"


def namespace_by_new_number(outside):
    arguments = (ctypes.c_uint64 * 8)(_NEW["user"], 0, 0, 0, int(signal.SIGCHLD))
    pid = kernel.call("clone3", arguments, ctypes.sizeof(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "made"


def other_root(outside):
    return kernel.reaches("pivot_root", b".", b".")


def own_memory_map(outside):
    return kernel.call("modify_ldt", 0, ctypes.create_string_buffer(16), 16) >= 0 and "read"


def other_personality(outside):
    return kernel.call("personality", 0x0040000) >= 0 and "no random addresses"


def other_abi(outside):
    """By numbers of another kind, which the kernel takes for other calls: the 32-bit `getpid`."""
    code = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))() == os.getpid() and "called"


def other_abi_by_number(outside):
    return kernel.call(0x40000000 | 39)


def ports(outside):
    return kernel.LIBC.ioperm(ctypes.c_ulong(0x80), ctypes.c_ulong(1), 1) == 0 and "granted"


def rings(outside):
    return kernel.call("io_uring_setup", 4, ctypes.create_string_buffer(120))


def input_and_output_ahead(outside):
    return kernel.call("io_setup", 4, ctypes.byref(ctypes.c_ulong())) or "made"


def programs_in_kernel(outside):
    return kernel.reaches("bpf", 5, ctypes.create_string_buffer(120), 120)


def programs_on_sockets(outside):
    instruction = struct.pack("HBBI", 0x06, 0, 0, 0)
    memory = ctypes.create_string_buffer(instruction)
    one, _ = socket.socketpair()
    one.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 1, ctypes.addressof(memory)))
    return "attached"


def measurements(outside):
    return kernel.reaches("perf_event_open", ctypes.create_string_buffer(112), 0, -1, -1, 0)


def modules(outside):
    return kernel.reaches("init_module", b"none", 4, b"")


def modules_removed(outside):
    return kernel.reaches("delete_module", b"attacker-none", 0)


def another_kernel(outside):
    return kernel.reaches("kexec_load", 0, 1 << 20, 0, 0)


def swap(outside):
    return kernel.reaches("swapon", b"/none", 0)


def accounting(outside):
    return kernel.reaches("acct", b"/none/none")


def quotas(outside):
    return kernel.reaches("quotactl", 0x80000100, b"/none", 0, 0)


def log_of_kernel(outside):
    return kernel.call("syslog", 3, ctypes.create_string_buffer(64), 64)


def keyring(outside):
    return kernel.call("keyctl", 0, -3, 1)


def key_asked_for(outside):
    return kernel.reaches("request_key", b"user", b"attacker", 0, 0)


def clock(outside):
    now = time.time()
    return kernel.call("clock_settime", 0, struct.pack("qq", int(now), int(now % 1 * 1e9))) or "set"


def clock_adjusted(outside):
    return (
        kernel.reaches("adjtimex", struct.pack("I", 0x8000) + bytes(204))
        if os.getuid() == 0
        else kernel.reaches("settimeofday", struct.pack("qq", -1, -1), 0)
    )


def name_of_machine(outside):
    name = os.uname().nodename.encode()
    kernel.call("sethostname", name, len(name))
    return "set"


def core_dumps(outside):
    """A file of all memory, or a program of the machine's that is given it."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    return "{} bytes".format(most) if most else None


def real_time(outside):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return "is"


def higher_priority(outside):
    before = os.nice(0)
    return os.nice(-5) < before


def unseen_by_host(outside):
    """`/proc` of it belongs to root from here on, so that a host that isn't root can't look."""
    return kernel.LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 and "is"


def own_filter(outside):
    """A filter of its own, by which another process could answer its calls."""
    return kernel.reaches("seccomp", 1, 8, struct.pack("HP", 0, 0))


def unfiltered(outside):
    """Calls that somebody else answers: none here, but whether the kernel has any filter at all."""
    return _status("Seccomp") == "0" and "no filter"


def own_rules(outside):
    return kernel.reaches("landlock_create_ruleset", 0, 0, 1)


def terminal(outside):
    return os.open("/dev/ptmx", os.O_RDWR)


def virtual_machine(outside):
    return os.open("/dev/kvm", os.O_RDWR)


def user_file_system(outside):
    return os.open("/dev/fuse", os.O_RDWR)


def network_device(outside):
    return os.open("/dev/net/tun", os.O_RDWR)


def write_back_of_all(outside):
    """All files of the machine written to its disks: nothing of that is seen here, so it's only ever too slow."""
    begin = time.monotonic()
    os.sync()
    return "{} s".format(time.monotonic() - begin) if time.monotonic() - begin > 1 else None


def lease(outside):
    """To be told, and to have others wait, when a file is opened."""
    with open(outside.runner) as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    return "held"
