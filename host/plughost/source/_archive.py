"""A wheel or an sdist: a file here, or on a server."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from plughost.errors import InstallError, ResolveError, SourceError
from plughost.source._records import Origin, Source

__all__ = ["fetch", "resolve"]

_TIMEOUT_S = 60.0
_BLOCK_BYTES = 1 << 20


def resolve(source: Source) -> Origin:
    """The digest of the file.

    Raises: SourceError: it can't be read or fetched. ResolveError: it is not the one that the source demands.
    """
    if source.path:
        digest = _digest(Path(source.path))
        return Origin(kind=source.kind, url=Path(source.path).as_uri(), sha256=digest)
    with tempfile.TemporaryDirectory(prefix="plughost-") as folder:
        digest = _digest(_download(source, Path(folder)))
    if source.sha256 and digest != source.sha256:
        raise ResolveError(
            f"`{source.url}` is not the file that was asked for",
            reference="hash-mismatch",
            causes=[f"Its SHA-256 is `{digest}`, and `{source.sha256}` was demanded"],
        )
    return Origin(kind=source.kind, url=source.url, sha256=digest)


def fetch(source: Source, origin: Origin, into: Path) -> Path:
    """The file, copied or fetched into the folder `into`, so that it can't change while it is used.

    Raises: ResolveError: it is another one than `origin` says.
    """
    path = _download(source, into) if source.url else into / Path(source.path).name
    if source.path:
        shutil.copyfile(source.path, path)
    if (digest := _digest(path)) != origin.sha256:
        raise ResolveError(
            f"`{source.text}` changed while it was being added",
            reference="hash-mismatch",
            causes=[f"Its SHA-256 was `{origin.sha256}` and is `{digest}`"],
            hint="Add it again",
        )
    return path


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"`{path}` can't be read", reference="source-missing", causes=[str(error)]) from error


def _download(source: Source, into: Path) -> Path:
    import base64
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    path = into / os.path.basename(unquote(urlsplit(source.url).path))
    request = Request(source.url, headers={"User-Agent": "plughost"})
    if source.credentials:
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(source.credentials.encode()).decode()}")
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as reply, path.open("wb") as file:
            shutil.copyfileobj(reply, file, _BLOCK_BYTES)
    except HTTPError as error:
        if error.code in {401, 403}:
            raise SourceError(
                f"`{source.url}` wants credentials",
                reference="git-auth",
                causes=[str(error)],
                hint="Give them as `https://USER:TOKEN@HOST/…`; they are used and not stored",
            ) from error
        raise SourceError(f"`{source.url}` can't be fetched", reference="source-missing", causes=[str(error)]) from error
    except (URLError, TimeoutError) as error:
        raise InstallError(
            f"`{source.url}` can't be reached", reference="network", causes=[str(error)], hint="Look at the address and at your connection"
        ) from error
    return path
