"""The tables of the database, and its views. These are public, and stay as docs/reference/records.md has them."""

from __future__ import annotations

__all__ = ["FORMAT", "SCHEMA"]

#: Another number for other tables: SQLite's `user_version`.
FORMAT = 1

SCHEMA = """
CREATE TABLE call (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_ns INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    version TEXT,
    commit_id TEXT,
    revision TEXT,
    tool TEXT,
    outcome TEXT NOT NULL,
    exit_code INTEGER,
    reference TEXT,
    error_type TEXT,
    message TEXT,
    traceback TEXT,
    request_bytes INTEGER,
    reply_bytes INTEGER,
    output_bytes INTEGER,
    arguments TEXT,
    bulk BLOB,
    arguments_lost TEXT,
    timeout_s REAL,
    variables TEXT,
    digest TEXT
);
CREATE INDEX call_of ON call (plugin, started_ns);
CREATE INDEX call_at ON call (started_ns);
CREATE TABLE worker (
    pid INTEGER,
    started_ns INTEGER,
    noted_ns INTEGER NOT NULL,
    plugin TEXT NOT NULL,
    version TEXT,
    revision TEXT,
    calls INTEGER NOT NULL,
    peak_bytes INTEGER,
    PRIMARY KEY (pid, started_ns)
);
CREATE TABLE spool (
    name TEXT PRIMARY KEY,
    taken_bytes INTEGER NOT NULL
);
CREATE VIEW calls AS SELECT
    id,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ns / 1e9, 'unixepoch') AS time,
    plugin, version, commit_id, revision, tool,
    duration_ns / 1e9 AS duration_s,
    outcome, exit_code, reference, error_type, message, traceback,
    request_bytes, reply_bytes, output_bytes,
    CASE WHEN json_valid(arguments) THEN json_extract(arguments, '$.params') END AS arguments
    FROM call;
CREATE VIEW workers AS SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ns / 1e9, 'unixepoch') AS time,
    plugin, version, revision, pid, calls, peak_bytes
    FROM worker;
"""
