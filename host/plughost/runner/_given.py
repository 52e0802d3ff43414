"""The result that a wrapper is given, and what of it is in what the wrapper gives back.

Above it: the wrappers; below it: the wire. An object that has no wire form stays in the app, and something stands in its place
here, which a wrapper may pass on, move or drop. What comes back as it was given is named by its place instead of sent, so that
the app has its own object again.
"""

from __future__ import annotations

from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Path = list[object]
    Record = dict[str, object]

__all__ = ["AppObject", "Given"]


class AppObject:
    """Stands for an object of the app's that has no wire form."""

    __slots__ = ("_kind",)

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return "<{} of the app>".format(self._kind)


class Given:
    """One result; `kept` are the places of the objects that stayed in the app, each with the name of its type."""

    def __init__(self, result: object, kept: object) -> None:
        self._parts: dict[int, tuple[object, Path, bytes]] = {}  # by id; with the part itself, so that its id stays its own
        self._has_objects = bool(kept)
        for path, kind in kept if isinstance(kept, list) else ():
            stand_in = AppObject(kind)
            self._parts[id(stand_in)] = stand_in, path, b""
            result = _put(result, path, stand_in)
        self.value = result
        self._print = self._print_of(result)
        for index, item in enumerate(result if isinstance(result, list) else ()):
            if isinstance(item, (list, dict)):
                self._parts[id(item)] = item, [index], self._print_of(item)

    def outcome(self, value: object) -> Record:
        """What is to be said of `value`, which the wrapper gave back. What looks the same on the wire is the same."""
        if self._print and self._print_of(value) == self._print:
            return {"outcome": "same"}
        if not self._parts:
            return {"outcome": "result", "value": value}
        places: list[Path] = []
        value = self._without(value, [], places, self._origin)
        return {"outcome": "result", "value": value, "given": places}

    def _origin(self, value: object) -> Path | None:
        """Where this very value was given, if it is as it was."""
        part = self._parts.get(id(value))
        if part is None or part[0] is not value:
            return None
        return part[1] if isinstance(value, AppObject) or self._print_of(value) == part[2] else None

    def _origin_of_object(self, value: object) -> Path | None:
        return self._origin(value) if isinstance(value, AppObject) else None

    def _print_of(self, value: object) -> bytes:
        """What tells a value from others: its wire form. Empty where it has none."""
        places: list[Path] = []
        if self._has_objects:
            value = self._without(value, [], places, self._origin_of_object)
        try:
            return b"".join(wire.pack({"result": [value, places]}))
        except wire.WireError:
            return b""

    def _without(self, value: object, path: Path, places: list[Path], origin_of: Callable[[object], Path | None]) -> object:
        """A copy with None for what was given; `places` gets where that is, and where it was given."""
        origin = origin_of(value)
        if origin is not None:
            places.append([path, origin])
            return None
        if path and not self._has_objects:
            return value  # the parts are items of a list: deeper there are none
        if isinstance(value, (list, tuple)):
            return [self._without(item, [*path, index], places, origin_of) for index, item in enumerate(value)]
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {key: self._without(item, [*path, key], places, origin_of) for key, item in value.items()}
        return value


def _put(value: object, path: Path, part: object) -> object:
    """The value with `part` at that place, which may be all of it."""
    if not path:
        return part
    container: object = None
    found = value
    for step in path:
        container = found
        found = container[step] if isinstance(container, dict) else _item(container, step)
    step = path[-1]
    if isinstance(container, dict):
        container[step] = part
    if isinstance(container, list) and isinstance(step, int):
        container[step] = part
    return value


def _item(container: object, index: object) -> object:
    assert isinstance(container, list)
    assert isinstance(index, int)
    return container[index]
