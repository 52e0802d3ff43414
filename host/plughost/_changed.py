"""What an update, or a rollback, changed: commits, versions of dependencies, and what is offered.

Above it: `update`, `Host`, and whoever shows it; below it: the registry and the contract.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from plughost import registry
from plughost.contract import changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from plughost.contract import Change
    from plughost.paths import Store
    from plughost.registry import Receipt, State
    from plughost.source._history import History

    Status = Literal["updated", "current", "pinned", "available", "rolled-back"]

__all__ = ["DependencyChange", "Snapshot", "Updated", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is in force of a plugin at one moment. `packages` are the versions in its lock, its own package left out."""

    folder: Path
    receipt: Receipt
    state: State
    manifest: dict[str, object]
    packages: dict[str, str]

    @property
    def editable(self) -> bool:
        return self.manifest.get("editable") is True

    def record(self) -> dict[str, object]:
        return {
            "version": self.receipt.version,
            "commit_id": self.receipt.commit_id or None,
            "revision": self.receipt.revision,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyChange:
    """A package of the lock; `before` or `after` is empty where it is new or gone."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What became of one plugin. `newest` is what a check has found: a commit, a digest or a version."""

    before: Snapshot
    after: Snapshot
    status: Status
    newest: str = ""
    history: History | None = None

    @property
    def name(self) -> str:
        return self.before.receipt.name

    @property
    def version(self) -> str:
        return self.after.receipt.version

    @property
    def commit_id(self) -> str:
        return self.after.receipt.commit_id

    @property
    def changed(self) -> bool:
        return self.after.receipt.revision != self.before.receipt.revision

    @property
    def dependencies(self) -> list[DependencyChange]:
        old, new = self.before.packages, self.after.packages
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return [DependencyChange(name=name, before=old.get(name, ""), after=new.get(name, "")) for name in names]

    @property
    def contract(self) -> list[Change]:
        """What it offers otherwise, the breaking changes first."""
        return changes(self.before.manifest, self.after.manifest)

    def record(self) -> dict[str, object]:
        """As plain JSON values."""
        history = self.history
        return {
            "name": self.name,
            "status": self.status,
            "changed": self.changed,
            "before": self.before.record(),
            "after": self.after.record(),
            "newest": self.newest or None,
            "commits": [asdict(commit) for commit in history.commits] if history else [],
            "rewritten": history is not None and not history.continues,
            "dependencies": [asdict(change) for change in self.dependencies],
            "contract": [change.record() for change in self.contract],
        }


def look(store: Store, name: str) -> Snapshot:
    """What is in force of the plugin now.

    Raises: UnknownError: it isn't installed. StoreError: its files can't be read.
    """
    installed = registry.find(store, name)
    folder = Path(installed.folder)
    receipt = registry.load_receipt(folder / "receipt.toml")
    state = registry.state_of(store, installed.name)
    if state is None:
        raise registry.unknown(store, installed.name)
    return Snapshot(
        folder=folder, receipt=receipt, state=state, manifest=installed.manifest, packages=_packages(folder, receipt.package)
    )


def _packages(folder: Path, own: str) -> dict[str, str]:
    """The locked versions, as far as they can be read."""
    try:
        packages = tomllib.loads((folder / "pylock.toml").read_text(encoding="utf-8"))["packages"]
        locked = {str(package["name"]): str(package.get("version", "")) for package in packages}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: version for name, version in locked.items() if registry.normalize_name(name) != own}
