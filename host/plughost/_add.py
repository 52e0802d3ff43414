"""`add`: the stages in order, from a source string to a receipt.

Above it: `Host`; below it: the stages, each of which makes one record. It knows no installer's flags and no file
format.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plughost import registry
from plughost._existing import Existing, find_existing, previous_of
from plughost._log import failures_told, last_part, log_path, write_log
from plughost._names import required_name
from plughost._preparation import Preparation
from plughost._request import Added, Progress
from plughost._revision import Made, write_revision
from plughost._wording import counted
from plughost.errors import CallTimeout, DescribeError, LimitExceeded, PluginCrashed, PluginError, UnknownError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from plughost._consent import Consent
    from plughost._interpreters import Interpreter
    from plughost._policies import Policies
    from plughost._request import Request
    from plughost.bundle import Unpacked
    from plughost.lock import Lockfile
    from plughost.paths import Store
    from plughost.policy import Policy
    from plughost.source import AllowedSigners, Origin, Source
    from plughost.venv import PluginVenv
    from plughost.wheel import BuiltWheel

    Describe = Callable[[str, str, Mapping[str, str], Policy, Sequence[str]], dict[str, object]]
    Vet = Callable[[str, Mapping[str, object]], None]
    Report = Callable[[Progress], None]

__all__ = ["Prepared", "add", "forget_packages", "prepared"]


def add(store: Store, request: Request, *, describe: Describe, vet: Vet, policies: Policies, report: Report | None) -> Added:
    """Install what `request` names, or put it in force again where it is kept.

    `describe` starts a plugin in a finished environment, under a policy, and asks it what it offers; it is told of the folder
    that an editable one is run from. `vet` raises where what it offers can't be taken; `policies` say what plugins have anyhow.
    """
    return _Adding(store, request, describe=describe, vet=vet, policies=policies, tell=_begun(request, report)).run()


@contextlib.contextmanager
def prepared(store: Store, request: Request, *, report: Report | None) -> Iterator[Prepared]:
    """The stages up to the lock, of which nothing stays: what they made is there until the block ends."""
    from plughost import source as sources

    tell = _begun(request, report)
    source = sources.parse(request.source)
    origin, signers = _origin(source, request)
    log = log_path(store, request.source)
    with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
        preparation = Preparation(store, request, source, origin, tell, stage=stage, log=log, signers=signers)
        wheel, python, lockfile = preparation.run()
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


class _Adding:
    """One `add`: what is kept of the very same is put in force, and anything else is installed."""

    def __init__(self, store: Store, request: Request, *, describe: Describe, vet: Vet, policies: Policies, tell: Report) -> None:
        self.store = store
        self.request = request
        self.describe = describe
        self.vet = vet
        self.policies = policies
        self.tell = tell

    def run(self) -> Added:
        from plughost import source as sources

        source = sources.parse(self.request.source, editable=self.request.editable)
        if source.kind == "bundle":
            return self._add_bundle(source)
        origin, signers = _origin(source, self.request)
        return self._add(source, origin, self.request.options(), signers=signers)

    def _add_bundle(self, bundle: Source) -> Added:
        """Go on from what the bundle holds. It is checked before anything else, also where the same is installed already."""
        from plughost.bundle import unpack

        store, request = self.store, self.request
        log = log_path(store, request.source)
        with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
            given = unpack(bundle, request, project=store.project, into=stage / "bundle")
            request.name, request.entry_points, request.offline = request.name or given.name, given.entry_points, True
            return self._add(given.source, given.origin, given.options, given=given)

    def _add(
        self,
        source: Source,
        origin: Origin,
        options: dict[str, object],
        *,
        signers: AllowedSigners | None = None,
        given: Unpacked | None = None,
    ) -> Added:
        store, request = self.store, self.request
        existing = None if request.force or request.anew else find_existing(store, origin, options, request.name)
        changed = existing is None or not existing.in_force
        if existing and (changed or request.says_grant):
            existing = self._put_in_force(existing)
        if existing:
            name, version = existing.installed.name, str(existing.installed.manifest["version"])
        else:
            log = log_path(store, request.source)
            with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
                preparation = Preparation(store, request, source, origin, self.tell, stage=stage, log=log, signers=signers)
                if given:
                    preparation.declared = given.declared
                made = (given.wheel, given.python, given.lockfile) if given else None
                name, version = _Installation(self, preparation, options, made).run()
        return Added(
            store,
            name=name,
            version=version,
            commit_id=origin.commit_id,
            changed=changed,
            duration_s=time.monotonic() - request.started,
        )

    def _put_in_force(self, existing: Existing) -> Existing | None:
        """Turn to a revision that is kept; None if another process has just taken it away."""
        from plughost._consent import settle

        store, name, manifest = self.store, existing.installed.name, existing.installed.manifest
        self.vet(name, manifest)
        version = str(manifest["version"])
        consent = settle(store, name, version, manifest, given=self.request.grant, policies=self.policies)
        try:
            registry.turn_to(store, name, existing.installed.revision)
        except UnknownError:
            return None
        registry.mark(store, name, grant=consent.for_state)
        return existing


class _Installation:
    """One run through the stages."""

    def __init__(
        self,
        adding: _Adding,
        preparation: Preparation,
        options: dict[str, object],
        given: tuple[BuiltWheel | None, Interpreter, Lockfile] | None,
    ) -> None:
        self._adding = adding
        self._preparation = preparation
        self._options = options
        self._given = given
        self.store = adding.store
        self.request = adding.request
        self.tell = adding.tell
        self.policies = adding.policies
        self.log = preparation.log

    def run(self) -> tuple[str, str]:
        """The plugin's name and version."""
        from plughost import venv as venvs

        preparation = self._preparation
        wheel, python, lockfile = self._given or preparation.run()
        package = wheel.name if wheel else required_name(preparation.origin.requirement)
        name = self.request.name or registry.normalize_name(package)
        previous = previous_of(self.store, preparation.origin, name, force=self.request.force or self.request.replaces)
        # Whoever is asked what it may use is asked before it takes long; a requirement's wheel is there once it is installed.
        agreed = self._agree(name, package, lockfile, wheel.path) if wheel else None
        environment = self._venv(lockfile, python, package)
        asking, consent = agreed or self._agree(name, package, lockfile, environment.path)
        declared = wheel.entry_points if wheel else venvs.entry_points(environment.path, package)
        entry_points = preparation.entry_points(declared, package, files=lambda: venvs.files_of(environment.path, package))
        policy = self.policies.of_new(name, consent.grant)
        manifest = self._describe(name, environment, entry_points, policy)
        self._adding.vet(name, manifest)
        self.tell(Progress(stage="receipt", detail=f"Recording {name}", packages=len(lockfile.packages)))
        made = Made(
            name=name,
            package=package,
            wheel=wheel,
            lockfile=lockfile,
            environment=environment,
            entry_points=entry_points,
            manifest={**preparation.declared, **asking, **manifest},
            installer=preparation.installer.name,
        )
        return name, self._place(made, previous, consent, policy)

    def _place(self, made: Made, previous: registry.Receipt | None, consent: Consent, policy: Policy) -> str:
        """Put the revision in force; its version."""
        from plughost._confining import unenforced
        from plughost.policy import table_of

        preparation = self._preparation
        folder = preparation.stage / "revision"
        receipt = write_revision(
            folder,
            made,
            options=self._options,
            editable=self.request.editable,
            source=preparation.source,
            origin=preparation.origin,
            store=self.store,
            previous=previous,
            signer=preparation.signer,
            grant=None if consent.grant is None else table_of(consent.grant),
            unenforced=unenforced(policy, self.policies.waived, self.store),
        )
        registry.place(self.store, folder, receipt, keep=self.request.keep, grant=consent.for_state)
        return receipt.version

    def _agree(self, name: str, package: str, lockfile: Lockfile, where: Path) -> tuple[dict[str, object], Consent]:
        """What the plugin asks for, as its manifest has it, and what it is granted.

        It asks by its source tree, else by a file in its wheel, or in the environment, of which `where` is the path.
        """
        from plughost import venv as venvs
        from plughost._consent import in_files, in_wheel, settle

        asked = self._preparation.declared.get("permissions")
        if not asked:
            asked = in_files(where, venvs.files_of(where, package)) if where.is_dir() else in_wheel(where)
        asking = {"permissions": asked} if asked else {}
        version = next(locked.version for locked in lockfile.packages if registry.normalize_name(locked.name) == package)
        return asking, settle(self.store, name, version, asking, given=self.request.grant, policies=self.policies)

    def _venv(self, lockfile: Lockfile, python: Interpreter, package: str) -> PluginVenv:
        from plughost import venv as venvs

        editable = Path(self._preparation.source.path) if self.request.editable else None
        count = len(lockfile.packages)
        self.tell(Progress(stage="venv", detail=f"Installing {counted(count, 'package')}", packages=count))
        return venvs.create(
            lockfile,
            store=self.store,
            installer=self._preparation.installer,
            python=python,
            build=partial(self._preparation.foundry(python).wheels_of, editable=editable),
            offline=self.request.offline,
            log=self.log,
            editable=editable,
            plugin=package,
            # Never into the environment in force: if this attempt fails, that one must be as it was.
            salt=os.urandom(8).hex() if self.request.force else "",
        )

    def _describe(self, name: str, environment: PluginVenv, entry_points: Mapping[str, str], policy: Policy) -> dict[str, object]:
        self.tell(Progress(stage="describe", detail=f"Importing {name}"))
        own = [self._preparation.source.path] if self.request.editable else []
        try:
            return self._adding.describe(name, str(environment.path), entry_points, policy, own)
        except (PluginError, PluginCrashed, CallTimeout) as error:
            write_log(self.log, f"{error}\n\n{getattr(error, 'remote_traceback', '')}")
            raise DescribeError(
                f"`{name}` was built and installed aside, but it can't say what it offers",
                reference="plugin-import-failed",
                causes=[error.message, *error.causes],
                hint=_advice(error, entry_points.values()),
                log=self.log,
            ) from error


