"""The index: what `list` shows of every plugin, in one file, made from the receipts and checked against them at each reading.

An entry counts only while the plugin's files are those it was made from, so that nothing has to be told of a change, a kill
between the two writes does no harm, and damage shows.
"""

from __future__ import annotations

import os

from plughost.errors import StoreError, UnknownError, UsageError
from plughost.paths import Store, replace_file, scan
from plughost.registry._read import find, pointed_to, unreadable
from plughost.runner import wire

__all__ = ["PluginSummary", "summaries"]

FORMAT = 3

#: Of a revision: what `list` or `info` reads.
_FILES = ("receipt.toml", "manifest.json", "pylock.toml")


class PluginSummary:
    """One line of `list`. `fault` says what is damaged; the other fields are then as far as they could be read."""

    __slots__ = (
        "added_at",
        "commit_id",
        "fault",
        "hooks",
        "name",
        "python_version",
        "remote",
        "request",
        "source",
        "tools",
        "venv",
        "version",
    )

    def __init__(
        self,
        *,
        name: str,
        version: str = "",
        source: str = "",
        commit_id: str = "",
        python_version: str = "",
        added_at: str = "",
        tools: tuple[str, ...] = (),
        hooks: tuple[str, ...] = (),
        fault: str = "",
        venv: str = "",
        request: dict[str, object] | None = None,
        remote: tuple[str, str] = ("", ""),
    ) -> None:
        self.name = name
        self.version = version
        self.source = source
        self.commit_id = commit_id
        self.python_version = python_version
        self.added_at = added_at
        self.tools = tools
        self.hooks = hooks
        self.fault = fault
        #: For telling quickly whether anything has changed: the venv's key, the options it was added with, and of a git source
        #: the repository's URL and the revision that was asked for.
        self.venv = venv
        self.request = request or {}
        self.remote = remote

    def record(self) -> dict[str, object]:
        """As plain JSON values: what `list --json` prints."""
        return {
            "name": self.name,
            "version": self.version,
            "source": self.source,
            "commit_id": self.commit_id or None,
            "python_version": self.python_version,
            "added_at": self.added_at,
            "tools": list(self.tools),
            "hooks": list(self.hooks),
            "fault": self.fault or None,
        }


def summaries(store: Store) -> list[PluginSummary]:
    """All plugins, sorted by name. Reads one file and asks for the state of four files a plugin; starts and imports nothing.

    Raises: StoreError: this user may not read it.
    """
    kept = _read(store)
    entries: dict[str, object] = {}
    found: list[PluginSummary] = []
    changed = False
    try:
        folders = sorted(scan(store.plugins), key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(store, error) from error
    for folder in folders:
        entry = kept.get(folder.name)
        if not (isinstance(entry, dict) and entry.get("state") == _state(folder.path, str(entry.get("revision")))):
            changed = True
            entry = _entry(store, folder.name) if folder.is_dir() else None
        if entry is None:
            continue
        if entry.get("fault") is None:
            entries[folder.name] = entry
        found.append(_from_entry(entry))
    if changed or len(entries) != len(kept):
        _write(store, entries)
    return found


def _state(plugin: str, revision: str) -> str:
    """What changes when the plugin's files do; "" if one is missing."""
    try:
        states = [os.stat(f"{plugin}/current"), *(os.stat(f"{plugin}/{revision}/{name}") for name in _FILES)]
    except OSError:
        return ""
    return " ".join(f"{state.st_mtime_ns}-{state.st_ino}-{state.st_size}" for state in states)


def _entry(store: Store, name: str) -> dict[str, object] | None:
    """The entry of a plugin, from its files; None if there is no such plugin, or none any more."""
    revision = pointed_to(store.plugin(name))
    state = _state(store.plugin(name), revision)
    try:
        summary = _summarize(store, name)
    except (UnknownError, UsageError):
        return None
    if not state and not summary.fault:
        summary.fault = "Some of its files are missing"
    return {
        "state": state,
        "revision": revision,
        **summary.record(),
        "venv": summary.venv,
        "request": summary.request,
        "remote": list(summary.remote),
    }


def _summarize(store: Store, name: str) -> PluginSummary:
    from pathlib import Path

    from plughost.registry._receipt import load_receipt

    try:
        installed = find(store, name)
        receipt = load_receipt(Path(installed.folder, "receipt.toml"))
    except StoreError as error:
        return PluginSummary(name=name, fault="; ".join([error.message, *error.causes]))
    return PluginSummary(
        name=name,
        version=receipt.version,
        source=receipt.source,
        commit_id=receipt.commit_id,
        python_version=receipt.python_version,
        added_at=receipt.added_at,
        tools=_names(installed.manifest.get("tools")),
        hooks=_names(installed.manifest.get("hooks")),
        venv=receipt.venv,
        request=receipt.request,
        remote=_remote(receipt.direct_url),
    )


def _remote(direct_url: dict[str, object]) -> tuple[str, str]:
    vcs = direct_url.get("vcs_info")
    return (str(direct_url.get("url")), str(vcs.get("requested_revision") or "")) if isinstance(vcs, dict) else ("", "")


def _names(items: object) -> tuple[str, ...]:
    return tuple(str(item["name"]) for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _from_entry(entry: dict[str, object]) -> PluginSummary:
    def text(key: str) -> str:
        return str(entry.get(key) or "")

    def texts(key: str) -> tuple[str, ...]:
        value = entry.get(key)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    request, remote = entry.get("request"), texts("remote")
    return PluginSummary(
        name=text("name"),
        version=text("version"),
        source=text("source"),
        commit_id=text("commit_id"),
        python_version=text("python_version"),
        added_at=text("added_at"),
        tools=texts("tools"),
        hooks=texts("hooks"),
        fault=text("fault"),
        venv=text("venv"),
        request=request if isinstance(request, dict) else {},
        remote=(remote[0], remote[1]) if len(remote) == 2 else ("", ""),  # noqa: PLR2004 - a pair
    )


def _read(store: Store) -> dict[str, object]:
    try:
        with open(store.index, "rb") as file:
            index = wire.unpack(file.read())
    except (OSError, wire.WireError):
        return {}
    plugins = index.get("plugins")
    return plugins if index.get("format") == FORMAT and isinstance(plugins, dict) else {}


def _write(store: Store, entries: dict[str, object]) -> None:
    """Best effort: an index that can't be written costs time at the next reading, and nothing else."""
    message: dict[str, object] = {"format": FORMAT, "plugins": entries}
    try:
        os.makedirs(os.path.dirname(store.index), exist_ok=True)
        replace_file(store.index, b"".join(wire.pack(message)), durable=False)
    except OSError:
        return
