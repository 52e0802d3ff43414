"""Locking what isn't all there as wheels: a version that there is only the source of is built to know what it depends on.

Nothing is built but the versions that a lock would take. Until it is, a version is taken to depend on nothing; so what is locked
first may have to be locked again, as often as a version turns up that was not built yet.
"""

from __future__ import annotations

import os
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from plughost._installing import LockRequest, SourceMetadata
from plughost.errors import InstallError, ResolveError
from plughost.lock._files import LockedFile, files
from plughost.lock._lockfile import Lockfile, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from plughost._installer import Installer
    from plughost.wheel import BuiltWheel

    class Foundry(Protocol):
        """Where wheels are made."""

        def wheel_of(self, file: LockedFile) -> BuiltWheel:
            """The wheel of a file that is none."""

        def digest_of(self, name: str, place: str) -> str:
            """The SHA-256 of the archive of `name` at the URL `place`."""


__all__ = ["lock_with_sources"]

#: As many versions as may turn up one after the other, before it is given up.
_MOST_ROUNDS = 100


def lock_with_sources(request: LockRequest, installer: Installer, foundry: Foundry) -> Lockfile:
    """The lock of `request`, which names nothing `from_source` yet.

    Raises: InstallError: there is no lock, or what it would take can't be built.
    """
    built: dict[str, SourceMetadata] = {}
    missing: InstallError | None = None
    for _ in range(_MOST_ROUNDS):
        try:
            installer.lock(replace(request, built=tuple(built.values())))
        except InstallError as error:
            more = set(error.without_wheel) - request.from_source
            if not more:
                # There is no source of it either: what was said before names what there is.
                raise missing or error from None
            missing = error
            request = _without_wheels(request, more, foundry)
            continue
        missing = None
        lockfile = read(request.folder, python=request.python)
        wanted = files(request.folder, python=request.python) if lockfile.built_from_source else ()
        unknown = [file for file in wanted if not file.wheel and file.url not in built]
        if not unknown:
            return lockfile
        request = replace(request, from_source=request.from_source | {file.name for file in unknown})
        built.update((file.url, _metadata(foundry.wheel_of(_with_credentials(file, request)))) for file in unknown)
    raise ResolveError(
        f"Failed to lock the dependencies of {request.subject}",
        reference="resolution-conflict",
        causes=[f"After {_MOST_ROUNDS} attempts there were still versions without a wheel that had not been built"],
        log=request.log,
    )


def _without_wheels(request: LockRequest, names: set[str], foundry: Foundry) -> LockRequest:
    """The request, for which the packages `names` may be had from their sources."""
    archives = {name: place for name, place in request.places.items() if name in names and _is_archive(place)}
    digests = {name: foundry.digest_of(name, place) for name, place in archives.items()}
    return replace(request, from_source=request.from_source | names, digests={**request.digests, **digests})


def _is_archive(place: str) -> bool:
    """Whether that is a file of which the digest isn't known."""
    url = urlsplit(place)
    if url.scheme == "file":
        return os.path.isfile(unquote(url.path))
    return url.scheme in {"http", "https"} and "sha256=" not in url.fragment


def _with_credentials(file: LockedFile, request: LockRequest) -> LockedFile:
    """The file, with what whoever named its place has said there of user and password."""
    named, locked = urlsplit(request.places.get(file.name, "")), urlsplit(file.url)
    is_server = named.scheme.endswith(("http", "https")) and named.hostname == locked.hostname
    return replace(file, credentials=named.netloc.rpartition("@")[0] if is_server else "")


def _metadata(wheel: BuiltWheel) -> SourceMetadata:
    return SourceMetadata(
        name=wheel.name,
        version=wheel.version,
        requires_python=wheel.requires_python,
        requires_dist=wheel.requires_dist,
        extras=wheel.extras,
    )
