"""Calls counted: how many, how many went wrong, how long they took, and what memory their processes needed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING

from plughost.journal._calls import selected
from plughost.journal._database import reading

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from plughost.paths import Store

__all__ = ["PluginStats", "ToolStats", "read_stats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStats:
    """The calls of one tool. `failed` are those that didn't go well. Times are those of all calls, by nearest rank."""

    tool: str
    calls: int
    failed: int
    median_s: float
    p95_s: float
    max_s: float

    @property
    def error_rate(self) -> float:
        return self.failed / self.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStats:
    """The calls of one plugin, by tool, and the processes that have ended: how many, and the most memory that one needed.

    `peak_bytes` is None where nobody could tell.
    """

    plugin: str
    tools: tuple[ToolStats, ...]
    workers: int
    peak_bytes: int | None

    def record(self) -> dict[str, object]:
        """As plain JSON values."""
        tools = [{**asdict(tool), "tool": tool.tool or None, "error_rate": round(tool.error_rate, 6)} for tool in self.tools]
        return {"plugin": self.plugin, "tools": tools, "workers": self.workers, "peak_bytes": self.peak_bytes}


def read_stats(store: Store, names: Sequence[str] = (), *, since: float = 0.0) -> list[PluginStats]:
    """By the names of plugins and tools.

    Raises: StoreError: the database can't be read.
    """
    with reading(store) as database:
        if database is None:
            return []
        where, values = selected(names, since)
        rows = database.execute(
            f"SELECT plugin, tool, outcome, duration_ns FROM call WHERE {where} ORDER BY plugin, tool, duration_ns",  # noqa: S608 - our own words
            values,
        )
        tools = {plugin: _tools(group) for plugin, group in groupby(rows, key=lambda row: str(row["plugin"]))}
        query = f"SELECT plugin, count(*) AS workers, max(peak_bytes) AS peak FROM worker WHERE {where} GROUP BY plugin"  # noqa: S608
        workers = {row["plugin"]: (row["workers"], row["peak"] or None) for row in database.execute(query, values)}
    return [
        PluginStats(plugin=plugin, tools=counted, workers=ended, peak_bytes=peak)
        for plugin, counted in tools.items()
        for ended, peak in [workers.get(plugin, (0, None))]
    ]


def _tools(rows: Iterable[sqlite3.Row]) -> tuple[ToolStats, ...]:
    """From rows in the order of the tools, and of a tool in that of their durations."""
    return tuple(_tool(tool, list(group)) for tool, group in groupby(rows, key=lambda row: str(row["tool"])))


def _tool(tool: str, rows: Sequence[sqlite3.Row]) -> ToolStats:
    def quantile_s(share: float) -> float:
        return float(rows[max(0, ceil(len(rows) * share) - 1)]["duration_ns"]) / 1e9

    return ToolStats(
        tool=tool,
        calls=len(rows),
        failed=sum(row["outcome"] != "ok" for row in rows),
        median_s=quantile_s(0.5),
        p95_s=quantile_s(0.95),
        max_s=quantile_s(1),
    )
