"""`add`: the stages in order, from a source string to a receipt.

Above it: `Host`; below it: the stages, each of which makes one record. It knows no installer's flags and no file
format.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from plughost import registry
from plughost._existing import find_existing, previous_of
from plughost._log import failures_told, last_part, log_path, write_log
from plughost._names import satisfies
from plughost._request import Added, Progress
from plughost._revision import Made, write_revision
from plughost.errors import BuildError, CallTimeout, DescribeError, InstallError, PluginCrashed, PluginError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from plughost._installer import Ahead, Installer
    from plughost._interpreters import Interpreter
    from plughost._request import Request
    from plughost.bundle import Unpacked
    from plughost.lock import Lockfile
    from plughost.paths import Store
    from plughost.source import AllowedSigners, Origin, Source, SourceTree
    from plughost.venv import PluginVenv
    from plughost.wheel import BuiltWheel

    Describe = Callable[[str, str, Mapping[str, str]], dict[str, object]]
    Vet = Callable[[str, Mapping[str, object]], None]
    Report = Callable[[Progress], None]

__all__ = ["Prepared", "add", "forget_packages", "prepared"]


def add(store: Store, request: Request, *, describe: Describe, vet: Vet, report: Report | None) -> Added:
    """Install what `request` names, or put it in force again where it is kept.

    `describe` starts a plugin in a finished environment and asks it what it offers; `vet` raises where that can't be taken.
    """
    from plughost import source as sources

    tell = report or (lambda _progress: None)
    tell(Progress(stage="source", detail=f"Resolving {last_part(request.source)}"))
    source = sources.parse(request.source, editable=request.editable)
    if source.kind == "bundle":
        return _add_bundle(store, request, source, tell, describe=describe, vet=vet)
    signers = _signers(source, request)
    origin = request.origin or sources.resolve(source, offline=request.offline)
    return _add(store, request, source, origin, request.options(), tell, describe=describe, vet=vet, signers=signers)


def _add_bundle(store: Store, request: Request, bundle: Source, tell: Report, *, describe: Describe, vet: Vet) -> Added:
    """Go on from what the bundle holds. It is checked before anything else, also where the same is installed already."""
    from plughost.bundle import unpack

    log = log_path(store, request.source)
    with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
        given = unpack(bundle, request, project=store.project, into=stage / "bundle")
        request.name, request.entry_points, request.offline = request.name or given.name, given.entry_points, True
        return _add(store, request, given.source, given.origin, given.options, tell, describe=describe, vet=vet, given=given)


def _add(
    store: Store,
    request: Request,
    source: Source,
    origin: Origin,
    options: dict[str, object],
    tell: Report,
    *,
    describe: Describe,
    vet: Vet,
    signers: AllowedSigners | None = None,
    given: Unpacked | None = None,
) -> Added:
    existing = None if request.force or request.anew else find_existing(store, origin, options, request.name)
    changed = existing is None or not existing.in_force
    if existing:
        name = existing.installed.name
        if changed:
            vet(name, existing.installed.manifest)
            registry.turn_to(store, name, existing.installed.revision)
    else:
        log = log_path(store, request.source)
        with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
            name = _Installation(
                store, request, source, origin, options, tell, stage=stage, log=log, signers=signers, given=given
            ).run(describe, vet)
    manifest = registry.find(store, name).manifest
    return Added(
        store,
        name=name,
        version=str(manifest["version"]),
        commit_id=origin.commit_id,
        changed=changed,
        duration_s=time.monotonic() - request.started,
    )


def _signers(source: Source, request: Request) -> AllowedSigners | None:
    """Those who may have signed the source; None where nobody asks."""
    from plughost import source as sources

    if request.signers:
        return sources.demand_signature(source, "", lines=request.signers)
    return sources.demand_signature(source, request.allowed_signers) if request.require_signed else None


@contextlib.contextmanager
def prepared(store: Store, request: Request, *, report: Report | None) -> Iterator[Prepared]:
    """The stages up to the lock, of which nothing stays: what they made is there until the block ends."""
    from plughost import source as sources

    tell = report or (lambda _progress: None)
    tell(Progress(stage="source", detail=f"Resolving {last_part(request.source)}"))
    source = sources.parse(request.source)
    signers = _signers(source, request)
    origin = request.origin or sources.resolve(source, offline=request.offline)
    log = log_path(store, request.source)
    with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
        options = request.options()
        run = _Installation(store, request, source, origin, options, tell, stage=stage, log=log, signers=signers)
        wheel, python, lockfile = run.up_to_lock()
        yield Prepared(source=source, origin=origin, wheel=wheel, python=python, lockfile=lockfile)


def forget_packages(store: Store, packages: tuple[str, ...]) -> None:
    """Have the installer's cache drop packages that no plugin is made of any more."""
    if not packages or not os.path.isdir(store.uv_cache):
        return
    from plughost._installer import choose

    installer = choose(store)
    for package in packages:
        installer.forget(package)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the stages up to the lock have made. There is no wheel of a requirement."""

    source: Source
    origin: Origin
    wheel: BuiltWheel | None
    python: Interpreter
    lockfile: Lockfile


class _Installation:
    """One run through the stages."""

    def __init__(
        self,
        store: Store,
        request: Request,
        source: Source,
        origin: Origin,
        options: dict[str, object],
        tell: Report,
        *,
        stage: Path,
        log: Path,
        signers: AllowedSigners | None,
        given: Unpacked | None = None,
    ) -> None:
        from plughost._installer import choose

        self.store = store
        self.request = request
        self.source = source
        self.origin = origin
        self.options = options
        self.tell = tell
        self.stage = stage
        self.log = log
        self.signers = signers
        self._given = given and (given.wheel, given.python, given.lockfile)
        self.signer: dict[str, str] = {}
        (stage / "scratch").mkdir()
        self.installer: Installer = choose(store, request.installer, scratch=str(stage / "scratch"))

    def run(self, describe: Describe, vet: Vet) -> str:
        from plughost import venv as venvs

        wheel, python, lockfile = self.up_to_lock()
        package = wheel.name if wheel else registry.normalize_name(_requirement_name(self.origin.requirement))
        name = self.request.name or registry.normalize_name(package)
        previous = previous_of(self.store, self.origin, name, force=self.request.force or self.request.replaces)
        environment = self._venv(lockfile, python, package)
        declared = wheel.entry_points if wheel else venvs.entry_points(environment.path, package)
        entry_points = self._entry_points(declared, package)
        manifest = self._describe(name, environment, entry_points, describe)
        vet(name, manifest)
        self.tell(Progress(stage="receipt", detail=f"Recording {name}", packages=len(lockfile.packages)))
        made = Made(
            name=name,
            package=package,
            wheel=wheel,
            lockfile=lockfile,
            environment=environment,
            entry_points=entry_points,
            manifest=manifest,
            installer=self.installer.name,
        )
        folder = self.stage / "revision"
        receipt = write_revision(
            folder,
            made,
            options=self.options,
            editable=self.request.editable,
            source=self.source,
            origin=self.origin,
            store=self.store,
            previous=previous,
            signer=self.signer,
        )
        registry.place(self.store, folder, receipt, keep=self.request.keep)
        return name

    def up_to_lock(self) -> tuple[BuiltWheel | None, Interpreter, Lockfile]:
        return self._given or self._kept() or self._built()

    def _kept(self) -> tuple[BuiltWheel, Interpreter, Lockfile] | None:
        """The wheel that this commit gave before, and its lock; None if it has to be built."""
        from plughost import _interpreters as interpreters
        from plughost import wheel as wheels

        if self.request.force or self.origin.kind != "git" or self.signers:  # a signature stands on the commit
            return None
        kept = wheels.find_kept(self.store, self._made_from)
        if kept is None or self.request.wheel_sha256 not in {"", kept.wheel.sha256}:
            return None
        wheel = kept.wheel
        python = interpreters.find(wheel.requires_python, requested=self.request.python)
        if kept.python and kept.python != python.version:
            return None
        self._entry_points(wheel.entry_points, wheel.name)
        return wheel, python, self._lock(wheel, python, previous=kept.lock if self._locks_plainly else None)

    def _built(self) -> tuple[BuiltWheel | None, Interpreter, Lockfile]:
        """The wheel, built while what it declares is being resolved; no wheel for a requirement, which the lock finds."""
        from plughost import wheel as wheels

        tree, python = self._tree()
        if tree is None:
            return None, python, self._lock(None, python)
        with self._locking_ahead(tree, python) as ahead:
            wheel, fitting = self._wheel(tree, python)
            self._entry_points(wheel.entry_points, wheel.name)
            lockfile = self._lock(wheel, fitting, ahead=ahead if fitting is python else None)
        if self.origin.kind == "git":
            lock = lockfile.folder if self._locks_plainly else None
            wheels.keep(self.store, self._made_from, wheel, fitting, stage=self.stage, lock=lock)
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
        return wheels.build(tree, installer=self.installer, python=python, into=into, offline=self.request.offline, log=self.log)

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
        )

    def _venv(self, lockfile: Lockfile, python: Interpreter, package: str) -> PluginVenv:
        from plughost import venv as venvs

        count = len(lockfile.packages)
        self.tell(Progress(stage="venv", detail=f"Installing {count} package{'s' * (count != 1)}", packages=count))
        return venvs.create(
            lockfile,
            store=self.store,
            installer=self.installer,
            python=python,
            offline=self.request.offline,
            log=self.log,
            editable=Path(self.source.path) if self.request.editable else None,
            plugin=package,
            # Never into the environment in force: if this attempt fails, that one must be as it was.
            salt=os.urandom(8).hex() if self.request.force else "",
        )

    def _describe(
        self, name: str, environment: PluginVenv, entry_points: Mapping[str, str], describe: Describe
    ) -> dict[str, object]:
        self.tell(Progress(stage="describe", detail=f"Importing {name}"))
        try:
            return describe(name, str(environment.path), entry_points)
        except (PluginError, PluginCrashed, CallTimeout) as error:
            write_log(self.log, f"{error}\n\n{getattr(error, 'remote_traceback', '')}")
            raise DescribeError(
                f"`{name}` was built and installed aside, but it can't say what it offers",
                reference="plugin-import-failed",
                causes=[error.message, *error.causes],
                hint="Does it import what it doesn't declare? `--with REQUIREMENT` adds a dependency",
                log=self.log,
            ) from error

    def _entry_points(self, declared: Mapping[str, Mapping[str, str]], package: str) -> dict[str, str]:
        """What the package declares for this project, and what the user names.

        Raises: BuildError: neither.
        """
        group = self.store.project
        points = {**declared.get(group, {}), **self.request.entry_points}
        if not points:
            raise BuildError(
                f"`{package}` declares no entry points in the group `{group}`",
                reference="entry-points-missing",
                causes=[f"A plugin says what it offers in `[project.entry-points.{group}]`"],
                hint=f"Name what to call: `--entry-point {package}={package.replace('-', '_')}:FUNCTION`",
            )
        return points


def _needs_the_same(wheel: BuiltWheel | None, revision: Path) -> bool:
    """Whether the wheel depends on what the one in the folder `revision` depends on, so that what is locked there will do."""
    from plughost import wheel as wheels

    earlier = next(revision.glob("*.whl"), None)
    if wheel is None or earlier is None:
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


def _requirement_name(requirement: str) -> str:
    from packaging.requirements import Requirement

    return Requirement(requirement).name
