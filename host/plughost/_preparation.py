"""The stages of an `add` up to the lock: a source tree, its wheel, and everything that its environment will have.

Above it: `add`, and whoever locks without installing; below it: the stages source, wheel and lock. Where the wheel of the same
commit is kept, nothing is built.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from plughost._log import last_part
from plughost._names import normalized, satisfies
from plughost._request import Progress
from plughost.errors import BuildError, InstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from plughost._foundry import Foundry
    from plughost._installer import Ahead, Installer
    from plughost._interpreters import Interpreter
    from plughost._request import Request
    from plughost.lock import Lockfile
    from plughost.paths import Store
    from plughost.source import AllowedSigners, Origin, Source, SourceTree
    from plughost.wheel import BuiltWheel

    Report = Callable[[Progress], None]

__all__ = ["Preparation"]


class Preparation:
    """One run up to the lock, in the folder `stage`.

    `signer` is known afterwards: who signed the commit, if anybody had to. So is `declared`: what the source tree says of how the
    plugin is to be run.
    """

    def __init__(
        self,
        store: Store,
        request: Request,
        source: Source,
        origin: Origin,
        tell: Report,
        *,
        stage: Path,
        log: Path,
        signers: AllowedSigners | None = None,
    ) -> None:
        from plughost._installer import choose

        self.store = store
        self.request = request
        self.source = source
        self.origin = origin
        self.tell = tell
        self.stage = stage
        self.log = log
        self.signers = signers
        self.signer: dict[str, str] = {}
        self.declared: Mapping[str, object] = {}
        (stage / "scratch").mkdir()
        self.installer: Installer = choose(store, request.installer, scratch=str(stage / "scratch"), shop=request.make_shop())

    def run(self) -> tuple[BuiltWheel | None, Interpreter, Lockfile]:
        """The wheel, the interpreter for it, and the lock; no wheel for a requirement, which the lock finds."""
        return self._kept() or self._built()

    def entry_points(
        self, declared: Mapping[str, Mapping[str, str]], package: str, *, files: Callable[[], Iterable[str]]
    ) -> dict[str, str]:
        """What the package declares for this project, and what the user names. `files` are asked for where a hint needs them.

        Raises: BuildError: neither.
        """
        group = self.store.project
        points = {**declared.get(group, {}), **self.request.entry_points}
        if not points:
            raise BuildError(
                f"`{package}` declares no entry points in the group `{group}`",
                reference="entry-points-missing",
                causes=[f"A plugin says what it offers in `[project.entry-points.{group}]`"],
                hint=f"Name what to call: `--entry-point {package}={_module_of(package, files())}:FUNCTION`",
            )
        return points

    def _kept(self) -> tuple[BuiltWheel, Interpreter, Lockfile] | None:
        """The wheel that this commit gave before, and its lock; None if it has to be built."""
        from plughost import _interpreters as interpreters
        from plughost import wheel as wheels

        if self.request.force or self.origin.kind != "git" or self.signers:  # a signature stands on the commit
            return None
        kept = wheels.find_kept(self.store.kept_wheels, self._made_from)
        if kept is None or self.request.wheel_sha256 not in {"", kept.wheel.sha256}:
            return None
        if kept.versioned_by_tags and not self.request.offline:  # there may be a new tag
            return None
        wheel = kept.wheel
        python = interpreters.find(wheel.requires_python, requested=self.request.python)
        if kept.python and kept.python != python.version:
            return None
        self.entry_points(wheel.entry_points, wheel.name, files=lambda: _files_of(wheel))
        self.declared = kept.declared
        return wheel, python, self._lock(wheel, python, previous=kept.lock if self._locks_plainly else None)

    def _built(self) -> tuple[BuiltWheel | None, Interpreter, Lockfile]:
        """The wheel, built while what it declares is being resolved; no wheel for a requirement, which the lock finds."""
        from plughost import wheel as wheels

        tree, python = self._tree()
        if tree is None:
            return None, python, self._lock(None, python)
        with self._locking_ahead(tree, python) as ahead:
            wheel, fitting = self._wheel(tree, python)
            self.entry_points(wheel.entry_points, wheel.name, files=lambda: _files_of(wheel))
            lockfile = self._lock(wheel, fitting, ahead=ahead if fitting is python else None)
        if self.origin.kind == "git":
            lock = lockfile.folder if self._locks_plainly else None
            wheels.keep(
                self.store.kept_wheels,
                self._made_from,
                wheel,
                fitting,
                stage=self.stage,
                lock=lock,
                versioned_by_tags=tree.versioned_by_tags,
                declared=tree.declared,
            )
        return wheel, fitting, lockfile

    @property
    def _made_from(self) -> list[str]:
        """What decides the bytes of a wheel that is built from a commit."""
        origin = self.origin
        return [origin.url, origin.commit_id, origin.subdirectory, self.store.project, self.installer.name, self.request.python]

    @property
    def _locks_plainly(self) -> bool:
        """Whether the wheel alone decides the lock."""
        request = self.request
        lock = request.locked_in or request.lock_from
        return not (request.extras or request.with_ or request.constraint or request.exclude_newer or lock)

    def _tree(self) -> tuple[SourceTree | None, Interpreter]:
        """The source tree and the interpreter that its metadata asks for; no tree for a requirement, which the lock finds."""
        from plughost import _interpreters as interpreters
        from plughost import source as sources

        if self.origin.kind == "requirement":
            return None, interpreters.find(requested=self.request.python)
        (self.stage / "source").mkdir()
        request, project = self.request, self.store.project
        tree = sources.check_out(
            self.source,
            self.origin,
            self.stage / "source",
            project=project,
            offline=request.offline,
            signers=self.signers,
        )
        self.signer = tree.signer.record() if tree.signer else {}
        self.declared = tree.declared
        if request.epoch is not None:
            tree = replace(tree, epoch=request.epoch)
        return tree, interpreters.find(tree.requires_python, requested=self.request.python)

    def _locking_ahead(self, tree: SourceTree, python: Interpreter) -> contextlib.AbstractContextManager[Ahead | None]:
        """While the wheel is built: resolve and fetch what the source tree declares already."""
        from plughost import lock as locks

        if self.origin.kind == "wheel" or self.request.locked_in or self.request.lock_from:
            return contextlib.nullcontext()
        return locks.ahead(
            tree.dependencies,
            installer=self.installer,
            python=python,
            into=self.stage / "ahead",
            log=self.log,
            with_=self.request.with_,
            constraints=self._constraints,
            exclude_newer=self.request.published_before,
            offline=self.request.offline,
        )

    def _wheel(self, tree: SourceTree, python: Interpreter) -> tuple[BuiltWheel, Interpreter]:
        """The plugin's wheel, and the interpreter it is for."""
        from plughost import _interpreters as interpreters
        from plughost import wheel as wheels

        if self.origin.kind == "wheel":
            wheel = wheels.read(tree.path)
        else:
            self.tell(Progress(stage="wheel", detail=f"Building {tree.name or last_part(self.source.text)}"))
            wheel = self._build(tree, python, self.stage / "wheel")
        if self.request.wheel_sha256 not in {"", wheel.sha256}:
            wheel = self._build_as_locked(tree, python, wheel)
        if satisfies(python.version, wheel.requires_python):
            return wheel, python
        # Requires-Python was not known before there was a wheel, and it wants another interpreter than the one that built it.
        python = interpreters.find(wheel.requires_python, requested=self.request.python)
        return wheel if self.origin.kind == "wheel" else self._build(tree, python, self.stage / "wheel-again"), python

    def _build(self, tree: SourceTree, python: Interpreter, into: Path) -> BuiltWheel:
        from plughost import wheel as wheels

        into.mkdir()
        return wheels.build(
            tree,
            installer=self.installer,
            python=python,
            into=into,
            offline=self.request.offline,
            log=self.log,
            furnish=self.foundry(python).furnish,
        )

    def _build_as_locked(self, tree: SourceTree, python: Interpreter, wheel: BuiltWheel) -> BuiltWheel:
        """The wheel that is locked, once more from the tree but with the backend that built the locked one.

        Raises: BuildError: it can't be had, and `wheel` is another.
        """
        from plughost import wheel as wheels

        request, again = self.request, None
        if request.wheel_contents and self.origin.kind != "wheel":
            again = wheels.build_again(
                tree,
                request.wheel_contents.generator,
                installer=self.installer,
                python=python,
                into=self.stage / "wheel-as-locked",
                offline=request.offline,
                log=self.log,
            )
        if again is None or again.sha256 != request.wheel_sha256:
            raise _wheel_changed(again or wheel, request)
        return again

    def foundry(self, python: Interpreter) -> Foundry:
        """Where what there are no wheels of is built for `python`."""
        from plughost._foundry import Foundry

        return Foundry(self.installer, python, offline=self.request.offline, log=self.log)

    @property
    def _constraints(self) -> Path | None:
        return None if self.request.constraint is None else Path(self.request.constraint)

    def _lock(
        self,
        wheel: BuiltWheel | None,
        python: Interpreter,
        *,
        ahead: Ahead | None = None,
        previous: Path | None = None,
    ) -> Lockfile:
        from plughost import lock as locks

        earlier = Path(self.request.lock_from) if self.request.lock_from else None
        self.tell(Progress(stage="lock", detail="Resolving dependencies"))
        (self.stage / "lock").mkdir()
        if self.request.locked_in:
            return locks.adopt(wheel, Path(self.request.locked_in), python=python, into=self.stage / "lock")
        return locks.resolve(
            wheel or str(self.origin.requirement),
            installer=self.installer,
            python=python,
            into=self.stage / "lock",
            extras=self.request.extras,
            with_=self.request.with_,
            constraints=self._constraints,
            exclude_newer=self.request.published_before,
            offline=self.request.offline,
            log=self.log,
            ahead=ahead,
            previous=earlier or previous,
            anew=earlier is not None and not _needs_the_same(wheel, earlier),
            foundry=self.foundry(python),
        )


