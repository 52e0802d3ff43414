"""Building a wheel: in a kept environment first, and where that fails for any reason, in one made for this build alone.

Where there is a workshop, the package's code runs in that alone, and what it needs is fetched before.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from tempfile import mkdtemp

from plughost._deletion import delete_folder
from plughost._installing import write_log
from plughost.errors import BuildError, InstallError
from plughost.wheel._environment import discard, keepable, obtain, pins_of
from plughost.wheel._hook import build_wheel, further_requirements
from plughost.wheel._read import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._installer import Installer
    from plughost._installing import Shop
    from plughost._interpreters import Interpreter
    from plughost._process import Completed
    from plughost.source import SourceTree
    from plughost.wheel._record import BuiltWheel

__all__ = ["build", "build_again"]

#: What a tree without `[build-system]` means. Source: PEP 518.
_LEGACY_REQUIRES = ("setuptools>=40.8.0",)

#: What a file in the care of git-lfs begins with where git-lfs was not asked for it, and the bytes that such a note has.
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_SIZES = range(100, 1024)

#: These say nothing of the kept environment, and would end a second build the same way.
_NOT_THE_ENVIRONMENT = frozenset({"disk-full", "network", "offline", "tls", "uv-missing"})


def build(
    tree: SourceTree,
    *,
    installer: Installer,
    python: Interpreter,
    into: Path,
    offline: bool,
    log: Path,
) -> BuiltWheel:
    """Build the wheel of `tree` into the folder `into`, which is the caller's alone and has no wheel yet.

    Raises: BuildError: the backend failed, or what it made is not one usable wheel. InstallError: the build requirements can't
    be had. SandboxError: the build can't be confined.
    """
    into.mkdir(parents=True, exist_ok=True)
    requires = _LEGACY_REQUIRES if tree.build_requires is None else tree.build_requires
    environment = _kept_environment(tree, requires, installer, python, offline=offline, log=log)
    if not (environment and _build_kept(tree, environment, into, log, installer.shop)):
        subject = _subject(tree)
        if installer.shop is not None:
            bench = _Bench(tree, installer=installer, python=python, offline=offline, log=log, shop=installer.shop)
            bench.build(requires, into, subject=subject)
            return _only_wheel(into, log)
        installer.build(tree.path, subject=subject, python=python, into=into, epoch=tree.epoch, offline=offline, log=log)
        if environment:
            discard(environment, installer)
    return _only_wheel(into, log)


def build_again(
    tree: SourceTree,
    generator: str,
    *,
    installer: Installer,
    python: Interpreter,
    into: Path,
    offline: bool,
    log: Path,
) -> BuiltWheel | None:
    """Build with exactly the backend that `generator` names, as a wheel does; None if that can't be.

    `into` is the caller's alone and has no wheel yet.
    """
    requires = [*(_LEGACY_REQUIRES if tree.build_requires is None else tree.build_requires), *pins_of(generator)]
    if not pins_of(generator) or not keepable(tree.path, requires, exact=True):
        return None
    try:
        environment = obtain(requires, installer=installer, python=python, offline=offline, log=log)
    except InstallError:
        return None
    into.mkdir(parents=True, exist_ok=True)
    return _only_wheel(into, log) if _build_kept(tree, environment, into, log, installer.shop) else None


def _kept_environment(
    tree: SourceTree, requires: Sequence[str], installer: Installer, python: Interpreter, *, offline: bool, log: Path
) -> str:
    """The folder of a kept environment for this build; empty if it needs one of its own."""
    # uv has the backend `uv_build` in itself; in the workshop it is asked as any other.
    if not keepable(tree.path, requires, exact=installer.shop is not None):
        return ""
    try:
        return obtain(requires, installer=installer, python=python, offline=offline, log=log)
    except InstallError as error:
        if error.reference in _NOT_THE_ENVIRONMENT:
            raise
        return ""


def _build_kept(tree: SourceTree, environment: str, into: Path, log: Path, shop: Shop | None) -> bool:
    """Build in a kept environment. False if that failed, for whatever reason: a build that has its own then decides."""
    completed = build_wheel(tree.path, environment=environment, into=into, epoch=tree.epoch, shop=shop)
    write_log(log, completed)
    if completed.returncode == 0:
        return True
    for leftover in into.glob("*.whl"):
        leftover.unlink()
    return False


class _Bench:
    """One build in the workshop, in environments that are made for it."""

    def __init__(
        self, tree: SourceTree, *, installer: Installer, python: Interpreter, offline: bool, log: Path, shop: Shop
    ) -> None:
        self._tree, self._installer, self._python, self._offline = tree, installer, python, offline
        self._log, self._shop = log, shop

    def build(self, requires: Sequence[str], into: Path, *, subject: str) -> None:
        """Raises: BuildError: the backend fails. InstallError: what it needs can't be had."""
        place = Path(mkdtemp(dir=into.parent, prefix="build-"))
        try:
            source = _unpacked(self._tree, place / "source")
            environment = self._furnish(place / "first", requires)
            asked, further = further_requirements(source, environment=environment, into=place / "asked", shop=self._shop)
            write_log(self._log, asked)
            if further:
                environment = self._furnish(place / "second", [*requires, *further])
            if asked.returncode == 0:
                asked = build_wheel(source, environment=environment, into=into, epoch=self._tree.epoch, shop=self._shop)
                write_log(self._log, asked)
            if asked.returncode != 0:
                raise _failed(subject, asked, self._log)
        finally:
            delete_folder(str(place))

    def _furnish(self, folder: Path, requires: Sequence[str]) -> str:
        self._installer.furnish(str(folder), list(requires), python=self._python, offline=self._offline, log=self._log)
        return str(folder)


