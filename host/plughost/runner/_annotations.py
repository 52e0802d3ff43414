"""What a callable's annotations mean: one reading, for the schema that is shown and for the conversion that is done.

Above it: `_schema`, `_convert`, `_making`; below it: `typing` as it is in each Python. The rest of the runner deals in *kinds* of
values, named here; schema and conversion have one rule for each.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import inspect
import os
import pathlib
import sys
import types
import typing
import uuid

from ._resolution import resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Field", "Meaning", "fields", "hints", "inner", "is_iterator", "signature", "underlying"]

_EMPTY = inspect.Parameter.empty

# From Python 3.14 on annotations are evaluated when they are asked for; `inspect` has imported the library for it.
_annotationlib = sys.modules.get("annotationlib")
_LENIENT_SIGNATURE = {"annotation_format": _annotationlib.Format.FORWARDREF} if _annotationlib is not None else {}

#: What these classes themselves are; a subclass of the plugin's own may want anything.
_EXACT: dict[object, str] = {
    type(None): "none",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    bytes: "bytes",
    bytearray: "bytes",
    memoryview: "bytes",
    dt.date: "date",
    dt.datetime: "datetime",
    dt.time: "time",
    dt.timedelta: "timedelta",
    decimal.Decimal: "decimal",
    uuid.UUID: "uuid",
    os.PathLike: "path",
    collections.abc.AsyncGenerator: "list",
    collections.abc.AsyncIterable: "list",
    collections.abc.AsyncIterator: "list",
    collections.abc.Collection: "list",
    collections.abc.Generator: "list",
    collections.abc.Iterable: "list",
    collections.abc.Iterator: "list",
    collections.abc.MutableSequence: "list",
    collections.abc.Sequence: "list",
}

#: Of which nothing is wanted but one item after the other.
_ITERATED = (
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncIterator,
    collections.abc.Generator,
    collections.abc.Iterable,
    collections.abc.Iterator,
)

#: What these classes and their subclasses are.
_FAMILIES = (
    (enum.Enum, "enum"),
    (pathlib.PurePath, "path"),
    ((set, frozenset, collections.abc.Set), "set"),
    ((dict, collections.abc.Mapping), "mapping"),
    (tuple, "tuple"),
    ((list, collections.deque), "list"),
)

#: Arrays and tables, by their library and its name of the class.
_OF_LIBRARIES = {
    ("array", "array"): "numbers",
    ("numpy", "ndarray"): "ndarray",
    ("pandas", "DataFrame"): "frame",
    ("pandas", "Index"): "series",
    ("pandas", "Series"): "series",
    ("pyarrow", "Array"): "arrow-array",
    ("pyarrow", "ChunkedArray"): "arrow-array",
    ("pyarrow", "RecordBatch"): "arrow-table",
    ("pyarrow", "Table"): "arrow-table",
}

_WRAPPERS = {"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"}


class Meaning:
    """An annotation with its wrappers taken off: a kind of value, its class, the types inside, and the notes of `Annotated`."""

    __slots__ = ("inside", "kind", "notes", "type")

    def __init__(self, annotation: object) -> None:
        bare, self.notes, _ = _unwrapped(annotation)
        origin = typing.get_origin(bare) or getattr(bare, "__origin__", None) or bare  # numpy has aliases of its own on 3.8
        self.kind = _kind(origin)
        self.type: type = origin if isinstance(origin, type) else object
        self.inside = typing.get_args(bare)
        if origin is collections.Counter and self.inside:
            self.inside = (*self.inside, int)


def is_iterator(annotation: object) -> bool:
    """Whether any iterator will do."""
    meaning = Meaning(annotation)
    return meaning.type in _ITERATED or (meaning.kind == "union" and any(map(is_iterator, meaning.inside)))


class Field:
    """A field of a record class."""

    __slots__ = ("annotation", "default", "name", "required")

    def __init__(self, name: str, annotation: object, default: object = _EMPTY, *, required: bool) -> None:
        self.name = name
        self.annotation = annotation
        self.default = default
        self.required = required


def underlying(function: object) -> object:
    """The function, or the class, whose code and annotations these are."""
    layer = inner(function)
    while layer is not None:
        function, layer = layer, inner(layer)
    return function


def inner(function: object) -> object | None:
    """What is called within a partial, a method, a wrapper or an object with `__call__`; None of a plain function or class."""
    if isinstance(function, functools.partial):
        return function.func
    wrapped: object = getattr(function, "__wrapped__", None)
    if wrapped is not None:
        return wrapped
    if inspect.ismethod(function):
        return function.__func__
    if inspect.isroutine(function) or isinstance(function, type):
        return None
    call = vars(type(function)).get("__call__") or getattr(type(function), "__call__", None)  # noqa: B004 - the function itself
    return call if inspect.isfunction(call) else None


def signature(function: object) -> inspect.Signature | None:
    """None where Python knows none: in many callables that are written in C."""
    if not callable(function):
        return None
    try:
        return inspect.signature(function, **_LENIENT_SIGNATURE)
    except (TypeError, ValueError):
        return None


def hints(function: object, found: inspect.Signature) -> dict[str, object]:
    """The types of the parameters, and of `return`; without those that can't be resolved."""
    owner = underlying(function)
    raw = {name: parameter.annotation for name, parameter in found.parameters.items()}
    if not isinstance(owner, type):
        raw["return"] = found.return_annotation
    elif _kind_of_record(owner) in {"dataclass", "namedtuple"}:
        return {field.name: field.annotation for field in fields(owner)}
    else:
        owner = _maker(owner)
    scope = getattr(owner, "__globals__", {})
    return {name: resolved(annotation, scope) for name, annotation in raw.items() if annotation is not _EMPTY}


