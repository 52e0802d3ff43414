"""What a plugin's package says of itself, and which files it brings along, read from where it is installed.

Above it: the check; below it: the metadata beside the package. Nothing of the plugin is imported.
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

from plughost.authoring._findings import Finding
from plughost.registry import normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution
    from pathlib import Path

__all__ = ["check_contents"]

_PROJECT = "pyproject.toml: project"

#: At the top of a wheel these get in the way of those of other packages.
_EVERYBODYS = frozenset(
    (
        "benchmarks",
        "build",
        "common",
        "config",
        "conftest",
        "dist",
        "docs",
        "examples",
        "helpers",
        "lib",
        "scripts",
        "src",
        "test",
        "tests",
        "tools",
        "utils",
    )
)
#: Parts of a path, and endings, of what belongs to the author's machine.
_MISPLACED = frozenset((".DS_Store", ".env", ".git", ".idea", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", ".vscode"))
_MISPLACED_ENDINGS = (".bak", ".orig", ".pyc", ".swp", ".tmp", "~")
_LOWER, _UPPER = frozenset({">", ">=", "==", "===", "~="}), frozenset({"<", "<=", "==", "===", "~="})


def check_contents(environment: Path, package: str) -> Iterator[Finding]:
    """What is wrong with the metadata and the files of `package`."""
    folders = [str(path) for path in environment.glob("lib/python*/site-packages")]
    installed = {normalize_name(each.metadata["Name"]): each for each in distributions(path=folders)}
    own = installed.pop(package, None)
    if own is not None:
        yield from _metadata(own)
        yield from _dependencies(own)
        yield from _files(own, list(installed.values()))


def _metadata(own: Distribution) -> Iterator[Finding]:
    metadata = own.metadata
    classifiers = metadata.get_all("Classifier") or []
    licensed = metadata["License-Expression"] or metadata["License"] or any(text.startswith("License ::") for text in classifiers)
    described = str(metadata.json.get("description") or "").strip()
    for reference, key, found, message in (
        ("summary-missing", "description", metadata["Summary"], "Lists show what stands there, and there is nothing"),
        ("licence-missing", "license", licensed, "Nobody knows whether they may use it"),
        (
            "python-missing",
            "requires-python",
            metadata["Requires-Python"],
            "Any Python takes it, also one that can't run it",
        ),
        ("readme-missing", "readme", described, "It has no description"),
        ("author-missing", "authors", metadata["Author"] or metadata["Author-email"], "Nobody knows whom to ask"),
    ):
        if not found:
            yield Finding(reference=reference, where=f"{_PROJECT}.{key}", message=message)


def _dependencies(own: Distribution) -> Iterator[Finding]:
    for text in own.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # it is installed all the same; the resolver has its own opinion
            continue
        if "extra" in str(requirement.marker or "") or requirement.url:
            continue
        operators = {specifier.operator for specifier in requirement.specifier}
        missing = [word for word, bounds in (("lower", _LOWER), ("upper", _UPPER)) if not operators & bounds]
        if missing:
            message = f"`{requirement.name}{requirement.specifier}` has no {' and no '.join(missing)} bound"
            yield Finding(reference="dependency-unbounded", where=f"{_PROJECT}.dependencies", message=message)


def _files(own: Distribution, others: list[Distribution]) -> Iterator[Finding]:
    paths = _paths(own)
    for path in paths:
        if path.suffix == ".pth":
            yield Finding(reference="pth-file", where=str(path), message="Every Python that starts reads it, and may run it")
        elif _MISPLACED.intersection(path.parts) or path.name.endswith(_MISPLACED_ENDINGS):
            yield Finding(reference="file-misplaced", where=str(path), message="It is of use to nobody else")
    for name in sorted({PurePosixPath(path.parts[0]).stem for path in paths if len(path.parts) > 1 or path.suffix == ".py"}):
        if name in sys.stdlib_module_names:
            yield Finding(reference="module-shadowed", where=name, message="Python has a module of that name itself")
        elif name in _EVERYBODYS:
            yield Finding(reference="module-shadowed", where=name, message="Many packages have a module of that name")
    for other in others:
        for path in sorted(set(paths) & set(_paths(other))):
            yield Finding(reference="file-conflict", where=str(path), message=f"`{other.metadata['Name']}` brings it along too")


def _paths(distribution: Distribution) -> list[PurePosixPath]:
    """Its files within `site-packages`, without its metadata and without bytecode that installing has made."""
    listed = (PurePosixPath(str(path)) for path in distribution.files or ())
    return [path for path in listed if path.parts[0] != ".." and not path.parts[0].endswith(".dist-info")]
