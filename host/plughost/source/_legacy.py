"""A package of the older kind → a Python project: a `pyproject.toml`, and a module with the function that its file describes.

Above it: the source tree; below it: `_package_file`, `_entry` and `_shim`. It writes into a checked-out copy, and runs nothing of
the package.
"""

from __future__ import annotations

from packaging.utils import canonicalize_name

from plughost.source._entry import locate
from plughost.source._package_file import PACKAGE_FILES, read_package_file
from plughost.source._shim import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plughost.source._package_file import PackageFile

__all__ = ["write_project"]

_BUILD_REQUIRES = ["hatchling>=1.18"]  # the last that still makes everything used here for Python 3.8

#: Top-level folders that are not for those who use the package, and what is left by tools.
_LEFT_OUT_FOLDERS = frozenset(
    ("__pycache__", "benchmarks", "build", "dist", "doc", "docs", "env", "examples", "node_modules", "test", "tests", "venv")
)
_LEFT_OUT_FILES = frozenset(
    (*PACKAGE_FILES, "conftest.py", "dockerfile", "makefile", "noxfile.py", "package-lock.json", "tox.ini")
)
_LEFT_OUT_BEGINNINGS = (
    "authors",
    "changelog",
    "changes",
    "contributing",
    "licence",
    "license",
    "notice",
    "readme",
    "requirements",
    "test_",
)


def write_project(path: Path, *, project: str) -> None:
    """Make a Python project of the folder of the package file at `path`; its entry point is offered in the group `project`.

    Raises: SourceError: something is missing in the file, or isn't as it says.
    """
    import tomli_w

    folder = path.parent
    package = read_package_file(path)
    base, target = locate(folder, package)
    offered = f"{target.module}:{target.name}"
    contents = sorted(_contents(folder / base, keep=target.module.partition(".")[0]))
    if package.arguments or target.needs_shim:
        shim = f"_plughost_{canonicalize_name(package.name).replace('-', '_')}"
        _write(folder / base / f"{shim}.py", render(package, target))
        offered = f"{shim}:{target.function}"
        contents.append(f"{shim}.py")
    document = {
        "build-system": {"requires": _BUILD_REQUIRES, "build-backend": "hatchling.build"},
        "project": _metadata(package, {project: {canonicalize_name(package.name): offered}}),
        "tool": {"hatch": _hatch(base, contents)},
    }
    _write(folder / "pyproject.toml", tomli_w.dumps(document))


def _write(path: Path, text: str) -> None:
    """Replace `path`, not what it links to: the package may have put a link there that leads out of the copy."""
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def _metadata(package: PackageFile, entry_points: dict[str, dict[str, str]]) -> dict[str, object]:
    name, email = package.author
    found: dict[str, object] = {
        "name": package.name,
        "version": package.version,
        "description": package.description,
        "requires-python": package.requires_python,
        "license": {"text": package.licence} if package.licence else {},
        "keywords": list(package.tags),
        "authors": [{key: value for key, value in (("name", name), ("email", email)) if value}] if name or email else [],
        "urls": {"Repository": package.repository_url} if package.repository_url else {},
    }
    return {
        **{key: value for key, value in found.items() if value},
        "dependencies": list(package.dependencies),
        "entry-points": entry_points,
    }


def _hatch(base: str, contents: list[str]) -> dict[str, object]:
    wheel: dict[str, object] = {"only-include": [f"{base}/{name}" if base else name for name in contents]}
    if base:
        wheel["sources"] = [base]
    return {
        "metadata": {"allow-direct-references": True},
        "build": {"ignore-vcs": True, "targets": {"wheel": wheel}},
    }


def _contents(base: Path, *, keep: str) -> Iterator[str]:
    """What goes into the wheel: modules, packages and data; `keep` is the entry point's own, whatever its name."""
    for path in base.iterdir():
        name = path.name.lower()
        if path.name in {keep, f"{keep}.py"}:
            yield path.name
        elif name.startswith(".") or name.endswith((".egg-info", ".pyc")):
            continue
        elif path.is_dir():
            if name not in _LEFT_OUT_FOLDERS:
                yield path.name
        elif not (name in _LEFT_OUT_FILES or name.startswith(_LEFT_OUT_BEGINNINGS) or name.endswith((".md", ".rst"))):
            yield path.name