def _maker(kind: type) -> object:
    """What takes the arguments when an instance is made."""
    for base in kind.__mro__:
        for name in ("__init__", "__new__"):
            if name in vars(base):
                return inspect.unwrap(getattr(base, name))
    return None


def fields(kind: type, inside: tuple[object, ...] = ()) -> list[Field]:
    """The fields by which a dataclass, a TypedDict or a NamedTuple is made; `inside` are the types that a generic one is for."""
    types_ = _field_types(kind, _bindings(kind, inside))
    if dataclasses.is_dataclass(kind):
        every: dict[str, dataclasses.Field[object]] = getattr(kind, "__dataclass_fields__", {})
        return [_dataclass_field(field, types_) for field in every.values() if field.init and not _is_class_variable(field)]
    if hasattr(kind, "__total__"):
        return [Field(name, type_, required=_is_required(kind, name, type_)) for name, type_ in types_.items()]
    defaults = getattr(kind, "_field_defaults", {})
    names = getattr(kind, "_fields", ())
    return [
        Field(name, types_.get(name, typing.Any), defaults.get(name, _EMPTY), required=name not in defaults) for name in names
    ]


def _dataclass_field(field: dataclasses.Field[object], types_: Mapping[str, object]) -> Field:
    missing = dataclasses.MISSING
    default = _EMPTY if field.default is missing else field.default
    required = field.default is missing and field.default_factory is missing
    return Field(field.name, types_.get(field.name, typing.Any), default, required=required)


def _is_required(kind: type, name: str, annotation: object) -> bool:
    wrappers = _unwrapped(annotation)[2]
    if wrappers & {"Required", "NotRequired"}:
        return "Required" in wrappers
    # Python 3.8 knows no more than whether the class itself is total.
    return name in getattr(kind, "__required_keys__", {name} if getattr(kind, "__total__", True) else ())


def _is_class_variable(field: dataclasses.Field[object]) -> bool:
    """As a dataclass itself has found; `dataclasses.fields` leaves out what only `__init__` takes along with it."""
    return "CLASSVAR" in str(getattr(field, "_field_type", ""))


def _field_types(kind: type, bindings: Mapping[object, object]) -> dict[str, object]:
    """By name, those of the bases first, each read where its own class was written."""
    found: dict[str, object] = {}
    for base in reversed(kind.__mro__):
        scope = vars(sys.modules.get(base.__module__, types))
        for name, annotation in _own_annotations(base).items():
            found[name] = _bound(resolved(annotation, {**scope, base.__name__: base}), bindings)
    return found


