"""The spool: records that wait in files to be taken into the database.

Above it: `Journal` and its writers; below it: files. A process appends its first lines to a file that all share, so that a
thousand short runs leave one file; one that goes on gets files of its own, which cost less: pages for calls of which there is
little to say, and lines for the others. Every process has a shared lock on each file that it writes. Whoever reads renames the
common one, so that the next to come begin another, and deletes what nobody holds any more. A record is in the kernel's hands
when the call that it tells of returns, and no kill can lose it.
"""

from __future__ import annotations

import _thread
import os
import time

from plughost import _process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread
    from typing import ParamSpec, TypeVar

    from plughost.journal._mapped import MappedLines
    from plughost.journal._page import Page

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["NAME", "SUFFIX", "Spool"]

#: The file that is shared, in the folder of the spool, and how the names of all others end.
NAME = "now.jsonl"
SUFFIX = ".jsonl"
#: How large the shared file grows, and how many files there may be, before a writer has them taken in: some ten thousand lines,
#: or more calls on pages than are kept, so that most are never taken in at all.
_FULL_BYTES = 4 << 20
_MOST_FILES = 64
#: So many lines of a process go to the shared file.
_FIRST_LINES = 16
_LINES_TO_THE_NEXT_TRY = 10_000
#: Of what has a longer name than that there are only lines.
_LARGEST_HEAD_BYTES = 4096
#: How long nothing is tried again where the folder can't be written, or the disk is full.
_REST_S = 60.0
#: How long the end of a process may be held up by what it has begun to take in.
_LONGEST_TAKE_S = 30.0
#: Readers that come between the opening of the file and the lock on it, one after the other.
_MOST_ATTEMPTS = 8


