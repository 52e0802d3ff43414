"""What packages of the older kind write for dependencies and Python versions → PEP 508 requirements and PEP 440 specifiers.

Above it: `_package_file`; below it: packaging.
"""

from __future__ import annotations

import re
import sys

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from plughost.source._document import decoded, invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from plughost.source._document import Node

__all__ = ["read_dependencies", "read_python_version", "read_requirements_file"]

#: A file in the same folder, named in another; no path, which might lead anywhere.
_NAMED_FILE = re.compile(r"\s*(?:-r|--requirement)[\s=]+(?:\./)?([\w-][\w.-]*)\s*(?:#.*)?$")
_MOST_FILES = 5
#: What a list of requirements may be called in a mapping, beside lists for other installers.
_GROUPS = frozenset({"pip", "pypi", "python", "required", "runtime"})
_OR_LATER = re.compile(r"\s*(?:or|and)\s+(?:above|greater|higher|later|newer|up)$")
_ANY = frozenset({"", "*", "any", "latest"})
_REQUIREMENT = "a requirement such as `idna>=3.4` (PEP 508)"
_PYTHON_VERSION = "a version such as `3.9` or `3.9+`, or a specifier such as `>=3.8,<4` (PEP 440)"


def read_dependencies(node: Node) -> tuple[str, ...]:
    """The requirements that a list, or a mapping from names to versions, stands for.

    Raises: SourceError: one of them is none.
    """
    if isinstance(node.raw, dict):
        return tuple(_without_python(_of_mapping(node)))
    return tuple(_without_python(requirement for item in node.items() for requirement in _of_item(item)))


def _of_mapping(node: Node) -> Iterator[str]:
    """`idna: ">=3.4"` is a requirement, `python: [idna>=3.4]` a group of them; groups of other kinds aren't ours to install."""
    assert isinstance(node.raw, dict)
    for name in node.raw:
        value = node.get(name)
        if not isinstance(value.raw, list):
            yield _pinned(name, value)
        elif name.lower() in _GROUPS:
            yield from (requirement for item in value.items() for requirement in _of_item(item))


def _of_item(item: Node) -> Iterator[str]:
    if not isinstance(item.raw, dict):
        yield _checked(item.text(needed=_REQUIREMENT), item)
    elif "name" in item.raw and set(item.raw) <= {"name", "version"}:
        yield _pinned(item.get("name").text(needed=_REQUIREMENT), item.get("version"))
    else:  # `- idna: ">=3.4"` in a list
        yield from (_pinned(name, item.get(name)) for name in item.raw)


def _without_python(requirements: Iterable[str]) -> Iterator[str]:
    """Those of packages: not of Python itself, nor of what is a part of it."""
    for text in requirements:
        if Requirement(text).name.lower().replace("-", "_") not in {"python", *sys.stdlib_module_names}:
            yield text


def read_python_version(node: Node) -> str:
    """The specifier that the text stands for; empty for any version.

    Raises: SourceError: it stands for none.
    """
    if isinstance(node.raw, list):  # the versions that it was tried with
        return _between([item.text(needed=_PYTHON_VERSION) for item in node.items()], node)
    text = _OR_LATER.sub("+", node.text().lower().removeprefix("python").strip())
    try:
        return _specifier(text, exact=False)
    except ValueError:
        node.refuse(_PYTHON_VERSION)


def _between(versions: list[str], node: Node) -> str:
    try:
        found = sorted(Version(text) for text in versions)
    except InvalidVersion:
        node.refuse(_PYTHON_VERSION)
    return f">={found[0]},<{found[-1].major}.{found[-1].minor + 1}" if found else ""


def read_requirements_file(path: Path, *, depth: int = 0) -> tuple[str, ...]:
    """The requirements in a `requirements.txt`, and in those beside it that it names; none where there is no such file.

    Other options in it are left out.

    Raises: SourceError: a line is no requirement.
    """
    try:
        text = decoded(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(path.name, "1", str(error), "requirements, one a line, in UTF-8") from error
    requirements: list[str] = []
    for number, line in enumerate(re.sub(r"\\\r?\n", " ", text).splitlines(), 1):
        if (named := _NAMED_FILE.match(line)) and depth < _MOST_FILES and (path.parent / named[1]).is_file():
            requirements += read_requirements_file(path.parent / named[1], depth=depth + 1)
            continue
        requirement = re.sub(r"(^|\s)(#|--\w).*", "", line).strip()
        if not requirement or requirement.startswith("-"):
            continue
        try:
            requirements.append(str(Requirement(requirement)))
        except InvalidRequirement as error:
            raise invalid(path.name, str(number), requirement, _REQUIREMENT) from error
    return tuple(_without_python(requirements))


def _pinned(name: str, node: Node) -> str:
    """The requirement for `idna: 3.7` and the like; the version may be written as in a specifier, or as Poetry and npm do."""
    written = node.get("version") if isinstance(node.raw, dict) else node
    try:
        return _checked(f"{name}{_specifier(written.text().lower(), exact=True)}", node)
    except ValueError:
        written.refuse("a version such as `3.7`, or a specifier such as `>=3.4` (PEP 440)")


def _checked(text: str, node: Node) -> str:
    try:
        return str(Requirement(text))
    except InvalidRequirement:
        raise invalid(node.file, node.key, text, _REQUIREMENT) from None


def _specifier(text: str, *, exact: bool) -> str:
    """The PEP 440 specifier for `text`. A bare version means that one if `exact`, else also those that begin with it.

    Raises: ValueError: there is none.
    """
    if text in _ANY:
        return ""
    try:
        if "," in text:
            return ",".join(_specifier(part.strip(), exact=exact) for part in text.split(","))
        if text.startswith(("^", "~")) and not text.startswith("~="):
            return _up_to_next(text)
        if text.endswith("+"):
            return f">={Version(text[:-1])}"
        if text[:1].isdigit():
            release = re.sub(r"\.[x*]$", "", text)
            wild = release != text or (not exact and release.count(".") < 2)  # noqa: PLR2004 - major.minor, without a patch
            return f"=={Version(release)}{'.*' if wild else ''}"
        return str(SpecifierSet(text))
    except (InvalidVersion, InvalidSpecifier) as error:
        raise ValueError(text) from error


def _up_to_next(text: str) -> str:
    """`^1.2`: up to the next version that may break something; `~1.2`: up to the next minor one. Source: Poetry, npm."""
    version = Version(text[1:])
    release = version.release
    if text.startswith("~"):
        kept = min(len(release), 2)
    else:
        kept = next((place for place, part in enumerate(release, 1) if part), len(release))
    upper = [*release[: kept - 1], release[kept - 1] + 1]
    return f">={version},<{'.'.join(map(str, upper))}"
