"""A callable's signature as JSON Schema 2020-12.

Above it: the description of tools; below it: what the annotations mean. A schema says what the JSON of an argument may be; what
becomes of it in the tool is `_making`'s, and the two agree kind by kind.
"""

from __future__ import annotations

import enum
import inspect
import sys
import typing

from . import _annotations, _convert, _docs, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._annotations import Meaning

    Schema = dict[str, object]

__all__ = ["Schemas", "describe_arguments", "describe_result"]

_EMPTY = inspect.Parameter.empty

_SIMPLE: Mapping[str, Schema] = {
    "none": {"type": "null"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]},
    "text": {"type": "string"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "timedelta": {"type": "number", "format": "seconds"},
    "decimal": {"type": ["number", "string"], "format": "decimal"},
    "uuid": {"type": "string", "format": "uuid"},
    "path": {"type": "string", "format": "path"},
    "numbers": {"type": "array", "items": {"type": "number"}, "format": "array.array"},
    "ndarray": {"type": ["array", "number", "boolean"], "format": "numpy.ndarray"},
    "series": {"type": "array", "format": "pandas.Series"},
    "frame": {"type": "array", "items": {"type": "object"}, "format": "pandas.DataFrame"},
    "arrow-array": {"type": "array", "format": "pyarrow.Array"},
    "arrow-table": {"type": "array", "items": {"type": "object"}, "format": "pyarrow.Table"},
}

#: The attributes of annotated-types, msgspec.Meta and their like that bound a value, by JSON Schema's names.
_BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
_SIZES = {"text": "Length", "list": "Items", "set": "Items", "tuple": "Items", "mapping": "Properties"}


def describe_arguments(function: object, described: Mapping[str, str]) -> Schema:
    """`parameters`, `positional`, `variadic` and `convert` of a tool; `described` are the parameters' descriptions."""
    signature = _annotations.signature(function)
    if signature is None:
        parameters: Schema = {"type": "object", "properties": {}, "additionalProperties": True}
        return {"parameters": parameters, "positional": [], "variadic": True, "convert": []}
    hints = _annotations.hints(function, signature)
    schemas = Schemas()
    properties: Schema = {}
    required, positional, convert, iterated = [], [], [], []
    extra: object = False
    variadic = False
    for name, parameter in signature.parameters.items():
        annotation = hints.get(name, typing.Any)
        if _convert.needs_conversion(annotation) or parameter.kind is parameter.POSITIONAL_ONLY:
            convert.append(name)
        if _annotations.is_iterator(annotation):
            iterated.append(name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            variadic = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            extra = schemas.of(annotation) or True
        else:
            properties[name] = schemas.of_place(annotation, parameter.default, described.get(name, ""))
            if parameter.default is _EMPTY:
                required.append(name)
            if parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append(name)
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": extra}
    described_as = {
        "parameters": schemas.complete(parameters),
        "positional": positional,
        "variadic": variadic,
        "convert": convert,
    }
    return {**described_as, "iterated": iterated} if iterated else described_as


def describe_result(function: object, *, streams: bool) -> Schema | None:
    """The schema of what comes back, of a stream that of each item; None where the tool doesn't say."""
    signature = _annotations.signature(function)
    hints = _annotations.hints(function, signature) if signature is not None else {}
    if "return" not in hints:
        return None
    annotation = hints["return"]
    if streams:
        annotation = next(iter(typing.get_args(annotation)), typing.Any)
    schemas = Schemas()
    return schemas.complete(schemas.of(annotation))


class Schemas:
    """Makes the schemas of one root, whose record classes stand once in its `$defs`."""

    def __init__(self) -> None:
        self._defs: Schema = {}
        self._names: dict[tuple[type, str], str] = {}

    def complete(self, root: Schema) -> Schema:
        return {**root, "$defs": self._defs} if self._defs else root

    def of_place(self, annotation: object, default: object, description: str = "") -> Schema:
        """Of a parameter or a field."""
        schema = self.of(annotation)
        if default is None:
            schema = _any_of([schema, {"type": "null"}])
        if description and "description" not in schema:
            schema = {**schema, "description": description}
        if default is not _EMPTY:
            try:
                schema = {**schema, "default": wire.plain(default)}
            except wire.WireError:  # a default that only the tool itself can make
                pass
        return schema

    def of(self, annotation: object) -> Schema:
        meaning = _annotations.Meaning(annotation)
        make = getattr(self, "_" + meaning.kind, None)
        schema = dict(_SIMPLE.get(meaning.kind, {})) if make is None else make(meaning)
        return {**schema, **_noted(meaning)}

    def _union(self, meaning: Meaning) -> Schema:
        return _any_of([self.of(member) for member in meaning.inside])

    def _literal(self, meaning: Meaning) -> Schema:
        return {"enum": [wire.plain(value) for value in meaning.inside]}

    def _enum(self, meaning: Meaning) -> Schema:
        """Its values; and its names, where a value is not text. Flags may be put together."""
        values: list[object] = []
        names: list[object] = []
        for name, member in getattr(meaning.type, "__members__", {}).items():
            try:
                value = wire.plain(member.value)
            except wire.WireError:
                names.append(name)
                continue
            if value not in values:
                values.append(value)
            if not isinstance(value, str):
                names.append(name)
        if issubclass(meaning.type, enum.Flag):
            return {"anyOf": [{"type": "integer"}, {"enum": names}]}
        return {"enum": values + names}

    def _list(self, meaning: Meaning) -> Schema:
        return _array(self.of(meaning.inside[0]) if meaning.inside else {})

    def _set(self, meaning: Meaning) -> Schema:
        return {**self._list(meaning), "uniqueItems": True}

    def _tuple(self, meaning: Meaning) -> Schema:
        inside = meaning.inside
        if not inside or inside[-1] is Ellipsis:
            return self._list(meaning)
        items = [] if inside == ((),) else [self.of(item) for item in inside]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    def _mapping(self, meaning: Meaning) -> Schema:
        values = self.of(meaning.inside[-1]) if meaning.inside else {}
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}

    def _dataclass(self, meaning: Meaning) -> Schema:
        return self._named(meaning, lambda _name: {**self._object(meaning), "additionalProperties": False})

    def _typeddict(self, meaning: Meaning) -> Schema:
        return self._named(meaning, lambda _name: self._object(meaning))

    def _namedtuple(self, meaning: Meaning) -> Schema:
        """An object; and an array, for as that a named tuple travels."""

        def make(_name: str) -> Schema:
            shape = {**self._object(meaning), "additionalProperties": False}
            return {"anyOf": [shape, {"type": "array", "maxItems": len(_annotations.fields(meaning.type))}]}

        return self._named(meaning, make)

    def _pydantic(self, meaning: Meaning) -> Schema:
        return self._named(meaning, lambda name: _of_pydantic(meaning.type, name))

    def _msgspec(self, meaning: Meaning) -> Schema:
        return self._named(meaning, lambda name: _of_msgspec(meaning.type, name))

    def _object(self, meaning: Meaning) -> Schema:
        fields = _annotations.fields(meaning.type, meaning.inside)
        described = _docs.parse(meaning.type.__doc__).parameters
        return {
            "type": "object",
            "properties": {f.name: self.of_place(f.annotation, f.default, described.get(f.name, "")) for f in fields},
            "required": [field.name for field in fields if field.required],
        }

    def _named(self, meaning: Meaning, make: Callable[[str], Schema]) -> Schema:
        """A reference to the definition of a class, which may refer to itself."""
        key = (meaning.type, str(meaning.inside))  # a generic class is another one for each type it is for
        if key not in self._names:
            name = meaning.type.__name__
            while name in self._defs:
                name += "_"
            self._names[key] = name
            self._defs[name] = {}
            self._defs[name] = make(name)
        return {"$ref": "#/$defs/" + self._names[key]}


