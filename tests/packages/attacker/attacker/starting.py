"""At more processes, programs and threads than there may be, and at such as stay."""

# ruff: noqa: ARG001 - all are called the same way

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

from . import kernel

_CLONE_PARENT = 0x8000
_CLONE_THREAD_APART = 0x10000 | 0x800  # without its memory the kernel makes none: it says so, if it may be asked
_STAYS_S = 20


def _child(act=None):
    """A copy of this process, which does that and ends; waits for it."""
    pid = os.fork()
    if pid == 0:
        try:
            if act is not None:
                act()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return pid


def fork(outside):
    return _child()


def fork_by_number(outside):
    pid = kernel.call("clone", int(signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def fork_by_new_number(outside):
    arguments = (ctypes.c_uint64 * 8)(0, 0, 0, 0, int(signal.SIGCHLD))
    pid = kernel.call("clone3", arguments, ctypes.sizeof(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def fork_a_sibling(outside):
    """A child of the host's."""
    pid = kernel.call("clone", _CLONE_PARENT | int(signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid


def bomb(outside):
    """Copies that copy themselves, up to a number that does no harm."""
    children = []
    try:
        while len(children) < 150:
            pid = os.fork()
            if pid == 0:
                time.sleep(_STAYS_S)
                os._exit(0)
            children.append(pid)
    except OSError:
        pass
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return "{} processes".format(len(children)) if children else None


def daemon(outside):
    """A grandchild that has left the group, and that nobody waits for."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            grandchild = os.fork()
            if grandchild == 0:
                for descriptor in range(3, 64):
                    if descriptor != writer:
                        try:
                            os.close(descriptor)
                        except OSError:
                            pass
                os.write(writer, str(os.getpid()).encode())
                time.sleep(_STAYS_S)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    return os.read(reader, 20).decode()


def daemon_without_mark(outside):
    """One that also has no variables by which it could be told."""
    done = subprocess.run(
        ["/bin/sh", "-c", "exec 3>&- 4>&-; setsid sleep {} >/dev/null 2>&1 & echo $!".format(_STAYS_S)],
        env={},
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.decode()


def program(outside):
    return subprocess.check_output(["/bin/sh", "-c", "echo out"])


def program_of_python(outside):
    return subprocess.check_output([sys.executable, "-c", "print('out')"])


def program_by_spawning(outside):
    pid = os.posix_spawn("/bin/true", ["true"], {})
    return os.waitpid(pid, 0)


def program_by_shell(outside):
    return "out" if os.system("exit 3") >> 8 == 3 else None


def program_in_its_place(outside):
    """The whole process another program: what is kept of it is kept still."""
    os.execv("/bin/sh", ["sh", "-c", "cat {} >&2; sleep {}".format(outside.secret, _STAYS_S)])


def program_of_its_own(outside):
    with open("own-program", "w") as file:
        file.write("#!/bin/sh\necho out\n")
    os.chmod("own-program", 0o755)
    return subprocess.check_output(["./own-program"])


def program_in_memory(outside):
    descriptor = os.memfd_create("program")
    with open("/bin/true", "rb") as file:
        os.write(descriptor, file.read())
    return kernel.reaches("execveat", descriptor, b"", 0, 0, 0x1000)


def program_with_other_rights(outside):
    return subprocess.check_output(["/usr/bin/su", "--version"])


def workers(outside):
    import multiprocessing

    with multiprocessing.Pool(2) as pool:
        return pool.map(abs, [-1, -2])


def thread_with_descriptors_of_its_own(outside):
    """Descriptors and files that nobody sees who looks at those of the process. It ends as soon as it has begun."""
    return kernel.reaches("clone", _CLONE_THREAD_APART, 0, 0, 0, 0)


def descriptors_of_its_own(outside):
    return kernel.call("close_range", 1 << 20, 1 << 20, 2) or "they are"


def threads(outside):
    """More of them than the policy gives."""
    end, running = threading.Event(), []
    try:
        while len(running) < 3000:
            thread = threading.Thread(target=end.wait, args=(20,), daemon=True)
            thread.start()
            running.append(thread)
            if len(running) % 100 == 0:
                time.sleep(0.002)
    except (RuntimeError, MemoryError):
        pass
    finally:
        end.set()
    for thread in running:
        thread.join(5)
    return "{} threads".format(len(running)) if len(running) > outside.threads else None


def threads_of_c(outside):
    """Threads that Python knows nothing of: copies that share its memory."""
    identity = ctypes.c_ulong()
    function = kernel.LIBC.pause
    made = 0
    while made < 1000 and kernel.LIBC.pthread_create(ctypes.byref(identity), None, function, None) == 0:
        made += 1
    return "{} threads".format(made) if made > outside.threads else None
