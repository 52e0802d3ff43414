"""The lock of whoever changes what is installed, under which the index goes out of date.

Above it: what changes the registry, and the index; below it: the store's paths.

Whoever changes something moves the index out of the way first, and who has made it again puts it in place under the same lock.
So an index that is in its place says how things are, and needs no look at a thousand files; a kill at any instant leaves one that
is right, or none.
"""

from __future__ import annotations

import os

from plughost.paths import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from plughost.paths import Store

__all__ = ["changing", "outdated"]


class changing:  # noqa: N801 - reads as the context manager it is: `with changing(store):`
    """Hold the registry's lock for a block that changes what is installed.

    Raises: OSError: the store can't be written; nothing has changed.
    """

    def __init__(self, store: Store) -> None:
        self._index = store.index
        self._lock = locked(store.lock(f"registry-{store.project}"))

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            os.replace(self._index, outdated(self._index))
        except FileNotFoundError:
            pass
        except BaseException:
            self._lock.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__()


def outdated(index: str) -> str:
    """Where an index lies that may be out of date: most of it will still be right."""
    return f"{index}.old"
