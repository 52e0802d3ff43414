"""Values as short text, whatever their own methods do, and the variables of a namespace."""

from __future__ import annotations

import inspect
import reprlib
import types
from typing import TYPE_CHECKING

from ._alarm import TimeIsUp, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._records import Variable

__all__ = ["TOO_SLOW", "kind", "short", "variables"]

_MOST_TEXT = 200
_MOST_VARIABLES = 500
#: So long may values take to be shown: `__repr__` is anybody's code. After so many that take longer, no more are shown.
_MOST_S, _MOST_SLOW = 1.0, 3
TOO_SLOW = "<it takes too long to show>"

_MOST_BITS = 10_000  # Python refuses to write longer integers, or takes its time

#: What Python itself calls a class, whatever its metaclass says.
_name_of = type.__dict__["__name__"].__get__


class _Short(reprlib.Repr):
    """Never makes the whole text of a large built-in value first."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = 20
        self.maxstring = self.maxother = self.maxlong = _MOST_TEXT

    def repr_int(self, x: int, level: int) -> str:
        return "<int of {} bits>".format(x.bit_length()) if x.bit_length() > _MOST_BITS else super().repr_int(x, level)

    def repr_bytes(self, x: bytes, _level: int) -> str:
        return repr(x) if len(x) <= _MOST_TEXT else "{!r}...".format(x[:_MOST_TEXT])

    repr_bytearray = repr_bytes

    def repr_instance(self, x: object, _level: int) -> str:
        return repr(x)  # what it raises is told of


_REPR = _Short()


def kind(value: object) -> str:
    """The name of its class."""
    name: str = _name_of(type(value))
    return name


def short(value: object) -> str:
    """The value in one line, of moderate length. What its own methods take is the caller's to end, see `within`."""
    try:
        text = " ".join(_text(value).split())
    except (Exception, SystemExit, GeneratorExit):  # anybody's code
        return "<{} that can't be shown>".format(kind(value))
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def _text(value: object) -> str:
    if type(value) is types.FunctionType:
        return "{}{}".format(value.__name__, inspect.signature(value))
    if type(value) is type:
        return "class {}".format(value.__qualname__)
    return _REPR.repr(value)


def variables(namespace: Mapping[str, object]) -> dict[str, Variable]:
    """What the code has defined: neither modules, nor what it has imported from them, nor names with an underscore in front."""
    found = [(name, value) for name, value in namespace.items() if type(name) is str and _is_defined(name, value, namespace)]
    shown: dict[str, Variable] = {name: {"type": kind(value), "repr": TOO_SLOW} for name, value in found[:_MOST_VARIABLES]}
    left = iter(found[:_MOST_VARIABLES])
    for _ in range(_MOST_SLOW):
        try:
            with within(_MOST_S):
                for name, value in left:
                    shown[name]["repr"] = short(value)
            break
        except TimeIsUp:  # the one that was being shown stays as it is
            continue
    return shown


def _is_defined(name: str, value: object, namespace: Mapping[str, object]) -> bool:
    if name.startswith("_") or issubclass(type(value), types.ModuleType):
        return False
    if issubclass(type(value), (type, types.FunctionType, types.BuiltinFunctionType)):
        try:
            return bool(value.__module__ == namespace.get("__name__"))
        except Exception:  # of a metaclass
            return True
    return True
