"""The record of this stage."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["BuiltWheel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltWheel:
    """A wheel on disk.

    `name` is normalized, `requires_dist` are PEP 508 strings, `entry_points` goes from group to name to `module:object`.
    """

    path: Path
    name: str
    version: str
    sha256: str
    requires_python: str
    requires_dist: tuple[str, ...]
    extras: tuple[str, ...]
    summary: str
    entry_points: Mapping[str, Mapping[str, str]]
