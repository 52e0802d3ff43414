"""Taking the lines and the pages of the spool into the database: each once, however often and wherever that is cut off.

Above it: whoever reads, and a writer whose file is full; below it: the database. How far a file has been taken in stands in the
database, and is written with what was taken, by one transaction.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from plughost.journal._database import writing
from plughost.journal._page import HEADS_BYTES, PAGE_SUFFIX, count, filled_bytes, head, slots
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

#: The database's columns, by what they are called on a line, and the types that a value of them may have.
_CALL_COLUMNS: dict[str, tuple[str, tuple[type, ...]]] = {
    "at": ("started_ns", (int,)),
    "ns": ("duration_ns", (int,)),
    "plugin": ("plugin", (str,)),
    "version": ("version", (str,)),
    "commit": ("commit_id", (str,)),
    "revision": ("revision", (str,)),
    "tool": ("tool", (str,)),
    "outcome": ("outcome", (str,)),
    "exit_code": ("exit_code", (int,)),
    "reference": ("reference", (str,)),
    "type": ("error_type", (str,)),
    "message": ("message", (str,)),
    "traceback": ("traceback", (str,)),
    "sent": ("request_bytes", (int,)),
    "received": ("reply_bytes", (int,)),
    "printed": ("output_bytes", (int,)),
    "arguments": ("arguments", (str,)),
    "arguments_lost": ("arguments_lost", (str,)),
    "env": ("variables", (str,)),
    "timeout_s": ("timeout_s", (int, float)),
    "digest": ("digest", (str,)),
}
_INSERT_CALL = (
    f"INSERT INTO call ({', '.join(column for column, _ in _CALL_COLUMNS.values())}, bulk)"  # noqa: S608 - our own names
    f" VALUES ({', '.join('?' * (len(_CALL_COLUMNS) + 1))})"
)
#: Of a call on a page: the slot's numbers but the last, and the texts of its head.
_HEAD_KEYS = ("plugin", "version", "commit", "revision", "tool")
_INSERT_SLOT = (
    "INSERT INTO call (started_ns, duration_ns, request_bytes, reply_bytes, output_bytes, plugin, version, commit_id, revision,"
    " tool, outcome, exit_code) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ok', 0)"
)
_REPLACE_WORKER = (
    "INSERT OR REPLACE INTO worker (pid, started_ns, noted_ns, plugin, version, revision, calls, peak_bytes)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_WORKER_KEYS: dict[str, tuple[type, ...]] = {
    "worker": (int,),
    "at": (int,),
    "noted": (int,),
    "plugin": (str,),
    "version": (str,),
    "revision": (str,),
    "calls": (int,),
    "peak": (int,),
}
_LARGEST_INT = (1 << 63) - 1


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
            database.executemany(_INSERT_CALL, _calls(lines, workers))
            database.executemany(_REPLACE_WORKER, workers)
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
            database.executemany(_INSERT_SLOT, _slots(page, taken))
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


def _calls(lines: bytes, workers: list[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """The rows of the calls; those of workers go into `workers`. A line that a full disk has cut off is left out."""
    for line in lines.split(b"\n"):
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(record, dict):
            continue
        if "worker" in record:
            row = tuple(_fitting(record.get(key), types) for key, types in _WORKER_KEYS.items())
            if None not in row:
                workers.append(row)
        elif all(_fitting(record.get(key), _CALL_COLUMNS[key][1]) is not None for key in ("at", "ns", "plugin")):
            yield _row(record)


def _slots(page: bytes, start: int) -> Iterator[tuple[object, ...]]:
    """The rows of the calls on a page. What can't have been written by us is left out."""
    heads: dict[int, tuple[object, ...]] = {}
    for *numbers, number in slots(page, start):
        texts = heads.get(number)
        if texts is None:
            texts = heads[number] = _head(page, number)
        if texts:
            yield (*numbers, *texts)


def _head(page: bytes, number: int) -> tuple[object, ...]:
    """What the calls with that number have in common; empty where that can't be read."""
    try:
        record = json.loads(head(page, number))
    except (ValueError, RecursionError):
        return ()
    texts = tuple(_fitting(record.get(key), (str,)) for key in _HEAD_KEYS) if isinstance(record, dict) else ()
    return texts if None not in texts else ()


def _row(record: dict[str, object]) -> tuple[object, ...]:
    if "outcome" not in record:
        record.update(outcome="ok", exit_code=0)
    values = [_fitting(record.get(key), types) for key, (_, types) in _CALL_COLUMNS.items()]
    bulk = record.get("bulk")
    return (*values, _decoded(bulk) if isinstance(bulk, str) else None)


def _fitting(value: object, types: tuple[type, ...]) -> object:
    """The value, if it is one that its column takes; else None."""
    if not isinstance(value, types) or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INT else None
    if isinstance(value, str) and not value.isascii():  # lone surrogates, which UTF-8 has no form for
        return value.encode("utf-8", "replace").decode()
    return value


def _decoded(text: str) -> bytes | None:
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(text)
    except Error:
        return None


def _drop_old(database: sqlite3.Connection) -> None:
    oldest_ns = time.time_ns() - KEPT_DAYS * _DAY_NS
    with database:
        database.execute("DELETE FROM call WHERE started_ns < ?", (oldest_ns,))
        database.execute("DELETE FROM worker WHERE noted_ns < ?", (oldest_ns,))
        database.execute("DELETE FROM call WHERE id <= (SELECT max(id) FROM call) - ?", (KEPT_CALLS,))
        database.execute(
            "UPDATE call SET arguments = NULL, bulk = NULL, arguments_lost = 'They were dropped for those of later calls' "
            "WHERE id IN (SELECT id FROM (SELECT id, sum(length(arguments) + coalesce(length(bulk), 0)) OVER "
            "(ORDER BY id DESC) AS total FROM call WHERE arguments IS NOT NULL) WHERE total > ?)",
            (KEPT_ARGUMENTS_BYTES,),
        )
