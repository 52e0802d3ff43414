"""Build environments that are kept, because making one, and compiling the backend in it, takes longer than a build.

Only for backends that are known to write nothing into their own installation. The key holds everything that the environment is
made from, and the week, so that it is never far behind the index; what was made weeks ago is swept when another one is made.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time

from packaging.requirements import InvalidRequirement, Requirement

from plughost._interpreters import foreign_part
from plughost._names import normalized
from plughost.errors import BuildError
from plughost.paths import locked, read_file, replace_file, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter

__all__ = ["check_python", "discard", "keepable", "obtain", "pins_of"]

#: Not `uv_build`: uv builds with it in its own process.
_BACKENDS = frozenset(
    {"flit-core", "hatch-vcs", "hatchling", "pdm-backend", "poetry-core", "setuptools", "setuptools-scm", "wheel"}
)
#: What backends call themselves in a wheel, where that is not the name of their package.
_GENERATORS = {"bdist_wheel": "wheel", "flit": "flit-core", "uv": "uv-build"}
_WEEK_S = 7 * 86400
_MARKER = "plughost-build.json"


def keepable(source: Path, requires: Sequence[str], *, exact: bool = False) -> bool:
    """Whether a kept environment with `requires` builds the same wheel as one made for this build alone.

    `exact` says that they name the version of the backend, which may then be one that the installer has in itself.
    """
    try:
        parsed = [Requirement(text) for text in requires]
    except InvalidRequirement:
        return False
    backends = _BACKENDS | {"uv-build"} if exact else _BACKENDS
    if not parsed or any(requirement.url or normalized(requirement.name) not in backends for requirement in parsed):
        return False
    # `setup_requires` is installed by isolation alone; without it, setuptools may build the wrong version and not say so.
    return source.is_dir() and not any(b"setup_requires" in _bytes(source / name) for name in ("setup.py", "setup.cfg"))


def pins_of(generator: str) -> tuple[str, ...]:
    """The requirement that the `Generator` of a wheel stands for, such as `setuptools (80.9.0)`; empty if it is none."""
    named = re.fullmatch(r"([A-Za-z_-]+) \(?([0-9][0-9A-Za-z.+]*)\)?", generator)
    if not named:
        return ()
    name = _GENERATORS.get(named[1], normalized(named[1]))
    return (f"{name}=={named[2]}",) if name in _BACKENDS | {"uv-build"} else ()


def obtain(requires: Sequence[str], *, installer: Installer, python: Interpreter, offline: bool, log: Path) -> str:
    """The folder of an environment that has `requires`, made if there is none yet."""
    store = installer.store
    week = int(time.time() // _WEEK_S)
    made_from = [installer.name, python.executable, python.version, sorted(set(requires)), week]
    key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:24]
    folder = os.path.join(store.build_environments, key)
    marker = os.path.join(folder, _MARKER)
    if os.path.exists(marker):
        return folder
    with locked(store.lock(f"build-{key}")):
        if not os.path.exists(marker):
            os.makedirs(store.build_environments, exist_ok=True)
            discard(folder, installer)
            _sweep(installer, week)
            installer.furnish(folder, requires, python=python, offline=offline, log=log)
            check_python(folder, python=python, log=log)
            replace_file(marker, json.dumps({"week": week, "made_from": made_from}).encode())
    return folder


def check_python(folder: str, *, python: Interpreter, log: Path) -> None:
    """Raises: BuildError: what was installed into the environment at `folder` has replaced its Python."""
    if part := foreign_part(folder, python):
        raise BuildError(
            "What the build requires has replaced its environment's Python",
            reference="build-requires",
            causes=[f"A package has a file for `{part}`"],
            log=log,
        )


def discard(folder: str, installer: Installer) -> None:
    """Delete the environment at `folder`, first from sight, then from the disk."""
    if not os.path.lexists(folder):
        return
    os.makedirs(installer.store.trash, exist_ok=True)
    aside = os.path.join(installer.store.trash, os.urandom(8).hex())
    try:
        os.rename(folder, aside)
    except FileNotFoundError:  # somebody else was first
        return
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(installer: Installer, week: int) -> None:
    """Delete the environments of the weeks before the last one: no build takes that long."""
    for entry in list(scan(installer.store.build_environments)):
        try:
            made = int(json.loads(read_file(os.path.join(entry.path, _MARKER)))["week"])
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
        ):  # being made, or left by a kill: it is deleted when its key comes again
            continue
        if made < week - 1:
            discard(entry.path, installer)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
