"""What a plugin was made from, as a new request: for the newest commit of its reference, or the newest release.

Above it: `Host`; below it: the receipt.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plughost._request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost._info import Plugin

__all__ = ["request_again"]


@contextmanager
def request_again(plugin: Plugin) -> Iterator[Request]:
    """The request that the receipt has kept; it can be used until the block ends."""
    receipt = plugin.receipt
    asked = receipt.request

    def text(key: str) -> str:
        return str(asked.get(key) or "")

    def texts(key: str) -> tuple[str, ...]:
        values = asked.get(key)
        return tuple(map(str, values)) if isinstance(values, list) else ()

    entry_points = asked.get("entry_points")
    with tempfile.NamedTemporaryFile("w", prefix="plughost-", suffix=".txt", encoding="utf-8") as constraints:
        constraints.write("\n".join(texts("constraints")))
        constraints.flush()
        yield Request(
            source=receipt.source,
            name=plugin.name,
            python=text("python"),
            extras=texts("extras"),
            with_=texts("with"),
            constraint=constraints.name if texts("constraints") else None,
            exclude_newer=text("exclude_newer"),
            installer=text("installer"),
            editable=plugin.editable,
            entry_points={str(k): str(v) for k, v in entry_points.items()} if isinstance(entry_points, dict) else {},
        )
