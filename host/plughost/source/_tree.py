"""What a source tree's own files say of it, without running any of them.

Above it: `check_out`; below it: the disk. Packages of the older kind are left to `_legacy`.
"""

from __future__ import annotations

import configparser
import re
import tomllib

from plughost._names import normalized
from plughost._wording import listed
from plughost.contract import declared_in, misfit
from plughost.errors import SourceError, UsageError
from plughost.source._records import Origin, SourceTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from plughost.source._signatures import Signer

__all__ = ["declared_by", "has_version_from_git", "make_project", "project_folder", "read_tree"]

#: Build requirements that compute a version from git's tags: without history they would make a wrong one, and not say so.
_FROM_GIT = frozenset(
    (
        "dunamai",
        "flit-scm",
        "hatch-gitversion",
        "hatch-regex-commit",
        "hatch-vcs",
        "incremental-git",
        "pbr",
        "poetry-dynamic-versioning",
        "poetry-version-plugin",
        "setuptools-git-versioning",
        "setuptools-scm",
        "setuptools-vcs-versioning",
        "uv-dynamic-versioning",
        "vcs-versioning",
        "versioneer",
        "versioneer-518",
        "versioningit",
    )
)
#: The same, as a table below `[tool]`.
_TOOLS_FROM_GIT = frozenset(
    ("poetry-dynamic-versioning", "setuptools-git-versioning", "setuptools_scm", "vcs-versioning", "versioneer", "versioningit")
)
_SIGNS_IN_SETUP = re.compile(
    rb"setuptools[_-]scm|use_scm_version|versioneer|versioningit|\bpbr\b|dunamai|setuptools[_-]git|git\W+describe"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_SEARCH_DEPTH = 3
_SHOWN_FOLDERS = 10
_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


def project_folder(root: Path, origin: Origin) -> Path:
    """The folder that `origin` names within the checked-out repository `root`.

    Raises: SourceError: there is none, or it is a link that leads out.
    """
    folder = root / origin.subdirectory
    inside = folder.resolve().is_relative_to(root.resolve())
    if inside and folder.is_dir():
        return folder
    below = _projects_below(root)
    raise SourceError(
        f"`{origin.url}` has no folder `{origin.subdirectory}` at `{origin.commit_id[:12]}`",
        reference="subdirectory-missing",
        causes=[] if inside else ["It is a link that leads out of the repository"],
        hint=f"Folders with a Python project: {_fragments(below)}" if below else "No folder of it has a Python project",
    )


def make_project(folder: Path, origin: Origin, *, project: str) -> None:
    """Make a Python project of a package of the older kind; one that is a project already stays as it is.

    Raises: SourceError: it is neither.
    """
    if _is_project(folder):
        return
    from plughost.source import _legacy
    from plughost.source._package_file import PACKAGE_FILES, find_package_file

    path = find_package_file(folder)
    if path is None:
        below = _projects_below(folder)
        raise SourceError(
            f"There is no Python project in `{f'{origin.url}#{origin.subdirectory}'.rstrip('#')}`",
            reference="not-a-python-project",
            causes=[f"It has none of {listed((*_BUILD_FILES, *PACKAGE_FILES))}"],
            hint=f"Folders with one: {_fragments(below)}" if below else "A `pyproject.toml` makes it one",
        )
    if origin.editable:
        raise UsageError(
            f"`{folder}` can't be editable",
            reference="source-invalid",
            causes=[f"It has a `{path.name}` instead of a `pyproject.toml`, and plughost writes nothing into your folder"],
            hint="Leave `--editable` out",
        )
    _legacy.write_project(path, project=project)


def has_version_from_git(folder: Path) -> bool:
    """Whether the project's version, as far as its files say, is computed from git's tags.

    Raises: SourceError: its `pyproject.toml` can't be read.
    """
    if any(_SIGNS_IN_SETUP.search(_bytes(folder / name)) for name in ("setup.py", "setup.cfg")):
        return True
    document = _pyproject(folder)
    tools = _table(document, "tool")
    requires = _texts(_table(document, "build-system").get("requires")) or ()
    names = {normalized(found[0]) for text in requires if (found := _NAME.match(text.strip()))}
    hatch = _table(_table(tools, "hatch"), "version").get("source", "regex")
    return bool(
        not names.isdisjoint(_FROM_GIT)
        or not _TOOLS_FROM_GIT.isdisjoint(tools)
        or hatch not in {"code", "env", "nodejs", "regex"}
        or _table(_table(tools, "pdm"), "version").get("source") == "scm"
        or "setuptools_scm" in str(_table(_table(_table(tools, "scikit-build"), "metadata"), "version").get("provider"))
    )


def read_tree(folder: Path, origin: Origin, *, epoch: int | None, signer: Signer | None = None) -> SourceTree:
    """The record of the project in `folder`.

    Raises: SourceError: its `pyproject.toml` can't be read, or declares of the plugin what can't be.
    """
    document = _pyproject(folder)
    project, build = _table(document, "project"), document.get("build-system")
    config = _setup_config(folder)
    dynamic = project.get("dynamic")
    has_static_dependencies = project and not (isinstance(dynamic, list) and "dependencies" in dynamic)
    return SourceTree(
        path=folder,
        origin=origin,
        epoch=epoch,
        signer=signer,
        requires_python=_text(project.get("requires-python"))
        if project
        else config.get("options", "python_requires", fallback=""),
        build_requires=_texts(build.get("requires", [])) if isinstance(build, dict) else None,
        name=_text(project.get("name")) or config.get("metadata", "name", fallback=""),
        dependencies=_texts(project.get("dependencies", [])) if has_static_dependencies else None,
        declared=declared_by(document),
    )


def declared_by(pyproject: Mapping[str, object]) -> dict[str, object]:
    """What the project says of how it is to be run, if it is a plugin.

    Raises: SourceError: that can't be.
    """
    table = _table(_table(pyproject, "tool"), "plughost")
    for key, value in table.items():
        if wanted := misfit(key, value):
            from plughost.source._document import invalid

            raise invalid("pyproject.toml", f"tool.plughost.{key}", value, wanted)
    _check_permissions(_table(table, "permissions"))
    return declared_in(table)


def _check_permissions(table: Mapping[str, object]) -> None:
    from plughost.policy import terms_of

    try:
        terms_of(table, at="tool.plughost.permissions")
    except UsageError as error:
        raise SourceError(
            "`pyproject.toml` asks for permissions that can't be",
            reference="package-file-invalid",
            causes=[error.message],
            hint=error.hint or "Correct `pyproject.toml`, or tell the package's author",
        ) from error


def _is_project(folder: Path) -> bool:
    """Whether there is something to build; a `pyproject.toml` that only sets up tools is nothing, beside a package file."""
    if any((folder / name).is_file() for name in ("setup.py", "setup.cfg")):
        return True
    if not (folder / "pyproject.toml").is_file():
        return False
    if not {"project", "build-system"}.isdisjoint(_pyproject(folder)):
        return True
    from plughost.source._package_file import find_package_file

    return find_package_file(folder) is None


def _projects_below(folder: Path) -> list[str]:
    return list(_search(folder, "", _SEARCH_DEPTH))[:_SHOWN_FOLDERS]


def _search(folder: Path, below: str, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            name = f"{below}{path.name}"
            if any((path / file).is_file() for file in _BUILD_FILES):
                yield name
            yield from _search(path, f"{name}/", depth - 1)


def _fragments(folders: list[str]) -> str:
    return listed(f"#subdirectory={folder}" for folder in folders)


def _pyproject(folder: Path) -> Mapping[str, object]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(
            "`pyproject.toml` can't be read",
            reference="package-file-invalid",
            causes=[str(error)],
            hint="It must be TOML in UTF-8: correct it, or tell the package's author",
        ) from error


def _setup_config(folder: Path) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser(strict=False)
    try:
        config.read_string(_bytes(folder / "setup.cfg").decode("utf-8", "replace"))
    except configparser.Error:  # the build says what is wrong with it
        return configparser.RawConfigParser()
    return config


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _table(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None
