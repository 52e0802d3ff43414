"""The database of calls: its tables, and the file that it is.

Above it: what fills it and what reads it; below it: SQLite. It knows nothing of what is in the rows.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from plughost.errors import StoreError
from plughost.journal._schema import FORMAT, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.paths import Store

__all__ = ["reading", "writing"]

#: How long one process waits for another that writes.
_PATIENCE_S = 10.0


@contextlib.contextmanager
def writing(store: Store) -> Iterator[sqlite3.Connection]:
    """The database, made if it isn't there. One that is damaged is set aside, and a new one begun.

    Raises: StoreError: it is of a newer plughost. OSError, sqlite3.OperationalError: it can't be written.
    """
    os.makedirs(os.path.dirname(store.calls), 0o700, exist_ok=True)
    try:
        connection = _prepared(store.calls)
    except sqlite3.DatabaseError as error:
        if not _means_damage(error):
            raise
        _set_aside(store.calls, error)
        connection = _prepared(store.calls)
    try:
        with contextlib.closing(connection):
            yield connection
    except sqlite3.DatabaseError as error:
        if _means_damage(error):
            _set_aside(store.calls, error)
        raise


@contextlib.contextmanager
def reading(store: Store) -> Iterator[sqlite3.Connection | None]:
    """The database as it is, for reading alone; None where there is none.

    Raises: StoreError: it can't be read.
    """
    path = store.calls
    if not os.path.exists(path):
        yield None
        return
    try:
        # A file that can't be written can't be locked either; but nobody writes it then.
        immutable = "" if os.access(path, os.W_OK) else "&immutable=1"
        connection = _connected(path, f"{Path(path).as_uri()}?mode=ro{immutable}")
        with contextlib.closing(connection):
            connection.row_factory = sqlite3.Row
            yield connection if _format(connection, path) else None
    except sqlite3.Error as error:
        raise _unreadable(path, str(error)) from error


def _prepared(path: str) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite would let everybody read it
    connection = _connected(path, Path(path).as_uri())
    try:
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted may be a secret
        if not _format(connection, path):
            connection.executescript(f"BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version = {FORMAT};COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(path: str, uri: str) -> sqlite3.Connection:
    if not os.path.isfile(path):  # SQLite would wait for a pipe, some versions as soon as they connect
        raise _unreadable(path, "Not a regular file")
    return sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)


def _format(connection: sqlite3.Connection, path: str) -> int:
    """The format of the tables; 0 where there are none yet. The connection hasn't read anything before."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in {0, FORMAT}:
        raise _unreadable(path, f"It is of the format {found}, and this version of plughost reads {FORMAT}")
    return found


def _means_damage(error: sqlite3.DatabaseError) -> bool:
    return type(error) is sqlite3.DatabaseError  # its subclasses are: busy, full, read-only


def _set_aside(path: str, error: Exception) -> None:
    aside = f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{os.urandom(2).hex()}"
    os.replace(path, aside)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}-journal")  # of the damaged one: it would be played back into the new one
    logging.getLogger("plughost").warning("The records of calls were damaged (%s), and are set aside as `%s`", error, aside)


def _unreadable(path: str, cause: str) -> StoreError:
    return StoreError(
        f"The records of calls in `{path}` can't be read",
        reference="records-unreadable",
        causes=[cause],
        hint="Move the file away, and records begin anew",
    )
