"""The file of an index: TOML, written by anybody, and read as such. `docs/reference/index-format.md` is its page.

Above it: what fetches indexes, and what builds them; below it: the reading of source strings.
"""

from __future__ import annotations

import tomllib

from plughost import source as sources
from plughost._names import is_name, normalized
from plughost.errors import PlughostError
from plughost.indexes._entry import Entry, Listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["FILE_NAME", "MOST_BYTES", "InvalidIndexError", "parse", "to_toml"]

FILE_NAME = "plughost-index.toml"
FORMAT = 1

#: Far above any real index, and far below what would hurt: 100,000 plugins in 32 MiB.
MOST_BYTES = 32 << 20
MOST_PLUGINS = 100_000
_LONGEST_NAME = 100
_LONGEST_TEXT = 1000
_LONGEST_SIGNER = 8000  # an RSA key of 16384 bits as OpenSSH writes it
_MOST_TAGS = 50
_MOST_SIGNERS = 100

_KEYS = ("format", "name", "plugins")
_PLUGIN_KEYS = ("name", "source", "summary", "tags", "signers")
_SSH_KEYS = ("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")
#: Keys that begin so are for whoever writes them: readers pass them over.
_OWN = "x-"


class InvalidIndexError(ValueError):
    """What a file has that no index may have. `path` leads to it, as `plugins[3].source`; empty: the file as a whole."""

    def __init__(self, wrong: str, path: str = "") -> None:
        super().__init__(f"`{path}` {wrong}" if path else wrong)
        self.path = path


def parse(data: bytes, *, is_here: bool) -> Listing:
    """What the file says. `is_here`: it is on this machine, and may name sources that are.

    Raises: InvalidIndexError: it is no index; the first fault is named by its place.
    """
    if len(data) > MOST_BYTES:
        raise InvalidIndexError(f"It is larger than {MOST_BYTES >> 20} MiB")
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidIndexError(f"It is no TOML: {error}") from error
    _check_keys(document, _KEYS, "")
    if document.get("format") != FORMAT or isinstance(document["format"], bool):
        raise InvalidIndexError(f"must be {FORMAT}, the format that this version of plughost reads", "format")
    listed = document.get("plugins", [])
    if not isinstance(listed, list):
        raise InvalidIndexError("must be an array of tables, as `[[plugins]]` makes it", "plugins")
    if len(listed) > MOST_PLUGINS:
        raise InvalidIndexError(f"has more than {MOST_PLUGINS} tables", "plugins")
    name = _text(document, "name", "name", longest=_LONGEST_NAME, needed=True)
    return Listing(name, _unique(_entry(table, f"plugins[{number}]", is_here=is_here) for number, table in enumerate(listed)))


def to_toml(listing: Listing) -> bytes:
    """The file, sorted by name: the same listing gives the same bytes."""
    import tomli_w

    entries = sorted(listing.entries, key=lambda entry: entry.name)
    document = {"format": FORMAT, "name": listing.name, "plugins": [entry.record() for entry in entries]}
    return tomli_w.dumps(document).encode()


def _unique(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    for number, entry in enumerate(entries):
        if entry.name in found:
            raise InvalidIndexError(f"is `{entry.name}`, as that of another plugin is", f"plugins[{number}].name")
        found[entry.name] = entry
    return tuple(found.values())


def _entry(table: object, path: str, *, is_here: bool) -> Entry:
    if not isinstance(table, dict):
        raise InvalidIndexError("must be a table", path)
    _check_keys(table, _PLUGIN_KEYS, f"{path}.")
    return Entry(
        _name(table, f"{path}.name"),
        _source(table, f"{path}.source", is_here=is_here),
        _text(table, "summary", f"{path}.summary", longest=_LONGEST_TEXT),
        _texts(table, "tags", f"{path}.tags", longest=_LONGEST_NAME, most=_MOST_TAGS),
        _signers(table, f"{path}.signers"),
    )


def _name(table: Mapping[str, object], path: str) -> str:
    name = normalized(_text(table, "name", path, longest=_LONGEST_NAME, needed=True))
    if not is_name(name):
        raise InvalidIndexError("must have ASCII letters and digits, with single `-`, `_` or `.` between them", path)
    return name


def _source(table: Mapping[str, object], path: str, *, is_here: bool) -> str:
    text = _text(table, "source", path, longest=_LONGEST_TEXT, needed=True)
    try:
        source = sources.parse(text)
    except PlughostError as error:
        raise InvalidIndexError(f"is no source: {'; '.join([error.message, *error.causes])}", path) from error
    if source.credentials or source.query:
        raise InvalidIndexError("has credentials or a `?` in its URL, and an index is for many", path)
    if (source.path or source.url.startswith("file:")) and not is_here:
        raise InvalidIndexError("is on this machine, where an index from elsewhere has nothing to look for", path)
    return source.text


def _signers(table: Mapping[str, object], path: str) -> tuple[str, ...]:
    signers = _texts(table, "signers", path, longest=_LONGEST_SIGNER, most=_MOST_SIGNERS)
    for number, line in enumerate(signers):
        if not any(word.startswith(_SSH_KEYS) for word in line.split()[1:]):
            raise InvalidIndexError(
                "must be a line of an allowed-signers file, as `ada@example.org ssh-ed25519 AAAA…`", f"{path}[{number}]"
            )
    return signers


def _text(table: Mapping[str, object], key: str, path: str, *, longest: int, needed: bool = False) -> str:
    value = table.get(key, "")
    if key not in table and needed:
        raise InvalidIndexError("is missing", path)
    return _checked(value, path, longest=longest, needed=needed)


def _texts(table: Mapping[str, object], key: str, path: str, *, longest: int, most: int) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list):
        raise InvalidIndexError("must be an array of strings", path)
    if len(values) > most:
        raise InvalidIndexError(f"has more than {most} strings", path)
    checked = (_checked(value, f"{path}[{number}]", longest=longest, needed=True) for number, value in enumerate(values))
    return tuple(dict.fromkeys(checked))


def _checked(value: object, path: str, *, longest: int, needed: bool) -> str:
    if not isinstance(value, str):
        raise InvalidIndexError("must be a string", path)
    text = value.strip()
    if needed and not text:
        raise InvalidIndexError("is empty", path)
    if len(text) > longest:
        raise InvalidIndexError(f"is longer than {longest} characters", path)
    if not text.isprintable():
        raise InvalidIndexError("must be one line without control characters", path)
    return text


def _check_keys(table: Mapping[str, object], known: tuple[str, ...], prefix: str) -> None:
    for key in table:
        if key not in known and not key.startswith(_OWN):
            raise InvalidIndexError(f"is unknown; keys of one's own begin with `{_OWN}`", f"{prefix}{key}")
