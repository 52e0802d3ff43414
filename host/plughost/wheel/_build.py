"""Building a wheel: what is tried in which order, and what comes of it.

Above it: `add` and whoever needs a wheel of something; below it: the bench and the installer.
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from plughost._deletion import delete_folder
from plughost._wording import listed
from plughost.errors import BuildError, InstallError
from plughost.wheel._bench import Bench
from plughost.wheel._environment import discard, keepable, obtain, pins_of
from plughost.wheel._read import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost.source import SourceTree
    from plughost.wheel._bench import Furnish
    from plughost.wheel._record import BuiltWheel

__all__ = ["build", "build_again", "build_editable"]

#: What a tree without `[build-system]` means. Source: PEP 518.
_LEGACY_REQUIRES = ("setuptools>=40.8.0",)

#: What a file in the care of git-lfs begins with where git-lfs was not asked for it, and the bytes that such a note has.
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_SIZES = range(100, 1024)


def build(
    tree: SourceTree,
    *,
    installer: Installer,
    python: Interpreter,
    into: Path,
    offline: bool,
    log: Path,
    furnish: Furnish | None = None,
) -> BuiltWheel:
    """Build the wheel of `tree` into the folder `into`, which is the caller's alone and has no wheel yet.

    `furnish` makes an environment of what the build needs where not all of that has wheels.

    Raises: BuildError: the backend failed, or what it made is not one usable wheel. InstallError: the build requirements can't
    be had. SandboxError: the build can't be confined.
    """
    into.mkdir(parents=True, exist_ok=True)
    with _folder_beside(into) as folder, _limits_told(_subject(tree), log):
        bench = Bench(folder, installer=installer, python=python, offline=offline, log=log, furnish=furnish)
        if tree.path.is_file() and (installer.shop or tree.origin.subdirectory):  # uv and pip unpack all others themselves
            tree = bench.unpacked(tree)
        requires = _requires(tree)
        environment = bench.kept_environment(tree, requires)
        if not (environment and bench.build_kept(tree, environment, into)):
            if installer.shop is not None:
                bench.build_apart(tree, requires, into, subject=_subject(tree))
                return _only_wheel(into, log)
            subject = _subject(tree)
            installer.build(tree.path, subject=subject, python=python, into=into, epoch=tree.epoch, offline=offline, log=log)
            if environment:
                discard(environment, installer)
    return _only_wheel(into, log)


def build_editable(
    tree: SourceTree,
    *,
    installer: Installer,
    python: Interpreter,
    into: Path,
    offline: bool,
    log: Path,
    furnish: Furnish | None = None,
) -> BuiltWheel:
    """A wheel that leads to the folder of `tree`, for an editable install. Source: PEP 660.

    Raises: as `build` does.
    """
    into.mkdir(parents=True, exist_ok=True)
    with _folder_beside(into) as folder, _limits_told(_subject(tree), log):
        bench = Bench(folder, installer=installer, python=python, offline=offline, log=log, furnish=furnish)
        tree = bench.unpacked(tree)
        bench.build_apart(tree, _requires(tree), into, subject=f"{_subject(tree)}, as editable", editable=True)
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
    requires = [*_requires(tree), *pins_of(generator)]
    if not pins_of(generator) or not keepable(tree.path, requires, exact=True):
        return None
    try:
        environment = obtain(requires, installer=installer, python=python, offline=offline, log=log)
    except InstallError:
        return None
    into.mkdir(parents=True, exist_ok=True)
    with _folder_beside(into) as folder:
        bench = Bench(folder, installer=installer, python=python, offline=offline, log=log)
        return _only_wheel(into, log) if bench.build_kept(tree, environment, into) else None


@contextmanager
def _limits_told(subject: str, log: Path) -> Iterator[None]:
    """Where a limit ends the build: say of what, too."""
    try:
        yield
    except BuildError as error:
        if error.reference == "build-limit":
            error.message, error.causes, error.log = f"Failed to build a wheel from {subject}", (error.message,), str(log)
        raise


def _requires(tree: SourceTree) -> Sequence[str]:
    return _LEGACY_REQUIRES if tree.build_requires is None else tree.build_requires


@contextmanager
def _folder_beside(into: Path) -> Iterator[Path]:
    """A folder for the time of a build, which may leave in it what it likes."""
    folder = mkdtemp(dir=into.parent, prefix="build-")
    try:
        yield Path(folder)
    finally:
        delete_folder(folder)


def _only_wheel(into: Path, log: Path) -> BuiltWheel:
    wheels = sorted(path for path in into.glob("*.whl") if path.is_file() and not path.is_symlink())
    if len(wheels) != 1:
        names = listed(wheel.name for wheel in wheels) or "none"
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
