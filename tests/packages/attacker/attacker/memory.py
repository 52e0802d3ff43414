"""At more memory than the policy gives. Each stops on its own at `outside.wanted_bytes`, and says how much it got."""

# ruff: noqa: ARG001 - all are called the same way

import ctypes
import glob
import mmap
import os
import resource
import select
import signal
import socket
import threading
import time

from . import kernel

_STEP = 8 << 20
_MAP_PRIVATE, _MAP_SHARED, _MAP_ANONYMOUS, _MAP_GROWSDOWN, _MAP_HUGETLB, _MAP_LOCKED = 0x2, 0x1, 0x20, 0x100, 0x40000, 0x2000
_READ_WRITE = 3
_PAGE = mmap.PAGESIZE
kernel.LIBC.mmap.restype = kernel.LIBC.mremap.restype = kernel.LIBC.sbrk.restype = ctypes.c_void_p


def _fill(take, outside):
    """Take steps until there are no more."""
    held, size = [], 0
    try:
        while size < outside.wanted_bytes:
            held.append(take())
            size += _STEP
    except (OSError, MemoryError):
        pass
    return _result(size, outside)


def _result(size, outside):
    """More than the policy gives is what was wanted."""
    return "{} MiB".format(size >> 20) if size > outside.memory_bytes else None


def _pages(flags, descriptor=-1, size=_STEP):
    address = kernel.LIBC.mmap(None, ctypes.c_size_t(size), _READ_WRITE, flags, descriptor, ctypes.c_long(0))
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap")
    ctypes.memset(address, 1, size)
    return address


def objects(outside):
    return _fill(lambda: bytearray(b"x" * _STEP), outside)


def private_pages(outside):
    return _fill(lambda: _pages(_MAP_PRIVATE | _MAP_ANONYMOUS), outside)


def shared_pages(outside):
    return _fill(lambda: _pages(_MAP_SHARED | _MAP_ANONYMOUS), outside)


def shared_zero_pages(outside):
    """Anonymous shared memory under another name."""
    zero = os.open("/dev/zero", os.O_RDWR)
    return _fill(lambda: _pages(_MAP_SHARED, zero), outside)


def private_zero_pages(outside):
    zero = os.open("/dev/zero", os.O_RDWR)
    return _fill(lambda: _pages(_MAP_PRIVATE, zero), outside)


def growing_pages(outside):
    return _fill(lambda: _pages(_MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_GROWSDOWN), outside)


def huge_pages(outside):
    return _fill(lambda: _pages(_MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_HUGETLB), outside)


def locked_pages(outside):
    return _pages(_MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_LOCKED) and "locked"


def all_pages_locked(outside):
    return kernel.call("mlockall", 2) or "locked"


def pages_made_writable_later(outside):
    def take():
        libc = kernel.LIBC
        address = libc.mmap(None, ctypes.c_size_t(_STEP), 0, _MAP_PRIVATE | _MAP_ANONYMOUS, -1, ctypes.c_long(0))
        if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(_STEP), _READ_WRITE):
            raise OSError(ctypes.get_errno(), "mprotect")
        ctypes.memset(address, 1, _STEP)

    return _fill(take, outside)


def pages_grown_later(outside):
    """One mapping that is made longer."""
    libc = kernel.LIBC
    address, size = _pages(_MAP_PRIVATE | _MAP_ANONYMOUS), _STEP
    while size < outside.wanted_bytes:
        address = libc.mremap(ctypes.c_void_p(address), ctypes.c_size_t(size), ctypes.c_size_t(size + _STEP), 1)
        if address == ctypes.c_void_p(-1).value:
            break
        ctypes.memset(address + size, 1, _STEP)
        size += _STEP
    return _result(size, outside)


def heap(outside):
    libc = kernel.LIBC

    def take():
        address = libc.sbrk(ctypes.c_long(_STEP))
        if address == ctypes.c_void_p(-1).value:
            raise MemoryError
        ctypes.memset(address, 1, _STEP)

    return _fill(take, outside)


def file_in_memory(outside):
    descriptor = os.memfd_create("attacker")
    return _fill(lambda: os.write(descriptor, b"x" * _STEP), outside)


