"""What `list` shows of a plugin, and what is asked for more seldom.

Above it: the index; below it: the wire's JSON. There may be a thousand of these in a command that takes milliseconds: they are
made from the columns of the index, and the rest is read when something of it is asked for.
"""

from __future__ import annotations

from itertools import repeat

from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

__all__ = ["FORMAT", "Details", "PluginSummary"]

#: Of the index.
FORMAT = 4


class Details:
    """By a plugin's name, what `list` doesn't show: the index's data from `begin` on, read when something of it is asked for."""

    __slots__ = ("_begin", "_by_name", "_data")

    def __init__(self, data: bytes = b"", begin: int = 0) -> None:
        self._data = data
        self._begin = begin
        self._by_name: dict[str, object] | None = None

    def of(self, name: str) -> Mapping[str, object]:
        details = self._all().get(name)
        return details if isinstance(details, dict) else {}

    def text(self, name: str, key: str) -> str:
        return str(self.of(name).get(key) or "")

    def put(self, name: str, **more: object) -> None:
        self._all()[name] = {**self.of(name), **more}

    def _all(self) -> dict[str, object]:
        if self._by_name is None:
            try:
                self._by_name = wire.unpack(self._data[self._begin :])
            except wire.WireError:
                self._by_name = {}
            self._data = b""
        return self._by_name


class PluginSummary:
    """One line of `list`. `fault` says what is damaged; the other fields are then as far as they could be read.

    `request`, `remote` and `venv` are for telling quickly whether anything has changed: the options that it was added with, the
    key of its environment, and of a git source the repository's URL and the revision that was asked for.
    """

    __slots__ = (
        "_details",
        "_hooks",
        "_tools",
        "added_at",
        "commit_id",
        "disabled",
        "fault",
        "name",
        "pinned",
        "python_version",
        "source",
        "summary",
        "version",
    )

    def __init__(
        self,
        name: str,
        version: str = "",
        summary: str = "",
        source: str = "",
        commit_id: str = "",
        python_version: str = "",
        added_at: str = "",
        tools: str = "",
        hooks: str = "",
        disabled: bool = False,  # noqa: FBT001, FBT002 - made from columns
        pinned: bool = False,  # noqa: FBT001, FBT002
        details: Details | None = None,
        fault: str = "",
    ) -> None:
        """`tools` and `hooks` are names, one a line."""
        self.name = name
        self.version = version
        self.summary = summary
        self.source = source
        self.commit_id = commit_id
        self.python_version = python_version
        self.added_at = added_at
        self._tools = tools
        self._hooks = hooks
        self.disabled = disabled
        self.pinned = pinned
        self._details = details
        self.fault = fault

    @classmethod
    def from_columns(cls, columns: list[object], details: Details) -> list[Self]:
        """What `to_columns` was made of; nothing if the columns can't be such."""
        lists = [column for column in columns if isinstance(column, list)]
        if len(lists) != len(_COLUMNS) or len(set(map(len, lists))) != 1:
            return []
        if any(set(map(type, column)) != {kind} for column, kind in zip(lists, _COLUMNS.values(), strict=True)):
            return []
        return list(map(cls, *lists, repeat(details)))

    @classmethod
    def to_columns(cls, summaries: list[Self]) -> list[list[object]]:
        return [[getattr(summary, name) for summary in summaries] for name in _COLUMNS]

    def __repr__(self) -> str:
        return f"PluginSummary(name={self.name!r}, version={self.version!r}, source={self.source!r})"

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(self._tools.split("\n")) if self._tools else ()

    @property
    def hooks(self) -> tuple[str, ...]:
        return tuple(self._hooks.split("\n")) if self._hooks else ()

    @property
    def venv(self) -> str:
        return str(self._detail("venv") or "")

    @property
    def request(self) -> dict[str, object]:
        request = self._detail("request")
        return request if isinstance(request, dict) else {}

    @property
    def remote(self) -> tuple[str, str]:
        remote = self._detail("remote")
        return (str(remote[0]), str(remote[1])) if isinstance(remote, list) and len(remote) == 2 else ("", "")  # noqa: PLR2004

    def record(self) -> dict[str, object]:
        """As plain JSON values: what `list --json` prints."""
        return {
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "source": self.source,
            "commit_id": self.commit_id or None,
            "python_version": self.python_version,
            "added_at": self.added_at,
            "tools": list(self.tools),
            "hooks": list(self.hooks),
            "disabled": self.disabled,
            "pinned": self.pinned,
            "fault": self.fault or None,
        }

    def _detail(self, key: str) -> object:
        return self._details.of(self.name).get(key) if self._details else None


#: The columns of the index, in the order of the constructor's parameters.
_COLUMNS = {
    "name": str,
    "version": str,
    "summary": str,
    "source": str,
    "commit_id": str,
    "python_version": str,
    "added_at": str,
    "_tools": str,
    "_hooks": str,
    "disabled": bool,
    "pinned": bool,
}