def _bindings(kind: type, inside: tuple[object, ...]) -> dict[object, object]:
    """What the type variables of a generic class stand for, and those of its bases."""
    found: dict[object, object] = dict(zip(getattr(kind, "__parameters__", ()), inside))  # noqa: B905 - `strict` is Python 3.10's
    for base in getattr(kind, "__orig_bases__", ()):
        origin = typing.get_origin(base)
        if isinstance(origin, type) and origin is not typing.Generic:
            found.update(_bindings(origin, tuple(_bound(part, found) for part in typing.get_args(base))))
    return found


def _bound(annotation: object, bindings: Mapping[object, object]) -> object:
    """The annotation with type variables replaced."""
    if isinstance(annotation, typing.TypeVar):
        return bindings.get(annotation, annotation)
    inside = getattr(annotation, "__parameters__", ())
    if isinstance(annotation, type) or not any(variable in bindings for variable in inside):
        return annotation
    replace = getattr(annotation, "__getitem__")  # noqa: B009 - what it is to the type checker, an object, has none
    replaced: object = replace(tuple(bindings.get(variable, variable) for variable in inside))
    return replaced


def _own_annotations(kind: type) -> dict[str, object]:
    annotations: dict[str, object] = vars(kind).get("__annotations__", {})
    if _annotationlib is not None:
        annotations = _annotationlib.get_annotations(kind, format=_annotationlib.Format.FORWARDREF)
    return annotations


def _kind(origin: object) -> str:
    if origin is typing.Union or "UnionType" in {type(origin).__name__, getattr(origin, "__name__", "")}:
        return "union"
    if getattr(origin, "_name", "") == "Literal":
        return "literal"
    if origin is None:
        return "none"
    if not isinstance(origin, type):
        return "any"
    return _EXACT.get(origin) or _kind_of_record(origin) or _kind_of_array(origin) or _kind_of_family(origin)


def _kind_of_record(kind: type) -> str:
    """The kind of a class with named fields; empty of any other."""
    if dataclasses.is_dataclass(kind):
        return "dataclass"
    if hasattr(kind, "__total__") and issubclass(kind, dict):
        return "typeddict"
    if hasattr(kind, "_fields") and issubclass(kind, tuple):
        return "namedtuple"
    if _is_of_library(kind, "pydantic", "BaseModel"):
        return "pydantic"
    return "msgspec" if _is_of_library(kind, "msgspec", "Struct") else ""


def _kind_of_array(kind: type) -> str:
    """The kind of an array or a table; empty of any other."""
    return next((name for place, name in _OF_LIBRARIES.items() if _is_of_library(kind, *place)), "")


def _kind_of_family(kind: type) -> str:
    return next((name for family, name in _FAMILIES if issubclass(kind, family)), "any")


def _is_of_library(kind: type, module: str, name: str) -> bool:
    """Whether `kind` is of that class, of a library that the plugin has imported."""
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(base, type) and issubclass(kind, base)


def _unwrapped(annotation: object) -> tuple[object, list[object], set[str]]:
    """Without `Annotated`, `NewType`, aliases, type variables and what qualifies a field; then the notes, and the qualifiers."""
    notes: list[object] = []
    wrappers: set[str] = set()
    while True:
        name = getattr(typing.get_origin(annotation), "_name", None)
        if hasattr(annotation, "__metadata__") and hasattr(annotation, "__origin__"):
            notes.extend(annotation.__metadata__)
            annotation = annotation.__origin__
        elif name in _WRAPPERS:
            wrappers.add(str(name))
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            constraints = annotation.__constraints__
            annotation = annotation.__bound__ or (typing.Union[constraints] if constraints else typing.Any)
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = getattr(annotation, "__value__", typing.Any)
        elif type(typing.get_origin(annotation)).__name__ == "TypeAliasType":  # with its variables filled in
            annotation = getattr(typing.get_origin(annotation), "__value__", typing.Any)
        elif isinstance(annotation, dataclasses.InitVar):
            annotation = annotation.type
        else:
            return annotation, notes, wrappers
