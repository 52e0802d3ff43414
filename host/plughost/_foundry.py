"""Wheels of what there are none of: dependencies, and what is needed to build, of which an index has the source alone.

Above it: whoever locks and installs; below it: the stages wheel and lock, what fetches sources, and the store's cache. All of it
is built as a plugin is, and its wheel is kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import canonicalize_version

from plughost import lock as locks
from plughost import wheel as wheels
from plughost._fetching import fetch
from plughost._installing import UNTOLD_VERSION
from plughost.errors import BuildError, InstallError, ResolveError
from plughost.paths import BUILT_DAYS, read_file, replace_file, sha256_of
from plughost.source import Origin, SourceTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost.lock import LockedFile, Lockfile
    from plughost.wheel import BuiltWheel

__all__ = ["Foundry"]

#: How deep it goes where what a build needs has to be built in its turn.
_DEEPEST = 5


class Foundry:
    """Makes wheels for `python`, with the programs and in the place that `installer` has."""

    def __init__(
        self, installer: Installer, python: Interpreter, *, offline: bool, log: Path, within: tuple[str, ...] = ()
    ) -> None:
        """`within` are the URLs of what it is to be built for, the outermost first."""
        self._installer = installer
        self._store = installer.store
        self._python = python
        self._offline = offline
        self._log = log
        self._within = within

    def wheels_of(self, lock: Lockfile, *, editable: Path | None = None) -> dict[str, Path]:
        """The wheels of those packages of the lock that it has none of, and of the folder `editable` the one that leads there."""
        found: dict[str, Path] = {}
        if lock.built_from_source and not lock.wheels:
            wanted = [file for file in locks.files(lock.folder, python=self._python) if not file.wheel]
            found.update((file.name, self.wheel_of(file).path) for file in wanted)
        if editable:
            wheel = wheels.build_editable(
                SourceTree(path=editable, origin=Origin(kind="folder", url=editable.as_uri(), editable=True), name=editable.name),
                installer=self._installer,
                python=self._python,
                into=lock.folder / "editable",
                offline=self._offline,
                log=self._log,
                furnish=self.furnish,
            )
            found[wheel.name] = wheel.path
        return found

    def wheel_of(self, file: LockedFile) -> BuiltWheel:
        """The wheel of a file that is none: the one that is kept, else it is fetched and built.

        Raises: InstallError: it can't be had or built, or what comes of it is something else. SandboxError: not confined.
        """
        is_exact = bool(file.sha256) or file.url.startswith("git+")
        contents = f"{file.sha256}#{file.subdirectory}" if file.sha256 else file.url
        made_from = [file.name, contents, self._python.executable, self._python.version]
        if is_exact and (kept := wheels.find_kept(self._store.built_wheels, made_from)):
            with suppress(OSError):
                os.utime(kept.wheel.path.parent)
            return kept.wheel
        with self._folder("source-") as folder:
            wheel = self._build(file, folder)
            if not is_exact:  # a folder may be another one tomorrow
                stays = _made(os.path.join(self._scratch, "wheels", os.urandom(8).hex()))
                return wheels.read(Path(shutil.move(wheel.path, stays)))
            among = self._store.built_wheels
            wheels.keep(among, made_from, wheel, self._python, stage=folder, lock=None, days=BUILT_DAYS, first_stays=True)
        kept = wheels.find_kept(self._store.built_wheels, made_from)
        if kept is None:
            raise InstallError(f"The wheel of `{file.name}` can't be kept", reference="install-failed", log=self._log)
        return kept.wheel

    def digest_of(self, name: str, place: str) -> str:
        """The SHA-256 of the archive of `name` at the URL `place`; offline, what it was when it was last asked for.

        Raises: InstallError: it can't be had.
        """
        told = Path(self._store.built_wheels, hashlib.sha256(place.encode()).hexdigest()[:32], "archive.sha256")
        if self._offline and told.is_file():
            return read_file(told).decode()
        with self._folder("source-") as folder:
            archive = locks.LockedFile(name=name, version="", wheel="", url=place, sha256="")
            digest = sha256_of(self._fetch(archive, folder).path)
        _made(str(told.parent))
        replace_file(str(told), digest.encode(), durable=False)
        return digest

    def furnish(self, venv: str, requirements: Sequence[str]) -> None:
        """Make a venv with what a build needs, though not all of that has wheels.

        Raises: InstallError: it can't be had or built.
        """
        with self._folder("needed-") as folder:
            first, *others = requirements
            lock = locks.resolve(
                first,
                installer=self._installer,
                python=self._python,
                into=folder,
                log=self._log,
                with_=others,
                offline=self._offline,
                foundry=self,
            )
            self._installer.install(
                lock.folder,
                venv,
                python=self._python,
                built=self.wheels_of(lock),
                offline=self._offline,
                log=self._log,
                keep=(),
            )

    def _build(self, file: LockedFile, folder: Path) -> BuiltWheel:
        if file.url in self._within or len(self._within) >= _DEEPEST:
            raise ResolveError(
                f"`{file.name}` {file.version} can't be built",
                reference="wheel-missing",
                causes=["What it takes to build it has to be built in its turn, and so on without end"],
                log=self._log,
            )
        for_it = Foundry(self._installer, self._python, offline=self._offline, log=self._log, within=(*self._within, file.url))
        wheel = wheels.build(
            self._fetch(file, folder),
            installer=self._installer,
            python=self._python,
            into=folder / "wheel",
            offline=self._offline,
            log=self._log,
            furnish=for_it.furnish,
        )
        is_told = file.version not in ("", UNTOLD_VERSION)
        if wheel.name != file.name or (is_told and canonicalize_version(wheel.version) != canonicalize_version(file.version)):
            raise BuildError(
                f"What `{file.name}` {file.version} is built from makes something else",
                reference="wheel-invalid",
                causes=[f"It makes `{wheel.name}` {wheel.version}"],
                log=self._log,
            )
        return wheel

    def _fetch(self, file: LockedFile, folder: Path) -> SourceTree:
        into = folder / "fetched"
        into.mkdir()
        return fetch(file, into, installer=self._installer, python=self._python, offline=self._offline, log=self._log)

    @property
    def _scratch(self) -> str:
        return self._installer.scratch or self._store.tmp

    @contextmanager
    def _folder(self, prefix: str) -> Iterator[Path]:
        """A folder for the time of a block."""
        with TemporaryDirectory(dir=_made(self._scratch), prefix=prefix) as folder:
            yield Path(folder)


def _made(folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    return folder
