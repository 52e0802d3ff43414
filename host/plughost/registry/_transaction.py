"""What every change of the registry is wrapped in: nobody sweeps meanwhile, and what the disk refuses is told as such.

Above it: `_write`, `_turn` and whatever else changes what is installed; below it: the clearing up. It imports little, because a
rollback takes no longer than that.
"""

from __future__ import annotations

import os

from plughost.errors import StoreError
from plughost.paths import locked, sync_folder
from plughost.registry._garbage import leave_for_next, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from plughost.paths import Store
    from plughost.registry._state import State

__all__ = ["adding", "put_state", "sync_file", "writing"]


class writing:  # noqa: N801 - reads as the context manager it is: `with writing(store):`
    """Turn what the disk refuses into a StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        # A lock that somebody else holds is a BlockingIOError, for whoever didn't want to wait.
        if isinstance(error, OSError) and not isinstance(error, BlockingIOError | StoreError):
            raise StoreError(
                f"The store at `{self._store.root}` can't be written",
                reference="store-unwritable",
                causes=[str(error)],
                hint="Point `PLUGHOST_HOME` to a folder that you may write to, with free space",
            ) from error


class adding:  # noqa: N801 - as above
    """Hold off sweeping while something new is being made; sweep before and after it, unless somebody else is adding.

    Raises: StoreError: the store can't be written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = locked(store.lock("adding"), shared=True)

    def __enter__(self) -> None:
        store = self._store
        with writing(store):
            os.makedirs(store.tmp, exist_ok=True)
            os.makedirs(store.trash, exist_ok=True)  # now: to delete something must need no space
            sweep(store)
            self._lock.__enter__()

    def __exit__(self, kind: object, _error: object, _traceback: object) -> None:
        try:
            if kind is not None:
                leave_for_next(self._store)  # it may have made an environment that nothing will refer to
        finally:
            self._lock.__exit__()
            sweep(self._store)


def put_state(plugin: str, aside: str | os.PathLike[str], state: State) -> None:
    """Write the state at `aside`, on the same filesystem, and put it in force.

    Raises: OSError: nothing has changed.
    """
    with open(aside, "wb") as file:
        file.write(state.pack())
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, os.path.join(plugin, "current"))
    sync_folder(plugin)


def sync_file(path: str | os.PathLike[str]) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
