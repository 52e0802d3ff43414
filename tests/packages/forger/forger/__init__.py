"""Says to its host what no runner says. What its import does beside that stands in a variable."""

import gc
import os
import sys
import threading
import time

_LEFT = []


def _connection():
    return next(each for each in gc.get_objects() if type(each).__name__ == "Connection" and hasattr(each, "replies"))


def _write(replies, data):
    while data:
        data = data[os.write(replies, data) :]


def run(value=None):
    return value


def say(line, times=1):
    """A line for the host, as often as it likes, and after that whatever the runner says."""
    replies = _connection().replies
    for _ in range(times):
        _write(replies, line.encode() + b"\n")
    return "said"


def swell(lists):
    """An answer that is short, and has so many empty lists."""
    frame = sys._getframe()
    number = None
    while number is None:
        text = frame.f_locals.get("text")
        if isinstance(text, str) and text.startswith('{"jsonrpc":"2.0","id":'):
            number = text.split('"id":')[1].split(",")[0]
        frame = frame.f_back
    replies = _connection().replies
    _write(replies, b'{"jsonrpc":"2.0","id":' + number.encode() + b',"result":[')
    _write(replies, b"[]," * lists + b"[]]}\n")
    time.sleep(60)


def burn():
    """Leave a thread behind that goes on; in which process."""

    def spin():
        while True:
            pass

    threading.Thread(target=spin, daemon=True).start()
    return os.getpid()


def left():
    return list(_LEFT)


def _is_in_a_nursery():
    return any("_nursery" in name for name in sys.modules)


def _claim(pid):
    """Each fork from now on says that it has made that process."""
    fork = os.fork

    def claimed():
        return pid if fork() else 0

    os.fork = claimed


def _leave_a_copy():
    """One that is in no group of anybody's, and nobody's child."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, b"%d" % os.getpid())
            while True:
                time.sleep(60)
        os._exit(0)
    _LEFT.append(int(os.read(read, 20)))


_wish = os.environ.get("FORGER_WISH", "")
if _wish and _is_in_a_nursery():
    if _wish == "copy":
        _leave_a_copy()
    else:
        _claim(int(_wish))
