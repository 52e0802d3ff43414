"""What a further version of a plugin offers otherwise than the one before it, and whether its callers would notice.

Above it: `update` and whoever shows it; below it: two manifests. A change is breaking where a call that was right before may fail
or mean something else: a tool, a parameter or a hook implementation that is gone, an argument that is newly demanded, a value
that is no longer taken, a result of another type.
"""

from __future__ import annotations

from plughost._values import mapping, tables, texts
from plughost.contract._subschema import gives_all, takes_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    Kind = Literal["added", "changed", "removed"]
    Record = Mapping[str, object]

__all__ = ["Change", "changes"]

_STREAMS = frozenset({"generator", "async-generator"})
_LONGEST_DEFAULT = 40  # characters of it that a message shows


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
    if isinstance(old, dict) and not (isinstance(new, dict) and gives_all(old, new) and gives_all(new, old)):
        breaking = not (isinstance(new, dict) and gives_all(old, new))
        yield Change("changed", name, f"`{name}` gives a result of another type", breaking=breaking)


def _parameters(tool: str, before: Record, after: Record) -> Iterator[Change]:
    old, new = _schema(before), _schema(after)
    old_places, new_places = mapping(old.get("properties")), mapping(new.get("properties"))
    for name, place in old_places.items():
        where = f"{tool}({name})"
        if name in new_places:
            yield from _parameter(tool, name, old, new)
        else:
            taken = _takes_others(new) and takes_all(mapping(place), mapping(new.get("additionalProperties")), old, new)
            yield Change("removed", where, f"`{tool}` no longer has the parameter `{name}`", breaking=not taken)
    for name in new_places:
        if name not in old_places:
            demands = name in texts(new.get("required"))
            text = f"`{tool}` has a new parameter `{name}`" + (", which it demands" if demands else "")
            yield Change("added", f"{tool}({name})", text, breaking=demands)
    yield from _places(tool, before, after)


def _parameter(tool: str, name: str, old: Record, new: Record) -> Iterator[Change]:
    """What became of a parameter that is still there."""
    where, was, now = f"{tool}({name})", mapping(mapping(old["properties"])[name]), mapping(mapping(new["properties"])[name])
    demanded, was_demanded = name in texts(new.get("required")), name in texts(old.get("required"))
    if demanded and not was_demanded:
        yield Change("changed", where, f"`{tool}` now demands `{name}`, which was optional", breaking=True)
    elif not takes_all(was, now, old, new):
        yield Change("changed", where, f"`{tool}` no longer takes all the values for `{name}` that it took", breaking=True)
    elif not takes_all(now, was, new, old) or (was_demanded and not demanded):
        yield Change("changed", where, f"`{tool}` takes more for `{name}`", breaking=False)
    if not demanded and "default" in was and "default" in now and was["default"] != now["default"]:
        text = f"`{tool}` takes {_shown(now['default'])} for `{name}` where nothing is given, and took {_shown(was['default'])}"
        yield Change("changed", where, text, breaking=False)


def _places(tool: str, before: Record, after: Record) -> Iterator[Change]:
    """What arguments without a name, or of any name, mean: those that had a place keep it, and further ones come after."""
    old, new, offered = texts(before.get("positional")), texts(after.get("positional")), mapping(_schema(after).get("properties"))
    still_there = [name for name in old if name in offered]
    variadic, was_variadic = after.get("variadic") is True, before.get("variadic") is True
    if lost := [name for name in still_there if name not in new]:
        yield Change("changed", tool, f"`{tool}` takes `{lost[0]}` only by its name", breaking=True)
    elif new[: len(still_there)] != still_there or (was_variadic and variadic and len(new) > len(old)):
        yield Change("changed", tool, f"`{tool}` takes its arguments in another order", breaking=True)
    if was_variadic and not variadic:
        yield Change("changed", tool, f"`{tool}` no longer takes any number of arguments", breaking=True)
    elif len(still_there) < len(old) and _takes_others(_schema(after)) and not variadic:
        yield Change("changed", tool, f"`{tool}` takes fewer arguments without a name", breaking=True)
    yield from _others(tool, _schema(before), _schema(after))


def _others(tool: str, old: Record, new: Record) -> Iterator[Change]:
    """What becomes of arguments of any name."""
    if not _takes_others(old):
        return
    if not _takes_others(new):
        yield Change("changed", tool, f"`{tool}` no longer takes arguments of any name", breaking=True)
    elif not takes_all(mapping(old["additionalProperties"]), mapping(new["additionalProperties"]), old, new):
        text = f"`{tool}` no longer takes all the values for arguments of any name that it took"
        yield Change("changed", tool, text, breaking=True)


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


def _takes_others(parameters: Record) -> bool:
    """Whether arguments of any name are taken."""
    return parameters.get("additionalProperties", False) is not False


def _shown(default: object) -> str:
    import json

    from plughost._wording import shortened

    return f"`{shortened(json.dumps(default, ensure_ascii=False), _LONGEST_DEFAULT)}`"


def _by(manifest: Record, what: str, *keys: str) -> dict[str, Record]:
    return {" ".join(str(each.get(key)) for key in keys): each for each in tables(manifest.get(what))}
