"""At other processes: to see, to signal, to change, to read. `bystander` is one that the test has started and looks at."""

# ruff: noqa: ARG001 - all are called the same way

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
import time

from . import kernel

_F_SETSIG, _F_SETOWN_EX = 10, 15
_FUTEX_LOCK_PI = 6 | 128
_FIOSETOWN, _TIOCSTI, _FIOASYNC = 0x8901, 0x5412, 0x5452
_PTRACE_TRACEME, _PTRACE_ATTACH, _PTRACE_DETACH, _PTRACE_SEIZE = 0, 16, 17, 0x4206


def see_in_table(outside):
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def see_by_folder(outside):
    with open("/proc/{}/cmdline".format(outside.bystander), "rb") as file:
        return file.read()


def see_by_signal(outside):
    return os.kill(outside.bystander, 0) or "is there"


def see_by_session(outside):
    return os.getsid(outside.bystander)


def see_by_group(outside):
    return os.getpgid(outside.bystander)


def see_by_priority(outside):
    return "niceness {}".format(os.getpriority(os.PRIO_PROCESS, outside.bystander))


def see_by_processors(outside):
    return os.sched_getaffinity(outside.bystander)


def see_by_scheduler(outside):
    return "scheduler {}".format(os.sched_getscheduler(outside.bystander))


def see_by_kind_of_error(outside):
    """Who is there is told otherwise than who isn't."""
    errors = set()
    for pid in (outside.bystander, outside.nobody):
        try:
            os.kill(pid, 0)
        except OSError as error:
            errors.add(error.errno)
    return errors if len(errors) > 1 else None


def see_by_clock(outside):
    """How much of the processor it has used."""
    return "{} s".format(time.clock_gettime(_clock(outside.bystander)))


def see_by_clock_of_a_timer(outside):
    kernel.call("timer_create", _clock(outside.bystander), 0, ctypes.byref(ctypes.c_int()))
    return "a timer by its clock"


def see_by_lock(outside):
    """A lock that lends its owner a priority: the kernel looks for the owner, whose number is in it."""
    errors = set()
    for pid in (outside.bystander, outside.nobody):
        try:
            kernel.call("futex", ctypes.byref(ctypes.c_uint(pid)), _FUTEX_LOCK_PI, 0, struct.pack("qq", 0, 1000), 0, 0)
        except OSError as error:
            errors.add(error.errno)
    return errors if len(errors) > 1 else None


def _clock(pid):
    return (~pid << 3) | 2


def see_environment_of_parent(outside):
    with open("/proc/{}/environ".format(outside.host), "rb") as file:
        return file.read(100)


def see_connections(outside):
    """The sockets of the whole machine."""
    with open("/proc/net/unix") as file:
        return [line for line in file if outside.abstract in line]


def signal_bystander(outside):
    os.kill(outside.bystander, signal.SIGUSR1)
    return "signalled"


def signal_host(outside):
    os.kill(outside.host, signal.SIGCONT)
    return "signalled"


def signal_thread(outside):
    return kernel.call("tgkill", outside.bystander, outside.bystander, int(signal.SIGUSR1)) or "signalled"


def signal_thread_by_number(outside):
    return kernel.call("tkill", outside.bystander, int(signal.SIGUSR1)) or "signalled"


def signal_with_value(outside):
    information = ctypes.create_string_buffer(128)
    struct.pack_into("iii", information, 0, int(signal.SIGUSR1), 0, -1)
    return kernel.call("rt_sigqueueinfo", outside.bystander, int(signal.SIGUSR1), information) or "signalled"


def signal_group(outside):
    os.kill(-outside.bystander, signal.SIGUSR1)
    return "signalled"


def signal_by_descriptor(outside):
    descriptor = kernel.call("pidfd_open", outside.bystander, 0)
    return kernel.call("pidfd_send_signal", descriptor, int(signal.SIGUSR1), 0, 0) or "signalled"


