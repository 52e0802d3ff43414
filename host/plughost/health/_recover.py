"""What can be worked out of a damaged plugin from what is left of it: its state, and the receipt of a revision.

Above it: the repair; below it: the registry's records. It reads, and writes nothing.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from plughost import __version__, registry
from plughost import venv as venvs
from plughost.health._digest import digest_of
from plughost.paths import regular
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost.health._plugin import ExaminedPlugin, ExaminedRevision
    from plughost.paths import Store

__all__ = ["RecoveredReceipt", "recover_receipt", "recover_state"]

#: What of a receipt says where the plugin came from; a manifest has it, too.
_ORIGIN = ("kind", "source", "commit_id", "digest", "direct_url", "request")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredReceipt:
    """A receipt that was worked out. `witness` says who knew where the plugin came from: "" if nobody did."""

    receipt: registry.Receipt
    witness: str


def recover_state(store: Store, plugin: ExaminedPlugin) -> registry.State | None:
    """The state of a plugin whose own is lost: as far as it can still be read, else with the newest whole revision in force.

    None where no revision is left that anything could be made of.
    """
    there = {revision.name: revision for revision in plugin.revisions if revision.manifest or revision.receipt}
    if not there:
        return None
    lines = _lines_left(os.path.join(store.plugin(plugin.name), "current"))
    newest = sorted(there, key=lambda name: _rank(there[name]), reverse=True)
    in_force = lines[0] if lines and lines[0] in there else newest[0]
    after = [name for name in _named(lines, "after") if name in there and name != in_force]
    before = [name for name in _named(lines, "before") if name in there and name not in (in_force, *after)]
    before += [name for name in newest if name not in (in_force, *before, *after)]
    return registry.State(
        in_force,
        before=tuple(before),
        after=tuple(after),
        disabled="disabled" in lines,
        pinned="pinned" in lines,
        grant=next(filter(_is_grant, _named(lines, "grant")), ""),
    )


def recover_receipt(store: Store, plugin: ExaminedPlugin, revision: ExaminedRevision) -> RecoveredReceipt | None:
    """The receipt of a revision, from its manifest, its lock, its wheel, its environment and its siblings.

    None where there is neither a manifest nor a wheel.
    """
    manifest = revision.manifest or {}
    version, _, rest = revision.name.partition("-")
    package = str(manifest.get("package") or "") or _package_of_wheel(revision)
    if not package:
        return None
    origin, witness = _origin(plugin, revision, rest.partition("-")[0])
    key = str(manifest.get("venv") or "")
    python, python_version, venv_digest = _environment(store, key)
    request = origin["request"]
    receipt = registry.Receipt(
        name=plugin.name,
        project=store.project,
        package=package,
        version=str(manifest.get("version") or version),
        revision=revision.name,
        added_at=datetime.fromtimestamp(revision.folder.stat().st_mtime, UTC).isoformat(timespec="seconds"),
        added_by=f"plughost {__version__}",
        kind=str(origin["kind"]),
        source=str(origin["source"]),
        commit_id=str(origin["commit_id"]),
        digest=str(origin["digest"]),
        direct_url=_table(origin["direct_url"]),
        request=_table(request),
        wheel=revision.wheel.name if revision.wheel else "",
        wheel_sha256=digest_of(revision.wheel),
        lock_sha256=digest_of(revision.lock),
        installer=str(_table(request).get("installer") or "uv"),
        built_from_source=(),
        venv=key,
        venv_digest=venv_digest,
        python=python,
        python_version=python_version,
        history=_history(plugin, revision),
    )
    return RecoveredReceipt(receipt=receipt, witness=witness)


def _history(plugin: ExaminedPlugin, revision: ExaminedRevision) -> tuple[registry.HistoryEntry, ...]:
    """What was in force before the revision, as far as it is kept."""
    before = plugin.state.before if plugin.state and plugin.state.revision == revision.name else ()
    return tuple(other.receipt.as_history() for other in plugin.revisions if other.receipt and other.name in before)


def _origin(plugin: ExaminedPlugin, revision: ExaminedRevision, commit: str) -> tuple[dict[str, object], str]:
    """Where the revision came from, and who says so."""
    kept = (revision.manifest or {}).get("origin")
    if isinstance(kept, dict) and set(_ORIGIN) <= set(kept):
        return {key: kept[key] for key in _ORIGIN}, "its manifest"
    left = _read_left(revision.folder / "receipt.toml")
    commit_id = _commit(plugin, revision, left, commit)
    for other in plugin.revisions:
        if other.receipt:
            receipt = other.receipt
            same = receipt.commit_id == commit_id
            return {
                "kind": receipt.kind,
                "source": receipt.source,
                "commit_id": commit_id if receipt.kind == "git" else "",
                "digest": receipt.digest if same else "",
                "direct_url": _at_commit(receipt.direct_url, commit_id),
                "request": receipt.request,
            }, f"the receipt of `{other.name}`"
    if isinstance(left.get("source"), str) and isinstance(left.get("kind"), str):
        origin = {key: left.get(key, {} if key in ("direct_url", "request") else "") for key in _ORIGIN}
        origin["direct_url"] = _at_commit(_table(origin["direct_url"]), commit_id)
        return {**origin, "commit_id": commit_id}, "what is left of its receipt"
    nothing: dict[str, object] = {"kind": "unknown", "source": "", "commit_id": "", "digest": "", "direct_url": {}, "request": {}}
    return nothing, ""


def _commit(plugin: ExaminedPlugin, revision: ExaminedRevision, left: Mapping[str, object], beginning: str) -> str:
    """The commit in full: a later receipt has it in its history, and the revision's name its first digits."""
    known = [
        entry.commit_id
        for other in plugin.revisions
        if other.receipt
        for entry in other.receipt.history
        if entry.revision == revision.name
    ]
    known += [other.receipt.commit_id for other in plugin.revisions if other.receipt] + [str(left.get("commit_id") or "")]
    return next((commit for commit in known if commit and commit.startswith(beginning)), "")


