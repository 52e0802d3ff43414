"""Taking the lines and the pages of the spool into the database: each once, however often and wherever that is cut off.

Above it: whoever reads, and a writer whose file is full; below it: the database. How far a file has been taken in stands in the
database, and is written with what was taken, by one transaction.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from plughost.journal._database import writing
from plughost.journal._page import HEADS_BYTES, PAGE_SUFFIX, count, filled_bytes
from plughost.journal._rows import INSERT_CALL, INSERT_SLOT, REPLACE_WORKER, line_rows, slot_rows
from plughost.journal._spool import NAME, SUFFIX
from plughost.paths import locked, regular, scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from plughost.paths import Store

__all__ = ["KEPT_CALLS", "KEPT_DAYS", "refresh", "take_in"]

#: What is kept: so many days, so many calls, and so much of their arguments.
KEPT_DAYS = 30
KEPT_CALLS = 100_000
KEPT_ARGUMENTS_BYTES = 256 << 20
_DAY_NS = 86_400 * 10**9
#: How much of a file is taken by one transaction.
_BLOCK_BYTES = 1 << 20


def take_in(store: Store, *, wait: bool = True) -> None:
    """Take all that has been written so far; where another process is at it and not `wait`, leave it to that.

    Raises: OSError, sqlite3.OperationalError: the store can't be written. StoreError: the database is of a newer plughost.
    """
    with contextlib.suppress(BlockingIOError), locked(store.lock(f"journal-{store.project}"), wait=wait):
        names = _renamed(store.spool)
        if not names:
            return
        outdated = _outdated(store.spool, names)
        with writing(store) as database:
            for name in names:
                _take_file(database, os.path.join(store.spool, name), is_outdated=name in outdated)
            _drop_old(database)
            with database:
                database.execute(
                    f"DELETE FROM spool WHERE name NOT IN ({', '.join('?' * len(names))})",  # noqa: S608 - question marks
                    names,
                )


def refresh(store: Store) -> None:
    """As `take_in`, for who reads: where the store can't be written, what is in the database has to do."""
    with contextlib.suppress(OSError, sqlite3.OperationalError):
        take_in(store)


def _renamed(folder: str) -> list[str]:
    """The files of the spool in the order of their age, none of which another process may begin to write any more."""
    now = os.path.join(folder, NAME)
    with contextlib.suppress(FileNotFoundError):
        if os.path.getsize(now):
            os.rename(now, os.path.join(folder, f"{time.time_ns()}-{os.urandom(4).hex()}{SUFFIX}"))
    return sorted(entry.name for entry in scan(folder) if entry.name.endswith((SUFFIX, PAGE_SUFFIX)) and entry.name != NAME)


def _outdated(folder: str, names: list[str]) -> set[str]:
    """The pages that are followed by as many calls as are kept: to take them in would be to delete them at once."""
    outdated, room = set(), KEPT_CALLS
    for name in reversed(names):
        if name.endswith(PAGE_SUFFIX):
            if room <= 0:
                outdated.add(name)
            else:
                with open(os.path.join(folder, name), "rb", opener=regular) as file:
                    room -= count(file.read())
    return outdated


def _take_file(database: sqlite3.Connection, path: str, *, is_outdated: bool) -> None:
    name = os.path.basename(path)
    with open(path, "rb", opener=regular) as file:
        has_ended = _is_left(file)  # asked first: what comes afterwards is for the next time
        row = database.execute("SELECT taken_bytes FROM spool WHERE name = ?", (name,)).fetchone()
        taken = row[0] if row else 0
        if name.endswith(PAGE_SUFFIX):
            _take_page(database, file, taken or HEADS_BYTES, is_left=has_ended, is_outdated=is_outdated)
        else:
            _take_lines(database, file, taken)
        if has_ended:  # while we still have the lock, for which a writer would have to wait that has opened it just now
            os.unlink(path)


def _take_lines(database: sqlite3.Connection, file: BinaryIO, taken: int) -> None:
    file.seek(taken)
    for lines in _blocks(file):
        with database:
            workers: list[tuple[object, ...]] = []
            database.executemany(INSERT_CALL, line_rows(lines, workers))
            database.executemany(REPLACE_WORKER, workers)
            taken += len(lines)
            _note_taken(database, file, taken)


def _take_page(database: sqlite3.Connection, file: BinaryIO, taken: int, *, is_left: bool, is_outdated: bool) -> None:
    """What a writer may still fill is read twice: only what was whole before is sure not to be half of it."""
    page = file.read()
    if not is_left:
        end = filled_bytes(page, taken)
        file.seek(0)
        page = file.read(end)
    with database:
        if not is_outdated:
            database.executemany(INSERT_SLOT, slot_rows(page, taken))
        _note_taken(database, file, len(page))


def _note_taken(database: sqlite3.Connection, file: BinaryIO, taken: int) -> None:
    name = os.path.basename(file.name)
    database.execute("INSERT OR REPLACE INTO spool (name, taken_bytes) VALUES (?, ?)", (name, taken))


def _is_left(file: BinaryIO) -> bool:
    """Whether no process has the file open for writing any more."""
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """What is there, in blocks of whole lines, up to the zeros at the end of a file that its writer has mapped."""
    rest = b""
    while block := file.read(_BLOCK_BYTES):
        written, zero, _ = block.partition(b"\0")
        lines, newline, rest = (rest + written).rpartition(b"\n")
        if newline:
            yield lines + newline
        if zero:
            return


def _drop_old(database: sqlite3.Connection) -> None:
    oldest_ns = time.time_ns() - KEPT_DAYS * _DAY_NS
    with database:
        database.execute("DELETE FROM call WHERE started_ns < ?", (oldest_ns,))
        database.execute("DELETE FROM worker WHERE noted_ns < ?", (oldest_ns,))
        database.execute(
            "DELETE FROM call WHERE started_ns < (SELECT started_ns FROM call ORDER BY started_ns DESC LIMIT 1 OFFSET ?)",
            (KEPT_CALLS - 1,),
        )
        database.execute(
            "UPDATE call SET arguments = NULL, bulk = NULL, arguments_lost = 'They were dropped for those of later calls' "
            "WHERE id IN (SELECT id FROM (SELECT id, sum(length(arguments) + coalesce(length(bulk), 0)) OVER "
            "(ORDER BY id DESC) AS total FROM call WHERE arguments IS NOT NULL) WHERE total > ?)",
            (KEPT_ARGUMENTS_BYTES,),
        )
