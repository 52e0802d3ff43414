"""What stays in the app while a wrapper has a result: the objects in it that have no wire form.

Above it: the wrapper's two halves; below it: the wire. A wrapper that passes such an object on, or moves it, gives its place.
"""

from __future__ import annotations

from plughost.runner.wire import WireError, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Path = Sequence[object]

__all__ = ["put_back", "set_apart"]

_SENDABLE = frozenset({str, bool, float, bytes, type(None)})


def set_apart(result: object) -> tuple[object, list[tuple[Path, str]]]:
    """A copy of the result with None for each object that has no wire form; where these were, and their types' names.

    They are looked for in lists, tuples and dicts; anything else that holds one is one.
    """
    kept: list[tuple[Path, str]] = []
    try:
        return _copy(result, [], kept, frozenset()), kept
    except RecursionError:
        return None, [([], _type_name(result))]


def _copy(value: object, path: Path, kept: list[tuple[Path, str]], inside: frozenset[int]) -> object:
    if type(value) in _SENDABLE:
        return value
    deeper = inside | {id(value)}
    if id(value) not in inside:  # else it contains itself
        if isinstance(value, list | tuple):
            return [_copy(item, [*path, index], kept, deeper) for index, item in enumerate(value)]
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {key: _copy(item, [*path, key], kept, deeper) for key, item in value.items()}
        if _is_sendable(value):
            return value
    kept.append((path, _type_name(value)))
    return None


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _is_sendable(value: object) -> bool:
    try:
        pack({"result": value})
    except WireError:
        return False
    return True


def put_back(value: object, places: object, result: object) -> object:
    """`value` with parts of `result` put in; each place comes with the one that the part has in `result`.

    Raises: LookupError, TypeError, ValueError: the places are none.
    """
    for place, origin in places if isinstance(places, list) else ():
        part = _at(result, origin)
        if not place:
            value = part
            continue
        container, step = _at(value, place[:-1]), place[-1]
        _at(container, [step])
        if isinstance(container, dict | list):
            container[step] = part
    return value


def _at(value: object, path: Path) -> object:
    for step in path:
        if isinstance(value, dict):
            value = value[step]
            continue
        if not isinstance(value, list | tuple) or not isinstance(step, int) or step < 0:
            raise LookupError(step)
        value = value[step]
    return value
