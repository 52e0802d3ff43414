"""A `uv.lock` that says no more than which versions are preferred: uv keeps them where they fit, and resolves the rest anew.

Above it: what locks again from a lock that isn't uv's own; below it: nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["preferences"]


def preferences(versions: Mapping[str, str], *, exclude_newer: str = "") -> bytes:
    """The file, for `versions` by normalized name; uv takes no preference from a file of another `exclude_newer`."""
    import tomli_w

    packages = [
        {"name": name, "version": version, "source": {"registry": "https://pypi.org/simple"}}
        for name, version in sorted(versions.items())
    ]
    options = {"options": {"exclude-newer": exclude_newer}} if exclude_newer else {}
    return tomli_w.dumps({"version": 1, "requires-python": ">=3.8", **options, "package": packages}).encode()
