"""A wheel or an sdist: a file here, or on a server.

Above it: `resolve`, `check_out`; below it: the disk and HTTP. Of an sdist it reads the metadata, and unpacks nothing.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from plughost.errors import ResolveError, SourceError
from plughost.paths import sha256_of
from plughost.source._records import Origin, Source, SourceTree

__all__ = ["check_out", "resolve"]

#: An archive of at most this size is kept from the moment its digest is known until it is wanted; a larger one is fetched again.
_KEPT_BYTES = 64 << 20
_METADATA_BYTES = 1 << 20


def resolve(source: Source) -> Origin:
    """The digest of the file. Where the source demands one, it isn't fetched to know it.

    Raises: SourceError: it can't be read or fetched. InstallError: the server can't be reached.
    """
    if source.path:
        return Origin(kind=source.kind, url=Path(source.path).as_uri(), sha256=_digest(Path(source.path)))
    if source.sha256:
        return Origin(kind=source.kind, url=source.url, sha256=source.sha256)
    with tempfile.TemporaryDirectory(prefix="plughost-") as folder:
        path = Path(folder, "archive")
        _download(source, path)
        kept = path.read_bytes() if path.stat().st_size <= _KEPT_BYTES else b""
        return Origin(kind=source.kind, url=source.url, sha256=_digest(path), archive=kept)


def check_out(source: Source, origin: Origin, into: Path) -> SourceTree:
    """The file, put into the folder `into`, so that it can't change while it is used.

    Raises: ResolveError: it is another one than `origin` says.
    """
    path = into / (os.path.basename(source.path) or _name(source))
    if source.path:
        shutil.copyfile(source.path, path)
    elif origin.archive:
        path.write_bytes(origin.archive)
    else:
        _download(source, path)
    if (digest := _digest(path)) != origin.sha256:
        raise ResolveError(
            f"`{source.text}` is not the file that was asked for",
            reference="hash-mismatch",
            causes=[f"Its SHA-256 is `{digest}`, and it should be `{origin.sha256}`"],
        )
    if source.kind == "wheel":
        return SourceTree(path=path, origin=origin)
    name, requires_python = _metadata(path)
    return SourceTree(path=path, origin=origin, name=name, requires_python=requires_python, declared=_declared(path))


def _name(source: Source) -> str:
    return os.path.basename(unquote(urlsplit(source.url).path))


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise SourceError(f"`{path}` can't be read", reference="source-missing", causes=[str(error)]) from error


def _metadata(path: Path) -> tuple[str, str]:
    """The name and the Requires-Python that the sdist states; empty where it states none, or can't be read.

    Source: PEP 643; before version 2.2 of the metadata a build may change what is stated, but hardly ever these two.
    """
    try:
        message = HeaderParser().parsestr(_member(path, "PKG-INFO").decode("utf-8", "replace"))
    except (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError, LookupError):
        return "", ""  # the build says what is wrong with it
    return message.get("Name", ""), message.get("Requires-Python", "")


def _declared(path: Path) -> dict[str, object]:
    """What the project in the sdist declares as a plugin; nothing where its `pyproject.toml` can't be read: the build says why.

    Raises: SourceError: that can't be.
    """
    from plughost.source._tree import declared_by

    try:
        return declared_by(tomllib.loads(_member(path, "pyproject.toml").decode()))
    except (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError, LookupError, ValueError, RecursionError):
        return {}


def _member(path: Path, filename: str) -> bytes:
    """The file of that name in the sdist's one folder.

    Raises: LookupError: there is none.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next((name for name in archive.namelist() if _is_at_the_top(name, filename)), "")
            return archive.open(name).read(_METADATA_BYTES)
    with tarfile.open(path) as unpacked:
        for member in unpacked:
            file = unpacked.extractfile(member) if _is_at_the_top(member.name, filename) else None
            if file:
                return file.read(_METADATA_BYTES)
    raise LookupError(filename)


def _is_at_the_top(name: str, filename: str) -> bool:
    return name.removeprefix("./").count("/") == 1 and name.endswith(f"/{filename}")


def _download(source: Source, path: Path) -> None:
    from http.client import HTTPException

    from plughost._http import Refusal, blocks, get, told

    url = f"{source.url}?{source.query}" if source.query else source.url
    try:
        with get(url, source.credentials) as reply, path.open("wb") as file:
            file.writelines(blocks(reply))
    except (OSError, HTTPException, Refusal) as error:
        if path.exists() and isinstance(error, OSError) and not isinstance(error, TimeoutError | ConnectionError):
            raise  # it is our disk
        raise told(source.url, error) from error
