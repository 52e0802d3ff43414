"""What a wheel says of itself, read from the archive and checked before anything of it reaches the disk."""

from __future__ import annotations

import zipfile
from configparser import ConfigParser
from configparser import Error as ConfigError
from email.parser import HeaderParser
from typing import NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from plughost.errors import BuildError
from plughost.paths import sha256_of
from plughost.wheel._record import BuiltWheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

__all__ = ["check", "read"]

#: A wheel that unpacks to more than this is refused if it is also packed tighter than files of a package ever are.
_SUSPECT_BYTES = 1 << 30
_SUSPECT_RATIO = 100
_METADATA_BYTES = 16 << 20


class _CaseSensitive(ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def read(path: Path) -> BuiltWheel:
    """The wheel at `path`.

    Raises: BuildError: it is no wheel, its parts contradict each other, or it is made to harm whoever unpacks it.
    Source: the binary distribution format specification.
    """
    try:
        name, version, _build, _tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        _refuse(path, str(error))
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            folder = _metadata_folder(path, archive)
            metadata = HeaderParser().parsestr(_text(path, archive, f"{folder}/METADATA"))
            for required in ("RECORD", "WHEEL"):
                _text(path, archive, f"{folder}/{required}")
            listed = _text(path, archive, f"{folder}/entry_points.txt", missing_ok=True)
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError, RuntimeError) as error:
        _refuse(path, str(error) or type(error).__name__)
    own_name, own_version = _header(metadata, "Name"), _header(metadata, "Version")
    if canonicalize_name(own_name) != name or canonicalize_version(own_version) != canonicalize_version(version):
        _refuse(path, f"The metadata in it is that of `{own_name}` {own_version}")
    return BuiltWheel(
        path=path,
        name=name,
        version=own_version,
        sha256=sha256_of(path),
        requires_python=_requires_python(path, metadata),
        requires_dist=_requires_dist(path, metadata),
        extras=tuple(sorted(canonicalize_name(extra) for extra in metadata.get_all("Provides-Extra", []))),
        summary=_header(metadata, "Summary"),
        entry_points=_entry_points(path, listed),
    )


def check(path: Path) -> None:
    """Raises: BuildError: the file at `path` is no archive, or made to harm whoever unpacks it."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        _refuse(path, str(error) or type(error).__name__)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    """No name may lead out of the folder it is unpacked into or come twice, and the whole must be of a believable size."""
    seen: set[str] = set()
    total = 0
    for member in archive.infolist():
        # orig_filename: zipfile itself cuts a name at a NUL, and another program may not.
        name = member.orig_filename
        if name.startswith("/") or "\\" in name or "\0" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
            _refuse(path, f"A file in it is called `{name}`")
        if name in seen:
            _refuse(path, f"Two files in it are called `{name}`")
        seen.add(name)
        total += member.file_size
    if total > _SUSPECT_BYTES and total > _SUSPECT_RATIO * path.stat().st_size:
        _refuse(path, f"It is {path.stat().st_size:,} bytes and says that it unpacks to {total:,}")


def _metadata_folder(path: Path, archive: zipfile.ZipFile) -> str:
    stem = "-".join(path.name.split("-")[:2])
    folders = {name.split("/")[0] for name in archive.namelist() if name.split("/")[0].endswith(".dist-info")}
    if len(folders) != 1:
        _refuse(path, f"It has {len(folders)} `.dist-info` folders")
    folder = folders.pop()
    name, _, version = folder.removesuffix(".dist-info").partition("-")
    wanted_name, _, wanted_version = stem.partition("-")
    same = canonicalize_name(name) == canonicalize_name(wanted_name)
    if not same or canonicalize_version(version) != canonicalize_version(wanted_version):
        _refuse(path, f"Its metadata is in `{folder}`")
    return folder


def _text(path: Path, archive: zipfile.ZipFile, name: str, *, missing_ok: bool = False) -> str:
    try:
        with archive.open(name) as file:
            data = file.read(_METADATA_BYTES + 1)
    except KeyError:
        if missing_ok:
            return ""
        _refuse(path, f"`{name}` is missing in it")
    if len(data) > _METADATA_BYTES:
        _refuse(path, f"`{name}` in it has more than {_METADATA_BYTES:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        _refuse(path, f"`{name}` in it is not UTF-8")


def _header(metadata: Message, name: str) -> str:
    return str(metadata.get(name, "")).strip()


def _requires_python(path: Path, metadata: Message) -> str:
    text = _header(metadata, "Requires-Python")
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        _refuse(path, f"Its `Requires-Python` is `{text}`")


def _requires_dist(path: Path, metadata: Message) -> tuple[str, ...]:
    requirements = tuple(str(line).strip() for line in metadata.get_all("Requires-Dist", []))
    for requirement in requirements:
        try:
            Requirement(requirement)
        except InvalidRequirement:
            _refuse(path, f"Its dependency `{requirement}` is not a requirement")
    return requirements


def _entry_points(path: Path, text: str) -> dict[str, dict[str, str]]:
    parser = _CaseSensitive(delimiters=("=",), interpolation=None)
    try:
        parser.read_string(text)
    except ConfigError as error:
        _refuse(path, f"Its `entry_points.txt` can't be read: {str(error).splitlines()[0]}")
    # The old form names extras after the object; nothing reads them any more.
    return {group: {name: value.split("[")[0].strip() for name, value in parser.items(group)} for group in parser.sections()}


def _refuse(path: Path, cause: str) -> NoReturn:
    raise BuildError(f"`{path.name}` is not a wheel that can be installed", reference="wheel-invalid", causes=[cause])
