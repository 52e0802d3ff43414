"""What a wheel is made of, as far as it takes to say later what differs in another wheel of the same commit.

Above it: what locks a set of plugins, and `add`, which may build another; below it: the archive.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass

from plughost._wording import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["WheelContents", "contents_of", "differences"]

#: More files than that are not listed: a lock that nobody can read helps nobody.
_MOST_FILES = 300
#: Hexadecimal digits of a file's SHA-256: they tell files apart, and guard nothing.
_DIGITS = 16
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelContents:
    """`generator` is what built the wheel, in its own words; `files` go from name to the beginning of the SHA-256."""

    filename: str
    generator: str
    files: Mapping[str, str]


def contents_of(path: Path) -> WheelContents:
    """What the wheel at `path`, which has been read before, is made of."""
    generator = ""
    files: dict[str, str] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            folder, _, name = member.filename.rpartition("/")
            about = folder.endswith(".dist-info")
            if about and name == "WHEEL":
                lines = archive.read(member).decode("utf-8", "replace").splitlines()
                generator = next((line.partition(":")[2].strip() for line in lines if line.startswith("Generator:")), "")
            elif not (member.is_dir() or (about and name == "RECORD")):  # which follows from the others
                files[member.filename] = hashlib.sha256(archive.read(member)).hexdigest()[:_DIGITS]
    return WheelContents(
        filename=path.name, generator=generator, files=dict(sorted(files.items())) if len(files) <= _MOST_FILES else {}
    )


def differences(built: WheelContents, locked: WheelContents) -> list[str]:
    """What differs in `built`, in sentences."""
    said: list[str] = []
    if built.filename != locked.filename:
        said.append(f"It is called `{built.filename}`, and the one in the lock `{locked.filename}`")
    if built.generator != locked.generator:
        said.append(f"`{built.generator}` built it, and `{locked.generator}` the one in the lock")
    if not built.files or not locked.files:
        return said
    common = built.files.keys() & locked.files.keys()
    sets = (
        ("Other bytes are in", [name for name in common if built.files[name] != locked.files[name]]),
        ("Only this one has", built.files.keys() - locked.files.keys()),
        ("Only the one in the lock has", locked.files.keys() - built.files.keys()),
    )
    said += [f"{beginning} {_names(names)}" for beginning, names in sets if names]
    return said or ["Their files are the same: the archive's times, order or compression differ"]


def _names(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _MOST_NAMED} more" if len(ordered) > _MOST_NAMED else ""
    return listed(ordered[:_MOST_NAMED]) + more
