"""The records of this stage: what was named, what exactly it is, and what is on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from plughost.source._signatures import Signer

    Kind = Literal["git", "folder", "wheel", "sdist", "requirement", "bundle"]

__all__ = ["Origin", "Source", "SourceTree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source string, read. `text` is what may be shown and stored: the string without its credentials.

    `url` is for git and for archives on a server, `path` for what is on this machine. `sha256` is what an archive's URL demands,
    `query` what follows its `?`, where servers put tokens: used, and as little shown or stored as the credentials.
    """

    text: str
    kind: Kind
    url: str = ""
    path: str = ""
    requested_revision: str = ""
    subdirectory: str = ""
    requirement: str = ""
    sha256: str = ""
    editable: bool = False
    credentials: str = field(default="", repr=False)
    query: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What exactly a source is: a commit, or a digest of bytes. Fields are named as PEP 610 names them; no credentials.

    `sha256` of an archive is that of the file; of a folder, that of its files' names, modes and contents. `archive` is the file
    itself, where it had to be fetched to know its digest.
    """

    kind: Kind
    url: str = ""
    requested_revision: str = ""
    commit_id: str = ""
    subdirectory: str = ""
    sha256: str = ""
    editable: bool = False
    requirement: str = ""
    archive: bytes = field(default=b"", repr=False, compare=False)

    def direct_url(self) -> dict[str, object]:
        """The PEP 610 object; empty for a requirement, which has none.

        Source: PEP 610.
        """
        record: dict[str, object] = {"url": self.url if "://" in self.url else _as_ssh_url(self.url)}
        if self.kind == "requirement":
            return {}
        if self.kind == "git":
            info = {"vcs": "git", "commit_id": self.commit_id}
            record["vcs_info"] = {**info, **({"requested_revision": self.requested_revision} if self.requested_revision else {})}
        elif self.kind == "folder":
            record["dir_info"] = {"editable": True} if self.editable else {}
        else:
            record["archive_info"] = {"hashes": {"sha256": self.sha256}}
        return {**record, **({"subdirectory": self.subdirectory} if self.subdirectory else {})}


def _as_ssh_url(address: str) -> str:
    """`host:path` as the URL that comes nearest to it; git itself is given the address, whose path begins at a home."""
    host, _, path = address.partition(":")
    return f"ssh://{host}/{path.lstrip('/')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """What is on disk, ready to be built: a project's folder, an sdist's file, or a wheel's.

    The rest is what its metadata says without being run: "" or None where it doesn't. `epoch` is the commit's time, in seconds;
    `build_requires` is None where there is no `[build-system]`. `signer` is who signed it, where that was demanded.
    `versioned_by_tags` says that its version comes from the repository's tags, so that the same commit may get another one.
    `declared` is what it says of how it is to be run, as `contract` has it.
    """

    path: Path
    origin: Origin
    epoch: int | None = None
    requires_python: str = ""
    build_requires: tuple[str, ...] | None = None
    name: str = ""
    dependencies: tuple[str, ...] | None = None
    signer: Signer | None = None
    versioned_by_tags: bool = False
    declared: Mapping[str, object] = field(default_factory=dict)

    @property
    def top(self) -> Path:
        """The folder of all that came with the project's own: a build may need what is above that, such as `.git`."""
        depth = len(Path(os.path.normpath(self.origin.subdirectory)).parts)
        return Path(os.path.normpath(self.path.joinpath(*[os.pardir] * depth)))
