"""Bytes, long texts and arrays near the top of a payload, taken out of it without a walk over all of it.

Above it: `wire`; below it: the rules for arrays. What a call with bulk data costs is decided here: a walk (`_projection`) looks
at each value, and here only a few are looked at.
"""

from __future__ import annotations

from . import _arrays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._arrays import Buffer

__all__ = ["Leaves"]

_SCALARS = frozenset({type(None), bool, int, float})


class _NotPlain(Exception):
    """A key that a path can't name as it is."""


class Leaves:
    """What was taken out of a payload, maybe nothing: paths and buffers by their type; `value` is what is left of it.

    Texts are taken out that have `longest` characters or more. It looks so many levels deep, and into nothing that holds more
    than `most_looked_at` values.
    """

    __slots__ = ("_longest", "_most", "_path", "frames", "types", "value")

    def __init__(self, payload: object, longest: int, *, levels: int, most_looked_at: int) -> None:
        self._path: list[object] = []
        self._longest = longest
        self._most = most_looked_at
        self.types: dict[str, list[list[object]]] = {}
        self.frames: dict[str, list[Buffer]] = {}
        try:
            self.value = self._left_of(payload, levels)
        except _NotPlain:
            self.types, self.frames, self.value = {}, {}, payload

    @property
    def buffers(self) -> list[Buffer]:
        """In the order of their types."""
        return [buffer for kind in self.types for buffer in self.frames[kind]]

    def _left_of(self, value: object, levels: int) -> object:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if isinstance(value, str):
            return self._text(value) if kind is str and len(value) >= self._longest else value
        if kind is dict or kind is list or kind is tuple:
            return self._held_by(value, levels) if levels else value
        leaf = _arrays.leaf_of(value)
        return value if leaf is None else self._take(*leaf)

    def _held_by(self, container: object, levels: int) -> object:
        """The container, or a copy of it without the leaves that it held."""
        if isinstance(container, dict):
            if len(container) > self._most:
                return container
            left: dict[object, object] = {}
            for key, value in container.items():
                left[key] = self._left_at(key, value, levels)
            return left
        assert isinstance(container, (list, tuple))
        if len(container) > self._most:
            return container
        return [self._left_at(index, value, levels) for index, value in enumerate(container)]

    def _left_at(self, step: object, value: object, levels: int) -> object:
        if type(value) in _SCALARS:
            return value
        self._path.append(step)
        left = self._left_of(value, levels - 1)
        self._path.pop()
        return left

    def _text(self, value: str) -> object:
        try:
            return self._take("str", None, value.encode())
        except UnicodeEncodeError:  # lone surrogates, which JSON can escape
            return value

    def _take(self, kind: str, projected: object, buffer: Buffer) -> object:
        if not all(type(step) is str or type(step) is int for step in self._path):
            raise _NotPlain
        self.types.setdefault(kind, []).append(self._path.copy())
        self.frames.setdefault(kind, []).append(buffer)
        return projected
