"""Work as plugins do it, in a process that may make few calls of the kernel: `confined_work.py PROGRAM OWN_PID`, both in hex.

For Python 3.8 and later; in the folder that it is started in.
"""

import asyncio
import ctypes
import hashlib
import mmap
import os
import selectors
import shutil
import signal
import socket
import sqlite3
import ssl
import struct
import sys
import tempfile
import threading


class Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def narrow(program, own_pid):
    program = program.replace(own_pid, struct.pack("<I", os.getpid()))
    libc = ctypes.CDLL(None)
    memory = ctypes.create_string_buffer(program, len(program))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, ctypes.byref(Program(len(program) // 8, ctypes.addressof(memory)))) == 0  # PR_SET_SECCOMP


def databases():
    connection = sqlite3.connect("some.db")
    assert connection.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    with connection:
        connection.execute("create table numbers(number)")
        connection.execute("insert into numbers values (1)")
    assert connection.execute("select * from numbers").fetchall() == [(1,)]
    connection.close()


def threads():
    numbers = []
    running = [threading.Thread(target=numbers.append, args=(number,)) for number in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(numbers) == 8


def loops():
    async def transfer(size):
        ours, theirs = socket.socketpair()
        connections = [await asyncio.open_connection(sock=each) for each in (ours, theirs)]
        connections[0][1].write(bytes(size))
        await asyncio.sleep(0.001)
        received = len(await connections[1][0].readexactly(size))
        for _, writer in connections:
            writer.close()
        return await asyncio.get_running_loop().run_in_executor(None, lambda: received)

    assert asyncio.run(transfer(1 << 20)) == 1 << 20


def files():
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = os.path.join(folder, "file")
        with open(path, "w+b") as file:
            file.write(bytes(4096))
            file.flush()
            with mmap.mmap(file.fileno(), 4096) as memory:
                memory[0] = 1
                memory.flush()
        shutil.copy2(path, path + ".copy")
        os.utime(path)
        os.chmod(path, 0o600)
        assert hashlib.sha256(open(path + ".copy", "rb").read()).digest()  # noqa: SIM115


def events():
    met = []
    signal.signal(signal.SIGUSR1, lambda *_: met.append(1))
    os.kill(os.getpid(), signal.SIGUSR1)
    assert met
    with selectors.DefaultSelector() as selector:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        selector.register(reader, selectors.EVENT_READ)
        os.write(writer, b"x")
        assert selector.select(1)


while os.open(os.devnull, os.O_RDONLY) < 4:  # 3 and 4 tie a worker to its host
    pass
narrow(bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2]))
for work in (databases, threads, loops, files, events, ssl.create_default_context):
    work()
print("done")
