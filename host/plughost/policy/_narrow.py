"""Several policies made one: the narrowest of them, and what a plugin has once everybody has spoken.

Above it: whoever starts a plugin, and what shows who decided; below it: the record. It is on the way of each start.

What somebody says are *terms*: the values of the fields that they spoke of. A whole policy speaks of all.
"""

from __future__ import annotations

from plughost.policy._fields import NUMBERS, PATHS, is_in_any, is_within
from plughost.policy._policy import DEFAULT, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Terms = Mapping[str, object]
    Said = Policy | Terms

__all__ = ["deciders", "effective", "exceeding", "narrowest", "widened", "widest"]

#: Who speaks. Of the grant, the operator and the app the first that speaks of a field gives it; then all may narrow it.
_PARTIES = ("grant", "operator", "project", "app", "caller")


def narrowest(policy: Policy, *others: Policy) -> Policy:
    """What all of the policies allow."""
    values = policy.as_record()
    for other in others:
        values = _narrowed(values, other.as_record())
    return Policy.of_sound(values)


def effective(
    *,
    grant: Said | None = None,
    operator: Said | None = None,
    project: Said | None = None,
    app: Said | None = None,
    caller: Said | None = None,
) -> Policy:
    """What a plugin may use: what it was granted, where it wasn't what the operator or the app gives, else the default.

    Field by field: who gives a field is the first of those three that speaks of it. All but the grant narrow what was given, each
    in what they speak of; `project` is the file of settings in a project's folder.
    """
    return Policy.of_sound(_decided(_spoken(grant, operator, project, app, caller))[0])


def deciders(
    *,
    grant: Said | None = None,
    operator: Said | None = None,
    project: Said | None = None,
    app: Said | None = None,
    caller: Said | None = None,
) -> dict[str, str]:
    """Who decides each field of the effective policy: `default`, `grant`, `operator`, `project`, `app` or `caller`."""
    return _decided(_spoken(grant, operator, project, app, caller))[1]


def exceeding(wanted: Policy, given: Policy) -> list[str]:
    """The fields in which `wanted` is more than `given`."""
    whole, both = _once(wanted), _once(narrowest(wanted, given))
    return [name for name in Policy.__slots__ if name != "hide" and not _same(both[name], whole[name])]


def _once(policy: Policy) -> dict[str, object]:
    """The fields, of which none names what is in another thing that it names, or that may be written to."""
    values = narrowest(policy, policy).as_record()
    writable = _texts(values["write"])
    return {**values, "read": tuple(path for path in _texts(values["read"]) if not is_in_any(path, writable))}


def widest(policy: Policy, *others: Policy) -> Policy:
    """What any of the policies allows."""
    values = policy.as_record()
    for other in others:
        for name, theirs in other.as_record().items():
            values[name] = _wider(name, values[name], theirs)
    return Policy.of_sound(values)


def widened(policy: Policy, terms: Terms) -> dict[str, object]:
    """The fields that the terms speak of, each as much as the policy and the terms have together."""
    return {name: _wider(name, getattr(policy, name), value) for name, value in terms.items()}


def _spoken(*said: Said | None) -> dict[str, Terms]:
    """By party, the terms of those who said something."""
    return {
        party: word.as_record() if isinstance(word, Policy) else word
        for party, word in zip(_PARTIES, said, strict=True)
        if word is not None
    }


def _decided(spoken: Mapping[str, Terms]) -> tuple[dict[str, object], dict[str, str]]:
    values, who = DEFAULT.as_record(), dict.fromkeys(Policy.__slots__, "default")
    for party in ("app", "operator", "grant"):  # the last word stays
        for name, value in spoken.get(party, {}).items():
            values[name], who[name] = value, party
    for party in ("operator", "project", "app", "caller"):
        if terms := spoken.get(party):
            narrowed = _narrowed(values, terms)
            for name, value in narrowed.items():
                if not _same(value, values[name]):
                    who[name] = party
            values = narrowed
    return values, who


def _same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return set(one) == set(other)
    return one == other


def _narrowed(values: Terms, terms: Terms) -> dict[str, object]:
    """The values, each no more than what the terms say of it."""
    result = dict(values)
    for name, theirs in terms.items():
        ours = values[name]
        if name in NUMBERS:
            result[name] = _least(ours, theirs)
        elif name == "network":
            result[name] = _network(ours, theirs)
        elif name == "environment":
            result[name] = _in_common(_texts(ours), _texts(theirs), _name_within)
        elif name == "execute":
            result[name] = _in_common(_texts(ours), _texts(theirs), is_within)
        elif name == "hide":
            result[name] = tuple(dict.fromkeys((*_texts(ours), *_texts(theirs))))
    if "read" in terms or "write" in terms:
        _narrow_files(result, terms)
    return result


def _narrow_files(values: dict[str, object], terms: Terms) -> None:
    """What may be written may be read: what one has among `write` and the other among `read` may be read."""
    read, write = _texts(values["read"]), _texts(values["write"])
    theirs = _texts(terms.get("read", ("/",)))
    writable = _in_common(write, _texts(terms["write"]), is_within) if "write" in terms else write
    readable = _in_common((*read, *write), (*theirs, *_texts(terms.get("write", writable))), is_within)
    only_read = (path for path in readable if not is_in_any(path, writable))
    values["write"] = writable
    values["read"] = _largest((*_in_common(read, theirs, is_within), *only_read), is_within)


def _name_within(pattern: str, name: str) -> bool:
    return pattern == name or (pattern[-1:] == "*" and name.startswith(pattern[:-1]))


def _in_common(ours: tuple[str, ...], theirs: tuple[str, ...], includes: Callable[[str, str], bool]) -> tuple[str, ...]:
    """Of what both include the largest, in our order."""
    both = [
        other if includes(one, other) else one for one in ours for other in theirs if includes(one, other) or includes(other, one)
    ]
    return _largest(both, includes)


def _largest(items: Iterable[str], includes: Callable[[str, str], bool]) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(items))
    return tuple(item for item in distinct if not any(other != item and includes(other, item) for other in distinct))


def _least(ours: object, theirs: object) -> object:
    numbers = [number for number in (ours, theirs) if isinstance(number, int | float)]
    return min(numbers, default=None)


def _network(ours: object, theirs: object) -> object:
    if "off" in (ours, theirs):
        return "off"
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        from plughost.policy._hosts import in_common

        return in_common(ours, theirs) or "off"
    return theirs if ours == "on" else ours


def _texts(value: object) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return value


def _wider(name: str, ours: object, theirs: object) -> object:
    if name in NUMBERS:
        return max(ours, theirs) if isinstance(ours, int | float) and isinstance(theirs, int | float) else None
    if name == "network":
        if "on" in (ours, theirs):
            return "on"
        if isinstance(ours, tuple) and isinstance(theirs, tuple):
            return tuple(dict.fromkeys((*ours, *theirs)))
        return theirs if ours == "off" else ours
    if name == "hide":
        return tuple(path for path in _texts(ours) if path in _texts(theirs))
    return _largest((*_texts(ours), *_texts(theirs)), is_within if name in PATHS else _name_within)
