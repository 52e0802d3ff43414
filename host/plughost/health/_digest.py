"""The digest of a file that may not be there."""

from __future__ import annotations

from plughost.paths import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

__all__ = ["digest_of"]


def digest_of(path: str | os.PathLike[str] | None) -> str:
    """The SHA-256 of the file at `path`, in hexadecimal; "" where it is missing or can't be read."""
    try:
        return sha256_of(path or "")
    except OSError:
        return ""
