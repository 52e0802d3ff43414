"""Making a venv where it will stay, under a lock; it counts once its marker is there, which is written last.

What has no marker is deleted and made anew, never resumed: an installer that finds the remains of a killed one believes the
metadata and leaves the files missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from plughost._interpreters import Interpreter, foreign_part
from plughost._wording import listed
from plughost.errors import StoreError, VenvError
from plughost.paths import locked, read_file, replace_file
from plughost.venv._contents import verify
from plughost.venv._fingerprint import Fingerprint, take_fingerprint
from plughost.venv._standing import MARKER, installed, missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plughost._installer import Installer
    from plughost.lock import Lockfile
    from plughost.paths import Store

__all__ = ["Marker", "PluginVenv", "create", "read_marker", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginVenv:
    """A whole venv at `path`, named by its `key`. `record_digest` covers the RECORDs of its packages, and all else in it."""

    key: str
    path: Path
    python: Path
    interpreter: Interpreter
    record_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a finished venv says of itself, in the file that was written last."""

    key: str
    interpreter: Interpreter
    packages: tuple[tuple[str, str], ...]
    fingerprint: Fingerprint

    def venv(self, path: str) -> PluginVenv:
        return PluginVenv(
            key=self.key,
            path=Path(path),
            python=Path(path, "bin", "python"),
            interpreter=self.interpreter,
            record_digest=self.fingerprint.digest,
        )


def create(
    lock: Lockfile,
    *,
    store: Store,
    installer: Installer,
    python: Interpreter,
    log: Path,
    build: Callable[[Lockfile], Mapping[str, Path]],
    offline: bool = False,
    editable: Path | None = None,
    plugin: str = "",
    salt: str = "",
) -> PluginVenv:
    """The venv of `lock` for `python`, made unless it is there already.

    `editable` is the source folder that stands in for the plugin's wheel, and `plugin` the package whose files are checked to the
    byte first. `build` gives the wheels that the lock has none of, and that of `editable`. A `salt` of one's own has it made
    anew beside the one there is.

    Raises: VenvError: it can't be made, or is not what the lock says; nothing is left of it.
    """
    key = _key(lock, python, editable, salt)
    if there := _load(store, key):
        return there
    path = os.path.join(store.venvs, key)
    with locked(store.lock(f"venv-{key}")) as held:
        if there := _load(store, key):  # somebody made it while we waited
            return there
        os.makedirs(store.venvs, exist_ok=True)
        _delete(store, path)
        try:
            keep = (held.fd,)
            if lock.wheels:
                installer.install_wheels(lock.folder, path, wheels=lock.wheels, python=python, log=log, keep=keep)
            else:
                built = build(lock) if lock.built_from_source or editable else {}
                installer.install(lock.folder, path, python=python, built=built, offline=offline, log=log, keep=keep)
            _check_python(path, python, log)
            verify(path, first=plugin, log=log)
            _check_packages(lock, path, log)
            _mark(key, path, python)
        except BaseException as error:
            _delete(store, path)
            if isinstance(error, VenvError) and error.package:  # the cache has what was installed, so it may be damaged there
                installer.forget(error.package)
            raise
        return read_marker(path).venv(path)


def remove(store: Store, key: str) -> None:
    """Delete the venv `key`: first from sight, in one step, then from the disk. Whoever still runs in it keeps its open files."""
    with locked(store.lock(f"venv-{key}")):
        _delete(store, os.path.join(store.venvs, key))


def _key(lock: Lockfile, python: Interpreter, editable: Path | None, salt: str) -> str:
    parts = [lock.digest, python.executable, python.version, sys.platform, os.uname().machine, str(editable or ""), salt]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def read_marker(path: str) -> Marker:
    """What the venv at `path` says of itself.

    Raises: OSError: it was never finished. ValueError: it can't be read.
    """
    data = read_file(os.path.join(path, MARKER))
    try:
        marker = json.loads(data.decode())
        python = marker["interpreter"]
        return Marker(
            key=str(marker["key"]),
            interpreter=Interpreter(executable=str(python["executable"]), version=str(python["version"])),
            packages=tuple((str(name), str(version)) for name, version in marker["packages"]),
            fingerprint=Fingerprint(records=dict(marker["records"]), others=dict(marker["others"])),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"`{MARKER}` can't be read") from error


def _load(store: Store, key: str) -> PluginVenv | None:
    path = os.path.join(store.venvs, key)
    if not os.access(os.path.join(path, "bin", "python"), os.X_OK):  # follows the link to the base interpreter
        return None
    try:
        marker = read_marker(path)
    except (OSError, ValueError):
        return None
    if marker.key != key or list(marker.packages) != installed(path) or missing(path):
        return None
    return marker.venv(path)


def _mark(key: str, path: str, python: Interpreter) -> None:
    fingerprint = take_fingerprint(path)
    marker = {
        "key": key,
        "interpreter": {"executable": python.executable, "version": python.version},
        "record_digest": fingerprint.digest,
        "packages": installed(path),
        "records": fingerprint.records,
        "others": fingerprint.others,
    }
    replace_file(os.path.join(path, MARKER), json.dumps(marker, indent=1).encode())


def _check_python(path: str, python: Interpreter, log: Path) -> None:
    if part := foreign_part(path, python):
        raise VenvError(
            "What was installed has replaced the environment's Python",
            reference="venv-failed",
            causes=[f"A package has a file for `{part}`"],
            log=log,
        )


def _check_packages(lock: Lockfile, path: str, log: Path) -> None:
    locked_names = {package.name for package in lock.packages}
    if strange := [name for name, _version in installed(path) if name not in locked_names]:
        raise VenvError(
            "What was installed is not what is locked",
            reference="venv-failed",
            causes=[f"Not in the lock: {listed(strange)}"],
            log=log,
        )


def _delete(store: Store, path: str) -> None:
    if not os.path.lexists(path):
        return
    os.makedirs(store.trash, exist_ok=True)
    aside = os.path.join(store.trash, os.urandom(8).hex())
    try:
        os.rename(path, aside)
    except OSError as error:
        raise StoreError(f"`{path}` can't be deleted", reference="store-unwritable", causes=[str(error)]) from error
    shutil.rmtree(aside, ignore_errors=True)
