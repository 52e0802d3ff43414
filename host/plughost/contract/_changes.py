"""What a further version of a plugin offers otherwise than the one before it, and whether its callers would notice.

Above it: `update` and whoever shows it; below it: two manifests. A change is breaking where a call that was right before may fail
or mean something else: a tool, a parameter or a hook implementation that is gone, an argument that is newly demanded, a value
that is no longer taken, a result of another type.
"""

from __future__ import annotations

from plughost.contract._subschema import mapping, names, plain, takes_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    Kind = Literal["added", "changed", "removed"]
    Record = Mapping[str, object]

__all__ = ["Change", "changes"]

_STREAMS = frozenset({"generator", "async-generator"})


class Change:
    """One difference. `where` is `TOOL`, `TOOL(PARAMETER)` or `hook HOOK`; `message` is one line that says all of it."""

    __slots__ = ("breaking", "kind", "message", "where")

    def __init__(self, kind: Kind, where: str, message: str, *, breaking: bool) -> None:
        self.kind = kind
        self.where = where
        self.message = message
        self.breaking = breaking

    def record(self) -> dict[str, object]:
        """As plain JSON values."""
        return {"kind": self.kind, "where": self.where, "message": self.message, "breaking": self.breaking}


def changes(before: Record, after: Record) -> list[Change]:
    """All differences between two manifests, tools first; those of texts for people are left out."""
    found = [*_tools(before, after), *_hooks(before, after)]
    return sorted(found, key=lambda change: not change.breaking)


def _tools(before: Record, after: Record) -> Iterator[Change]:
    old, new = _by(before, "tools", "name"), _by(after, "tools", "name")
    for name, tool in old.items():
        if name in new:
            yield from _tool(name, tool, new[name])
        else:
            yield Change("removed", name, f"the tool `{name}` is gone", breaking=True)
    for name in new:
        if name not in old:
            yield Change("added", name, f"the tool `{name}` is new", breaking=False)


def _tool(name: str, before: Record, after: Record) -> Iterator[Change]:
    yield from _parameters(name, before, after)
    if (before.get("kind") in _STREAMS) != (after.get("kind") in _STREAMS):
        now = "gives its result as a stream" if after.get("kind") in _STREAMS else "gives one result, and was a stream"
        yield Change("changed", name, f"`{name}` {now}", breaking=True)
        return
    old, new = before.get("returns"), after.get("returns")
    if isinstance(old, dict) and plain(old) != plain(new):
        breaking = not (isinstance(new, dict) and takes_all(new, old, new, old))
        yield Change("changed", name, f"`{name}` gives a result of another type", breaking=breaking)


def _parameters(tool: str, before: Record, after: Record) -> Iterator[Change]:
    old, new = _schema(before), _schema(after)
    old_places, new_places = mapping(old.get("properties")), mapping(new.get("properties"))
    demanded, was_demanded = names(new.get("required")), names(old.get("required"))
    takes_any = new.get("additionalProperties", False) is not False
    for name, place in old_places.items():
        where = f"{tool}({name})"
        if name not in new_places:
            yield Change("removed", where, f"`{tool}` no longer has the parameter `{name}`", breaking=not takes_any)
        elif name in demanded and name not in was_demanded:
            yield Change("changed", where, f"`{tool}` now demands `{name}`, which was optional", breaking=True)
        elif not takes_all(mapping(place), mapping(new_places[name]), old, new):
            yield Change("changed", where, f"`{tool}` no longer takes all the values for `{name}` that it took", breaking=True)
        elif plain(mapping(place)) != plain(mapping(new_places[name])) or (name in was_demanded and name not in demanded):
            yield Change("changed", where, f"`{tool}` takes more for `{name}`", breaking=False)
    for name in new_places:
        if name not in old_places:
            demands = name in demanded
            text = f"`{tool}` has a new parameter `{name}`" + (", which it demands" if demands else "")
            yield Change("added", f"{tool}({name})", text, breaking=demands)
    yield from _places(tool, before, after)


def _places(tool: str, before: Record, after: Record) -> Iterator[Change]:
    """What arguments by position mean: those that had a place keep it, and further ones come after."""
    old, new = names(before.get("positional")), names(after.get("positional"))
    still_there = [name for name in old if name in mapping(_schema(after).get("properties"))]
    if new[: len(still_there)] != still_there:
        yield Change("changed", tool, f"`{tool}` takes its arguments in another order", breaking=True)
    if before.get("variadic") is True and after.get("variadic") is not True:
        yield Change("changed", tool, f"`{tool}` no longer takes any number of arguments", breaking=True)
    if _schema(before).get("additionalProperties", False) is not False and not _schema(after).get("additionalProperties", False):
        yield Change("changed", tool, f"`{tool}` no longer takes arguments of any name", breaking=True)


def _hooks(before: Record, after: Record) -> Iterator[Change]:
    old, new = _by(before, "hooks", "entry_point", "function"), _by(after, "hooks", "entry_point", "function")
    for key, hook in old.items():
        name = hook.get("name")
        if key not in new:
            yield Change("removed", f"hook {name}", f"the implementation of the hook `{name}` is gone", breaking=True)
        elif any(hook.get(field) != new[key].get(field) for field in ("name", "parameters", "optional", "options", "kind")):
            yield Change("changed", f"hook {name}", f"the implementation of the hook `{name}` is another", breaking=True)
    for key, hook in new.items():
        if key not in old:
            name = hook.get("name")
            yield Change("added", f"hook {name}", f"the hook `{name}` is implemented", breaking=False)


def _schema(tool: Record) -> Record:
    return mapping(tool.get("parameters"))


def _by(manifest: Record, what: str, *keys: str) -> dict[str, Record]:
    records = manifest.get(what)
    return {
        " ".join(str(each.get(key)) for key in keys): each
        for each in (records if isinstance(records, list) else [])
        if isinstance(each, dict)
    }
