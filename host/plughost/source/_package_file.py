"""The package file of the older kind, `package.yaml` (or `.yml`, `.json`): read, and checked to the key.

Above it: `_legacy`, which makes a Python project of it; below it: `_document`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.utils import parseaddr
from keyword import iskeyword

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from plughost.source._dependencies import read_dependencies, read_python_version, read_requirements_file
from plughost.source._document import Scalar, invalid, read_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plughost.source._document import Node

__all__ = ["PACKAGE_FILES", "Argument", "PackageFile", "find_package_file", "read_package_file"]

#: In this order.
PACKAGE_FILES = ("package.yaml", "package.yml", "package.json")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFile:
    """What a package file says. `author` is a name and an address; without `arguments`, the entry point's own signature holds."""

    file: str
    name: str
    version: str
    description: str
    author: tuple[str, str]
    repository_url: str
    licence: str
    entry_point: str
    dependencies: tuple[str, ...]
    requires_python: str
    tags: tuple[str, ...]
    arguments: tuple[Argument, ...]


def find_package_file(folder: Path) -> Path | None:
    return next((folder / name for name in PACKAGE_FILES if (folder / name).is_file()), None)


def read_package_file(path: Path) -> PackageFile:
    """Raises: SourceError: it is no YAML or JSON, or a value in it is missing or not allowed; the key is named."""
    document = read_document(path)
    dependencies = document.get("dependencies", "requirements", "requires")
    python = document.get("python_version", "requires_python", "requires-python", "python")
    if python.missing and isinstance(dependencies.raw, dict) and not isinstance(dependencies.raw.get("python"), list):
        python = dependencies.get("python")
    return PackageFile(
        file=path.name,
        name=_name(document.get("name")),
        version=_version(document.get("version")),
        description=document.get("description").text(),
        author=_author(document.get("author")),
        repository_url=_url(document.get("repository_url", "repository", "homepage")),
        licence=_text_or_none(document.get("license", "licence")),
        entry_point=document.get("entry_point", "entrypoint", "entry-point", "entryPoint").text(
            needed="`module.function` or `module:function`"
        ),
        dependencies=read_dependencies(dependencies) or read_requirements_file(path.with_name("requirements.txt")),
        requires_python=read_python_version(python),
        tags=tuple(tag.text() for tag in document.get("tags", "keywords").items()),
        arguments=tuple(_arguments(document.get("arguments", "parameters", "args"))),
    )


def _name(node: Node) -> str:
    """A package's name for what is written: of `@acme/Text Tools`, what remains is `acme-Text-Tools`."""
    allowed = "letters, digits, `-`, `_` and `.`, beginning and ending with a letter or a digit"
    plain = unicodedata.normalize("NFKD", node.text(needed=allowed)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")
    try:
        canonicalize_name(name, validate=True)
    except InvalidName:
        node.refuse(allowed)
    return name


def _version(node: Node) -> str:
    """The version; what is none becomes the local part of one, so that it can still be seen: `1.0+snapshot`."""
    text = node.text() or "0"
    try:
        return str(Version(text))
    except InvalidVersion:
        release = re.match(r"v?(\d+(?:\.\d+)*)", text)
        rest = re.sub(r"[^a-z0-9]+", ".", text[release.end() if release else 0 :].lower()).strip(".")
        return str(Version(f"{release[1] if release else 0}{f'+{rest}' if rest else ''}"))


def _url(node: Node) -> str:
    text = _text_or_none(node.get("url") if isinstance(node.raw, dict) else node)
    return text.removeprefix("git+") if "://" in text else ""


def _text_or_none(node: Node) -> str:
    """A text that only people read: where something else stands, none."""
    return node.text() if isinstance(node.raw, Scalar) else ""


def _author(node: Node) -> tuple[str, str]:
    if isinstance(node.raw, dict):
        return node.get("name").text(), node.get("email").text()
    name, address = parseaddr(node.text())
    return (name, address) if "@" in address else (node.text(), "")


# Arguments.


def _arguments(node: Node) -> Iterator[Argument]:
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
        yield from ((name, node.get(name)) for name in node.raw)
        return
    for item in node.items():
        named = item.get("name") if isinstance(item.raw, dict) else item
        specification = item.raw if isinstance(item.raw, dict) else {}
        yield named.text(needed="the argument's name"), type(item)(item.file, item.key, specification)


def _argument(name: str, node: Node) -> Argument:
    # `city: str` in a mapping of arguments is short for `city: {type: str}`.
    type_node = node.get("type") if isinstance(node.raw, dict) else node
    written = _plain_type(type_node.text().lower())
    choice_nodes = list(node.get("choices", "enum", "options").items())
    kind = _KINDS.get(written or ("choice" if choice_nodes else "str"))
    if kind is None:
        type_node.refuse(", ".join(f"`{allowed}`" for allowed in _KINDS))
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
    if node.missing:
        return None
    default = _read(kind, node)
    if choices and any(value not in choices for value in (default if isinstance(default, list) else [default])):
        node.refuse("one of the choices: " + ", ".join(f"`{choice}`" for choice in choices))
    return default


def _read(kind: str, node: Node) -> object:
    """What stands at `node`, as a value of `kind`."""
    value = node.value()
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


def _read_scalar(kind: str, scalar: Scalar) -> object:
    value = scalar.value
    if kind == "choice":
        return value
    if kind == "bool":
        return _BOOLEANS[scalar.text.lower()]
    if kind in {"int", "float"} and isinstance(value, bool):
        raise ValueError(scalar.text)
    if kind == "int":  # not `int(value)`: of 1.5 that is 1
        return value if isinstance(value, int) else int(scalar.text)
    if kind == "float":
        return float(value if isinstance(value, int | float) else scalar.text)
    return scalar.text
