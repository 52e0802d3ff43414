"""A call's arguments as the tool's annotations ask for them: the way back from JSON.

Above it: the loop, for those parameters that need it, and the description, which says which they are; below it: `_making`.
"""

from __future__ import annotations

import inspect
import itertools
import typing

from . import _annotations, _making
from ._pulling import Pulled
from .wire import path_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["ConversionError", "convert", "needs_conversion"]

_EMPTY = inspect.Parameter.empty


class ConversionError(ValueError):
    """An argument that is nothing its parameter takes. `path` leads from the argument to the part that is wrong."""

    def __init__(self, parameter: str, path: Iterable[object], message: str) -> None:
        self.parameter = parameter
        self.path = list(path)
        super().__init__(f"`{path_text([parameter, *self.path])}` {message}")


def convert(
    function: object, args: Sequence[object], kwargs: dict[str, object], names: Iterable[str]
) -> tuple[list[object], dict[str, object]]:
    """The arguments with those of the parameters `names` converted, and with positional-only ones put in their place.

    Raises: ConversionError: a value is nothing that its annotation allows.
    """
    plan = _plans.get(id(function))
    if plan is None or plan.function is not function:
        plan = _plans[id(function)] = _Plan(function)
    return plan.apply(list(args), dict(kwargs), frozenset(names))


class _Plan:
    """A tool's parameters and what they take."""

    def __init__(self, function: object) -> None:
        self.function = function
        signature = _annotations.signature(function) or inspect.Signature()
        self._hints = _annotations.hints(function, signature)
        self._parameters = dict(signature.parameters)
        self._positional: list[inspect.Parameter] = []
        self._more: inspect.Parameter | None = None
        self._others: inspect.Parameter | None = None
        for parameter in self._parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                self._more = parameter
            elif parameter.kind is parameter.VAR_KEYWORD:
                self._others = parameter
            elif parameter.kind is not parameter.KEYWORD_ONLY:
                self._positional.append(parameter)

    def apply(
        self, args: list[object], kwargs: dict[str, object], names: frozenset[str]
    ) -> tuple[list[object], dict[str, object]]:
        self._move_positional(args, kwargs)
        for index, value in enumerate(args):
            parameter = self._positional[index] if index < len(self._positional) else self._more
            args[index] = self._converted(parameter, value, names, str(getattr(parameter, "name", index)))
        for name, value in kwargs.items():
            kwargs[name] = self._converted(self._parameters.get(name, self._others), value, names, name)
        return args, kwargs

    def _move_positional(self, args: list[object], kwargs: dict[str, object]) -> None:
        """What was given by name and can only be given by position; a gap before it takes the parameter's default."""
        only = [parameter for parameter in self._positional if parameter.kind is parameter.POSITIONAL_ONLY]
        given = [index for index, parameter in enumerate(only) if parameter.name in kwargs]
        for parameter in only[len(args) : given[-1] + 1] if given else []:
            if parameter.name not in kwargs and parameter.default is _EMPTY:
                raise ConversionError(parameter.name, [], "is missing")
            args.append(kwargs.pop(parameter.name, parameter.default))

    def _converted(self, parameter: inspect.Parameter | None, value: object, names: frozenset[str], shown: str) -> object:
        if parameter is None or parameter.name not in names or (value is None and parameter.default is None):
            return value
        if isinstance(value, Pulled):
            value.make = _maker(self._hints.get(parameter.name, typing.Any), shown)
            return value
        try:
            return _making.make(self._hints.get(parameter.name, typing.Any), value, ())
        except _making.Misfit as misfit:
            raise ConversionError(shown, misfit.path, misfit.message) from misfit.__cause__


def _maker(annotation: object, shown: str) -> Callable[[object], object] | None:
    """What makes the items of an iterator that was given for a parameter, one after the other."""
    meaning = _annotations.Meaning(annotation)
    if meaning.kind == "union":
        return next((maker for maker in (_maker(member, shown) for member in meaning.inside) if maker is not None), None)
    if meaning.kind != "list" or not meaning.inside:
        return None
    places = itertools.count()

    def make(value: object) -> object:
        place = next(places)
        try:
            return _making.make(meaning.inside[0], value, (place,))
        except _making.Misfit as misfit:
            raise ConversionError(shown, misfit.path, misfit.message) from misfit.__cause__

    return make


_plans: dict[int, _Plan] = {}  # a worker has few tools, and keeps them


def needs_conversion(annotation: object, _open: frozenset[object] = frozenset()) -> bool:
    """Whether some JSON value must be turned into something else for this annotation."""
    meaning = _annotations.Meaning(annotation)
    inside = meaning.inside
    if meaning.kind == "union":
        return any(needs_conversion(member, _open) for member in inside)
    if meaning.kind == "list":
        return _making.is_made(meaning.type) or any(needs_conversion(item, _open) for item in inside[:1])
    if meaning.kind == "mapping":
        text_keys = not inside or _annotations.Meaning(inside[0]).kind in {"any", "text"}
        return not text_keys or _making.is_made(meaning.type) or any(needs_conversion(item, _open) for item in inside[1:])
    if meaning.kind == "typeddict":
        within = _open | {meaning.type}
        parts = [] if meaning.type in _open else _annotations.fields(meaning.type, meaning.inside)
        return any(needs_conversion(field.annotation, within) for field in parts)
    if meaning.kind == "literal":
        return not all(type(value) in {str, int, bool, type(None)} for value in inside)
    return meaning.kind not in {"any", "boolean", "integer", "none", "text"}