def _at_commit(direct_url: Mapping[str, object], commit_id: str) -> dict[str, object]:
    info = direct_url.get("vcs_info")
    return {**direct_url, "vcs_info": {**info, "commit_id": commit_id}} if isinstance(info, dict) else dict(direct_url)


def _read_left(path: os.PathLike[str]) -> dict[str, object]:
    """Every line of a damaged receipt that is TOML by itself, in its table."""
    found: dict[str, object] = {}
    table = found
    try:
        with open(path, encoding="utf-8", errors="replace", opener=regular) as file:
            lines = file.read().splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            if line.startswith("["):
                table = found
                for name in line.strip("[] ").split("."):
                    table = _subtable(table, name)
            else:
                table.update(tomllib.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
    return {key: value for key, value in found.items() if key in {field.name for field in fields(registry.Receipt)}}


def _subtable(table: dict[str, object], name: str) -> dict[str, object]:
    inner = table.setdefault(name, {})
    if not isinstance(inner, dict):
        raise TypeError(name)
    return inner


def _environment(store: Store, key: str) -> tuple[str, str, str]:
    try:
        marker = venvs.read_marker(os.path.join(store.venvs, os.path.basename(key))) if key else None
    except (OSError, ValueError):
        marker = None
    if marker is None:
        return "", "", ""
    return marker.interpreter.executable, marker.interpreter.version, marker.fingerprint.digest


def _package_of_wheel(revision: ExaminedRevision) -> str:
    return registry.normalize_name(revision.wheel.name.partition("-")[0]) if revision.wheel else ""


def _rank(revision: ExaminedRevision) -> tuple[bool, bool, str]:
    """The most whole one first, and of those the newest."""
    added_at = revision.receipt.added_at if revision.receipt else ""
    return revision.has_all_files, not revision.venv.faults, added_at


def _lines_left(path: str) -> list[str]:
    try:
        with open(path, "rb", opener=regular) as file:
            return file.read(1 << 16).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _named(lines: list[str], word: str) -> list[str]:
    return [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")]


def _is_grant(text: str) -> bool:
    try:
        return bool(wire.unpack(text.encode("ascii")) or text == "{}")
    except (UnicodeEncodeError, wire.WireError):
        return False


def _table(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}
