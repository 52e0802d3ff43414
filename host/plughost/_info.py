"""All that is known of one installed plugin, read from its revision's files."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from plughost import lock as locks
from plughost._policies import unpack_grant
from plughost._values import tables
from plughost.errors import StoreError
from plughost.registry import HistoryEntry, Installed, Receipt, State, load_receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Plugin", "read_plugin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """An installed plugin. `dependencies` are (name, version), its own package left out; sizes are bytes on disk.

    `isolation` and `concurrency` are what it declares, or what holds by default. `fork` says why a process of it can't be forked
    for each call, if there is a reason. `permissions` is what it asks for, and `grant` what it was granted, as tables of a
    policy; None if it is nothing, and nobody was asked.
    """

    name: str
    version: str
    summary: str
    receipt: Receipt
    dependencies: tuple[tuple[str, str], ...]
    tools: tuple[dict[str, object], ...]
    hooks: tuple[dict[str, object], ...]
    entry_points: dict[str, str]
    editable: bool
    isolation: str
    concurrency: int
    fork: str
    permissions: dict[str, object] | None
    grant: dict[str, object] | None
    size_bytes: int
    folder: Path
    environment: Path
    state: State

    @property
    def history(self) -> tuple[HistoryEntry, ...]:
        return self.receipt.history

    def record(self) -> dict[str, object]:
        """As plain JSON values: what `info --json` prints."""
        receipt = self.receipt
        return {
            "name": self.name,
            "package": receipt.package,
            "version": self.version,
            "summary": self.summary,
            "project": receipt.project,
            "source": receipt.source,
            "direct_url": receipt.direct_url,
            "commit_id": receipt.commit_id or None,
            "digest": receipt.digest or None,
            "request": receipt.request,
            "wheel": {"filename": receipt.wheel, "sha256": receipt.wheel_sha256} if receipt.wheel else None,
            "lock": {"path": str(self.folder / "pylock.toml"), "sha256": receipt.lock_sha256},
            "receipt": str(self.folder / "receipt.toml"),
            "python": {"version": receipt.python_version, "executable": receipt.python},
            "environment": str(self.environment),
            "installer": receipt.installer,
            "editable": self.editable,
            "isolation": self.isolation,
            "concurrency": self.concurrency,
            "fork": self.fork or None,
            "signer": receipt.signer or None,
            "permissions": self.permissions,
            "grant": self.grant,
            "unenforced": list(receipt.unenforced),
            "dependencies": [{"name": name, "version": version} for name, version in self.dependencies],
            "built_from_source": list(receipt.built_from_source),
            "entry_points": self.entry_points,
            "tools": list(self.tools),
            "hooks": list(self.hooks),
            "size_bytes": self.size_bytes,
            "added_at": receipt.added_at,
            "revision": receipt.revision,
            "disabled": self.state.disabled,
            "pinned": self.state.pinned,
            "kept": [_kept(revision) for revision in self.state.revisions],
            "history": [asdict(entry) for entry in receipt.history],
        }


def read_plugin(installed: Installed) -> Plugin:
    """Raises: StoreError: a file of its revision is missing or damaged."""
    folder = Path(installed.folder)
    receipt = load_receipt(folder / "receipt.toml")
    manifest = installed.manifest
    entry_points, concurrency = manifest.get("entry_points"), manifest.get("concurrency")
    return Plugin(
        name=installed.name,
        version=receipt.version,
        summary=str(manifest.get("summary") or ""),
        receipt=receipt,
        dependencies=tuple(item for item in _locked(folder / "pylock.toml") if item[0] != receipt.package),
        tools=tuple(tables(manifest.get("tools"))),
        hooks=tuple(tables(manifest.get("hooks"))),
        entry_points={str(key): str(value) for key, value in entry_points.items()} if isinstance(entry_points, dict) else {},
        editable=bool(manifest.get("editable")),
        isolation=str(manifest.get("isolation") or "worker"),
        concurrency=concurrency if isinstance(concurrency, int) else 1,
        fork=str(manifest.get("fork") or ""),
        permissions=_permissions(manifest),
        grant=_grant(installed),
        size_bytes=_size_bytes(folder) + _size_bytes(Path(installed.venv)),
        folder=folder,
        environment=Path(installed.venv),
        state=installed.state,
    )


def _permissions(manifest: Mapping[str, object]) -> dict[str, object] | None:
    table = manifest.get("permissions")
    return dict(table) if isinstance(table, dict) else None


def _grant(installed: Installed) -> dict[str, object] | None:
    if not installed.state.grant:
        return None
    from plughost.policy import table_of

    return table_of(unpack_grant(installed.state.grant) or {})


def _kept(revision: str) -> dict[str, str]:
    """A revision's name is VERSION-COMMIT-RANDOM, with the first digits of the commit, or of a digest."""
    version, _, rest = revision.partition("-")
    return {"revision": revision, "version": version, "commit": rest.partition("-")[0]}


def _locked(path: Path) -> list[tuple[str, str]]:
    try:
        return sorted(locks.versions(path))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"The lock `{path}` can't be read",
            reference="store-corrupt",
            causes=[str(error)],
            hint=f"`repair {path.parent.parent.name}` makes it again",
        ) from error


def _size_bytes(folder: Path) -> int:
    """The sizes of all files, each inode once, also those whose blocks are shared with the installer's cache."""
    seen: dict[int, int] = {}
    for root, _folders, files in os.walk(folder):
        for name in files:
            state = os.lstat(os.path.join(root, name))
            seen[state.st_ino] = state.st_size
    return sum(seen.values())
