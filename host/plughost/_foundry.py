"""Wheels of what there are none of: dependencies, and what is needed to build, of which an index has the source alone.

Above it: whoever locks and installs; below it: the stages wheel and lock, pip, which fetches, and the store's cache. What is
fetched is not looked into by the program that fetches it; it is built as a plugin is, and its wheel is kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_version

from plughost import _interpreters as interpreters
from plughost import lock as locks
from plughost import wheel as wheels
from plughost._installing import UNTOLD_VERSION
from plughost.errors import BuildError, InstallError, ResolveError
from plughost.source import Origin, SourceTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost.lock import LockedFile, Lockfile
    from plughost.wheel import BuiltWheel

__all__ = ["Foundry"]

#: As long as nobody has asked for it.
_KEPT_DAYS = 90
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
        made_from = [file.name, file.sha256 or file.url, self._python.executable, self._python.version]
        if is_exact and (kept := wheels.find_kept(self._store.built_wheels, made_from)):
            with suppress(OSError):
                os.utime(kept.wheel.path.parent)
            return kept.wheel
        scratch = _made(self._installer.scratch or self._store.tmp)
        with TemporaryDirectory(dir=scratch, prefix="source-") as folder:
            wheel = self._build(file, Path(folder))
            if not is_exact:  # a folder may be another one tomorrow
                stays = _made(os.path.join(scratch, "wheels", os.urandom(8).hex()))
                return wheels.read(Path(shutil.move(wheel.path, stays)))
            wheels.keep(self._store.built_wheels, made_from, wheel, self._python, stage=Path(folder), lock=None, days=_KEPT_DAYS)
        kept = wheels.find_kept(self._store.built_wheels, made_from)
        if kept is None:
            raise InstallError(f"The wheel of `{file.name}` can't be kept", reference="install-failed", log=self._log)
        return kept.wheel

    def digest_of(self, name: str, place: str) -> str:
        """The SHA-256 of the archive of `name` at the URL `place`.

        Raises: InstallError: it can't be had.
        """
        with TemporaryDirectory(dir=_made(self._installer.scratch or self._store.tmp), prefix="source-") as folder:
            tree = self._fetched(locks.LockedFile(name=name, version="", wheel="", url=place, sha256=""), Path(folder))
            return _sha256(tree.path)

    def furnish(self, venv: str, requirements: Sequence[str]) -> None:
        """Make a venv with what a build needs, though not all of that has wheels.

        Raises: InstallError: it can't be had or built.
        """
        with TemporaryDirectory(dir=_made(self._installer.scratch or self._store.tmp), prefix="needed-") as folder:
            first, *others = requirements
            lock = locks.resolve(
                first,
                installer=self._installer,
                python=self._python,
                into=Path(folder),
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
        tree = self._fetched(file, folder)
        for_it = Foundry(self._installer, self._python, offline=self._offline, log=self._log, within=(*self._within, file.url))
        wheel = wheels.build(
            tree,
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

    def _fetched(self, file: LockedFile, folder: Path) -> SourceTree:
        """The archive or the folder, as it is locked, below `folder`."""
        place, _, fragment = file.url.partition("#")
        subdirectory = fragment.removeprefix("subdirectory=")
        local = unquote(urlsplit(place).path) if place.startswith("file:") else ""
        into = folder / "fetched"
        into.mkdir()
        if local and os.path.isdir(local):
            shutil.copytree(local, into / "source", symlinks=True)
        elif local:
            shutil.copyfile(local, into / os.path.basename(local))
        else:
            self._download(file, into)
        (path,) = into.iterdir()
        if path.is_file():
            _check(path, file)
            origin = Origin(kind="sdist", url=place, sha256=file.sha256, subdirectory=subdirectory)
            return SourceTree(path=path, origin=origin, name=file.name)
        _forget_origin(path / ".git")
        commit = place.rpartition("@")[2] if place.startswith("git+") else ""
        origin = Origin(kind="git" if commit else "folder", url=place, commit_id=commit, subdirectory=subdirectory)
        return SourceTree(path=path, origin=origin, name=file.name)

    def _download(self, file: LockedFile, into: Path) -> None:
        """By pip, which knows proxies, and indexes that ask for a password; none of the package's code is run for it."""
        from plughost import _uv_settings
        from plughost._pip import Pip

        by_uv = self._installer.name == "uv"
        if self._offline or (by_uv and _uv_settings.is_offline()):
            raise InstallError(
                f"`{file.name}` {file.version} has no wheel, and its source is not on this machine",
                reference="offline",
                hint="Repeat the command without `--offline`",
                log=self._log,
            )
        pip = Pip(self._store, self._installer.scratch)
        env, python = _uv_settings.for_pip() if by_uv else {}, interpreters.own() or self._python
        pip.fetch_source(file.requirement, into, python=python, log=self._log, env=env)


def _check(path: Path, file: LockedFile) -> None:
    found = _sha256(path)
    if file.sha256 and found != file.sha256:
        raise ResolveError(
            f"`{path.name}` is not what is locked",
            reference="hash-mismatch",
            causes=[f"Its SHA-256 is `{found}`, and it should be `{file.sha256}`"],
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _forget_origin(repository: Path) -> None:
    """Leave of a repository what tells the version, and nothing of where it is from, which may have a password in it."""
    if repository.is_symlink() or not repository.is_dir():
        repository.unlink(missing_ok=True)
        return
    for name in ("config", "FETCH_HEAD", "ORIG_HEAD"):
        (repository / name).unlink(missing_ok=True)
    for name in ("hooks", "logs", "modules"):
        shutil.rmtree(repository / name, ignore_errors=True)
    (repository / "config").write_text("[core]\n\trepositoryformatversion = 0\n")


def _made(folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    return folder
