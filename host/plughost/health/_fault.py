"""The record of this room."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    `plugin` is "" for what belongs to none. `reference` is stable and kebab-case; `what` a sentence without a full stop; `where`
    the file or folder; `remedy` what to do, with commands in backticks and without the program's name, as in an error's hint.
    """

    plugin: str
    reference: str
    what: str
    where: str
    remedy: str

    def record(self) -> dict[str, object]:
        return dict(asdict(self))
