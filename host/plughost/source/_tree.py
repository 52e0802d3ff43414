"""What a source tree's own files say of it, without running any of them."""

from __future__ import annotations

import configparser
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from plughost.errors import SourceError
from plughost.source._records import Origin, SourceTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["read_tree"]

#: Build requirements that compute a version from git's tags: without history they would make a wrong one, and not say so.
_FROM_GIT = frozenset(
    {
        "dunamai", "flit-scm", "hatch-vcs", "hatch-regex-commit", "pbr", "poetry-dynamic-versioning", "setuptools-git-versioning",
        "setuptools-scm", "setuptools-vcs-versioning", "uv-dynamic-versioning", "vcs-versioning", "versioneer", "versioningit",
        "incremental-git", "miniver", "scikit-build-core-scm", "setuptools-git", "hatch-gitversion",
    }
)  # fmt: skip
_SIGNS_IN_SETUP = re.compile(r"setuptools_scm|use_scm_version|versioneer|\bpbr\b|git describe")
_SEARCH_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metadata:
    requires_python: str = ""
    build_requires: tuple[str, ...] | None = None
    name: str = ""
    dependencies: tuple[str, ...] | None = None
    version_from_git: bool = False


def read_tree(
    root: Path, origin: Origin, *, project: str, epoch: int | None, deepen: Callable[[], None]
) -> SourceTree:
    """The tree of the project in `root`, or in the subdirectory that `origin` names. `deepen` fetches history, if it is needed.

    Raises: SourceError: there is no such folder, or no Python project in it, or its metadata can't be read.
    """
    folder = _project_folder(root, origin)
    if not _is_project(folder):
        from plughost.source import _legacy

        if _legacy.find_package_file(folder) is None or origin.editable:
            raise _no_project(folder, root)
        _legacy.write_project(folder, project=project)
    metadata = _read(folder)
    if metadata.version_from_git:
        deepen()
    return SourceTree(
        path=folder,
        origin=origin,
        epoch=epoch,
        requires_python=metadata.requires_python,
        build_requires=metadata.build_requires,
        name=metadata.name,
        dependencies=metadata.dependencies,
    )


def _project_folder(root: Path, origin: Origin) -> Path:
    folder = root / origin.subdirectory
    inside = folder.resolve().is_relative_to(root.resolve())
    if inside and folder.is_dir():
        return folder
    causes = ["It is a link that leads out of the repository"] if not inside else []
    projects = ", ".join(f"`{path}`" for path in _projects_below(root)) or "none"
    raise SourceError(
        f"`{origin.url}` has no subdirectory `{origin.subdirectory}`",
        reference="subdirectory-missing",
        causes=[*causes, f"Folders with a Python project: {projects}"],
    )


def _is_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg"))


def _projects_below(root: Path) -> list[str]:
    found = []
    for depth in range(1, _SEARCH_DEPTH + 1):
        for path in sorted(root.glob("/".join("*" * depth))):
            if path.is_dir() and not path.name.startswith(".") and _is_project(path):
                found.append(path.relative_to(root).as_posix())
    return found[:10]


def _no_project(folder: Path, root: Path) -> SourceError:
    from plughost.source import _legacy

    looked_for = ("pyproject.toml", "setup.py", "setup.cfg", *_legacy.PACKAGE_FILES)
    below = _projects_below(root)
    return SourceError(
        f"There is no Python project in `{folder.name if folder == root else folder.relative_to(root)}`",
        reference="not-a-python-project",
        causes=[
            "It has none of " + ", ".join(f"`{name}`" for name in looked_for),
            *([f"Folders with one: {', '.join(f'`{name}`' for name in below)}"] if below else []),
        ],
        hint=f"Add `#subdirectory={below[0]}` to the source" if below else "A `pyproject.toml` makes it one",
    )


def _read(folder: Path) -> _Metadata:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return _read_setup(folder)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(
            "`pyproject.toml` can't be read", reference="not-a-python-project", causes=[str(error)], hint="It must be valid TOML in UTF-8"
        ) from error
    project, build = _table(document, "project"), _table(document, "build-system")
    requires = build.get("requires")
    dynamic = project.get("dynamic")
    declared = _texts(project.get("dependencies", []))
    static = bool(project) and not (isinstance(dynamic, list) and "dependencies" in dynamic)
    build_requires = _texts(requires)
    setup = _read_setup(folder)
    return _Metadata(
        requires_python=_text(project.get("requires-python")) or ("" if project else setup.requires_python),
        build_requires=build_requires,
        name=_text(project.get("name")) or setup.name,
        dependencies=declared if static else None,
        version_from_git=_computes_version(document, build_requires or ()) or setup.version_from_git,
    )


def _computes_version(document: Mapping[str, object], build_requires: tuple[str, ...]) -> bool:
    names = {re.split(r"[^A-Za-z0-9._-]", text.strip(), maxsplit=1)[0].lower().replace("_", "-").replace(".", "-") for text in build_requires}
    tools = _table(document, "tool")
    hatch, pdm = _table(_table(tools, "hatch"), "version"), _table(_table(tools, "pdm"), "version")
    build_core = _table(_table(_table(tools, "scikit-build"), "metadata"), "version")
    return bool(
        names & _FROM_GIT
        or {"setuptools_scm", "versioningit", "versioneer", "setuptools-git-versioning", "vcs-versioning"} & set(tools)
        or _text(hatch.get("source")) not in {"", "regex", "code", "env", "nodejs"}
        or pdm.get("source") == "scm"
        or "setuptools_scm" in _text(build_core.get("provider"))
    )


def _read_setup(folder: Path) -> _Metadata:
    """What `setup.cfg` says, and whether `setup.py` looks as if it computed a version; it is not run."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    text = "".join(_text_of(folder / name) for name in ("setup.py", "setup.cfg"))
    try:
        config.read_string(_text_of(folder / "setup.cfg"))
    except configparser.Error:
        config.clear()
    return _Metadata(
        requires_python=config.get("options", "python_requires", fallback="").strip(),
        name=config.get("metadata", "name", fallback="").strip(),
        version_from_git=bool(_SIGNS_IN_SETUP.search(text)),
    )


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _table(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None
