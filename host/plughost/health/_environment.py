"""A plugin's virtual environment: is it there, does its Python start, and is each file in it what was installed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from plughost import _interpreters as interpreters
from plughost import venv as venvs
from plughost._wording import listed
from plughost.paths import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plughost._interpreters import Interpreter
    from plughost.paths import Store
    from plughost.registry import Receipt

__all__ = ["ExaminedVenv", "VenvFault", "Venvs"]


_MOST_KEPT = 100
_MOST_KEPT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvFault:
    """What is wrong with an environment, whichever plugins use it."""

    reference: str
    what: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedVenv:
    """An environment. `shared` are its packages whose damaged files have the same bytes on disk as the installer's cache.

    `changed` are files that somebody may want to look at: what they hold is nowhere else.
    """

    key: str
    path: str
    faults: tuple[VenvFault, ...] = ()
    shared: tuple[str, ...] = ()
    changed: tuple[Path, ...] = ()


class Venvs:
    """The environments of a store, each examined once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, ExaminedVenv] = {}
        self._pythons: dict[str, Interpreter | None] = {}

    def examine(self, key: str, receipt: Receipt | None) -> ExaminedVenv:
        """The environment `key`, which `receipt` names; "" is none at all."""
        if key not in self._known:
            self._known[key] = self._examine(key)
        found = self._known[key]
        if found.faults or receipt is None:
            return found
        digest = venvs.read_marker(found.path).fingerprint.digest
        if digest == receipt.venv_digest:
            return found
        what = "The notes on what was installed in its environment are not those that its receipt has the digest of"
        fault = VenvFault(reference="venv-damaged", what=what, where=os.path.join(found.path, venvs.MARKER))
        return ExaminedVenv(key=key, path=found.path, faults=(fault,))

    def _examine(self, key: str) -> ExaminedVenv:
        path = os.path.join(self.store.venvs, key)
        if not key or not os.path.isdir(path):
            missing = VenvFault(reference="venv-missing", what="Its environment is gone", where=path)
            return ExaminedVenv(key=key, path=path, faults=(missing,))
        try:
            marker = venvs.read_marker(path)
        except (OSError, ValueError):
            what = f"The file that marks its environment as whole, `{venvs.MARKER}`, is missing or can't be read"
            fault = VenvFault(reference="venv-damaged", what=what, where=os.path.join(path, venvs.MARKER))
            return ExaminedVenv(key=key, path=path, faults=(fault,))
        faults = [*self._python(path, marker.interpreter)]
        damage = venvs.find_damage(path, marker.fingerprint)
        shared: set[str] = set()
        for package, group in groupby(sorted(damage, key=lambda one: one.package), key=lambda one: one.package):
            found = list(group)
            if package and any(_links(os.path.join(path, one.file)) > 1 for one in found):
                shared.add(package)
            faults.append(self._files(key, package, found))
        changed = _worth_keeping(Path(path, one.file) for one in damage)
        return ExaminedVenv(key=key, path=path, faults=tuple(faults), shared=tuple(sorted(shared)), changed=changed)

    def _python(self, path: str, made_with: Interpreter) -> Iterator[VenvFault]:
        """Whether the base interpreter is still the one that the environment was made with."""
        base = os.path.realpath(made_with.executable)
        if os.path.realpath(os.path.join(path, "bin", "python")) != base:  # then that is one of the files that were changed
            return
        if base not in self._pythons:  # the base, never what lies in the environment: nothing of a plugin is to be started
            self._pythons[base] = interpreters.ask(base) if os.path.exists(base) else None
        found = self._pythons[base]
        if found is None:
            gone = "is gone" if not os.path.exists(base) else "doesn't start"
            what = f"Python {made_with.version} at `{made_with.executable}`, which its environment was made with, {gone}"
            yield VenvFault(reference="python-missing", what=what, where=made_with.executable)
        elif found.series != made_with.series:
            what = f"Its environment was made with Python {made_with.version}, and `{base}` is Python {found.version} now"
            yield VenvFault(reference="python-replaced", what=what, where=base)

    def _files(self, key: str, package: str, damage: list[venvs.Damage]) -> VenvFault:
        first = damage[0]
        whose = f"of `{package}` " if package else ""
        file = f"`{first.file}`: {_lower(first.fault)}"
        what = f"A file {whose}in its environment is not as it was installed: {file}"
        if len(damage) > 1:
            what = f"{len(damage)} files {whose}in its environment are not as they were installed, such as {file}"
        others = sorted(self._sharers(key, [one.file for one in damage]))
        if others:
            what += f". The same bytes are in the environment of {listed(others, between=' and ')}"
        return VenvFault(reference="venv-damaged", what=what, where=os.path.join(self.store.venvs, key, first.file))

    def _sharers(self, key: str, files: list[str]) -> set[str]:
        """The plugins with another environment in which one of these files is the same file on disk."""
        from plughost.registry import users_of_venvs

        linked = [file for file in files if _links(os.path.join(self.store.venvs, key, file)) > 1]
        if not linked:
            return set()
        found = set()
        users = users_of_venvs(self.store)
        for other in scan(self.store.venvs):
            if other.name != key and any(_is_same(self.store, key, other.name, file) for file in linked):
                found |= users.get(other.name, set())
        return found


def _worth_keeping(files: Iterable[Path]) -> tuple[Path, ...]:
    """Those that are there, as far as they are few and small: somebody has edited them, or put them there."""
    kept: list[Path] = []
    left_bytes = _MOST_KEPT_BYTES
    for file in files:
        if len(kept) == _MOST_KEPT or file.is_symlink() or not file.is_file():
            continue
        left_bytes -= file.stat().st_size
        if left_bytes >= 0:
            kept.append(file)
    return tuple(kept)


def _links(path: str) -> int:
    try:
        return os.lstat(path).st_nlink
    except OSError:
        return 0


def _is_same(store: Store, key: str, other: str, file: str) -> bool:
    try:
        return os.path.samefile(os.path.join(store.venvs, key, file), os.path.join(store.venvs, other, file))
    except OSError:
        return False


def _lower(fault: str) -> str:
    return fault[:1].lower() + fault[1:]