def _files_of(wheel: BuiltWheel) -> list[str]:
    import zipfile

    with zipfile.ZipFile(wheel.path) as archive:
        return archive.namelist()


def _module_of(package: str, files: Iterable[str]) -> str:
    """The module of the package that its author most likely means to be called."""
    own = package.replace("-", "_")
    modules = {name.partition("/")[0].removesuffix(".py") for name in files if name.endswith(".py") and ".dist-info/" not in name}
    named = sorted((module for module in modules if module.isidentifier()), key=lambda module: module not in own)
    return own if own in modules or not named else named[0]


def _needs_the_same(wheel: BuiltWheel | None, revision: Path) -> bool:
    """Whether the wheel depends on what the one in the folder `revision` depends on, so that what is locked there will do."""
    from plughost import wheel as wheels

    if wheel is None:
        return False
    # A plugin from a bundle has the wheels of its dependencies beside its own.
    earlier = next((path for path in revision.glob("*.whl") if normalized(path.name.partition("-")[0]) == wheel.name), None)
    if earlier is None:
        return False
    try:
        return sorted(wheels.read(earlier).requires_dist) == sorted(wheel.requires_dist)
    except InstallError:  # damaged
        return False


def _wheel_changed(wheel: BuiltWheel, request: Request) -> BuildError:
    from plughost.wheel import contents_of, differences

    locked = request.wheel_contents
    return BuildError(
        f"The wheel of `{wheel.name}` {wheel.version} is not the one that is locked",
        reference="wheel-changed",
        causes=[
            *(differences(contents_of(wheel.path), locked) if locked else ()),
            f"It has the SHA-256 `{wheel.sha256}`, and the lock `{request.wheel_sha256}`",
        ],
        hint="Its build may depend on the machine, or on versions that its build requirements leave open: lock it again",
    )
