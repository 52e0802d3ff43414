"""The digest of a file that may not be there."""

from __future__ import annotations

import hashlib

from plughost.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

__all__ = ["sha256_of"]


def sha256_of(path: str | os.PathLike[str] | None) -> str:
    """The SHA-256 of the file at `path`, in hexadecimal; "" where it is missing or can't be read."""
    try:
        with open(path or "", "rb", opener=regular) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
