"""What packages of the older kind write for dependencies and Python versions → PEP 508 requirements and PEP 440 specifiers.

Above it: `_package_file`; below it: packaging.
"""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from plughost.source._document import invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plughost.source._document import Node

__all__ = ["read_dependencies", "read_python_version", "read_requirements_file"]

_ANY = frozenset({"", "*", "any", "latest"})
_REQUIREMENT = "a requirement such as `idna>=3.4` (PEP 508)"
_PYTHON_VERSION = "a version such as `3.9` or `3.9+`, or a specifier such as `>=3.8,<4` (PEP 440)"


def read_dependencies(node: Node) -> tuple[str, ...]:
    """The requirements that a list, or a mapping from names to versions, stands for.

    Raises: SourceError: one of them is none.
    """
    if isinstance(node.raw, dict):
        return tuple(_pinned(name, node.get(name)) for name in node.raw)
    requirements = []
    for item in node.items():
        if isinstance(item.raw, dict):  # `- idna: ">=3.4"` in a list
            requirements += [_pinned(name, item.get(name)) for name in item.raw]
        else:
            requirements.append(_checked(item.text(needed=_REQUIREMENT), item))
    return tuple(requirements)


def read_python_version(node: Node) -> str:
    """The specifier that the text stands for; empty for any version.

    Raises: SourceError: it stands for none.
    """
    text = node.text().lower().removeprefix("python").strip()
    try:
        return _specifier(text, exact=False)
    except ValueError:
        node.refuse(_PYTHON_VERSION)


def read_requirements_file(path: Path) -> tuple[str, ...]:
    """The requirements in a `requirements.txt`; none where there is no such file. Its options are left out.

    Raises: SourceError: a line is no requirement.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(path.name, "1", str(error), "requirements, one a line, in UTF-8") from error
    requirements = []
    for number, line in enumerate(text.replace("\\\n", " ").splitlines(), 1):
        requirement = re.sub(r"(^|\s)(#|--\w).*", "", line).strip()
        if not requirement or requirement.startswith("-"):
            continue
        try:
            requirements.append(str(Requirement(requirement)))
        except InvalidRequirement as error:
            raise invalid(path.name, str(number), requirement, _REQUIREMENT) from error
    return tuple(requirements)


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
