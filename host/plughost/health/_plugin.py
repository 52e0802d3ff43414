"""What is known of a plugin after it was examined: each part that is sound, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plughost.health._environment import ExaminedVenv
    from plughost.health._fault import Fault
    from plughost.registry import Receipt, State

__all__ = ["ExaminedPlugin", "ExaminedRevision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedRevision:
    """One revision. A part that is missing or damaged is None; `damaged` are the files that are there and can't be used."""

    name: str
    folder: Path
    in_force: bool
    receipt: Receipt | None
    manifest: Mapping[str, object] | None
    lock: Path | None
    wheel: Path | None
    venv: ExaminedVenv
    damaged: tuple[Path, ...]
    faults: tuple[Fault, ...]

    @property
    def has_all_files(self) -> bool:
        """Whether nothing but its environment may be damaged."""
        wants_wheel = bool(self.receipt and self.receipt.wheel)
        return bool(self.receipt and self.manifest and self.lock and (self.wheel or not wants_wheel))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedPlugin:
    """A plugin with its revisions, the one in force first. `state` is None where that file is missing or damaged."""

    name: str
    state: State | None
    revisions: tuple[ExaminedRevision, ...]
    own_faults: tuple[Fault, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (*self.own_faults, *(fault for revision in self.revisions for fault in revision.faults))
