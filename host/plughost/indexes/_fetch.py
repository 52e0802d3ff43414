"""Getting the file of an index from where it is: a file here, a file on a server, or a git repository that has it at its root.

Above it: what adds and updates indexes; below it: HTTP, git, and the reading of source strings. What is got may be anything.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from plughost import source as sources
from plughost.errors import InstallError, SourceError, UsageError
from plughost.indexes._format import FILE_NAME, MOST_BYTES, InvalidIndexError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.indexes._kept import Origin
    from plughost.source import Source

__all__ = ["Fetched", "Place", "fetch", "invalid", "locate"]

_ALL_TIMEOUT_S = 60.0
_FORMS = f"Give `git+https://HOST/REPOSITORY.git`, `https://HOST/{FILE_NAME}`, or the path of such a file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an index is. `text` is what may be shown and stored; one of `path`, `url` and `repository` says how to get there."""

    text: str
    path: str = ""
    url: str = ""
    repository: Source | None = None
    credentials: str = field(default="", repr=False)

    @property
    def is_here(self) -> bool:
        return bool(self.path) or (self.repository is not None and self.repository.url.startswith("file:"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The file, and what its place said of it for the next time."""

    data: bytes
    commit_id: str = ""
    etag: str = ""
    last_modified: str = ""


def locate(text: str) -> Place:
    """What `text` names. Nothing is asked of a server.

    Raises: UsageError: it has none of the forms. SourceError: it is a path to nothing.
    """
    text = text.strip()
    if _is_web_address(text):
        return _web(text)
    path = _path(text)
    if path and os.path.isdir(path) and os.path.isfile(os.path.join(path, FILE_NAME)):
        path = os.path.join(path, FILE_NAME)
    if path and os.path.isfile(path):
        return Place(text=path, path=path)
    source = sources.parse(text)
    if source.kind != "git":
        why = f"The folder has no file `{FILE_NAME}`" if source.kind == "folder" else "It is a package, and no list of packages"
        raise _no_place(text, why)
    return Place(text=source.text, repository=source)


def fetch(place: Place, before: Origin | None = None, *, offline: bool = False) -> Fetched | None:
    """What is there; None if that is what was there `before`.

    Raises: SourceError, InstallError: it can't be had, or `offline` forbids to ask. InvalidIndexError: it can't be an index.
    """
    if offline and not place.is_here:
        raise InstallError(
            f"`{place.text}` can't be asked offline",
            reference="offline",
            hint="Unset `PLUGHOST_OFFLINE`, and `offline` in the settings; what was fetched before is still there",
        )
    if place.repository:
        return _from_repository(place.repository, before)
    return _from_server(place, before) if place.url else _from_file(place.path)


def invalid(place: Place, error: InvalidIndexError) -> SourceError:
    return SourceError(
        f"`{place.text}` is no index",
        reference="index-invalid",
        causes=[str(error)],
        hint="Correct the file, or tell whoever maintains it",
    )


def _is_web_address(text: str) -> bool:
    if not text.lower().startswith(("http://", "https://")):
        return False
    path = urlsplit(text).path.rstrip("/")
    return not (path.endswith(".git") or ".git@" in path)


def _web(text: str) -> Place:
    parts = urlsplit(text)
    if parts.query:
        raise _no_place(text, "What follows a `?` is not stored, since it may be a token: then it could not be updated")
    userinfo, _, host = parts.netloc.rpartition("@")
    if not host or any(not character.isprintable() or character == " " for character in unquote(text)):
        raise _no_place(text, "Its host or path can't be read")
    url = urlunsplit(parts._replace(netloc=host, fragment=""))
    return Place(text=url, url=url, credentials=unquote(userinfo))


def _path(text: str) -> str:
    if text.startswith("file:///"):
        return unquote(urlsplit(text).path)
    return "" if "://" in text or not text else os.path.abspath(os.path.expanduser(text))


def _from_file(path: str) -> Fetched:
    try:
        with open(path, "rb") as file:
            return Fetched(data=file.read(MOST_BYTES + 1))
    except OSError as error:
        raise SourceError(f"`{path}` can't be read", reference="source-missing", causes=[error.strerror or str(error)]) from error


def _from_server(place: Place, before: Origin | None) -> Fetched | None:
    from http.client import HTTPException

    from plughost._http import NOT_MODIFIED, Refusal, blocks, get, told

    asked = {"If-None-Match": before.etag, "If-Modified-Since": before.last_modified} if before else {}
    headers = {name: value for name, value in asked.items() if value}
    try:
        with get(place.url, place.credentials or _from_netrc(place.url), headers=headers) as reply:
            data = bytearray()
            for block in blocks(reply, within_s=_ALL_TIMEOUT_S):
                data += block
                if len(data) > MOST_BYTES:
                    break
            told_by_server = reply.headers
    except (OSError, HTTPException, Refusal) as error:
        if before and isinstance(error, Refusal) and error.code == NOT_MODIFIED:
            return None
        raise told(place.url, error) from error
    etag, last_modified = (told_by_server.get(name, "") for name in ("ETag", "Last-Modified"))
    return Fetched(data=bytes(data), etag=etag, last_modified=last_modified)


def _from_netrc(url: str) -> str:
    """The credentials that the user's netrc file has for the server, as git and the installers use them."""
    from netrc import NetrcParseError, netrc

    try:
        found = netrc(os.environ.get("NETRC")).authenticators(urlsplit(url).hostname or "")
    except (OSError, NetrcParseError):
        return ""
    return f"{found[0]}:{found[2]}" if found else ""


def _from_repository(source: Source, before: Origin | None) -> Fetched | None:
    origin = sources.resolve(source)
    if before and before.commit_id == origin.commit_id:
        return None
    with tempfile.TemporaryDirectory(prefix="plughost-") as folder:
        sources.check_out_commit(sources.Git(source.url, source.credentials), origin, Path(folder))
        path = Path(folder, source.subdirectory, FILE_NAME)
        if path.is_symlink() or not path.is_file():
            where = f"its folder `{source.subdirectory}`" if source.subdirectory else "its root"
            raise InvalidIndexError(f"There is no file `{FILE_NAME}` at {where}")
        with path.open("rb") as file:
            return Fetched(data=file.read(MOST_BYTES + 1), commit_id=origin.commit_id)


def _no_place(text: str, why: str) -> UsageError:
    return UsageError(
        f"`{sources.redact_urls(text)}` is not where an index can be", reference="source-invalid", causes=[why], hint=_FORMS
    )
