"""Tools that keep their state in the module, and their files in the work directory."""

import os
import signal
import tempfile
import time

_totals = [0]
_hoarded: list = []


def add(amount: int = 1) -> int:
    """The total so far."""
    _totals[0] += amount
    return _totals[0]


def pid() -> int:
    return os.getpid()


def write(files: dict) -> None:
    """Write files, by their paths, into the work directory."""
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def append(path: str, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def around() -> dict:
    """What is seen here: the work directory, what is in it, and what is in the folder for temporary files."""
    return {"folder": os.getcwd(), "files": sorted(os.listdir(".")), "temporary": sorted(os.listdir(tempfile.gettempdir()))}


def fill(name: str) -> str:
    """Leave a file in the folder for temporary files."""
    path = os.path.join(tempfile.gettempdir(), name)
    with open(path, "w", encoding="utf-8"):
        return path


def lay_traps(target: str) -> list:
    """Whatever isn't a file of one's own; what can't be made is left out of the list."""
    made = []
    traps = {
        "link": lambda: os.symlink(target, "link"),
        "folder": lambda: os.symlink(os.path.dirname(target), "folder"),
        "hard": lambda: os.link(target, "hard"),
        "pipe": lambda: os.mkfifo("pipe"),
        "deep": lambda: _dig("deep", 1500),
        "locked": lambda: (os.makedirs("locked/inner"), os.chmod("locked", 0)),
    }
    for name, lay in traps.items():
        try:
            lay()
        except OSError:
            continue
        made.append(name)
    return made


def spoil_folder() -> None:
    """Delete the work directory where that may be done, or close it to everybody."""
    try:
        os.rmdir(os.getcwd())
    except OSError:
        os.chmod(".", 0)


def _dig(name: str, levels: int) -> None:
    here = os.getcwd()
    for _ in range(levels):
        os.mkdir(name)
        os.chdir(name)
    os.chdir(here)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(started: str = "", seconds: float = 60.0) -> None:
    """Tell by a file that it has begun."""
    if started:
        with open(started, "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
    time.sleep(seconds)


def rest(started: str) -> None:
    """Tell by a file that it has begun, and go on once somebody has deleted it."""
    sleep(started, 0)
    while os.path.exists(started):
        time.sleep(0.005)


def count(up_to: int = 3):
    yield from range(up_to)


def forward(amount: int) -> int:
    """Add by way of the app."""
    import plughost_app

    return plughost_app.again(amount)


def have_child() -> int:
    """Start a process that waits."""
    import subprocess
    import sys

    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid


def hoard(mib: int) -> int:
    """Take that much memory, page by page, and keep it."""
    _hoarded.extend(bytearray(b"x") * (1 << 20) for _ in range(mib))
    return len(_hoarded)


def hoard_all(least: int) -> None:
    """Take all the memory that there is in ever smaller pieces, and keep it."""
    size = 1 << 20
    while size >= least:
        try:
            _hoarded.append(bytearray(b"x") * size)
        except MemoryError:
            size >>= 1
    raise MemoryError


def spin() -> None:
    while True:
        pass
