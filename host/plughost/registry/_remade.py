"""Making the index again, as far as it doesn't say how things are.

Above it: the index; below it: the plugins' files.
"""

from __future__ import annotations

import os
from contextlib import suppress

from plughost.errors import StoreError, UnknownError, UsageError
from plughost.paths import Store, locked, replace_file, scan
from plughost.registry._changing import outdated
from plughost.registry._read import find, pointed_to, unreadable
from plughost.registry._summary import FORMAT, Details, PluginSummary
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["remade"]

#: Of a revision: what `list` or `info` reads.
_FILES = ("receipt.toml", "manifest.json", "pylock.toml")


def remade(store: Store, kept: list[PluginSummary], details: Details, *, in_place: bool, few: bool) -> list[PluginSummary]:
    """All plugins: what is `kept` of those that are as they were, and the others from their files. `few` looks at all files.

    Raises: StoreError: this user may not read it.
    """
    try:
        folders = {entry.name: entry for entry in scan(store.plugins)}
    except OSError as error:
        raise unreadable(store, error) from error
    is_sound = _check(store, details, few=few, in_place=in_place)
    by_name = {summary.name: summary for summary in kept}
    found: list[PluginSummary] = []
    for name in sorted(folders):
        summary = by_name.get(name)
        if summary is None or not is_sound(name):
            summary = _make(store, name, details) if folders[name].is_dir() else None
        if summary:
            found.append(summary)
    whole = [summary for summary in found if not summary.fault]
    if whole != kept or (whole and not in_place):
        _write(store, whole, details)
    return found


def _check(store: Store, details: Details, *, few: bool, in_place: bool) -> Callable[[str], bool]:
    """How to tell whether what is kept of a plugin still says how it is."""

    def has_same_state(name: str) -> bool:
        return details.text(name, "stamp") == _stamp(store.plugin(name))

    def has_same_files(name: str) -> bool:
        return details.text(name, "files") == _files(store.plugin(name), details.text(name, "revision"))

    if few:
        return lambda name: has_same_state(name) and has_same_files(name)
    return (lambda _: True) if in_place else has_same_state


def _stamp(folder: str) -> str:
    """What changes whenever the plugin's state does; "" where it has none."""
    try:
        state = os.stat(f"{folder}/current")
    except OSError:
        return ""
    return f"{state.st_mtime_ns}-{state.st_ino}-{state.st_size}"


def _files(folder: str, revision: str) -> str:
    """What changes when the files of the revision do; "" if one is missing."""
    try:
        states = [os.stat(f"{folder}/{revision}/{name}") for name in _FILES]
    except OSError:
        return ""
    return " ".join(f"{state.st_mtime_ns}-{state.st_ino}-{state.st_size}" for state in states)


def _make(store: Store, name: str, details: Details) -> PluginSummary | None:
    """The summary of a plugin, from its files; None if there is no such plugin, or none any more."""
    folder = store.plugin(name)
    stamp, revision = _stamp(folder), ""
    with suppress(PermissionError):  # of which the summary says it
        revision = pointed_to(folder)
    files = _files(folder, revision)
    details.put(name, stamp=stamp, revision=revision, files=files)
    try:
        summary = _summarize(store, name, details)
    except (UnknownError, UsageError):
        return None
    if not (stamp and files):
        summary.fault = summary.fault or "Some of its files are missing"
    return summary


def _summarize(store: Store, name: str, details: Details) -> PluginSummary:
    from pathlib import Path

    from plughost.registry._receipt import load_receipt

    try:
        installed = find(store, name)
        receipt = load_receipt(Path(installed.folder, "receipt.toml"))
    except StoreError as error:
        return PluginSummary(name, fault="; ".join([error.message, *error.causes]))
    details.put(name, venv=receipt.venv, request=receipt.request, remote=_remote(receipt.direct_url))
    return PluginSummary(
        name,
        receipt.version,
        str(installed.manifest.get("summary") or ""),
        receipt.source,
        receipt.commit_id,
        receipt.python_version,
        receipt.added_at,
        _names(installed.manifest.get("tools")),
        _names(installed.manifest.get("hooks")),
        disabled=installed.state.disabled,
        pinned=installed.state.pinned,
        details=details,
    )


def _remote(direct_url: dict[str, object]) -> list[str]:
    vcs = direct_url.get("vcs_info")
    return [str(direct_url.get("url")), str(vcs.get("requested_revision") or "")] if isinstance(vcs, dict) else []


def _names(items: object) -> str:
    return "\n".join(str(item["name"]) for item in items if isinstance(item, dict)) if isinstance(items, list) else ""


def _write(store: Store, summaries: list[PluginSummary], details: Details) -> None:
    """Best effort: an index that can't be written costs time at the next reading, and nothing else."""
    names = [summary.name for summary in summaries]
    first: dict[str, object] = {"format": FORMAT, "columns": PluginSummary.to_columns(summaries)}
    data = b"".join([*wire.pack(first), *wire.pack({name: details.of(name) for name in names})])
    try:
        os.makedirs(os.path.dirname(store.index), exist_ok=True)
        with locked(store.lock(f"registry-{store.project}"), wait=False):
            if all(details.text(name, "stamp") == _stamp(store.plugin(name)) for name in names):
                replace_file(store.index, data, durable=False)
                if os.path.exists(outdated(store.index)):
                    os.unlink(outdated(store.index))
    except OSError:  # among them: somebody is changing something
        return
