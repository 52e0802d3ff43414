"""Searching in what is installed and in the indexes.

Above it: `Host` and the command line; below it: the registry and the indexes. A plugin is decoded only if it is shown: of ten
thousand, most are looked at once, as a line.
"""

from __future__ import annotations

from plughost import registry
from plughost._names import normalized
from plughost.indexes._kept import TAGS, read, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from plughost.indexes._kept import Kept
    from plughost.paths import Store
    from plughost.registry import PluginSummary

    #: The rank, the name, and the number of the index; one more than there are: installed.
    Hit = tuple[int, str, int]

__all__ = ["Match", "Matches", "search"]

#: For more characters CPython prepares each search in a long text, which pays only where there is nothing to be found.
_QUICKEST = 5


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

    def __repr__(self) -> str:
        return f"Match(name={self.name!r}, source={self.source!r}, installed={self.installed!r})"

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
    limit: int | None = None,
) -> Matches:
    """The plugins that have every word and every tag, at most `limit` of them.

    Raises: UnknownError: there is no such index. StoreError: an index is damaged, or the store can't be read.
    """
    wanted = [word.casefold() for text in words for word in text.split()]
    wanted_tags = [tag.casefold().strip() for tag in tags]
    here = {summary.name: summary for summary in registry.summaries(store)}
    indexes = [read(store, normalized(index))] if index else read_all(store)
    hits = [hit for number, kept in enumerate(indexes) for hit in _hits(kept.words, wanted, wanted_tags, number)]
    if not index and not tags:  # what is installed has no tags of its own
        listed = {hit[1] for hit in hits}
        hits += [hit for hit in _hits(_words(here.values()), wanted, [], len(indexes)) if hit[1] not in listed]
    if installed:
        hits = [hit for hit in hits if hit[1] in here]
    # One after the other, because both find most of it in order: several times as quick as comparing tuples.
    hits.sort(key=lambda hit: hit[1])
    hits.sort(key=lambda hit: hit[0])
    return Matches([_match(hit, indexes, here) for hit in hits[:limit]], len(hits))


def _hits(entries: str, words: Sequence[str], tags: Sequence[str], number: int) -> list[Hit]:
    """Of entries, a line each as an index has them, those with all words and tags."""
    rarest, whole = max((*words, *tags), key=len, default=""), "-".join(words)
    tagged = [f"{TAGS}{tag}{TAGS}" for tag in tags]
    ranked = [(word, f"{TAGS}{word}{TAGS}") for word in words]
    hits: list[Hit] = []
    for line in _lines_with(rarest, entries):
        name, _, rest = line.partition("\t")
        rank = 0
        for word, as_tag in ranked:
            if word in name:
                rank += 1 if name == word else 2 if name.startswith(word) else 3
            elif as_tag in rest:
                rank += 4
            elif (found := rest.find(word)) >= 0:
                rank += 5 if found < rest.find("\t") else 6
            else:
                break
        else:
            if all(tag in rest for tag in tagged):
                hits.append((0 if name == whole else rank, name, number))
    return hits


def _lines_with(word: str, text: str) -> Iterator[str]:
    """The lines with the word in them, or more: to look for it in all of them at once is many times as quick as in each."""
    if not word:
        yield from text.splitlines()
        return
    beginning = word[:_QUICKEST]
    found = text.find(beginning)
    while found >= 0:
        end = text.find("\n", found)
        yield text[text.rfind("\n", 0, found) + 1 : end]
        found = text.find(beginning, end)


def _words(installed: Iterable[PluginSummary]) -> str:
    """What is installed, as an index would have it; tools count as much as tags."""
    lines = (f"{one.name}\t{TAGS}{TAGS.join(one.tools)}{TAGS}\t{' '.join(one.summary.split())}\n" for one in installed)
    return "".join(lines).casefold()


def _match(hit: Hit, indexes: Sequence[Kept], here: Mapping[str, PluginSummary]) -> Match:
    _, name, number = hit
    summary = here.get(name)
    version, tools = (summary.version, summary.tools) if summary else ("", ())
    entry = indexes[number].find(name) if number < len(indexes) else None
    if entry is None:
        assert summary is not None
        return Match(name=name, summary=summary.summary, source=summary.source, tools=tools, installed=version)
    return Match(
        name=name,
        summary=entry.summary,
        source=entry.source,
        tags=entry.tags,
        tools=tools,
        index=indexes[number].name,
        installed=version,
        signers=entry.signers,
    )
