"""The bytes of a bundle: a zip archive of one form, written the same each time and read in no other.

Members are stored as they are, one after the other, without a gap: so nothing in a bundle can unpack to more than its size on
disk, and a bundle with any other bit than `write` has written is not taken.

Above it: what a bundle holds; below it: the zip format.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import struct
import zipfile
from contextlib import contextmanager, suppress
from typing import IO, NoReturn

from plughost.errors import BundleError
from plughost.paths import sync_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Archive", "opened", "refuse", "write"]

_BLOCK_BYTES = 1 << 20
_MOST_MEMBERS = 10_000
#: What is read into memory: `bundle.json`, which has some 200 bytes for each member.
_MOST_TEXT_BYTES = 16 << 20
#: The earliest that the format knows.
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_VERSION = 20
_DOS_DATE = 1 << 5 | 1


def write(path: Path, texts: Mapping[str, bytes], files: Mapping[str, Path]) -> str:
    """Put an archive of `texts` and `files`, by name and in that order, at `path`: whole, or not at all. Its SHA-256."""
    with _unnamed(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in texts.items():
                archive.writestr(_entry(name, len(data)), data)
            for name, source in files.items():
                with source.open("rb") as content, archive.open(_entry(name, source.stat().st_size), "w") as member:
                    shutil.copyfileobj(content, member, _BLOCK_BYTES)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(name: str, size_bytes: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.create_system = _UNIX
    entry.external_attr = _MODE << 16
    entry.file_size = size_bytes
    return entry


@contextmanager
def _unnamed(path: Path) -> Iterator[io.BufferedRandom]:
    """A new file that takes its name `path` when the block ends. Until then it has none, so a kill leaves nothing of it.

    Where the file system knows no such files, it has a name beside `path` in the meantime.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
    named = False
    try:
        try:
            fd = os.open(path.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}:
                raise
            named = True
            fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(fd, "w+b") as file:
            yield file
            if not named:
                named = _give_name(fd, path, beside)
        if named:
            os.replace(beside, path)
        sync_folder(str(path.parent))
    except BaseException:
        if named:
            beside.unlink(missing_ok=True)
        raise


def _give_name(fd: int, path: Path, beside: Path) -> bool:
    """Name the file `path`, or where there is one already, `beside`, which is then to take its place: true."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:  # only with a folder's descriptor does Python follow the link
        with suppress(FileExistsError):
            os.link(f"/proc/self/fd/{fd}", path.name, dst_dir_fd=folder, follow_symlinks=True)
            return False
        os.link(f"/proc/self/fd/{fd}", beside.name, dst_dir_fd=folder, follow_symlinks=True)
        return True
    finally:
        os.close(folder)


class Archive:
    """An archive of that form, open to be read. `names` are those of its members."""

    __slots__ = ("_archive", "_members", "names", "path")

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        self._members = {member.filename: member for member in archive.infolist()}
        self.names = frozenset(self._members)

    def text(self, name: str) -> bytes:
        """Raises: BundleError: there is no such member, or it is larger than any text."""
        member = self._members.get(name)
        if member is None:
            refuse(self.path, f"`{name}` is missing in it")
        if member.file_size > _MOST_TEXT_BYTES:
            refuse(self.path, f"`{name}` has {member.file_size:,} bytes, more than it ever needs")
        with self._reading(name) as file:
            return file.read()

    def extract(self, name: str, to: Path) -> str:
        """Copy the member to the file `to`, which isn't there yet; its SHA-256."""
        digest = hashlib.sha256()
        with self._reading(name) as file, to.open("xb") as copy:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                copy.write(block)
        return digest.hexdigest()

    def size_bytes(self, name: str) -> int:
        return self._members[name].file_size

    @contextmanager
    def _reading(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._archive.open(self._members[name]) as file:
                yield file
        except (zipfile.BadZipFile, EOFError) as error:
            refuse(self.path, f"`{name}` is damaged: {error}")


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The bundle at `path`, its form checked; what its members hold is for the caller to check.

    Raises: BundleError: it is of another form; the member is named.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        refuse(path, f"It can't be read: {error}")
    with archive:
        _check_members(path, archive)
        _check_layout(path, archive)
        yield Archive(path, archive)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    """Each name once, and of a place inside; each a plain file, stored as it is."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        refuse(path, f"It has {len(members):,} members, and no bundle has more than {_MOST_MEMBERS:,}")
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename  # zipfile cuts a name at a NUL, and another program may not
        shown = name if name.isprintable() else ascii(name)[1:-1]
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
            refuse(path, f"`{shown}` leads out of it")
        if not name.isascii() or not name.isprintable() or name.endswith("/"):
            refuse(path, f"`{shown}` is not the name of a file that a bundle has")
        if name in seen:
            refuse(path, f"`{shown}` is in it twice")
        seen.add(name)
        if member.external_attr >> 16 != _MODE:
            kind = "a symbolic link" if stat.S_ISLNK(member.external_attr >> 16) else "no plain file"
            refuse(path, f"`{shown}` is {kind}")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            refuse(path, f"`{shown}` is compressed, and the members of a bundle are not")


def _check_layout(path: Path, archive: zipfile.ZipFile) -> None:
    """Member after member from the first byte to the list of them, with the headers that `write` gives them, and no byte else."""
    end = 0
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    with path.open("rb") as file:
        for member in members:
            headers = _headers(member) if member.header_offset == end else ()
            file.seek(end)
            start = file.read(max(map(len, headers), default=0))
            header = next((header for header in headers if start.startswith(header)), b"")
            if not header:
                refuse(path, f"There is something in front of `{member.filename}` that `export` doesn't write")
            end += len(header) + member.file_size
        file.seek(end)
        listed = file.read()
    is_small = max([end, *(member.file_size for member in members)]) <= zipfile.ZIP64_LIMIT
    if archive.start_dir != end or (is_small and listed != _list(members, end)):
        refuse(path, "There is something behind its last member that `export` doesn't write")


def _list(members: Sequence[zipfile.ZipInfo], start: int) -> bytes:
    """The list of the members, which ends the archive, where it begins at `start` and the whole is small.

    Source: APPNOTE.TXT of the zip format, 4.3.12 and 4.3.16.
    """
    entries = b""
    for member in members:
        name, size = member.filename.encode(), member.file_size
        numbers = (_VERSION, _UNIX, _VERSION, 0, 0, 0, 0, _DOS_DATE, member.CRC, size, size, len(name), 0, 0, 0, 0)
        entries += struct.pack("<4s4B4H3L5H2L", b"PK\1\2", *numbers, _MODE << 16, member.header_offset) + name
    count = len(members)
    return entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(entries), start, 0)


def _headers(member: zipfile.ZipInfo) -> tuple[bytes, ...]:
    """What may stand in front of the member: the header of what is small, or that of what is large."""
    entry = _entry(member.filename, member.file_size)
    entry.CRC, entry.compress_size = member.CRC, member.file_size
    if member.file_size > zipfile.ZIP64_LIMIT:
        return (entry.FileHeader(zip64=True),)
    return entry.FileHeader(zip64=False), entry.FileHeader(zip64=True)


def refuse(path: Path, cause: str) -> NoReturn:
    """Raises: BundleError: always."""
    raise BundleError(
        f"`{path.name}` is not a bundle that can be installed",
        reference="bundle-invalid",
        causes=[cause],
        hint="Get the file again, or export it again where the plugin is installed: `export NAME`",
    )
