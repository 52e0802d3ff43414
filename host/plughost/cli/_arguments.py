"""The arguments of a call as people type them, `key=value`, read as what the tool's schema takes.

Above it: `run`; below it: where a schema's references lead. It gives each text its best reading and passes no verdict: what fits
nothing stays text, and the check before the call names the argument, its value and what was expected.
"""

from __future__ import annotations

from plughost.call import resolved
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Schema = Mapping[str, object]

__all__ = ["parse_json", "read_piped", "typed"]

#: The values that JSON has words for.
_WORDS = {"true": True, "false": False, "null": None}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

#: What a text was not, as opposed to None, which it may be.
_NOTHING = object()


def typed(pairs: Iterable[str], parameters: Schema, *, tool: str) -> dict[str, object]:
    """`key=value` and `key:=JSON` → arguments. `parameters` is the tool's schema, `tool` how messages call it.

    An argument may be given several times where it takes an array; the parts are joined.

    Raises: UsageError: a pair is none, its JSON can't be read, or an argument that takes one value is given two.
    """
    arguments: dict[str, object] = {}
    for pair in pairs:
        name, value = _read_pair(pair, parameters, tool)
        before = arguments.get(name, _NOTHING)
        if isinstance(before, list) and isinstance(value, list):
            before.extend(value)
        elif before is not _NOTHING:
            raise _invalid(f"The argument `{name}` of `{tool}` is given twice", ["It takes one value"])
        else:
            arguments[name] = value
    return arguments


def _read_pair(pair: str, parameters: Schema, tool: str) -> tuple[str, object]:
    name, equals, text = pair.partition("=")
    if not equals or not name.removesuffix(":"):
        raise UsageError(
            f"`{pair}` is no argument",
            reference="arguments-invalid",
            causes=["Arguments are given as `KEY=VALUE`, or as `KEY:=JSON`"],
            hint=_named(text or pair.lstrip("="), parameters),
        )
    what = f"The argument `{name.removesuffix(':')}` of `{tool}`"
    if name.endswith(":"):
        return name[:-1], parse_json(text, what=what)
    schema = _schema_of(name, parameters)
    value = read(text, schema, parameters)
    if isinstance(value, str) and text[:1] in {"[", "{"} and not _may_be("string", schema, parameters):
        parse_json(text, what=what)  # raises, and says where the mistake is
    return name, value


def _named(text: str, parameters: Schema) -> str:
    """What to do about a value without a name."""
    properties = parameters.get("properties")
    name = next(iter(properties), "") if isinstance(properties, dict) else ""
    return f"Did you mean `{name}={text}`?" if name else "`--args '[…]'` gives arguments by position"


def read_piped(name: str, data: bytes, parameters: Schema, *, tool: str) -> object:
    """What was piped in, as the argument `name`: bytes where it takes those, else as if it had been typed.

    Raises: UsageError: it is no text, or not the JSON that is needed.
    """
    schema = resolved(_schema_of(name, parameters), parameters)
    options = schema.get("anyOf")
    if any(isinstance(option, dict) and option.get("contentEncoding") == "base64" for option in [schema, *_listed(options)]):
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _invalid(f"The standard input is not UTF-8, and `{name}` of `{tool}` takes text", [str(error)]) from None
    if _may_be("string", schema, parameters):
        return read(text, schema, parameters)
    return _read_pair(f"{name}={text.strip()}", parameters, tool)[1]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _schema_of(name: str, parameters: Schema) -> Schema:
    properties = parameters.get("properties")
    schema = properties.get(name) if isinstance(properties, dict) else None
    if schema is None:
        schema = parameters.get("additionalProperties")
    return schema if isinstance(schema, dict) else {}


def read(text: str, schema: Schema, root: Schema) -> object:
    """The text as a value of the schema: the first of its types that it can be read as, text last."""
    schema = resolved(schema, root)
    for choices in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(choices), list):
            return _first(text, [option for option in options if isinstance(option, dict)], root)
    members = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(members, list):
        return _member(text, members)
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return _first(text, [{**schema, "type": kind} for kind in kinds], root)
    value = _as_type(text, kinds, schema, root)
    return text if value is _NOTHING else value


