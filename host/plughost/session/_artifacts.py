"""Artifacts: the files that a call wrote.

Above it: sessions; below it: what looks into their folders.
"""

from __future__ import annotations

import mimetypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plughost.session._files import Found, Listing

__all__ = ["Artifact", "artifacts_of", "written"]

#: What is compressed is of another type than what is in it.
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz", "br": "application/x-brotli"}
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file. `path` is relative to the work directory, with slashes, and `file` absolute; `media_type` is told from its name."""

    path: str
    file: str
    media_type: str
    size_bytes: int

    def record(self) -> dict[str, object]:
        return {"path": self.path, "file": self.file, "media_type": self.media_type, "size_bytes": self.size_bytes}


def artifacts_of(folder: str, files: Iterable[tuple[str, Found]]) -> list[Artifact]:
    """These files of the folder as artifacts.

    It is the plugin's home, too: what its libraries keep there for themselves (`.cache/fontconfig`, `.config`) is left out.
    """
    found = [(path, file) for path, file in files if not _is_kept_aside(path)]
    types = mimetypes.MimeTypes() if found else None  # the same on every machine, whatever its own tables say
    return [
        Artifact(
            path=path,
            file=os.path.join(folder, path),
            media_type=_media_type(types, path) if types else _UNKNOWN,
            size_bytes=file.size_bytes,
        )
        for path, file in found
    ]


def written(folder: str, before: Listing, now: Listing) -> list[Artifact]:
    """What is new in the folder, or not as it was."""
    return artifacts_of(folder, ((path, file) for path, file in now.files.items() if before.files.get(path) != file))


def _is_kept_aside(path: str) -> bool:
    """Whether a file lies in a folder that is hidden, or is for compiled modules."""
    return any(folder.startswith(".") or folder == "__pycache__" for folder in path.split("/")[:-1])


def _media_type(types: mimetypes.MimeTypes, path: str) -> str:
    # The name alone, and not at the beginning: it would be read as a URL, and a plugin chooses it.
    kind, encoding = types.guess_type(f"./{os.path.basename(path)}")
    return _COMPRESSED.get(encoding, _UNKNOWN) if encoding else kind or _UNKNOWN
