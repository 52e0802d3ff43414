"""Searching in what is installed and in the indexes.

Above it: `Host` and the command line; below it: the registry and the indexes. A plugin is decoded only if it is shown: of ten
thousand, most are looked at once, as a line.
"""

from __future__ import annotations

from plughost import registry
from plughost._names import normalized
from plughost.indexes._kept import TAGS, entry_of, read, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from plughost.indexes._kept import Kept
    from plughost.paths import Store
    from plughost.registry import PluginSummary

    #: The rank, the name, the number of the index (one more than there are: installed), and the line.
    Hit = tuple[int, bytes, int, bytes]

__all__ = ["Match", "Matches", "search"]


class Match:
    """A plugin that was found. `installed` is its version here, "" where it isn't; `index` is the one that lists it, or ""."""

    __slots__ = ("index", "installed", "name", "signers", "source", "summary", "tags", "tools")

    def __init__(
        self,
        *,
        name: str,
        summary: str,
        source: str,
        tags: tuple[str, ...] = (),
        tools: tuple[str, ...] = (),
        index: str = "",
        installed: str = "",
        signers: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.summary = summary
        self.source = source
        self.tags = tags
        self.tools = tools
        self.index = index
        self.installed = installed
        self.signers = signers

    def record(self) -> dict[str, object]:
        """As plain JSON values: what `search --json` prints."""
        return {
            "name": self.name,
            "summary": self.summary,
            "tags": list(self.tags),
            "tools": list(self.tools),
            "source": self.source,
            "index": self.index or None,
            "installed": self.installed or None,
            "signers": list(self.signers),
        }


class Matches:
    """The plugins that were found, the best first, and how many there are in all."""

    __slots__ = ("shown", "total")

    def __init__(self, shown: list[Match], total: int) -> None:
        self.shown = shown
        self.total = total


def search(
    store: Store,
    words: Sequence[str],
    *,
    tags: Sequence[str] = (),
    installed: bool = False,
    index: str = "",
    limit: int = 0,
) -> Matches:
    """The plugins that have every word and every tag, at most `limit` of them unless that is 0.

    Raises: UnknownError: there is no such index. StoreError: an index is damaged, or the store can't be read.
    """
    wanted = [word.casefold().encode() for text in words for word in text.split()]
    wanted_tags = [tag.casefold().strip().encode() for tag in tags]
    here = {summary.name: summary for summary in registry.summaries(store)}
    indexes = [read(store, normalized(index))] if index else read_all(store)
    hits = [hit for number, kept in enumerate(indexes) for hit in _hits(kept.lines(), wanted, wanted_tags, number)]
    if not index and not tags:  # what is installed has no tags of its own
        listed = {hit[1] for hit in hits}
        hits += [hit for hit in _hits(map(_line, here.values()), wanted, [], len(indexes)) if hit[1] not in listed]
    if installed:
        hits = [hit for hit in hits if hit[1].decode() in here]
    hits.sort(key=lambda hit: hit[:3])
    return Matches([_match(hit, indexes, here) for hit in (hits[:limit] if limit else hits)], len(hits))


def _hits(lines: Iterable[bytes], words: Sequence[bytes], tags: Sequence[bytes], number: int) -> list[Hit]:
    """Of entries as an index has them, those with all words and tags."""
    rarest = max(words, key=len, default=b"")
    hits: list[Hit] = []
    for line in lines:
        if rarest not in line:
            continue
        text = line.partition(b"\0")[0]
        name, _, its_tags = text.split(b"\t")
        tagged = its_tags.split(TAGS)
        if all(word in text for word in words) and all(tag in tagged for tag in tags):
            hits.append((_rank(words, name, tagged), name, number, line))
    return hits


def _rank(words: Sequence[bytes], name: bytes, tagged: Sequence[bytes]) -> int:
    """0 for a name that is just that; more the farther from the name the words are."""
    if name == b"-".join(words):
        return 0
    rank = 0
    for word in words:
        if word in name:
            rank += 1 if name == word else 2 if name.startswith(word) else 3
        else:
            rank += 4 if word in tagged else 5
    return rank


def _line(summary: PluginSummary) -> bytes:
    """What is installed, as an index would have it; its tools count as much as tags."""
    tools = TAGS.decode().join(summary.tools)
    return f"{summary.name}\t{summary.summary}\t{tools}".replace("\n", " ").casefold().encode("utf-8", "replace") + b"\0"


def _match(hit: Hit, indexes: Sequence[Kept], here: Mapping[str, PluginSummary]) -> Match:
    _, name, number, line = hit
    summary = here.get(name.decode())
    version, tools = (summary.version, summary.tools) if summary else ("", ())
    if number == len(indexes):
        assert summary is not None
        return Match(name=summary.name, summary=summary.summary, source=summary.source, tools=tools, installed=version)
    entry = entry_of(line)
    return Match(
        name=entry.name,
        summary=entry.summary,
        source=entry.source,
        tags=entry.tags,
        tools=tools,
        index=indexes[number].name,
        installed=version,
        signers=entry.signers,
    )