def _of_pydantic(kind: type, name: str) -> Schema:
    """Its own schema, whose references lead to its own definitions."""
    if hasattr(kind, "model_json_schema"):
        schema: Schema = kind.model_json_schema(ref_template=f"#/$defs/{name}/$defs/{{model}}")
    else:  # pydantic 1
        schema = getattr(kind, "schema", dict)(ref_template=f"#/$defs/{name}/definitions/{{model}}")
    return schema


def _of_msgspec(kind: type, name: str) -> Schema:
    msgspec = sys.modules["msgspec"]
    (schema,), definitions = msgspec.json.schema_components([kind], ref_template=f"#/$defs/{name}/$defs/{{name}}")
    return {**schema, "$defs": definitions}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items} if items else {"type": "array"}


def _any_of(options: list[Schema]) -> Schema:
    """One of them; anything, if one of them is that."""
    flat: list[Schema] = []
    for option in options:
        inside = option.get("anyOf")
        for schema in inside if isinstance(inside, list) and len(option) == 1 else [option]:
            if schema not in flat:
                flat.append(schema)
    if {} in flat:
        return {}
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def _noted(meaning: Meaning) -> Schema:
    """What the notes of `Annotated` say, by the names of their attributes: the libraries they are from are the plugin's."""
    noted: Schema = {}
    notes = list(meaning.notes)
    for note in notes:
        notes.extend(_listed(getattr(note, "metadata", None)))  # pydantic's Field holds its bounds one deeper
        text = note if isinstance(note, str) else getattr(note, "description", None) or getattr(note, "documentation", None)
        if isinstance(text, str):
            noted.setdefault("description", text)
        names = dict(_BOUNDS)
        if meaning.kind in _SIZES:
            names.update(min_length="min" + _SIZES[meaning.kind], max_length="max" + _SIZES[meaning.kind])
        for attribute, keyword in names.items():
            bound = getattr(note, attribute, None)
            if isinstance(bound, (int, float, str)) and not isinstance(bound, bool):
                noted[keyword] = bound
    return noted


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []
