"""The project that is generated for uv to lock: its only purpose is its dependencies, of which the plugin's wheel is one.

Above it: `_uv`; below it: the formats of `pyproject.toml` and of uv's settings.
"""

from __future__ import annotations

import os
import sys

from plughost._installing import UNTOLD_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._installing import LockRequest, SourceMetadata

__all__ = ["STAND_INS", "write_metadata", "write_project"]

#: The folder of empty folders that stand for archives on this machine.
STAND_INS = "archives"


def write_project(request: LockRequest) -> None:
    """Write the project into the folder of `request`, for this platform and its interpreter."""
    import tomli_w

    version = request.python.version
    major, minor = request.python.series.split(".")
    settings: dict[str, object] = {
        "package": False,
        "environments": [f"sys_platform == '{sys.platform}' and platform_machine == '{os.uname().machine}'"],
    }
    if request.constraints:
        settings["constraint-dependencies"] = list(request.constraints)
    if request.digests:
        settings["override-dependencies"] = [f"{name} @ {_hashed_place(name, request)}" for name in request.digests]
    if request.wheel:
        settings["sources"] = {request.wheel_name: {"path": request.wheel.name}}
    project = {
        "name": "plughost-environment",
        "version": "0",
        # Not `==3.11.*`: a package that needs 3.11.4 would then not fit into a 3.11.7.
        "requires-python": f">={version},<{major}.{int(minor) + 1}",
        "dependencies": list(request.requirements),
    }
    text = tomli_w.dumps({"project": project, "tool": {"uv": settings}})
    request.folder.mkdir(parents=True, exist_ok=True)
    (request.folder / "pyproject.toml").write_text(text, encoding="utf-8")


def _hashed_place(name: str, request: LockRequest) -> str:
    """The URL of an archive with its hash: uv need not look into it then. Into a local one it would, but not into a folder."""
    url = request.places[name]
    if url.startswith("file:"):
        stands_for_it = request.folder.absolute() / STAND_INS / name
        stands_for_it.mkdir(parents=True, exist_ok=True)
        return stands_for_it.as_uri()
    return f"{url}{'&' if '#' in url else '#'}sha256={request.digests[name]}"


def write_metadata(request: LockRequest) -> str:
    """The path of a file of settings that says what there is to know of the packages `from_source`; uv builds none of these.

    An entry without a version is for all versions but those that have one of their own. What is from a place of its own has a
    single entry, with any version: uv heeds no other, and where there are several, none.
    """
    import tomli_w

    exact: dict[str, list[dict[str, object]]] = {}
    for built in request.built:
        exact.setdefault(built.name, []).append(_metadata(built))
    entries: list[dict[str, object]] = []
    for name in sorted(request.from_source):
        known = exact.get(name, [])
        if name in request.places:
            entries.append(known[-1] if known else {"name": name, "version": UNTOLD_VERSION})
        else:
            entries += [{"name": name}, *known]
    path = request.folder / "uv-metadata.toml"
    path.write_text(tomli_w.dumps({"dependency-metadata": entries}), encoding="utf-8")
    return str(path)


def _metadata(built: SourceMetadata) -> dict[str, object]:
    table: dict[str, object] = {"name": built.name, "version": built.version, "requires-dist": list(built.requires_dist)}
    if built.requires_python:
        table["requires-python"] = built.requires_python
    return {**table, "provides-extra": list(built.extras)}