def secret_memory(outside):
    descriptor = kernel.call("memfd_secret", 0)
    os.ftruncate(descriptor, _STEP)
    return _pages(_MAP_SHARED, descriptor) and "mapped"


def inherited_memory(outside):
    """Whatever file in memory has come along: to fill it, or to make it longer."""
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else map(str, range(64)):
        descriptor = int(name)
        try:
            size = os.fstat(descriptor).st_size
            if size < outside.memory_bytes:
                continue
            view = mmap.mmap(descriptor, min(size, outside.wanted_bytes))
        except (OSError, ValueError):
            continue
        step = b"x" * _STEP
        for _ in range(len(view) // _STEP):
            view.write(step)
        return _result(len(view), outside)
    return None


def files_in_shared_memory(outside):
    with open("/dev/shm/attacker-{}".format(os.getpid()), "wb", buffering=0) as file:
        try:
            return _fill(lambda: file.write(b"x" * _STEP), outside)
        finally:
            os.unlink(file.name)


def files_in_temporary_folder(outside):
    """A temporary folder in memory."""
    with open("/tmp/attacker-{}".format(os.getpid()), "wb", buffering=0) as file:
        try:
            return _fill(lambda: file.write(b"x" * _STEP), outside)
        finally:
            os.unlink(file.name)


def small_files_in_temporary_folder(outside):
    """What a file without contents takes up, many times."""
    folder = "/tmp/attacker-{}".format(os.getpid())
    os.mkdir(folder)
    made = 0
    try:
        while made < outside.many * 40:
            os.close(os.open("{}/{}".format(folder, made), os.O_CREAT | os.O_WRONLY, 0o600))
            made += 1
    except OSError:
        pass
    finally:
        for number in range(made):
            os.unlink("{}/{}".format(folder, number))
        os.rmdir(folder)
    return "{} files".format(made) if made >= outside.many * 40 else None


def pages_of_mapped_files(outside):
    """Pages of files that are written by way of a mapping, and are dirty until they're on the disk."""

    def take():
        name = "mapped-{}".format(len(os.listdir(".")))
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, _STEP)
        address = _pages(_MAP_SHARED, descriptor)
        os.close(descriptor)
        return address

    try:
        return _fill(take, outside)
    finally:
        for name in glob.glob("mapped-*"):
            os.unlink(name)


def page_tables(outside):
    """Pages that are only read are all the same one; but each has its place in a table, and the tables take up memory."""
    reach, table = 1 << 38, 1 << 21  # of addresses in one mapping, and in one page of a table
    tables = 0
    while tables * _PAGE < outside.wanted_bytes:
        address = kernel.LIBC.mmap(None, ctypes.c_size_t(reach), 1, _MAP_PRIVATE | _MAP_ANONYMOUS | 0x4000, -1, ctypes.c_long(0))
        if address in (None, ctypes.c_void_p(-1).value):
            break
        kernel.LIBC.madvise(ctypes.c_void_p(address), ctypes.c_size_t(reach), 15)  # MADV_NOHUGEPAGE
        for offset in range(0, reach, table):
            ctypes.string_at(address + offset, 1)
            tables += 1
            if tables * _PAGE >= outside.wanted_bytes:
                break
    return _result(tables * _PAGE, outside)


def locks(outside):
    """Locks on single bytes of files: the kernel remembers each."""
    import fcntl

    size, held = 0, []
    try:
        while size < outside.wanted_bytes:
            file = open("locked-{}".format(len(held)), "wb")  # noqa: SIM115
            held.append(file)
            for place in range(2000):
                fcntl.lockf(file, fcntl.LOCK_EX, 1, place * 2)
                size += 200
    except OSError:
        pass
    finally:
        for file in held:
            file.close()
    return _result(size, outside)


def segments(outside):
    def take():
        segment = kernel.call("shmget", 0, _STEP, 0o1600)
        address = kernel.call("shmat", segment, 0, 0)
        kernel.LIBC.shmctl(segment, 0, 0)
        ctypes.memset(address, 1, _STEP)

    return _fill(take, outside)