class Spool:
    """Safe for several threads, and in a forked copy of the process. What can't be written is lost, and nobody is told.

    `take_in` is called in a thread when there is much to be taken in.
    """

    __slots__ = (
        "_fd",
        "_folder",
        "_is_busy",
        "_lines",
        "_lock",
        "_own",
        "_page",
        "_rest_until",
        "_take_in",
        "_taker",
        "_waiting",
    )

    def __init__(self, folder: str, take_in: Callable[[], None]) -> None:
        self._folder = folder
        self._take_in = take_in
        self._taker: Thread | None = None
        self._lock = _thread.RLock()
        self._is_busy = False
        self._waiting: list[bytes] = []
        self._own: MappedLines | None = None
        self._page: Page | None = None
        self._fd = -1
        self._lines = 0
        self._rest_until = 0.0

    def append(self, line: bytes) -> None:
        """Write a line that begins and ends with a newline, whole or not at all, but for a full disk."""
        self._waiting.append(line)
        self._alone(self._write_waiting)

    def page(self, head: bytes) -> tuple[Page, int] | None:
        """A page that has room, and what stands for `head` on it; None: a line has to do."""
        return self._alone(self._page_for, head)

    def close(self) -> None:
        """Let go of the files; what is written afterwards opens others. Waits for what is just being taken in."""
        if self._taker is not None:
            self._taker.join(_LONGEST_TAKE_S)
        self._alone(self._begin_anew)

    def forget(self) -> None:
        """In a forked copy of this process: the files are the original's, and so may be whoever holds the lock."""
        self._lock = _thread.RLock()
        self._is_busy = False
        self._waiting.clear()
        self._taker = None
        for mapped in (self._own, self._page):
            if mapped is not None:
                mapped.forget()
        self._own = self._page = None
        self._begin_anew()

    def _alone(self, step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Take a step while no other is taken. In the middle of one, a signal's handler or a finalizer may make calls, too:

        for them there is None, and what they have to write waits until the step is done.
        """
        with self._lock:
            if self._is_busy:
                return None
            self._is_busy = True
            try:
                result = step(*args, **kwargs)
            finally:
                self._is_busy = False
        if self._waiting:
            self._alone(self._write_waiting)
        return result

    def _write_waiting(self) -> None:
        while self._waiting:
            line = self._waiting.pop(0)
            if self._own is not None and self._own.append(line):
                continue
            if time.monotonic() < self._rest_until:
                continue
            try:
                self._append(line)
            except Exception:  # noqa: BLE001 - a full disk, an interpreter that is about to end: the call has gone well all the same
                self._let_go()
                self._rest_until = time.monotonic() + _REST_S

    def _append(self, line: bytes) -> None:
        self._lines += 1
        if self._lines > _FIRST_LINES and self._append_to_own(line):
            return
        if self._fd < 0:
            self._fd, size = _open_shared(self._folder)
            _process.own(self)
            if size > _FULL_BYTES:
                self._begin_to_take_in()
        os.write(self._fd, line)

    def _page_for(self, head: bytes) -> tuple[Page, int] | None:
        if len(head) > _LARGEST_HEAD_BYTES or self._lines < _FIRST_LINES or time.monotonic() < self._rest_until:
            return None
        try:
            return self._page_with(head)
        except BlockingIOError:  # a reader has deleted it, before it was locked: the next call has another one
            return None
        except Exception:  # noqa: BLE001 - no room on the disk, say, or a platform that can't promise it
            self._let_go()
            self._lines = -_LINES_TO_THE_NEXT_TRY
            return None

    def _page_with(self, head: bytes) -> tuple[Page, int]:
        from plughost.journal._page import Page

        page = self._page
        number = page.number(head) if page is not None and page.has_room else 0
        if page is None or not number:
            self._let_go_of_page()
            self._let_go_of_shared()
            page = self._page = Page(self._folder)
            self._has_own_files()
            number = page.number(head)
        return page, number

    def _append_to_own(self, line: bytes) -> bool:
        """Begin a file of this process's own; false where the platform, the disk or the line is not made for that."""
        from plughost.journal._mapped import SIZE_BYTES, MappedLines

        if len(line) >= SIZE_BYTES:
            return False
        self._let_go_of_lines()
        try:
            self._own = MappedLines(self._folder, SUFFIX)
        except BlockingIOError:  # a reader has deleted it, before it was locked: the next line has another one
            return False
        except OSError:
            self._lines = -_LINES_TO_THE_NEXT_TRY
            return False
        self._has_own_files()
        return self._own.append(line)

    def _has_own_files(self) -> None:
        _process.own(self)
        if len(os.listdir(self._folder)) > _MOST_FILES:
            self._begin_to_take_in()

    def _let_go(self) -> None:
        _process.disown(self)
        self._let_go_of_page()
        self._let_go_of_lines()

    def _let_go_of_page(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            page.close()

    def _let_go_of_lines(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()
        self._let_go_of_shared()

    def _let_go_of_shared(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _begin_anew(self) -> None:
        self._let_go()
        self._lines = 0

    def _begin_to_take_in(self) -> None:
        from threading import Thread

        if self._taker is not None:
            return
        self._taker = Thread(target=self._take_all_in, name="plughost-journal", daemon=True)
        try:
            self._taker.start()
        except RuntimeError:  # the interpreter is about to end, or the machine has no threads left
            self._taker = None

    def _take_all_in(self) -> None:
        try:
            self._take_in()
        except Exception:  # noqa: BLE001, S110 - whoever reads next will meet it, and can tell somebody
            pass
        self._taker = None
        self._alone(self._let_go_of_shared)  # it has another name by now


def _open_shared(folder: str) -> tuple[int, int]:
    """A descriptor of the shared file, with a lock, and the file's size.

    Raises: OSError: it can't be made.
    """
    import fcntl

    path = os.path.join(folder, NAME)
    for _ in range(_MOST_ATTEMPTS):
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            os.makedirs(folder, 0o700, exist_ok=True)
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            state = os.fstat(fd)
            if state.st_nlink:
                return fd, state.st_size
        except BlockingIOError:  # a reader has renamed it, and is about to delete it
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    raise FileNotFoundError(path)
