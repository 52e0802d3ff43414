"""What an update, or a rollback, changed: commits, versions of dependencies, and what is offered.

Above it: `update`, `rollback`, and whoever shows it; below it: the registry and the contract. Plain classes that read what they
are asked for: a rollback takes less time than to import what reads TOML.
"""

from __future__ import annotations

import os

from plughost import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from plughost.contract import Change
    from plughost.paths import Store
    from plughost.registry import Installed, Receipt, State
    from plughost.source._history import History

    Status = Literal["updated", "current", "pinned", "available", "rolled-back"]

__all__ = ["DependencyChange", "Snapshot", "Updated", "look"]


class Snapshot:
    """What is in force of a plugin at one moment. `commit_id` is as much of it as the revision's name has."""

    __slots__ = ("commit_id", "folder", "manifest", "name", "revision", "state", "version")

    def __init__(self, installed: Installed, state: State) -> None:
        self.name = installed.name
        self.folder = installed.folder
        self.revision = installed.revision
        self.manifest = installed.manifest
        self.state = state
        self.version = str(installed.manifest.get("version"))
        commit = self.revision.partition("-")[2].partition("-")[0]
        self.commit_id = commit if commit != self.version else ""

    def receipt(self) -> Receipt:
        """Raises: StoreError: it can't be read."""
        from pathlib import Path

        return registry.load_receipt(Path(self.folder, "receipt.toml"))

    def packages(self) -> dict[str, str]:
        """The versions in its lock, as far as they can be read, its own package left out."""
        import tomllib

        try:
            with open(os.path.join(self.folder, "pylock.toml"), "rb") as file:
                packages = tomllib.load(file)["packages"]
            locked = {str(package["name"]): str(package.get("version", "")) for package in packages}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        own = str(self.manifest.get("package"))
        return {name: version for name, version in locked.items() if registry.normalize_name(name) != own}

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
            "rewritten": history is not None and not history.continues,
            "dependencies": [change.record() for change in self.dependencies],
            "contract": [change.record() for change in self.contract],
        }


def look(store: Store, name: str) -> Snapshot:
    """What is in force of the plugin now.

    Raises: UnknownError: it isn't installed. StoreError: its files can't be read.
    """
    installed = registry.find(store, name)
    state = registry.state_of(store, installed.name)
    if state is None:
        raise registry.unknown(store, installed.name)
    return Snapshot(installed, state)
