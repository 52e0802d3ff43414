"""Does what other people's packages do by way of the standard library."""

import mmap
import multiprocessing
import os
import subprocess
import sys
from multiprocessing import shared_memory

SIZE = 1 << 20


def unnamed_memory():
    maps = [mmap.mmap(-1, SIZE), mmap.mmap(-1, SIZE, access=mmap.ACCESS_WRITE), mmap.mmap(-1, SIZE, flags=mmap.MAP_SHARED)]
    for each in maps:
        each[-1:] = b"x"
    return [len(each) for each in maps if isinstance(each, mmap.mmap)]


def named_memory():
    first = shared_memory.SharedMemory(create=True, size=SIZE)
    second = shared_memory.SharedMemory(name=first.name)
    first.buf[:5] = b"hello"
    text = bytes(second.buf[:5])
    second.close()
    first.close()
    first.unlink()
    return text


def shared_with_child():
    memory = mmap.mmap(-1, SIZE)
    child = os.fork()
    if not child:
        memory[:5] = b"hello"
        os._exit(0)
    os.waitpid(child, 0)
    return memory[:5]


def own_program():
    return os.path.realpath("/proc/{}/exe".format(os.getpid()))


def own_libraries():
    with open("/proc/self/maps") as file:
        return sorted({line.split()[-1] for line in file if ".so" in line})


def own_threads():
    with open("/proc/{}/status".format(os.getpid())) as file:
        return [line.split()[1] for line in file if line.startswith(("Pid:", "Threads:"))], os.getpid()


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True, shell=isinstance(command, str)).stdout


def spawned():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return pool.map(abs, [-1, 2])


def _has_site(_):
    return "site" in sys.modules and not sys.flags.no_site


def children_with_site():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(_has_site, [0])