def _begun(request: Request, report: Report | None) -> Report:
    """What is told of each stage; it has been told of the first by now."""
    tell = report or (lambda _progress: None)
    tell(Progress(stage="source", detail=f"Resolving {last_part(request.source)}"))
    return tell


def _origin(source: Source, request: Request) -> tuple[Origin, AllowedSigners | None]:
    """What exactly the source means, and those who may have signed that; None where nobody asks."""
    from plughost import source as sources

    signers = None
    if request.signers:
        signers = sources.demand_signature(source, "", lines=request.signers)
    elif request.require_signed:
        signers = sources.demand_signature(source, request.allowed_signers)
    return request.origin or sources.resolve(source, offline=request.offline), signers


def _advice(error: PluginError | PluginCrashed | CallTimeout, targets: Iterable[str]) -> str:
    """What to do about a plugin that can't say what it offers; `targets` are those of its entry points."""
    says_how = isinstance(error, CallTimeout | LimitExceeded) or (isinstance(error, PluginError) and error.was_denied)
    if says_how and error.hint:
        return error.hint
    for module, _, path in (target.partition(":") for target in targets):
        name = path.partition(".")[0]
        no_object = f"AttributeError: module '{module}' has no attribute '{name}'"
        if any(cause.startswith((no_object, f"ModuleNotFoundError: No module named '{module}'")) for cause in error.causes):
            return "Correct the entry point, or name what is there: `--entry-point NAME=MODULE:OBJECT`"
    return "Does it import what it doesn't declare? `--with REQUIREMENT` adds a dependency"
