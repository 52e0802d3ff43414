"""`bundle.json`: what is in a bundle, what it is for, and the digests of it all."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass

__all__ = ["CONTENTS", "FORMAT", "Contents", "Member", "read_contents"]

FORMAT = 1
CONTENTS = "bundle.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in a bundle. `sha256` is in hexadecimal digits."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that is in a bundle but `bundle.json` itself, by the names of the members.

    `system` and `machine` are as `sys.platform` and `uname -m` say them, `python_version` is that of the interpreter it was
    locked for. `built` are the wheels that stand for what the lock has no wheel of.
    """

    name: str
    version: str
    project: str
    system: str
    machine: str
    python_version: str
    built: tuple[str, ...]
    members: dict[str, Member]

    @property
    def series(self) -> str:
        return ".".join(self.python_version.split(".")[:2])

    @property
    def digest(self) -> str:
        """The digest of the whole: everything that `bundle.json` says, and so every byte of every member."""
        return hashlib.sha256(_canonical(self._record())).hexdigest()

    def to_json(self) -> bytes:
        return json.dumps({**self._record(), "digest": self.digest}, indent=1, sort_keys=True).encode() + b"\n"

    def _record(self) -> dict[str, object]:
        return {"format": FORMAT, **asdict(self), "built": list(self.built)}


def read_contents(data: bytes) -> Contents:
    """Raises: ValueError, TypeError: it isn't what a bundle has, and says why."""
    try:
        record = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise ValueError(f"`format` is {found!r}, and this version of plughost reads {FORMAT}")

    def text(key: str) -> str:
        value = record.get(key)
        if not isinstance(value, str) or not value:
            raise ValueError(f"`{key}` is missing or not a string")
        return value

    built, members = record.get("built"), record.get("members")
    if not isinstance(built, list) or not all(isinstance(name, str) for name in built):
        raise ValueError("`built` is missing or not a list of names")
    if not isinstance(members, dict):
        raise TypeError("`members` is missing or not an object")
    if not re.fullmatch(r"3\.\d+\.\d+\w*", text("python_version")):
        raise ValueError("`python_version` is no version of Python")
    contents = Contents(
        name=text("name"),
        version=text("version"),
        project=text("project"),
        system=text("system"),
        machine=text("machine"),
        python_version=text("python_version"),
        built=tuple(built),
        members={name: _member(name, member) for name, member in members.items()},
    )
    if text("digest") != contents.digest:
        raise ValueError(f"its digest is `{contents.digest}`, and it says `{text('digest')}`")
    return contents


def _member(name: str, record: object) -> Member:
    match record:
        case {"sha256": str(sha256), "size_bytes": int(size_bytes)}:
            return Member(sha256=sha256, size_bytes=size_bytes)
        case _:
            raise ValueError(f"`members.{name}` has no digest or no size")


def _canonical(record: dict[str, object]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
