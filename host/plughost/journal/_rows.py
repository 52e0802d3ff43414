"""Rows of the database from what stands in the files of the spool. What can't have been written by us is left out.

Above it: taking in; below it: lines and pages. It knows nothing of files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from plughost.journal._page import head, slots

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["INSERT_CALL", "INSERT_SLOT", "REPLACE_WORKER", "line_rows", "slot_rows"]

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
INSERT_CALL = (
    f"INSERT INTO call ({', '.join(column for column, _ in _CALL_COLUMNS.values())}, bulk)"  # noqa: S608 - our own names
    f" VALUES ({', '.join('?' * (len(_CALL_COLUMNS) + 1))})"
)
#: Of a call on a page: the slot's numbers but the last, and the texts of its head.
_HEAD_KEYS = ("plugin", "version", "commit", "revision", "tool")
INSERT_SLOT = (
    "INSERT INTO call (started_ns, duration_ns, request_bytes, reply_bytes, output_bytes, plugin, version, commit_id, revision,"
    " tool, outcome, exit_code) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ok', 0)"
)
REPLACE_WORKER = (
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


def line_rows(lines: bytes, workers: list[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
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


def slot_rows(page: bytes, start: int) -> Iterator[tuple[object, ...]]:
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