def _unpacked(tree: SourceTree, into: Path) -> Path:
    """The folder of a source tree, which may be an archive (an sdist has one folder at its top; PEP 625)."""
    if tree.path.is_dir():
        return tree.path
    into.mkdir()
    try:
        if tree.path.suffix == ".zip":
            shutil.unpack_archive(tree.path, into)
        else:
            _extract(tree.path, into)
    except (OSError, EOFError, ValueError, LookupError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise BuildError(f"`{tree.path.name}` can't be unpacked", reference="build-failed", causes=[str(error)]) from error
    inside = list(into.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else into


def _extract(path: Path, into: Path) -> None:
    with tarfile.open(path) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(into, filter="data")
            return
        # Before 3.11.4: without links, nothing leads out.
        plain = [each for each in archive if (each.isreg() or each.isdir()) and ".." not in each.name.split("/")]
        for each in plain:
            each.name, each.uname, each.gname = each.name.lstrip("/"), "", ""
            each.uid, each.gid, each.mode = os.getuid(), os.getgid(), each.mode & 0o755 | 0o600
        archive.extractall(into, plain)  # noqa: S202


def _failed(subject: str, completed: Completed, log: Path) -> BuildError:
    said = [line.strip() for line in completed.stderr.splitlines() if line.strip()]
    ended = f"The build backend ended with code {completed.returncode}"
    return BuildError(
        f"Failed to build a wheel from {subject}",
        reference="build-failed",
        causes=[ended, *said[-1:]],
        hint="What it may use is limited: the log has all that it said",
        log=log,
    )


def _only_wheel(into: Path, log: Path) -> BuiltWheel:
    wheels = sorted(path for path in into.glob("*.whl") if path.is_file() and not path.is_symlink())
    if len(wheels) != 1:
        names = ", ".join(f"`{wheel.name}`" for wheel in wheels) or "none"
        raise BuildError("The build made other than one wheel", reference="wheel-invalid", causes=[f"Made: {names}"], log=log)
    _refuse_pointers(wheels[0], log)
    return read(wheels[0])


def _refuse_pointers(wheel: Path, log: Path) -> None:
    """Raises: BuildError: in place of a file that git-lfs keeps elsewhere, the wheel has the note that says where.

    Source: the specification of Git LFS, "The pointer".
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            small = (member for member in archive.infolist() if member.file_size in _POINTER_SIZES)
            pointer = next((member.filename for member in small if archive.read(member).startswith(_POINTER)), "")
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError, RuntimeError):
        return  # `read` says what is wrong with it
    if pointer:
        raise BuildError(
            f"`{pointer}` in the wheel is not the file, but a note of where git-lfs finds it",
            reference="wheel-invalid",
            hint="Install git-lfs, run `git lfs install` once, and repeat the command",
            log=log,
        )


def _subject(tree: SourceTree) -> str:
    origin = tree.origin
    called = tree.name or (origin.subdirectory or origin.url).rstrip("/").rpartition("/")[2].removesuffix(".git")
    name = f"`{called}`"
    commit = origin.commit_id
    return f"{name} at `{commit[:7]}`" if commit else name