def _first(text: str, options: list[Schema], root: Schema) -> object:
    """Of several schemas. Where all but null is text, text it is: a word must not turn into nothing by itself."""
    others = [option for option in options if option.get("type") != "null"]
    if all(_may_be("string", option, root) for option in others):
        options = others
    takes_text = any(_may_be("string", option, root) for option in options)
    for option in sorted(options, key=lambda option: _liberality(option, root)):
        if takes_text and _liberality(option, root) == 1 and not text.startswith("["):
            continue  # any text can be read as an array of one
        value = read(text, option, root)
        if not isinstance(value, str) or _may_be("string", option, root):
            return value
    return text


def _liberality(schema: Schema, root: Schema) -> int:
    """2: takes any text; 1: an array, which takes any text between commas; 0: what is written in its own way."""
    if _may_be("string", schema, root):
        return 2
    return 1 if resolved(schema, root).get("type") == "array" else 0


def _as_type(text: str, kind: object, schema: Schema, root: Schema) -> object:  # noqa: PLR0911 - one for each type
    if kind == "string":
        return text
    if kind == "integer":
        return _integer(text)
    if kind == "number":
        return _number(text)
    if kind == "boolean":
        return _BOOLEANS.get(text.lower(), _NOTHING)
    if kind == "null":
        return None if text == "null" else _NOTHING
    if kind == "array" and not text.startswith("["):
        return _items(text, schema, root)
    value = _json(text)
    if kind == "array":
        return value if isinstance(value, list) else _NOTHING
    if kind == "object":
        return value if isinstance(value, dict) else _NOTHING
    return value


def _integer(text: str) -> object:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        return _NOTHING
    try:
        return int(text)
    except ValueError:  # more digits than Python reads
        return _NOTHING


def _number(text: str) -> object:
    value = _integer(text)
    if value is not _NOTHING:
        return value
    if not text.isascii() or set(text) - set("+-.0123456789eE"):  # Python would read `nan`, `1_000` and more
        return _NOTHING
    try:
        value = float(text)
    except ValueError:
        return _NOTHING
    return value if abs(value) != float("inf") else _NOTHING  # too large


def _items(text: str, schema: Schema, root: Schema) -> list[object]:
    """The parts between commas, each as the schema of its place."""
    first, rest = schema.get("prefixItems"), schema.get("items")
    places = first if isinstance(first, list) else []
    items: list[object] = []
    for number, part in enumerate(text.split(",") if text else []):
        place = places[number] if number < len(places) else rest
        items.append(read(part, place if isinstance(place, dict) else {}, root))
    return items


def _member(text: str, members: list[object]) -> object:
    """The member that is written like this."""
    if text in members:
        return text
    value = _json(text)
    return next((member for member in members if type(member) is type(value) and member == value), text)


def _json(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if text[:1].isalpha():
        return _NOTHING
    if text.isascii() and text.isdecimal() and (text == "0" or not text.startswith("0")):
        return _integer(text)
    import json  # takes as long as a third of the host's part of a call: what is plain has been read by now

    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _NOTHING


def parse_json(text: str, *, what: str) -> object:
    """Raises: UsageError: it is no JSON; `what` is the subject of the message."""
    import json

    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"{what} is not JSON", [f"{error}"]) from None


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _may_be(kind: str, schema: Schema, root: Schema) -> bool:
    """Whether values of the type `kind` have a place in the schema."""
    schema = resolved(schema, root)
    for choices in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(choices), list):
            return any(_may_be(kind, option, root) for option in options if isinstance(option, dict))
    members = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(members, list):
        return kind == "string" and any(isinstance(member, str) for member in members)
    kinds = schema.get("type", kind)
    return kind in kinds if isinstance(kinds, list) else kind == kinds


def _invalid(message: str, causes: list[str]) -> UsageError:
    return UsageError(message, reference="arguments-invalid", causes=causes)
