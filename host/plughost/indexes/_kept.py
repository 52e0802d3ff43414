"""An index as it is kept: one file, in a form that is searched without being parsed, under checksums.

Above it: what adds, updates, searches and looks up; below it: the store's paths. To find something among ten thousand entries
must take milliseconds, so the file is

    {"format": 1, "origin": CRC, "rest": CRC, "sha256": …}    of the second line, and of all after it
    {"name": …, "source": …, …, "words": SIZE}                where it came from, and what the server said of it
    weather TAB US climate US TAB says how warm it will be    the words of the entries, in lower case, by name
    {"name":"weather", …}                                     the entries, by name

where US is the unit separator, around each tag. The CRCs find what a failing disk does, or an editor; to import a better digest
would take as long as the search. Before something is installed, or fetched again, there is time for the SHA-256, too.
"""

from __future__ import annotations

from plughost.errors import StoreError, UnknownError
from plughost.indexes._entry import Entry
from plughost.paths import read_file, scan
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from plughost.paths import Store

__all__ = ["TAGS", "Kept", "Origin", "read", "read_all"]

FORMAT = 1
#: Around the tags of an entry's line; no text of an index has control characters.
TAGS = "\x1f"
_ENDING = ".json"
_BEFORE_NAME = b'{"name":"'


class Origin:
    """Where an index came from, and when. `source` is without credentials; `added` orders the indexes; `title` is its own name.

    `etag` and `last_modified` are the server's, `commit_id` that of a repository, `sha256` that of the file as it came.
    """

    __slots__ = ("added", "commit_id", "count", "etag", "fetched_at", "last_modified", "name", "sha256", "source", "title")

    def __init__(
        self,
        name: str,
        source: str,
        *,
        added: int = 0,
        title: str = "",
        count: int = 0,
        fetched_at: str = "",
        sha256: str = "",
        commit_id: str = "",
        etag: str = "",
        last_modified: str = "",
    ) -> None:
        self.name = name
        self.source = source
        self.added = added
        self.title = title
        self.count = count
        self.fetched_at = fetched_at
        self.sha256 = sha256
        self.commit_id = commit_id
        self.etag = etag
        self.last_modified = last_modified

    def record(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Self:
        def text(key: str) -> str:
            return str(record.get(key) or "")

        added, count = record.get("added"), record.get("count")
        return cls(
            text("name"),
            text("source"),
            added=added if isinstance(added, int) else 0,
            title=text("title"),
            count=count if isinstance(count, int) else 0,
            fetched_at=text("fetched_at"),
            sha256=text("sha256"),
            commit_id=text("commit_id"),
            etag=text("etag"),
            last_modified=text("last_modified"),
        )


class Kept:
    """An index that is kept. `words` has a line for each entry, by name, in lower case: `name TAB tags TAB summary`."""

    __slots__ = ("_data", "_entries", "_rest", "origin", "path", "words")

    def __init__(self, path: str, data: bytes) -> None:
        """Raises: ValueError: it isn't as it was written."""
        import zlib

        first = data.find(b"\n") + 1
        second = data.find(b"\n", first) + 1
        checksums = wire.unpack(data[:first])
        if checksums.get("format") != FORMAT or not second or zlib.crc32(data[first:second]) != checksums.get("origin"):
            raise ValueError("what it says of where it came from is not as it was written")
        about = wire.unpack(data[first:second])
        size = about.get("words")
        self.path = path
        self.origin = Origin.from_record(about)
        self._data = data
        self._rest = second
        self._entries = second + (size if isinstance(size, int) else 0)
        if zlib.crc32(memoryview(data)[second:]) != checksums.get("rest"):
            raise DamagedEntriesError(self.origin)
        self.words = data[second : self._entries].decode()

    @property
    def name(self) -> str:
        return self.origin.name

    def check(self) -> None:
        """Raises: StoreError: an entry was changed, by whatever means but by who knows how to write all of the file."""
        import hashlib

        wanted = wire.unpack(self._data[: self._data.find(b"\n") + 1]).get("sha256")
        if hashlib.sha256(memoryview(self._data)[self._rest :]).hexdigest() != wanted:
            raise damaged(self.name, self.path, "an entry is not as it was written")

    def find(self, name: str) -> Entry | None:
        """The entry of that normalized name."""
        data, wanted = self._data, name.encode()
        low, high = self._entries, len(data)  # where lines begin
        while low < high:
            begin = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = data.find(b"\n", begin) + 1
            its_name = data[begin + len(_BEFORE_NAME) : data.find(b'"', begin + len(_BEFORE_NAME))]
            if its_name == wanted:
                return Entry.from_record(wire.unpack(data[begin:end]))
            low, high = (end, high) if its_name < wanted else (low, begin)
        return None

    @staticmethod
    def pack(origin: Origin, entries: Iterable[Entry]) -> bytes:
        """The file's bytes."""
        import hashlib
        import zlib

        listed = sorted(entries, key=lambda entry: entry.name)
        words = "".join(_words(entry) for entry in listed).encode()
        rest = b"".join([words, *(line for entry in listed for line in wire.pack(entry.record()))])
        about = wire.pack({**origin.record(), "words": len(words)})[0]
        checksums = {"origin": zlib.crc32(about), "rest": zlib.crc32(rest), "sha256": hashlib.sha256(rest).hexdigest()}
        return wire.pack({"format": FORMAT, **checksums})[0] + about + rest


class DamagedEntriesError(ValueError):
    """Its entries can't be used, but it is known where they came from."""

    def __init__(self, origin: Origin) -> None:
        super().__init__("an entry is not as it was written")
        self.origin = origin


def read(store: Store, name: str) -> Kept:
    """The index of that name.

    Raises: UnknownError: there is none. StoreError: its file is damaged.
    """
    path = store.plugin_index(name)
    try:
        return Kept(path, read_file(path))
    except FileNotFoundError:
        raise unknown(store, name) from None
    except (OSError, ValueError) as error:
        raise damaged(name, path, str(error)) from error


def read_all(store: Store) -> list[Kept]:
    """All indexes, in the order in which they were added.

    Raises: StoreError: the file of one is damaged.
    """
    return sorted((read(store, name) for name in names(store)), key=lambda kept: kept.origin.added)


def names(store: Store) -> list[str]:
    """The names of the indexes, damaged ones included, sorted."""
    return sorted(entry.name.removesuffix(_ENDING) for entry in scan(store.plugin_indexes) if entry.name.endswith(_ENDING))


def unknown(store: Store, name: str) -> UnknownError:
    from plughost._wording import listed

    known = listed(names(store))
    hint = f"There are {known}" if known else "`index add NAME SOURCE` adds one"
    return UnknownError(f"There is no index named `{name}`", reference="index-unknown", hint=hint)


def damaged(name: str, path: str, why: str) -> StoreError:
    return StoreError(
        f"The index `{name}` is damaged",
        reference="index-corrupt",
        causes=[f"`{path}`: {why}"],
        hint=f"`index update {name}` fetches it again",
    )


def _words(entry: Entry) -> str:
    tags = f"{TAGS}{TAGS.join(entry.tags)}{TAGS}" if entry.tags else ""
    return f"{entry.name}\t{tags}\t{entry.summary}\n".casefold()
