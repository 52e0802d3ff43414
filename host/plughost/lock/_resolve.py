"""Resolving: from a wheel, or a requirement, to the lock of everything that its venv will have."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from datetime import datetime

from plughost._installing import LockRequest
from plughost._names import normalized, satisfies
from plughost._wording import listed
from plughost.errors import ResolveError, StoreError, UsageError
from plughost.lock._lockfile import Lockfile, read
from plughost.lock._sources import lock_with_sources
from plughost.wheel import BuiltWheel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement

    from plughost._installer import Ahead, Installer
    from plughost._interpreters import Interpreter
    from plughost.lock._sources import Foundry

__all__ = ["adopt", "ahead", "resolve"]


def resolve(
    root: BuiltWheel | str,
    *,
    installer: Installer,
    python: Interpreter,
    into: Path,
    log: Path,
    extras: Sequence[str] = (),
    with_: Sequence[str] = (),
    constraints: Path | None = None,
    exclude_newer: str = "",
    offline: bool = False,
    previous: Path | None = None,
    anew: bool = False,
    ahead: Ahead | None = None,
    foundry: Foundry,
) -> Lockfile:
    """Lock `root`, a wheel or a requirement for the index, with its `extras` and what `with_` adds, in the folder `into`.

    The wheel is put beside the lock. Versions that the lock in the folder `previous` chose stay where they still fit, and so do
    those that `ahead` has just found. With `anew` the index is asked for all that is not locked, and for the newest `root`.

    What there is no wheel of, the `foundry` makes one of, to know what it depends on.

    Raises: ResolveError: there is no set of versions, or it needs something refused. UsageError: an argument can't be read.
    """
    into.mkdir(parents=True, exist_ok=True)
    additions = tuple(str(_requirement(text)) for text in with_)
    if isinstance(root, BuiltWheel):
        _check_fit(root, extras, python)
        wheel = _beside(root.path, into)
        name: str = root.name
        first = name + (f"[{','.join(sorted(extras))}]" if extras else "")
        direct = root.requires_dist
    else:
        requirement = _requirement(root)
        requirement.extras |= set(extras)
        wheel, name, first, direct = None, normalized(requirement.name), str(requirement), (root,)
    request = LockRequest(
        folder=into,
        requirements=(first, *additions),
        python=python,
        log=log,
        wheel=wheel,
        wheel_name=name,
        constraints=_read_constraints(constraints),
        exclude_newer=_instant(exclude_newer),
        offline=offline,
        previous=(ahead.finish() if ahead else None) or previous,
        upgrade=name if wheel or anew else "",  # uv takes a wheel of the same version for the same wheel
        anew=anew,
        subject=f"`{name}`",
        places=_places((*direct, *additions, *_read_constraints(constraints))),
    )
    try:
        lockfile = lock_with_sources(request, installer, foundry)
    except ResolveError as error:
        if error.reference == "package-not-found" and isinstance(root, str) and os.path.isdir(root):
            error.hint = f"For the folder of that name, give `./{root}`"
        raise
    _check_direct(lockfile, name, (*direct, *additions), log)
    if isinstance(root, BuiltWheel):
        _check_own(lockfile, root)
    return lockfile


def adopt(wheel: BuiltWheel | None, lock: Path, *, python: Interpreter, into: Path) -> Lockfile:
    """The lock in the folder `lock` as it is, in the folder `into`, with the plugin's own wheel beside it if it has one.

    Raises: StoreError: it can't be read. ResolveError: it is of another wheel.
    """
    into.mkdir(parents=True, exist_ok=True)
    adopted = into / "pylock.toml"
    try:
        shutil.copyfile(lock / "pylock.toml", adopted)
    except OSError as error:
        raise StoreError(f"The lock in `{lock}` can't be read", reference="store-corrupt", causes=[str(error)]) from error
    lockfile = read(into, python=python)
    if wheel is not None:
        _beside(wheel.path, into)
        _check_own(lockfile, wheel)
    return lockfile


@contextmanager
def ahead(
    dependencies: Sequence[str] | None,
    *,
    installer: Installer,
    python: Interpreter,
    into: Path,
    log: Path,
    with_: Sequence[str] = (),
    constraints: Path | None = None,
    exclude_newer: str = "",
    offline: bool = False,
) -> Iterator[Ahead | None]:
    """For the time of a block, in which the wheel is built: begin to lock and to fetch the `dependencies` that are known before.

    None comes where there is nothing to begin with. What still runs when the block ends is killed.
    """
    if not dependencies and not with_:
        yield None
        return
    request = LockRequest(
        folder=into,
        requirements=(*(str(_requirement(text)) for text in with_), *(dependencies or ())),
        python=python,
        log=log,
        constraints=_read_constraints(constraints),
        exclude_newer=_instant(exclude_newer),
        offline=offline,
    )
    begun = installer.lock_ahead(request)
    try:
        yield begun
    finally:
        if begun:
            begun.abandon()


def _check_fit(wheel: BuiltWheel, extras: Sequence[str], python: Interpreter) -> None:
    if not satisfies(python.version, wheel.requires_python):
        raise ResolveError(
            f"`{wheel.name}` {wheel.version} doesn't run on Python {python.version}",
            reference="python-incompatible",
            causes=[f"It requires Python `{wheel.requires_python}`"],
            hint="Choose another one with `--python VERSION`",
        )
    for extra in extras:
        if normalized(extra) not in wheel.extras:
            has = listed(wheel.extras) or "none"
            raise UsageError(f"`{wheel.name}` has no extra `{extra}`", reference="usage", causes=[f"Its extras: {has}"])


def _check_own(lockfile: Lockfile, wheel: BuiltWheel) -> None:
    """Raises: ResolveError: what is locked is not this wheel, but another one of the same name."""
    if not any(package.name == normalized(wheel.name) and wheel.sha256 in package.sha256s for package in lockfile.packages):
        raise ResolveError(
            f"The lock is of another wheel than that of `{wheel.name}` {wheel.version}",
            reference="hash-mismatch",
            causes=[f"It has none with the SHA-256 `{wheel.sha256}`"],
            hint="Lock it again",
        )


def _check_direct(lockfile: Lockfile, root: str, requirements: Sequence[str], log: Path) -> None:
    """Let a package come from elsewhere than an index only where the plugin itself, or the caller, names the place."""
    elsewhere = [package for package in lockfile.packages if package.url and package.name != root]
    if not elsewhere:
        return
    named = {normalized(_requirement(text).name) for text in requirements if _requirement(text).url}
    for package in elsewhere:
        if package.name not in named:
            raise ResolveError(
                f"`{package.name}` would come from `{package.url}`, which neither `{root}` nor you have named",
                reference="dependency-refused",
                causes=["A dependency of a dependency names it; a package from an index can't"],
                hint=f"If you trust it, name it yourself: `--with '{package.name} @ URL'`",
                log=log,
            )


def _places(requirements: Sequence[str]) -> dict[str, str]:
    """The URLs that the requirements name, by package."""
    named = map(_requirement, requirements)
    return {normalized(requirement.name): requirement.url for requirement in named if requirement.url}


def _beside(wheel: Path, folder: Path) -> Path:
    here = folder / wheel.name
    if not here.exists():
        try:
            os.link(wheel, here)
        except OSError:  # another filesystem, or one without hard links
            shutil.copyfile(wheel, here)
    return here


def _requirement(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"`{text}` is not a requirement", reference="usage", causes=[str(error).splitlines()[0]]) from None


def _read_constraints(path: Path | None) -> tuple[str, ...]:
    """The requirements in a constraints file, one a line; options such as `-r` are not followed."""
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The constraints in `{path}` can't be read", reference="usage", causes=[str(error)]) from None
    bare = (line.split(" #")[0].strip() for line in lines if not line.lstrip().startswith("#"))
    return tuple(str(_requirement(line)) for line in bare if line)


def _instant(text: str) -> str:
    if text:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(f"`{text}` is not a date", reference="usage", hint="Write it as in `2025-03-31`") from None
    return text
