"""One damaged revision of a plugin, made again from its lock and its wheel, as far as these are left.

Above it: `repair`; below it: the stages and the registry. Whatever is still sound is used; what isn't comes from the next
best witness: a copy of the wheel, the commit that it was built from, the versions that are installed. What then is no longer as
it was, is said.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

from plughost import _interpreters as interpreters
from plughost import lock as locks
from plughost import registry
from plughost import venv as venvs
from plughost import wheel as wheels
from plughost._installer import choose
from plughost._log import write_log
from plughost._names import satisfies
from plughost._reinstall import lock_again, reinstall
from plughost._request import Progress, nowhere
from plughost._revision import Made, write_manifest
from plughost._salvage import find_wheel, fits, installed_pins, lock_requires, lock_series, rebuild_wheel
from plughost._wording import counted
from plughost.contract import declared_in
from plughost.errors import (
    CallTimeout,
    DescribeError,
    PluginCrashed,
    PluginError,
    ResolveError,
    StoreError,
)
from plughost.health import digest_of, recover_receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost._request import MakeShop
    from plughost.health import ExaminedPlugin, ExaminedRevision
    from plughost.lock import Lockfile
    from plughost.paths import Store
    from plughost.registry import Receipt
    from plughost.venv import PluginVenv
    from plughost.wheel import BuiltWheel

    Describe = Callable[[str, str, Mapping[str, str]], dict[str, object]]
    Report = Callable[[Progress], None]

__all__ = ["Remaking"]


class Remaking:
    """One run for one revision. `log` takes what the installer prints, `stage` is a folder of this run alone."""

    def __init__(
        self,
        store: Store,
        plugin: ExaminedPlugin,
        revision: ExaminedRevision,
        *,
        stage: Path,
        log: Path,
        report: Report | None,
        offline: bool,
    ) -> None:
        self.store = store
        self.plugin = plugin
        self.revision = revision
        self.stage = stage
        self.log = log
        self.tell = report or (lambda _progress: None)
        self.offline = offline
        #: Where a wheel that is lost is built again.
        self.make_shop: MakeShop = nowhere
        self.notes: list[str] = []

    def run(self, describe: Describe) -> list[str]:
        """Make the revision again and put it in the damaged one's place. What is not as it was, in sentences.

        Raises: InstallError, StoreError: it can't be made; nothing has changed.
        """
        receipt = self.revision.receipt or self._receipt()
        (self.stage / "scratch").mkdir()
        installer = choose(
            self.store, str(receipt.request.get("installer") or ""), scratch=str(self.stage / "scratch"), shop=self.make_shop()
        )
        wheel, python = self._wheel_and_python(receipt, installer)
        lockfile = self._lock(receipt, wheel, python, installer)
        environment = self._venv(receipt, lockfile, python, installer)
        entry_points = self._entry_points(receipt, wheel, environment)
        manifest = self._describe(receipt.name, environment, entry_points, describe)
        self.tell(Progress(stage="receipt", detail=f"Recording {receipt.name}", packages=len(lockfile.packages)))
        made = Made(
            name=receipt.name,
            package=receipt.package,
            wheel=wheel,
            lockfile=lockfile,
            environment=environment,
            entry_points=entry_points,
            manifest=manifest,
            installer=receipt.installer if environment.key == receipt.venv else installer.name,
        )
        folder = self.stage / "revision"
        new = self._write(folder, receipt, made)
        damaged = [*self.revision.damaged, *(self.revision.venv.changed if environment.key != receipt.venv else ())]
        if not registry.exchange(self.store, self.revision.name, folder, new, damaged=damaged):
            self.notes.append(f"Another process has put a further revision of `{receipt.name}` in force meanwhile")
        return self.notes

    def _receipt(self) -> Receipt:
        recovered = recover_receipt(self.store, self.plugin, self.revision)
        if recovered is None:
            raise StoreError(
                f"Too little is left of `{self.plugin.name}` to make it again",
                reference="store-corrupt",
                causes=[fault.what for fault in self.revision.faults[:3]],
                hint=f"`remove {self.plugin.name}`, then add it again",
            )
        receipt = recovered.receipt
        if not recovered.witness:
            self.notes.append(
                f"Nobody knows any more where `{receipt.name}` came from: `add SOURCE --name {receipt.name} --force` says it"
            )
        elif recovered.witness.startswith("what is left"):
            self.notes.append(f"Its source was read from what is left of its receipt; is it right? `{receipt.source}`")
        return receipt

    def _wheel_and_python(self, receipt: Receipt, installer: Installer) -> tuple[BuiltWheel | None, Interpreter]:
        """The plugin's own wheel, none for a requirement, and the interpreter for it."""
        path = self.revision.wheel or find_wheel(self.store, self.plugin.name, receipt)
        if path:
            wheel = wheels.read(path)
            python = self._python(receipt, wheel.requires_python)
            if fits(wheel, python):
                return wheel, python
        elif not receipt.wheel:
            return None, self._python(receipt, "")
        else:
            python = self._python(receipt, "")
        self.tell(Progress(stage="wheel", detail=f"Building {receipt.name} again"))
        wheel = rebuild_wheel(
            receipt,
            store=self.store,
            installer=installer,
            python=python,
            stage=self.stage,
            log=self.log,
            offline=self.offline,
        )
        if wheel.sha256 != receipt.wheel_sha256:
            self.notes.append("Its wheel was built again, and is not the same to the byte")
        return wheel, python

    def _python(self, receipt: Receipt, requires: str) -> Interpreter:
        """The interpreter that it had, else one of the same series, else another one that will do."""
        series = ".".join(receipt.python_version.split(".")[:2]) or lock_series(self.revision.lock)
        there = interpreters.ask(receipt.python) if receipt.python else None
        if there and there.series == series:
            return there
        try:
            return interpreters.find(requires, requested=series)
        except ResolveError:
            wish = str(receipt.request.get("python") or "")
            if wish and os.sep not in wish:  # a version was asked for, and no other one will do
                raise
        python = interpreters.find(requires)
        self.notes.append(
            f"There is no Python {series} on this machine any more: it has Python {python.version} now, "
            "and its dependencies were locked again"
        )
        return python

    def _lock(self, receipt: Receipt, wheel: BuiltWheel | None, python: Interpreter, installer: Installer) -> Lockfile:
        kept = self.revision.lock
        same_wheel = wheel is None or wheel.sha256 == receipt.wheel_sha256
        if kept and same_wheel and satisfies(python.version, lock_requires(kept)):
            folder = self.stage / "lock"
            folder.mkdir()
            for path in {kept, *([wheel.path] if wheel else []), *self._wheels_from_a_bundle()}:
                shutil.copyfile(path, folder / path.name)
            return locks.read(folder, python=python)
        self.tell(Progress(stage="lock", detail="Resolving dependencies"))
        pins = installed_pins(self.revision, leave_out=receipt.package)
        lockfile = lock_again(
            receipt, wheel, pins=pins, installer=installer, python=python, stage=self.stage, log=self.log, offline=self.offline
        )
        if lockfile.digest != receipt.lock_sha256 and not kept:
            self.notes.append("Its dependencies were locked again, since the lock was damaged")
        return lockfile

    def _wheels_from_a_bundle(self) -> list[Path]:
        """The wheels that lie beside the lock, and the list of them, if all of them are sound; else the index must have them."""
        folder = self.revision.folder
        try:
            files = [folder / locks.SUMS, *(folder / os.path.basename(name) for name in locks.sums(folder))]
        except StoreError:
            return []
        sound = len(files) > 1 and not set(files) & set(self.revision.damaged) and all(file.is_file() for file in files)
        return files if sound else []

    def _uv_lock(self, receipt: Receipt, lockfile: Lockfile) -> Path:
        """The lock from which an update keeps versions: that of the same lock, if it is sound, else the one just made, if any.

        It is of no use for installing: uv wants the project that it was made for.
        """
        kept = self.revision.folder / "uv.lock"
        is_same = lockfile.digest == receipt.lock_sha256 and digest_of(kept) == receipt.uv_lock_sha256
        return kept if is_same else lockfile.folder / "uv.lock"

    def _venv(self, receipt: Receipt, lockfile: Lockfile, python: Interpreter, installer: Installer) -> PluginVenv:
        """The environment that there is, if it is sound and as locked; else a new one beside it."""
        old = self.revision.venv
        if old.key and not old.faults:
            marker = venvs.read_marker(old.path)
            locked = {(package.name, package.version) for package in lockfile.packages}
            if marker.interpreter == python and set(marker.packages) <= locked:
                return marker.venv(old.path)
        count = len(lockfile.packages)
        self.tell(Progress(stage="venv", detail=f"Installing {counted(count, 'package')}", packages=count))
        return reinstall(
            lockfile, receipt, old, store=self.store, installer=installer, python=python, log=self.log, offline=self.offline
        )

    def _entry_points(self, receipt: Receipt, wheel: BuiltWheel | None, environment: PluginVenv) -> dict[str, str]:
        kept = (self.revision.manifest or {}).get("entry_points")
        if isinstance(kept, dict):
            return {str(name): str(target) for name, target in kept.items()}
        declared = wheel.entry_points if wheel else venvs.entry_points(environment.path, receipt.package)
        named = receipt.request.get("entry_points")
        return {**declared.get(self.store.project, {}), **(named if isinstance(named, dict) else {})}

    def _describe(
        self, name: str, environment: PluginVenv, entry_points: Mapping[str, str], describe: Describe
    ) -> dict[str, object]:
        self.tell(Progress(stage="describe", detail=f"Importing {name}"))
        try:
            manifest = describe(name, str(environment.path), entry_points)
        except (PluginError, PluginCrashed, CallTimeout) as error:
            write_log(self.log, f"{error}\n\n{getattr(error, 'remote_traceback', '')}")
            raise DescribeError(
                f"`{name}` was made again aside, but it can't say what it offers",
                reference="plugin-import-failed",
                causes=[error.message, *error.causes],
                hint=f"`info {name}` shows where it came from: add it again with `--force`",
                log=self.log,
            ) from error
        before = self.revision.manifest
        if before and _offered(before) != _offered(manifest):
            self.notes.append("It doesn't offer the same any more: `info` shows what it does")
        return {**declared_in(before or {}), **manifest}

    def _write(self, folder: Path, receipt: Receipt, made: Made) -> Receipt:
        """Make the folder of the new revision, complete but for its receipt, and that receipt."""
        folder.mkdir()
        beside = [*made.lockfile.wheels, locks.SUMS] if made.lockfile.wheels else []
        files = [made.lockfile.folder / name for name in ("pylock.toml", *beside)]
        for path in {*files, self._uv_lock(receipt, made.lockfile), *([made.wheel.path] if made.wheel else [])}:
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
        python = made.environment.interpreter
        new = replace(
            receipt,
            revision=f"{self.revision.name.rpartition('-')[0]}-{os.urandom(4).hex()}",
            wheel=made.wheel.path.name if made.wheel else "",
            wheel_sha256=made.wheel.sha256 if made.wheel else "",
            lock_sha256=made.lockfile.digest,
            uv_lock_sha256=digest_of(folder / "uv.lock"),
            installer=made.installer,
            built_from_source=tuple(made.lockfile.built_from_source),
            venv=made.environment.key,
            venv_digest=made.environment.record_digest,
            python=python.executable,
            python_version=python.version,
            request=self._request(receipt, python),
        )
        sha256 = write_manifest(
            folder / "manifest.json",
            made,
            revision=new.revision,
            editable=bool(receipt.editable_source),
            origin={key: getattr(new, key) for key in ("kind", "source", "commit_id", "digest", "direct_url", "request")},
        )
        return replace(new, manifest_sha256=sha256)

    def _request(self, receipt: Receipt, python: Interpreter) -> dict[str, object]:
        """What was asked for, without the path of a Python that is gone: an update would ask for it again."""
        wish = str(receipt.request.get("python") or "")
        if os.sep not in wish or os.access(wish, os.X_OK):
            return receipt.request
        self.notes.append(f"It was added with `--python {wish}`, which is gone: `--python {python.series}` holds from now on")
        return {**receipt.request, "python": python.series}


def _offered(manifest: Mapping[str, object]) -> tuple[object, object]:
    return manifest.get("tools"), manifest.get("hooks")