def signal_by_pipe(outside):
    """The kernel signals the owner of a pipe when there is something to read, whoever that is."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, outside.bystander)
    fcntl.fcntl(reader, _F_SETSIG, int(signal.SIGUSR1))
    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
    return os.write(writer, b"x")


def signal_by_thread_of_pipe(outside):
    reader, writer = os.pipe()
    fcntl.fcntl(reader, _F_SETOWN_EX, struct.pack("ii", 0, outside.bystander))
    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
    return os.write(writer, b"x")


def signal_by_socket(outside):
    one, other = socket.socketpair()
    fcntl.ioctl(one, _FIOSETOWN, struct.pack("i", outside.bystander))
    fcntl.ioctl(one, _FIOASYNC, struct.pack("i", 1))
    return other.send(b"x")


def signal_by_inherited(outside):
    """As by a pipe, with those that have come along."""
    for descriptor in range(64):
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETOWN, outside.bystander)
        except OSError:
            continue
        return "descriptor {} has an owner".format(descriptor)
    return None


def change_niceness(outside):
    os.setpriority(os.PRIO_PROCESS, outside.bystander, 5)
    return "slower"


def change_niceness_of_user(outside):
    os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_USER, 0))
    return "all slower"


def change_processors(outside):
    os.sched_setaffinity(outside.bystander, os.sched_getaffinity(0))
    return "changed"


def change_limit(outside):
    return resource.prlimit(outside.bystander, resource.RLIMIT_CORE, (0, 0))


def change_limit_of_host(outside):
    return resource.prlimit(outside.host, resource.RLIMIT_CORE)


def change_scheduler(outside):
    os.sched_setscheduler(outside.bystander, os.SCHED_BATCH, os.sched_param(0))
    return "changed"


def change_disk_priority(outside):
    return kernel.call("ioprio_set", 1, outside.bystander, 3 << 13) or "changed"


def trace(outside):
    kernel.call("ptrace", _PTRACE_SEIZE, outside.bystander, 0, 0)
    return "traced"


def trace_parent(outside):
    kernel.call("ptrace", _PTRACE_SEIZE, os.getppid() or outside.host, 0, 0)
    return "traced"


def be_traced(outside):
    return kernel.reaches("ptrace", _PTRACE_ATTACH, os.getpid(), 0, 0)


def read_memory(outside):
    there = ctypes.create_string_buffer(16)
    local = struct.pack("PN", ctypes.addressof(there), 16)
    remote = struct.pack("PN", outside.bystander_address, 16)
    kernel.call("process_vm_readv", outside.bystander, local, 1, remote, 1, 0)
    return there.raw


def read_memory_as_file(outside):
    with open("/proc/{}/mem".format(outside.bystander), "rb", buffering=0) as memory:
        memory.seek(outside.bystander_address)
        return memory.read(16)


def take_descriptor(outside):
    descriptor = kernel.call("pidfd_open", outside.bystander, 0)
    return kernel.call("pidfd_getfd", descriptor, 0, 0)


def take_descriptor_by_folder(outside):
    return os.listdir("/proc/{}/fd".format(outside.bystander))


def compare(outside):
    return "order {}".format(kernel.call("kcmp", os.getpid(), outside.bystander, 0, 0, 0))


def move_pages(outside):
    return kernel.reaches("move_pages", outside.bystander, 0, 0, 0, 0, 0)


def join_group(outside):
    os.setpgid(0, os.getpgid(outside.bystander))
    return "joined"


def leave_group(outside):
    """By a copy of itself, since who leads a group can't leave it."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os._exit(os.getpgrp() == os.getpid())
    return os.waitpid(pid, 0)[1] and "left"


def type_into_terminal(outside):
    for descriptor in range(64):
        try:
            fcntl.ioctl(descriptor, _TIOCSTI, b" ")
        except OSError:
            continue
        return "typed"
    return None


def enter_namespaces(outside):
    return kernel.call("setns", os.open("/proc/{}/ns/mnt".format(outside.host), os.O_RDONLY), 0) or "entered"