def semaphores(outside):
    semaphore = kernel.call("semget", 0, 250, 0o600)
    kernel.LIBC.semctl(semaphore, 0, 0)
    return "made"


def message_queues(outside):
    queue = kernel.call("msgget", 0, 0o600)
    kernel.LIBC.msgctl(queue, 0, 0)
    return "made"


def message_queues_by_name(outside):
    name = "attacker-{}".format(os.getpid()).encode()
    kernel.call("mq_open", name, os.O_CREAT | os.O_RDWR, 0o600, 0)
    kernel.LIBC.mq_unlink(b"/" + name)
    return "made"


def pipes(outside):
    """What lies in pipes that nobody reads."""
    held, size = [], 0
    try:
        while size < outside.wanted_bytes:
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            held.append((reader, writer))
            while True:
                try:
                    size += os.write(writer, b"x" * 4096)
                except BlockingIOError:
                    break
    except OSError:
        pass
    finally:
        _close(held)
    return _result(size, outside)


def larger_pipes(outside):
    import fcntl

    held, size = [], 0
    try:
        while size < outside.wanted_bytes:
            reader, writer = os.pipe()
            held.append((reader, writer))
            size += os.write(writer, b"x" * fcntl.fcntl(writer, 1031, 1 << 20))
    finally:
        _close(held)
    return _result(size, outside)


def sockets(outside):
    """What lies in sockets that nobody reads."""
    held, size = [], 0
    try:
        while size < outside.wanted_bytes:
            one, other = socket.socketpair()
            held.append((one, other))
            for each in (one, other):
                each.setblocking(False)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 26)
                while True:
                    try:
                        size += each.send(b"x" * 65536)
                    except BlockingIOError:
                        break
    except OSError:
        pass
    finally:
        for pair in held:
            for each in pair:
                each.close()
    return _result(size, outside)


def connections_nobody_accepts(outside):
    """The kernel keeps what was sent by them, for as long as somebody listens, though no descriptor is theirs any more."""
    return _unaccepted(socket.AF_UNIX, "\0unaccepted-{}", outside)


def connections_over_loopback_nobody_accepts(outside):
    return _unaccepted(socket.AF_INET, ("127.0.0.1", 0), outside)


def _unaccepted(family, address, outside):
    listeners, size, data = [], 0, bytes(1 << 16)
    try:
        while size < outside.wanted_bytes:
            listener = socket.socket(family)
            listener.bind(address.format(len(listeners)) if family == socket.AF_UNIX else address)
            listener.listen(1 << 12)
            listeners.append(listener)
            for _ in range(1 << 10):
                with socket.socket(family) as connection:
                    connection.settimeout(1)
                    connection.connect(listener.getsockname())
                    connection.setblocking(False)
                    try:
                        while size < outside.wanted_bytes:
                            size += connection.send(data)
                    except BlockingIOError:
                        pass
                if size >= outside.wanted_bytes:
                    break
    except OSError:
        pass
    if size > outside.memory_bytes:
        time.sleep(5)
    return _result(size, outside)


def descriptors_in_messages(outside):
    """Pipes that are full, on their way in messages that nobody receives, and so in no table that has a limit."""
    import array

    held, size = [], 0
    try:
        while size < outside.wanted_bytes:
            one, other = socket.socketpair()
            one.setblocking(False)
            held += [one, other]
            for _ in range(30):
                reader, writer = os.pipe()
                os.set_blocking(writer, False)
                try:
                    while True:
                        size += os.write(writer, b"x" * 65536)
                except BlockingIOError:
                    pass
                one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader, writer]))])
                os.close(reader)
                os.close(writer)
    except OSError:
        pass
    finally:
        for each in held:
            each.close()
    return _result(size, outside)


def _close(pairs):
    for pair in pairs:
        for descriptor in pair:
            os.close(descriptor)


def _flood(make, outside):
    """Make kernel objects until there are as many as nobody needs."""
    made, limit = [], resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        while len(made) < outside.many:
            made.append(make())
    except OSError:
        pass
    finally:
        for descriptor in made:
            os.close(descriptor)
    return "{} of {}".format(len(made), limit) if len(made) >= outside.many else None


