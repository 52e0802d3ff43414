"""Calls as they are read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from plughost.errors import UnknownError
from plughost.journal._arguments import Arguments
from plughost.journal._database import reading
from plughost.runner.wire import WireError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from plughost.paths import Store

__all__ = ["CallRecord", "find_call", "read_calls", "selected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call, and how it went.

    `time` is when it began. `tool` is `hook:NAME` for a hook, and "" where the plugin could not be started. `outcome` is `ok`,
    `raised`, `refused`, `crashed`, `limited`, `timed-out`, `cancelled` or `failed`; `exit_code` what the command would have ended
    with, None where it has none for that. `arguments` are None where they were not recorded; if that was asked for,
    `arguments_lost` says why. `result_digest` tells a result from another one.
    """

    id: int
    time: datetime
    plugin: str
    version: str
    commit_id: str
    revision: str
    tool: str
    duration_s: float
    outcome: str
    exit_code: int | None
    reference: str
    error_type: str
    message: str
    traceback: str
    request_bytes: int
    reply_bytes: int
    output_bytes: int
    arguments: Arguments | None
    arguments_lost: str
    timeout_s: float | None
    variables: tuple[str, ...]
    result_digest: str

    def record(self, *, whole: bool = False) -> dict[str, object]:
        """As plain JSON values; the arguments and the traceback only of the `whole`."""
        kept: dict[str, object] = {
            "id": self.id,
            "time": self.time.isoformat(timespec="milliseconds"),
            "plugin": self.plugin,
            "version": self.version or None,
            "commit_id": self.commit_id or None,
            "revision": self.revision,
            "tool": self.tool or None,
            "duration_s": self.duration_s,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "reference": self.reference or None,
            "error_type": self.error_type or None,
            "message": self.message or None,
            "request_bytes": self.request_bytes,
            "reply_bytes": self.reply_bytes,
            "output_bytes": self.output_bytes,
        }
        if whole:
            kept["traceback"] = self.traceback or None
            kept["arguments"] = None if self.arguments is None else self.arguments.record()
            kept["arguments_lost"] = self.arguments_lost or None
            kept["policy"] = self.arguments.policy if self.arguments else None
            kept["leave"] = self.arguments.leave if self.arguments else None
            kept["allow_unenforced"] = list(self.arguments.waived) if self.arguments else None
            kept["timeout_s"] = self.timeout_s
            kept["variables"] = list(self.variables)
        return kept


def read_calls(
    store: Store, names: Sequence[str] = (), *, failed: bool = False, since: float = 0.0, after: int = 0, limit: int | None = None
) -> list[CallRecord]:
    """The latest calls, the latest last: of plugins, those that didn't go well, since a time, after another call.

    Raises: StoreError: the database can't be read.
    """
    with reading(store) as database:
        if database is None:
            return []
        where, values = selected(names, since)
        where += " AND id > ?" + " AND outcome != 'ok'" * failed
        query = f"SELECT * FROM call WHERE {where} ORDER BY started_ns DESC, id DESC LIMIT ?"  # noqa: S608 - our own words
        rows = database.execute(query, (*values, after, -1 if limit is None else limit)).fetchall()
    return [_call(row) for row in reversed(rows)]


def find_call(store: Store, number: int) -> CallRecord:
    """Raises: UnknownError: there is no such call, or not any more. StoreError: the database can't be read."""
    with reading(store) as database:
        row = None if database is None else database.execute("SELECT * FROM call WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise UnknownError(
            f"There is no record of a call `{number}`", reference="record-unknown", hint="`logs --limit 20` shows the latest"
        )
    return _call(row)


def selected(names: Sequence[str], since: float) -> tuple[str, list[object]]:
    """The condition for rows of these plugins since a time, and its values."""
    where = "started_ns >= ?"
    if names:
        where += f" AND plugin IN ({', '.join('?' * len(names))})"
    return where, [int(since * 1e9), *names]


def _call(row: sqlite3.Row) -> CallRecord:
    arguments, lost = _arguments(row)
    return CallRecord(
        id=row["id"],
        time=datetime.fromtimestamp(row["started_ns"] / 1e9, UTC),
        plugin=row["plugin"],
        version=row["version"] or "",
        commit_id=row["commit_id"] or "",
        revision=row["revision"] or "",
        tool=row["tool"] or "",
        duration_s=row["duration_ns"] / 1e9,
        outcome=row["outcome"],
        exit_code=row["exit_code"],
        reference=row["reference"] or "",
        error_type=row["error_type"] or "",
        message=row["message"] or "",
        traceback=row["traceback"] or "",
        request_bytes=row["request_bytes"] or 0,
        reply_bytes=row["reply_bytes"] or 0,
        output_bytes=row["output_bytes"] or 0,
        arguments=arguments,
        arguments_lost=lost,
        timeout_s=row["timeout_s"],
        variables=tuple((row["variables"] or "").split()),
        result_digest=row["digest"] or "",
    )


def _arguments(row: sqlite3.Row) -> tuple[Arguments | None, str]:
    if row["arguments"] is None:
        return None, row["arguments_lost"] or ""
    try:
        return Arguments.restored(row["arguments"], row["bulk"] or b""), ""
    except WireError as error:
        return None, f"They can't be read: {error}"
