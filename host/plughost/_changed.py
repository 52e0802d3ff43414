"""What an update, or a rollback, changed: commits, versions of dependencies, and what is offered.

Above it: `update`, `rollback`, and whoever shows it; below it: the registry and the contract. Plain classes that read what they
are asked for: a rollback takes less time than to import what reads TOML.
"""

from __future__ import annotations

from plughost import registry
from plughost.venv import installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from plughost.contract import Change
    from plughost.paths import Store
    from plughost.registry import Installed, Receipt
    from plughost.source import History

    Status = Literal["updated", "current", "pinned", "available", "rolled-back"]

__all__ = ["DependencyChange", "Snapshot", "Updated", "look"]


class Snapshot:
    """What is in force of a plugin at one moment. `commit_id` is as much of it as the revision's name has.

    Files are read when they are asked for, and then kept: what comes next may drop the revision.
    """

    __slots__ = (
        "_packages",
        "_receipt",
        "commit_id",
        "environment",
        "folder",
        "manifest",
        "name",
        "revision",
        "state",
        "version",
    )

    def __init__(self, found: Installed) -> None:
        self.name = found.name
        self.folder = found.folder
        self.environment = found.venv
        self.revision = found.revision
        self.manifest = found.manifest
        self.state = found.state
        self._receipt: Receipt | None = None
        self._packages: dict[str, str] | None = None
        self.version = str(found.manifest.get("version"))
        commit = self.revision.partition("-")[2].partition("-")[0]
        self.commit_id = commit if commit != self.version else ""

    def receipt(self) -> Receipt:
        """Raises: StoreError: it can't be read."""
        from pathlib import Path

        if self._receipt is None:
            self._receipt = registry.load_receipt(Path(self.folder, "receipt.toml"))
        return self._receipt

    def packages(self) -> dict[str, str]:
        """The versions of what is installed for it, its own package left out; nothing where its environment is gone."""
        if self._packages is None:
            own = str(self.manifest.get("package"))
            self._packages = {name: version for name, version in installed(self.environment) if name != own}
        return self._packages

    def record(self) -> dict[str, object]:
        return {"version": self.version, "commit_id": self.receipt().commit_id or None, "revision": self.revision}


class DependencyChange:
    """A package of the lock; `before` or `after` is empty where it is new or gone."""

    __slots__ = ("after", "before", "name")

    def __init__(self, name: str, before: str, after: str) -> None:
        self.name = name
        self.before = before
        self.after = after

    def record(self) -> dict[str, object]:
        return {"name": self.name, "before": self.before or None, "after": self.after or None}


class Updated:
    """What became of one plugin. `newest` is what a check has found: a commit, a digest or a version."""

    __slots__ = ("after", "before", "history", "newest", "status")

    def __init__(
        self, before: Snapshot, after: Snapshot, status: Status, *, newest: str = "", history: History | None = None
    ) -> None:
        self.before = before
        self.after = after
        self.status = status
        self.newest = newest
        self.history = history

    def __repr__(self) -> str:
        newest = f", newest={self.newest!r}" if self.newest else ""
        return f"Updated(name={self.name!r}, status={self.status!r}, version={self.version!r}{newest})"

    @property
    def name(self) -> str:
        return self.before.name

    @property
    def version(self) -> str:
        return self.after.version

    @property
    def changed(self) -> bool:
        return self.after.revision != self.before.revision

    @property
    def dependencies(self) -> list[DependencyChange]:
        if not self.changed:
            return []
        old, new = self.before.packages(), self.after.packages()
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return [DependencyChange(name, old.get(name, ""), new.get(name, "")) for name in names]

    @property
    def contract(self) -> list[Change]:
        """What it offers otherwise, the breaking changes first."""
        from plughost.contract import changes

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
            "commits": [commit.record() for commit in history.commits] if history else [],
            "rewritten": history is not None and history.rewritten,
            "dependencies": [change.record() for change in self.dependencies],
            "contract": [change.record() for change in self.contract],
        }


def look(store: Store, name: str) -> Snapshot:
    """What is in force of the plugin now.

    Raises: UnknownError: it isn't installed. StoreError: its files can't be read.
    """
    return Snapshot(registry.find(store, name))