def descriptors(outside):
    """More of them than the policy says, after asking for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return _flood(lambda: os.open(os.devnull, os.O_RDONLY), outside)


def more_of_every_limit(outside):
    """Limits that were lowered, raised again."""
    raised = []
    for name in ("DATA", "NPROC", "FSIZE", "CORE", "NOFILE"):
        try:
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (OSError, ValueError):
            continue
        raised.append(name)
    return raised


def epolls(outside):
    def make():
        made = select.epoll()
        return os.dup(made.fileno())

    return _flood(make, outside)


def events(outside):
    libc = kernel.LIBC

    def make():
        descriptor = libc.eventfd(0, 0)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "eventfd")
        return descriptor

    return _flood(make, outside)


def timers(outside):
    """Timers that have no descriptor. The kernel counts those by signals that could be pending."""
    made = 0
    identity = ctypes.c_int()
    try:
        while made < outside.many * 8:
            kernel.call("timer_create", 1, 0, ctypes.byref(identity))
            made += 1
    except OSError:
        pass
    return "{} timers".format(made) if made >= outside.many * 8 else None


def signals(outside):
    """Signals with a value that wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
    information = ctypes.create_string_buffer(128)
    ctypes.c_int.from_buffer(information).value = int(signal.SIGRTMIN)
    ctypes.c_int.from_buffer(information, 8).value = -1
    sent = 0
    try:
        while sent < outside.many * 8:
            kernel.call("rt_sigqueueinfo", os.getpid(), int(signal.SIGRTMIN), information)
            sent += 1
    except OSError:
        pass
    return "{} signals".format(sent) if sent >= outside.many * 8 else None


def events_of_files(outside):
    """Queues of what has become of files, which nobody reads. Each event is 300 bytes of the kernel's."""
    queues = []
    try:
        while len(queues) < 100:
            queues.append(kernel.call("inotify_init1", 0))
            kernel.LIBC.inotify_add_watch(queues[-1], b".", 0xFFF)
    except OSError:
        if not queues:
            raise
    finally:
        for descriptor in queues:
            os.close(descriptor)
    return "{} queues".format(len(queues))


def keys(outside):
    made = 0
    try:
        for number in range(64):
            kernel.call("add_key", b"user", "attacker-{}".format(number).encode(), b"x" * 256, 256, -3)
            made += 1
    except OSError:
        if not made:
            raise
    kernel.LIBC.syscall(ctypes.c_long(250), ctypes.c_long(7), ctypes.c_long(-3))
    return "{} keys".format(made)


def stacks(outside):
    """The stacks of threads, each as large as it may be, and written."""
    threading.stack_size(64 << 20)
    sizes, running, end = [], [], threading.Event()

    def use():
        attributes = ctypes.create_string_buffer(256)
        start, size = ctypes.c_void_p(), ctypes.c_size_t()
        kernel.LIBC.pthread_getattr_np(ctypes.c_ulong(threading.get_ident()), attributes)
        kernel.LIBC.pthread_attr_getstack(attributes, ctypes.byref(start), ctypes.byref(size))
        ctypes.memset(start.value, 1, size.value - (1 << 20))
        sizes.append(size.value)
        end.wait(5)

    try:
        while len(running) < 12:
            thread = threading.Thread(target=use, daemon=True)
            thread.start()
            running.append(thread)
    except (RuntimeError, MemoryError):
        pass
    finally:
        end.set()
        threading.stack_size(0)
        for thread in running:
            thread.join(5)
    return _result(sum(sizes), outside)


def main_stack(outside):
    """The stack of the process itself, after asking for more of it, down to where something else is."""
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with open("/proc/self/maps") as file:
        lines = file.read().splitlines()
    stack = next(number for number, line in enumerate(lines) if line.endswith("[stack]"))
    top, end = int(lines[stack].split("-")[0], 16), int(lines[stack - 1].split()[0].split("-")[1], 16)
    size = 0
    while size < outside.wanted_bytes and top - size - _STEP > end + (1 << 21):
        size += _STEP
        ctypes.memset(top - size, 1, _STEP)
    return _result(size, outside)


def userfault(outside):
    return kernel.call("userfaultfd", 0)
