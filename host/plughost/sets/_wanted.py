"""What is wanted of one declared plugin: the request for it, and whether what a lock says is still of that.

Above it: locking and syncing; below it: the source, and the request that `add` takes.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from plughost import source as sources
from plughost._request import Request
from plughost._wording import listed
from plughost.errors import ResolveError, UsageError
from plughost.settings import KEYS
from plughost.source import Origin

if TYPE_CHECKING:
    from plughost.sets._locked import LockedPlugin
    from plughost.settings import DeclaredPlugin, Settings
    from plughost.source import Source

__all__ = ["Wanted"]

#: The earliest time that a file in a wheel can have, 1980: that of a folder's last commit says nothing of what is in the folder.
_EPOCH_S = 315532800


class Wanted:
    """One declared plugin, seen with the settings that stand in the same file, at `document`.

    Only those count here: a lock must fit on every machine, whatever its user or its operator has set.

    Raises: UsageError, SourceError: the source can't be read.
    """

    def __init__(self, declared: DeclaredPlugin, settings: Settings, *, document: str) -> None:
        self.declared = declared
        self.python = declared.python or _of_document(settings, "python", document)
        self.exclude_newer = declared.exclude_newer or _of_document(settings, "exclude-newer", document)
        self.source: Source = sources.parse(declared.source)

    @property
    def shown(self) -> str:
        """The source as it may be shown and kept: without credentials, and a path as it was written."""
        declared = self.declared
        return declared.written_source if declared.source != declared.written_source else self.source.text

    @cached_property
    def here(self) -> Origin | None:
        """What exactly is at the place on this machine that the source names; None if it is elsewhere.

        Raises: SourceError: it can't be read.
        """
        return sources.resolve(self.source) if self.source.path else None

    def request(self, *, offline: bool) -> Request:
        declared = self.declared
        request = Request(
            source=declared.source,
            name=declared.name,
            python=self.python,
            extras=declared.extras,
            with_=declared.with_,
            constraint=declared.constraint or None,
            exclude_newer=self.exclude_newer,
            entry_points=declared.entry_points,
            offline=offline,
        )
        request.epoch = _EPOCH_S if self.source.kind in {"folder", "sdist"} else None
        request.replaces = True
        return request

    def asked(self) -> dict[str, object]:
        """What is asked for beside the source, for the lock to keep.

        Raises: UsageError: the file of constraints can't be read.
        """
        options = self.request(offline=True).options()
        kept = ("constraints", "entry_points", "exclude_newer", "extras", "python", "with")
        return {key.replace("_", "-"): options[key] for key in kept}

    def differs(self, locked: LockedPlugin) -> str:
        """Why what is locked is not of this any more, in words; "" if it is.

        Raises: SourceError, UsageError: a folder, or a file, can't be read.
        """
        if locked.source != self.shown or locked.kind != self.source.kind:
            return f"the source is `{self.shown}`, and `{locked.source}` is locked"
        asked = self.asked()
        if other := [key for key in sorted({*asked, *locked.request}) if asked.get(key) != locked.request.get(key)]:
            return f"{listed(other)} changed"
        if self.here and self.here.sha256 != locked.sha256:
            return f"what is in `{self.shown}` changed"
        return ""

    def origin(self, locked: LockedPlugin) -> Origin:
        """The exact origin that is locked.

        Raises: UsageError: it is of another kind of source. ResolveError: a folder, or a file on this machine, is no longer what
        was locked. SourceError: it can't be read.
        """
        source = self.source
        if source.kind != locked.kind:
            raise UsageError(f"What is locked for `{locked.name}` is not what is declared", reference="lock-outdated")
        if source.kind == "git":
            return Origin(
                kind="git",
                url=source.url,
                requested_revision=source.requested_revision,
                commit_id=locked.commit_id,
                subdirectory=source.subdirectory,
            )
        if source.kind == "requirement":
            return Origin(kind="requirement", requirement=source.requirement)
        if self.here is None:
            return Origin(kind=source.kind, url=source.url, sha256=locked.sha256)
        if self.here.sha256 != locked.sha256:
            raise ResolveError(
                f"`{source.path}` is not what is locked for `{locked.name}`",
                reference="hash-mismatch",
                causes=[f"Its SHA-256 is `{self.here.sha256}`, and the lock has `{locked.sha256}`"],
                hint="Restore what was locked, or lock again",
            )
        return self.here


def _of_document(settings: Settings, name: str, document: str) -> str:
    """The value of a setting, if it was said in that very file."""
    said_there = any(place.path == document for place in settings.origins.get(name, ()))
    return str(getattr(settings, KEYS[name].attribute)) if said_there else ""
