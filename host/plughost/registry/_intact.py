"""Whether what a revision's receipt says still holds, asked before something new is made of it.

The receipt has the digests of the files beside it, and the manifest repeats where the plugin came from: so a change of either
shows in the other.
"""

from __future__ import annotations

import os

from plughost.errors import StoreError
from plughost.paths import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost.registry._receipt import Receipt

__all__ = ["check_file", "check_receipt"]

#: What the manifest has of the receipt, under `origin`.
_ORIGIN = ("kind", "source", "commit_id", "digest", "direct_url", "request")


def check_receipt(folder: str | os.PathLike[str], receipt: Receipt, manifest: Mapping[str, object]) -> None:
    """Hold the receipt in `folder` against the manifest beside it.

    Raises: StoreError: they contradict each other; the key is named.
    """
    expected = {key: manifest.get(key) for key in ("name", "package", "version", "venv")}
    expected["revision"] = os.path.basename(folder)
    origin = manifest.get("origin")
    if isinstance(origin, dict):
        expected.update({key: origin.get(key) for key in _ORIGIN})
    for key, value in expected.items():
        if (said := getattr(receipt, key)) != value:
            raise _altered(receipt, os.path.join(folder, "receipt.toml"), f"`{key}` is `{said}`, and should be `{value}`")


def check_file(folder: str | os.PathLike[str], receipt: Receipt, name: str, sha256: str) -> None:
    """Hold the file `name` in `folder` against the digest that its receipt has of it; "" if it has none.

    Raises: StoreError: it is another file, or missing.
    """
    path = os.path.join(folder, name)
    try:
        found = sha256_of(path)
    except OSError as error:
        raise _altered(receipt, path, error.strerror or str(error)) from error
    if found != sha256 and sha256:
        raise _altered(receipt, path, f"Its SHA-256 is `{found}`, and should be `{sha256}`")


def _altered(receipt: Receipt, path: str, cause: str) -> StoreError:
    return StoreError(
        f"The files of `{receipt.name}` have been altered",
        reference="store-corrupt",
        causes=[f"`{path}`: {cause}"],
        hint=f"`repair {receipt.name}` mends them, `remove {receipt.name}` takes the plugin away",
    )
