"""What a venv was when it was finished, so that any later change of it can be named.

A package's RECORD covers the package's files. What no RECORD lists (`pyvenv.cfg`, the links to the base interpreter, activation
scripts) is noted here with its content, and so is each RECORD itself. One digest over both goes into the receipt, outside of the
venv: who changes the venv and its notes alike is found all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

from plughost.paths import read_file, scan
from plughost.venv._contents import file_fault, is_anothers, package_of
from plughost.venv._standing import MARKER, dist_infos, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MARKER", "Damage", "Fingerprint", "find_damage", "take_fingerprint"]

#: What Python would run if it were put there: anything else that appears in a venv is data that a package keeps.
_CODE = (".dylib", ".egg-link", ".pth", ".py", ".pyc", ".pyd", ".so")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """`records` has the digest of each package's RECORD, by its folder; `others` what each further file holds, or links to."""

    records: Mapping[str, str]
    others: Mapping[str, str]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps([self.records, self.others], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file that is not what was installed. `package` is "" for one that belongs to none; `file` is relative to the venv."""

    package: str
    file: str
    fault: str


def take_fingerprint(path: str) -> Fingerprint:
    """What the venv at `path` is now."""
    listed: set[str] = set()
    records: dict[str, str] = {}
    for folder in sorted(dist_infos(path)):
        data = _read(os.path.join(folder, "RECORD"))
        if data is not None:
            records[os.path.relpath(folder, path)] = hashlib.sha256(data).hexdigest()
            listed |= _listed(path, folder, data)
    return Fingerprint(records=records, others={name: _content(os.path.join(path, name)) for name in _unlisted(path, listed)})


def find_damage(path: str, was: Fingerprint | None) -> list[Damage]:
    """Every difference between the venv at `path` and what was installed. Reads and hashes all of it.

    Bytecode beside its source, and data that a package has written for itself, are none. Without `was`, what no RECORD lists
    can't be judged.
    """
    found = list(_in_packages(path, was))
    if was is None:
        return found
    now = take_fingerprint(path).others
    found += [
        Damage(package="", file=name, fault=_changed(now.get(name)))
        for name, content in was.others.items()
        if now.get(name) != content
    ]
    if all(os.path.isfile(os.path.join(path, folder, "RECORD")) for folder in was.records):  # else whose it is can't be told
        strange = sorted(name for name in set(now) - set(was.others) if _is_code(name))
        found += [Damage(package="", file=name, fault="No package has brought it") for name in strange]
    return found


def _in_packages(path: str, was: Fingerprint | None) -> Iterator[Damage]:
    folders = {os.path.relpath(folder, path) for folder in dist_infos(path)}
    for folder in sorted(folders | set(was.records if was else ())):
        package, record = package_of(folder), os.path.join(folder, "RECORD")
        data = _read(os.path.join(path, record))
        if was and folder not in was.records:
            yield Damage(package=package, file=folder, fault="It was not installed with the others")
        elif data is None:
            yield Damage(package=package, file=record, fault="It is missing")
        else:
            if was and hashlib.sha256(data).hexdigest() != was.records[folder]:
                yield Damage(package=package, file=record, fault="Its content is another one")
            site = os.path.join(path, os.path.dirname(folder))
            for name, digest, size in rows(data.decode("utf-8", "replace")):
                fault, _ = file_fault(path, os.path.join(site, name), digest, size)
                if fault and not is_anothers(path, os.path.join(site, name), os.path.join(path, folder)):
                    yield Damage(package=package, file=os.path.relpath(os.path.join(site, name), path), fault=fault)


def _listed(path: str, folder: str, record: bytes) -> set[str]:
    site = os.path.dirname(folder)
    return {
        os.path.relpath(os.path.normpath(os.path.join(site, name)), path)
        for name, _digest, _size in rows(record.decode("utf-8", "replace"))
    }


def _unlisted(path: str, listed: set[str]) -> Iterator[str]:
    """The files and links under `path` that are not `listed`, but for bytecode beside its source, and the marker."""
    folders = [""]
    while folders:
        folder = folders.pop()
        for entry in scan(os.path.join(path, folder)):
            name = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    folders.append(name)
            elif name not in listed and name != MARKER:
                yield name


def _content(path: str) -> str:
    if os.path.islink(path):
        return f"-> {os.readlink(path)}"
    data = _read(path)
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _read(path: str) -> bytes | None:
    try:
        return read_file(path)
    except OSError:
        return None


def _changed(now: str | None) -> str:
    if now is None:
        return "It is missing"
    return f"It leads to `{now[3:]}`" if now.startswith("-> ") else "Its content is another one"


def _is_code(name: str) -> bool:
    return name.endswith(_CODE) or os.path.dirname(name) == "bin"
