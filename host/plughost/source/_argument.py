"""The arguments of a package's entry point, as its package file describes them.

Above it: `_package_file`; below it: `_document`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from keyword import iskeyword

from plughost._wording import listed
from plughost.source._document import Scalar, invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.source._document import Node

__all__ = ["Argument", "read_arguments"]

#: What an argument's type may be called, and which kind that is.
_KINDS = {
    **dict.fromkeys(("str", "string", "text", "date", "datetime", "email", "password", "secret", "url"), "str"),
    **dict.fromkeys(("int", "integer", "long"), "int"),
    **dict.fromkeys(("float", "number", "double"), "float"),
    **dict.fromkeys(("bool", "boolean", "flag"), "bool"),
    **dict.fromkeys(("list", "array"), "list"),
    **dict.fromkeys(("dict", "object", "json"), "dict"),
    **dict.fromkeys(("path", "file", "filepath", "directory", "folder"), "path"),
    **dict.fromkeys(("choice", "enum", "select"), "choice"),
    "any": "any",
}
#: How people write that there is no default, where one could not be a text.
_NOTHING = ("", "None", "none")
_KEYS = frozenset(("choices", "default", "description", "help", "name", "required", "short", "type"))
_BOOLEANS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An argument of the entry point. `name` is an identifier; `kind` a value of `_KINDS`; `default` None where there is none.

    One that has a default is never `required`, whatever the file says: who leaves it out, gets the default.
    """

    name: str
    kind: str
    required: bool
    default: object
    choices: tuple[object, ...]
    help: str
    short: str


def read_arguments(node: Node) -> Iterator[Argument]:
    """Raises: SourceError: an argument's name, type, default or choices make no sense."""
    names: set[str] = set()
    for written, place in _declared_arguments(node):
        name = written.lstrip("-").replace("-", "_")
        if iskeyword(name):
            name += "_"
        if not name.isidentifier():
            raise invalid(
                place.file, place.key, written, "a name that a Python parameter can have; dashes are taken as underscores"
            )
        if name in names:
            raise invalid(place.file, place.key, written, "a name that no other argument has")
        names.add(name)
        yield _argument(name, place)


def _declared_arguments(node: Node) -> Iterator[tuple[str, Node]]:
    """The name and the specification of each: from a mapping, or from a list whose items have a `name` or are one."""
    if isinstance(node.raw, dict):
        yield from _of_json_schema(node) if isinstance(node.raw.get("properties"), dict) else _of_mapping(node)
        return
    for item in node.items():
        if isinstance(item.raw, dict) and len(item.raw) == 1 and _KEYS.isdisjoint(item.raw):  # `- city: str`
            yield from _of_mapping(item)
            continue
        named = item.get("name") if isinstance(item.raw, dict) else item
        specification = item.raw if isinstance(item.raw, dict) else {}
        yield named.text(needed="the argument's name"), type(item)(item.file, item.key, specification)


def _of_mapping(node: Node) -> Iterator[tuple[str, Node]]:
    assert isinstance(node.raw, dict)
    yield from ((name, node.get(name)) for name in node.raw)


def _of_json_schema(node: Node) -> Iterator[tuple[str, Node]]:
    """`{type: object, properties: {city: {type: string}}, required: [city]}`, as tools for language models have it."""
    required = {item.text() for item in node.get("required").items()}
    for name, place in _of_mapping(node.get("properties")):
        specification = place.raw if isinstance(place.raw, dict) else {}
        word = "true" if name in required else "false"
        yield name, type(place)(place.file, place.key, {**specification, "required": Scalar(word, name in required)})


def _argument(name: str, node: Node) -> Argument:
    # `city: str` in a mapping of arguments is short for `city: {type: str}`.
    type_node = node.get("type") if isinstance(node.raw, dict) else node
    written = _plain_type(type_node.text().lower())
    choice_nodes = list(node.get("choices", "enum", "options").items())
    kind = _KINDS.get(written or ("choice" if choice_nodes else "str"))
    if kind is None:
        type_node.refuse(listed(_KINDS))
    if kind == "choice" and not choice_nodes:
        node.get("choices").refuse("a list of the values to choose from")
    required_node = node.get("required")
    choices = tuple(_read("str" if kind == "list" else kind, choice) for choice in choice_nodes)
    default = _default(kind, node.get("default"), choices)
    required = not required_node.missing and bool(_read("bool", required_node)) and default is None
    return Argument(
        name=name,
        kind=kind,
        required=required,
        default=False if default is None and written == "flag" and not required else default,
        choices=choices,
        help=node.get("help").text() or node.get("description").text(),
        short=node.get("short").text().lstrip("-"),
    )


def _plain_type(written: str) -> str:
    """The word for a type that is written as Python's or another language's: `Optional[List[str]]` is a `list`."""
    text = written.replace("typing.", "").replace(" ", "")
    text = re.sub(r"\|none|none\||\?$", "", text)
    text = re.sub(r"^optional\[(.*)]$", r"\1", text)
    if text.endswith("[]"):
        return "list"
    return re.sub(r"[\[<].*$", "", text)


def _default(kind: str, node: Node, choices: tuple[object, ...]) -> object:
    if node.missing or (kind not in {"any", "choice", "str"} and node.value() in _NOTHING):
        return None
    default = _read(kind, node)
    if choices and any(value not in choices for value in (default if isinstance(default, list) else [default])):
        node.refuse(f"one of the choices: {listed(choices)}")
    return default


def _read(kind: str, node: Node) -> object:
    """What stands at `node`, as a value of `kind`."""
    value = _unwritten(kind, node.value())
    if kind == "any" or isinstance(value, {"list": list, "dict": dict}.get(kind, ())):
        return value
    try:
        if kind in {"list", "dict"} or not isinstance(node.raw, Scalar) or node.missing:
            raise ValueError(kind)  # noqa: TRY301 - as for a text of another form
        return _read_scalar(kind, node.raw)
    except (ValueError, KeyError):
        node.refuse(
            {"list": "a list", "dict": "a mapping", "bool": "`true` or `false`"}.get(kind, f"a value of the type `{kind}`")
        )


def _unwritten(kind: str, value: object) -> object:
    """A list or a mapping that is written as text: as JSON, or a list with commas."""
    if kind not in {"list", "dict"} or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return [part.strip() for part in value.split(",")] if kind == "list" else value


def _read_scalar(kind: str, scalar: Scalar) -> object:
    value = scalar.value
    if kind == "choice":
        return value
    if kind == "bool":
        return _BOOLEANS[scalar.text.lower()]
    if kind in {"int", "float"} and isinstance(value, bool):
        raise ValueError(scalar.text)
    if kind == "int":  # not `int(value)`: of 1.5 that is 1
        return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else int(scalar.text)
    if kind == "float":
        return float(value if isinstance(value, int | float) else scalar.text)
    return scalar.text
