"""The source of what a lock has no wheel of, put on disk as it is locked; nothing of it is run for that.

Above it: `_foundry`, which builds it; below it: the stages source and wheel, and pip, which knows proxies, and indexes that ask
for a password.
"""

from __future__ import annotations

import os
import re
import shutil
from urllib.parse import unquote, urlsplit

from plughost import _interpreters as interpreters
from plughost import _uv_settings
from plughost._pip import Pip
from plughost.errors import InstallError, ResolveError
from plughost.paths import sha256_of
from plughost.source import Origin, SourceTree, project_folder
from plughost.wheel import build_system_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost.lock import LockedFile

__all__ = ["fetch"]

#: Where git finds the files of a submodule: the only one of its settings that has to stay.
_WORK_TREE = re.compile(r"^\s*worktree = .*\n", re.MULTILINE)


def fetch(file: LockedFile, into: Path, *, installer: Installer, python: Interpreter, offline: bool, log: Path) -> SourceTree:
    """The archive, or the project's folder, in the empty folder `into`.

    Raises: InstallError: it can't be had, or isn't what is locked. SourceError: it has no such folder.
    """
    place = file.url.partition("#")[0]
    local = unquote(urlsplit(place).path) if place.startswith("file:") else ""
    if local and os.path.isdir(local):
        shutil.copytree(local, into / "source", symlinks=True)
    elif local:
        shutil.copyfile(local, into / os.path.basename(local))
    else:
        _download(file, into, installer=installer, python=python, offline=offline, log=log)
    (path,) = into.iterdir()
    if path.is_file():
        _check(path, file)
        origin = Origin(kind="sdist", url=place, sha256=file.sha256, subdirectory=file.subdirectory)
        return SourceTree(path=path, origin=origin, name=file.name)
    _forget_origin(path / ".git")
    commit = place.rpartition("@")[2] if place.startswith("git+") else ""
    origin = Origin(kind="git" if commit else "folder", url=place, commit_id=commit, subdirectory=file.subdirectory)
    folder = project_folder(path, origin)
    return SourceTree(path=folder, origin=origin, name=file.name, build_requires=build_system_of(folder).requires)


def _download(file: LockedFile, into: Path, *, installer: Installer, python: Interpreter, offline: bool, log: Path) -> None:
    by_uv = installer.name == "uv"
    if offline or (by_uv and _uv_settings.is_offline()):
        raise InstallError(
            f"`{' '.join(filter(None, (file.name, file.version)))}` has no wheel, and its source is not on this machine",
            reference="offline",
            hint="Repeat the command without `--offline`",
            log=log,
        )
    env, runs_on = _uv_settings.for_pip() if by_uv else {}, interpreters.own() or python
    Pip(installer.store, installer.scratch).fetch_source(file.requirement, into, python=runs_on, log=log, env=env)


def _check(path: Path, file: LockedFile) -> None:
    found = sha256_of(path)
    if file.sha256 and found != file.sha256:
        raise ResolveError(
            f"`{path.name}` is not what is locked",
            reference="hash-mismatch",
            causes=[f"Its SHA-256 is `{found}`, and it should be `{file.sha256}`"],
        )


def _forget_origin(repository: Path) -> None:
    """Leave of a repository what tells the version, and nothing of where it and its submodules are from: that may be a secret."""
    if repository.is_symlink() or not repository.is_dir():
        repository.unlink(missing_ok=True)
        return
    for folder, folders, files in os.walk(repository):
        for name in ("hooks", "logs"):
            if name in folders:
                folders.remove(name)
                shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        for name in {"FETCH_HEAD", "ORIG_HEAD"} & set(files):
            os.unlink(os.path.join(folder, name))
        if "config" in files and "HEAD" in files:
            _forget_settings(os.path.join(folder, "config"))


def _forget_settings(path: str) -> None:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        kept = "".join(_WORK_TREE.findall(file.read()))
    os.unlink(path)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"[core]\n\trepositoryformatversion = 0\n{kept}")
