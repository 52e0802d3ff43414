"""The package file of the older kind, `package.yaml` (or `.yml`, `.json`): read, and checked to the key.

Above it: `_legacy`, which makes a Python project of it; below it: `_document`, `_dependencies` and `_argument`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.utils import parseaddr

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from plughost.source._argument import read_arguments
from plughost.source._dependencies import read_dependencies, read_python_version, read_requirements_file
from plughost.source._document import Scalar, read_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plughost.source._argument import Argument
    from plughost.source._document import Node

__all__ = ["PACKAGE_FILES", "PackageFile", "find_package_file", "read_package_file"]

#: In this order.
PACKAGE_FILES = ("package.yaml", "package.yml", "package.json")


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
        arguments=tuple(read_arguments(document.get("arguments", "parameters", "args"))),
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
