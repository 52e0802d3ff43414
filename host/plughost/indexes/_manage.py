"""Adding, updating and removing indexes. What is kept is replaced by what was fetched only once that is known to be an index.

Above it: the command line; below it: what fetches an index, and the form in which it is kept.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from plughost._names import NAME_RULE, is_name, normalized
from plughost.errors import StoreError, UsageError
from plughost.indexes._fetch import fetch, invalid, locate
from plughost.indexes._format import InvalidIndexError, parse
from plughost.indexes._kept import DamagedEntriesError, Kept, Origin, read, unknown
from plughost.paths import locked, read_file, replace_file, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.indexes._entry import Listing
    from plughost.indexes._fetch import Fetched, Place
    from plughost.paths import Store

__all__ = ["Updated", "add", "remove", "update"]

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """An index as it is now. `appeared` and `gone` are names of plugins, as far as it was known what it listed before."""

    origin: Origin
    changed: bool
    appeared: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def record(self) -> dict[str, object]:
        about = {**self.origin.record(), "changed": self.changed}
        return {**about, "appeared": list(self.appeared), "gone": list(self.gone)}


def add(store: Store, name: str, source: str, *, force: bool = False, offline: bool = False) -> Origin:
    """Fetch the index at `source`, and keep it under `name`. With `force` it takes the place, and the rank, of one of that name.

    Raises: UsageError: no valid name or source, or the name is taken. SourceError: what is there is no index. InstallError: it
    can't be had. StoreError: the store can't be written.
    """
    name = _valid(name)
    if not force:
        _refuse_taken(store, name)
    place = locate(source)
    listing, fetched = _listing(place, offline=offline)
    origin = _origin(Origin(name, place.text, added=time.time_ns()), listing, fetched)
    with _changing(store):
        if not force:
            _refuse_taken(store, name)
        elif before := _readable_origin(store, name):
            origin.added = before.added
        _put(store, origin, listing)
    return origin


def update(store: Store, name: str, *, offline: bool = False) -> Updated:
    """Fetch an index again. One that is damaged is set aside as `NAME.damaged` once there is a sound one.

    Raises: UnknownError: there is none of that name. Else as `add`; what was kept is then as it was.
    """
    name = _valid(name)
    kept, origin = _kept_or_origin(store, name)
    place = locate(origin.source)
    try:
        fetched = fetch(place, origin if kept else None, offline=offline)
        if fetched is None:
            return Updated(origin=origin, changed=False)
        listing = parse(fetched.data, is_here=place.is_here)
    except InvalidIndexError as error:
        raise invalid(place, error) from error
    now = _origin(origin, listing, fetched)
    with _changing(store):
        if not os.path.exists(store.plugin_index(name)):
            raise unknown(store, name)
        if kept is None:
            _set_aside(store, name)
        _put(store, now, listing)
    before = {line.partition("\t")[0] for line in kept.words.splitlines()} if kept else set()
    after = {entry.name for entry in listing.entries}
    return Updated(
        origin=now,
        changed=now.sha256 != origin.sha256 or kept is None,
        appeared=tuple(sorted(after - before)) if kept else (),
        gone=tuple(sorted(before - after)),
    )


def remove(store: Store, name: str) -> None:
    """Raises: UnknownError: there is none of that name. StoreError: the store can't be written."""
    name = _valid(name)
    with _changing(store):
        try:
            os.unlink(store.plugin_index(name))
        except FileNotFoundError:
            raise unknown(store, name) from None
        if os.path.exists(_aside(store, name)):
            os.unlink(_aside(store, name))


def _valid(name: str) -> str:
    lowered = normalized(name.strip())
    if not is_name(lowered) or len(lowered) > _LONGEST_NAME:
        raise UsageError(
            f"`{name}` is not a valid name for an index",
            reference="name-invalid",
            causes=[NAME_RULE],
            hint="`index list` shows the names of those that are there",
        )
    return lowered


def _refuse_taken(store: Store, name: str) -> None:
    if os.path.exists(store.plugin_index(name)):
        raise UsageError(
            f"There is an index named `{name}` already",
            reference="index-taken",
            hint=f"`index update {name}` fetches it again; `--force` puts this one in its place",
        )


def _listing(place: Place, *, offline: bool) -> tuple[Listing, Fetched]:
    try:
        fetched = fetch(place, offline=offline)
        assert fetched is not None
        return parse(fetched.data, is_here=place.is_here), fetched
    except InvalidIndexError as error:
        raise invalid(place, error) from error


def _origin(origin: Origin, listing: Listing, fetched: Fetched) -> Origin:
    return Origin(
        origin.name,
        origin.source,
        added=origin.added,
        title=listing.name,
        count=len(listing.entries),
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sha256=hashlib.sha256(fetched.data).hexdigest(),
        commit_id=fetched.commit_id,
        etag=fetched.etag,
        last_modified=fetched.last_modified,
    )


def _kept_or_origin(store: Store, name: str) -> tuple[Kept | None, Origin]:
    """The index, and where it came from; of a damaged one only that.

    Raises: UnknownError: there is none. StoreError: not even that can be read.
    """
    try:
        kept = read(store, name)
        kept.check()
    except StoreError as error:
        origin = _readable_origin(store, name)
        if origin is None:
            error.hint = f"`index add {name} SOURCE --force` puts a new one in its place"
            raise
        return None, origin
    return kept, kept.origin


def _readable_origin(store: Store, name: str) -> Origin | None:
    path = store.plugin_index(name)
    try:
        return Kept(path, read_file(path)).origin
    except DamagedEntriesError as error:
        return error.origin
    except (OSError, ValueError):
        return None


@contextmanager
def _changing(store: Store) -> Iterator[None]:
    try:
        with locked(store.lock("indexes")):
            for left in list(scan(store.plugin_indexes)):  # by somebody who was killed: nobody else is writing now
                if left.name.endswith(".new"):
                    os.unlink(left.path)
            yield
    except OSError as error:
        raise StoreError(
            f"The store at `{store.root}` can't be written",
            reference="store-unwritable",
            causes=[str(error)],
            hint="Point `PLUGHOST_HOME` to a folder that you may write to, with free space",
        ) from error


def _put(store: Store, origin: Origin, listing: Listing) -> None:
    os.makedirs(store.plugin_indexes, exist_ok=True)
    replace_file(store.plugin_index(origin.name), Kept.pack(origin, listing.entries))


def _set_aside(store: Store, name: str) -> None:
    """A copy: a kill leaves the damaged one in its place, too."""
    with open(store.plugin_index(name), "rb") as file:
        replace_file(_aside(store, name), file.read())


def _aside(store: Store, name: str) -> str:
    return f"{store.plugin_index(name).removesuffix('.json')}.damaged"
