"""`pylock.toml` from pip's installation report, and pip's requirements file from `pylock.toml`.

Above it: `_pip`; below it: the formats. pip itself only begins to read and write this format, and not in all versions in use.

Source: PEP 751; the installation report, version 1.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from plughost._installing import without_passwords
from plughost.paths import read_file, sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plughost._installing import LockRequest, SourceMetadata

    Table = dict[str, object]

__all__ = ["locked_versions", "metadata_file", "pylock", "requirements"]


def pylock(report: Mapping[str, object], request: LockRequest) -> str:
    """The lock of what `report` says would be installed."""
    import tomli_w
    from packaging.pylock import Pylock

    major, minor = request.python.series.split(".")
    lock: Table = {
        "lock-version": "1.0",
        "created-by": "plughost",
        "environments": [f"platform_machine == '{os.uname().machine}' and sys_platform == '{sys.platform}'"],
        "requires-python": f">={request.python.version},<{major}.{int(minor) + 1}",
        "packages": sorted(
            (_package(item, request) for item in _tables(report["install"])), key=lambda table: str(table["name"])
        ),
    }
    Pylock.from_dict(lock)  # raises where it isn't the format
    return tomli_w.dumps(lock)


def locked_versions(folder: Path, *, leave_out: set[str]) -> list[str]:
    """`NAME==VERSION` of each package from an index that is locked in `folder`; none where that lock can't be read."""
    try:
        lock = tomllib.loads(read_file(folder / "pylock.toml").decode())
        packages = [table for table in _tables(lock["packages"]) if "wheels" in table or "sdist" in table]
        return [f"{table['name']}=={table['version']}" for table in packages if table["name"] not in leave_out]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def requirements(lock: Mapping[str, object]) -> str:
    """The packages of `lock`, for pip's `-r`, with the hashes of all their files."""
    return "".join(f"{line}\n" for table in _tables(lock.get("packages", [])) for line in _lines(table))


def metadata_file(built: SourceMetadata) -> str:
    """As a wheel has it, with no more than decides what else is installed. Source: the core metadata specifications."""
    lines = ["Metadata-Version: 2.1", f"Name: {built.name}", f"Version: {built.version}"]
    lines += [f"Requires-Python: {built.requires_python}"] if built.requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in built.extras]
    return "\n".join([*lines, *(f"Requires-Dist: {requirement}" for requirement in built.requires_dist), ""])


def _package(item: Table, request: LockRequest) -> Table:
    metadata, download = _table(item["metadata"]), _table(item["download_info"])
    package: Table = {"name": canonicalize_name(str(metadata["name"])), "version": str(metadata["version"])}
    url = without_passwords(str(download["url"]))
    if request.wheel and package["name"] == request.wheel_name:
        return {**package, "archive": {"path": request.wheel.name, "hashes": {"sha256": sha256_of(request.wheel)}}}
    inside = {"subdirectory": download["subdirectory"]} if "subdirectory" in download else {}
    if "vcs_info" in download:
        vcs = _table(download["vcs_info"])
        place: Table = {"type": vcs["vcs"], "url": url, "commit-id": vcs["commit_id"], **inside}
        if "requested_revision" in vcs:
            place["requested-revision"] = vcs["requested_revision"]
        return {**package, "vcs": place}
    if "dir_info" in download:
        return {**package, "directory": {"path": _local(url)}}
    if item.get("is_direct"):
        return {**package, "archive": {**_place(url), **inside, "hashes": _hashes(download)}}
    file: Table = {"name": unquote(url.rpartition("/")[2]), **_place(url), "hashes": _hashes(download)}
    return {**package, "wheels": [file]} if url.endswith(".whl") else {**package, "sdist": file}


def _place(url: str) -> Table:
    """Where a file is: a URL, but for a local one its path, since not every reader takes `file:`."""
    return {"path": _local(url)} if url.startswith("file:") else {"url": url}


def _local(url: str) -> str:
    return unquote(url.removeprefix("file://"))


def _hashes(download: Table) -> Table:
    """The file's SHA-256: as pip says it, or of the file itself, where it is a local one and pip is an old one."""
    url = str(download["url"])
    archive = _table(download["archive_info"])
    digest = _table(archive.get("hashes", {})).get("sha256") or str(archive.get("hash", "")).removeprefix("sha256=")
    if not digest and url.startswith("file://"):
        digest = sha256_of(Path(_local(url)))
    return {"sha256": digest}


def _lines(table: Table) -> Iterator[str]:
    """One requirement: exact, with every hash, for the marker it was locked with."""
    marker = f" ; {table['marker']}" if table.get("marker") else ""
    name = str(table["name"])
    if isinstance(archive := table.get("archive"), dict):
        path = str(archive.get("path", ""))
        place = f"{'' if os.path.isabs(path) else './'}{path}" if path else f"{name} @ {archive['url']}"
        yield f"{place}{marker}{_options([archive])}"
    else:
        files = [*_tables(table.get("wheels", [])), *([_table(table["sdist"])] if "sdist" in table else [])]
        yield f"{name}=={table['version']}{marker}{_options(files)}"


def _options(files: list[Table]) -> str:
    return "".join(f" --hash=sha256:{_table(file['hashes'])['sha256']}" for file in files)


def _tables(value: object) -> list[Table]:
    return [_table(item) for item in value] if isinstance(value, list) else []


def _table(value: object) -> Table:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not a table")
    return value
