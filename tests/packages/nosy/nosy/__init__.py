"""Looks around, as far as it is let."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import tempfile
import termios


def about():
    return {
        "parent": os.getppid(),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "ids": list(os.getresuid()),
        "temporary": tempfile.gettempdir(),
        "home": os.path.expanduser("~"),
    }


def names(path):
    return sorted(os.listdir(path))


def exists(path):
    os.stat(path)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def delete(path):
    os.unlink(path)


def leave(code, text):
    os.write(2, text.encode())
    os._exit(code)


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def run_on_a_terminal(*argv):
    child, terminal = pty.fork()
    if not child:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        os.execv(argv[0], argv)
    text = b""
    with contextlib.suppress(OSError):  # which it fails with when nobody has the other end any more
        while chunk := os.read(terminal, 4096):
            text += chunk
    os.waitpid(child, 0)
    return text.decode()


def end_a_session(*argv):
    child = subprocess.Popen(argv, start_new_session=True)
    os.killpg(os.getpgid(child.pid), signal.SIGTERM)
    return child.wait(10)
