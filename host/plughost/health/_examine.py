"""Examining what is installed: the files of each revision that is kept, held against one another, and its environment."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path

from plughost import indexes, registry
from plughost import lock as locks
from plughost._wording import said
from plughost.errors import PlughostError, StoreError, UnknownError
from plughost.health._environment import ExaminedVenv, Venvs
from plughost.health._fault import Fault
from plughost.health._plugin import ExaminedPlugin, ExaminedRevision
from plughost.paths import read_file, regular, scan, sha256_of
from plughost.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plughost.paths import Store
    from plughost.registry import Receipt, State

__all__ = ["Examiner"]

#: What a manifest has as a receipt does, beside where the plugin came from.
_IN_BOTH = ("name", "package", "version", "revision", "venv")
_RECEIPT, _MANIFEST, _LOCK = "receipt.toml", "manifest.json", "pylock.toml"


class Examiner:
    """Looks at the plugins of one store. It remembers the environments that it has seen: use another one after a change."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.venvs = Venvs(store)

    def plugin(self, name: str) -> ExaminedPlugin:
        """All revisions of the plugin that are kept.

        Raises: UsageError: no valid name. UnknownError: it isn't installed. StoreError: this user may not read it.
        """
        normalized = registry.normalize_name(name)
        folder = self.store.plugin(normalized)
        if not os.path.isdir(folder):
            raise registry.unknown(self.store, normalized)
        try:
            state, faults = _read_state(normalized, folder)
        except PermissionError as error:
            raise registry.unreadable(self.store, error) from error
        names = state.revisions if state else sorted(_revisions_in(folder))
        in_force = state.revision if state else ""
        revisions = tuple(_Revision(self, normalized, one, in_force=one == in_force).examine() for one in names)
        return ExaminedPlugin(name=normalized, state=state, revisions=revisions, own_faults=faults)

    def store_faults(self) -> list[Fault]:
        """What is wrong with the store and is no plugin's."""
        return [*self._registry_faults(), *self._catalogue_faults()]

    def _catalogue_faults(self) -> Iterator[Fault]:
        """The indexes of plugins whose kept copy was altered."""
        for name in indexes.names(self.store):
            try:
                indexes.read(self.store, name).check()
            except PlughostError as error:
                what = f"The kept copy of the index `{name}` is damaged"
                remedy = error.hint or f"`index update {name}` fetches it again"
                yield Fault(plugin="", reference="index-corrupt", what=what, where=self.store.plugin_index(name), remedy=remedy)

    def _registry_faults(self) -> list[Fault]:
        try:
            with open(self.store.index, "rb", opener=regular) as file:
                for line in file:
                    wire.unpack(line)
        except FileNotFoundError:
            return []
        except (OSError, wire.WireError) as error:
            return [self._index_fault(f"The index of what is installed can't be read: {_said(error)}")]
        for summary in registry.listed(self.store):
            if said := self._contradiction(summary):
                return [self._index_fault(f"The index of what is installed is wrong: {said}")]
        return []

    def _index_fault(self, what: str) -> Fault:
        remedy = "`repair --all` makes it again"
        return Fault(plugin="", reference="index-corrupt", what=what, where=self.store.index, remedy=remedy)

    def _contradiction(self, summary: registry.PluginSummary) -> str:
        """What the index has of a plugin otherwise than its receipt; a damaged receipt is a fault of its own."""
        try:
            receipt = registry.load_receipt(Path(registry.find(self.store, summary.name).folder, _RECEIPT))
        except UnknownError:
            return f"it lists `{summary.name}`, which isn't installed"
        except PlughostError:
            return ""
        for key in ("version", "source", "commit_id"):
            if (listed := getattr(summary, key)) != (there := getattr(receipt, key)):
                return f"it lists `{summary.name}` with the {key} `{listed}`, and the receipt has `{there}`"
        return ""


class _Revision:
    """One revision, while it is examined."""

    def __init__(self, examiner: Examiner, plugin: str, name: str, *, in_force: bool) -> None:
        self.store = examiner.store
        self.venvs = examiner.venvs
        self.plugin = plugin
        self.name = name
        self.in_force = in_force
        self.folder = Path(self.store.plugin(plugin), name)
        self.faults: list[Fault] = []
        self.damaged: list[Path] = []

    def examine(self) -> ExaminedRevision:
        receipt = self._receipt()
        manifest = self._manifest(receipt)
        if receipt and manifest and (contradiction := _contradiction(receipt, manifest)):
            self._file_fault("receipt-corrupt", "receipt", self.folder / _RECEIPT, contradiction)
            receipt = None
        lock = self._lock(receipt)
        self._uv_lock(receipt)
        wheel = self._wheel(receipt)
        self._wheels_of_dependencies(receipt)
        key = receipt.venv if receipt else str((manifest or {}).get("venv", ""))
        venv = self.venvs.examine(os.path.basename(key), receipt)
        for fault in venv.faults if key else ():
            self._add(fault.reference, fault.what if self.in_force else f"{fault.what} ({self._called})", fault.where)
        if receipt and manifest:
            self._source(receipt)
        return self._examined(receipt, manifest, lock, wheel, venv)

    def _examined(
        self,
        receipt: Receipt | None,
        manifest: Mapping[str, object] | None,
        lock: Path | None,
        wheel: Path | None,
        venv: ExaminedVenv,
    ) -> ExaminedRevision:
        return ExaminedRevision(
            name=self.name,
            folder=self.folder,
            in_force=self.in_force,
            receipt=receipt,
            manifest=manifest,
            lock=lock,
            wheel=wheel,
            venv=venv,
            damaged=tuple(self.damaged),
            faults=tuple(self.faults),
        )

    def _receipt(self) -> Receipt | None:
        path = self.folder / _RECEIPT
        try:
            receipt = registry.load_receipt(path)
        except StoreError as error:
            self._file_fault("receipt-corrupt", "receipt", path, error.causes[0] if error.causes else "")
            return None
        expected = {"name": self.plugin, "project": self.store.project, "revision": self.name}
        if vcs := receipt.direct_url.get("vcs_info"):
            expected["commit_id"] = str(vcs.get("commit_id")) if isinstance(vcs, dict) else ""
        for key, value in expected.items():
            if getattr(receipt, key) != value:
                self._file_fault(
                    "receipt-corrupt", "receipt", path, f"`{key}` is `{getattr(receipt, key)}` and should be `{value}`"
                )
                return None
        return receipt

    def _manifest(self, receipt: Receipt | None) -> Mapping[str, object] | None:
        path = self.folder / _MANIFEST
        try:
            data = read_file(path)
            manifest = wire.unpack(data)
        except (OSError, wire.WireError) as error:
            self._file_fault("manifest-corrupt", "manifest", path, _said(error))
            return None
        fault = _shape_fault(manifest)
        if receipt and not fault and receipt.manifest_sha256 not in ("", hashlib.sha256(data).hexdigest()):
            fault = "Its SHA-256 is not the one in the receipt"
        if fault:
            self._file_fault("manifest-corrupt", "manifest", path, fault)
            return None
        return manifest

    def _lock(self, receipt: Receipt | None) -> Path | None:
        path = self.folder / _LOCK
        try:
            data = read_file(path)
            packages = tomllib.loads(data.decode()).get("packages")
            fault = "" if isinstance(packages, list) and packages else "It has no packages"
        except (OSError, ValueError, RecursionError) as error:
            fault, data = _said(error), b""
        if receipt and not fault and hashlib.sha256(data).hexdigest() != receipt.lock_sha256:
            fault = "Its SHA-256 is not the one in the receipt"
        if fault:
            self._file_fault("lock-corrupt", "lock", path, fault)
            return None
        return path

    def _uv_lock(self, receipt: Receipt | None) -> None:
        """The lock as uv has it, from which an update keeps versions."""
        path = self.folder / "uv.lock"
        if receipt and receipt.uv_lock_sha256 and (fault := _digest_fault(path, receipt.uv_lock_sha256, where="receipt")):
            self._file_fault("lock-corrupt", "lock for updates", path, fault)

    def _wheel(self, receipt: Receipt | None) -> Path | None:
        """The plugin's own wheel; None also where there is to be none."""
        if receipt is None:
            return next(iter(sorted(self.folder.glob("*.whl"))), None)
        if not receipt.wheel:
            return None
        path = self.folder / os.path.basename(receipt.wheel)
        if fault := _digest_fault(path, receipt.wheel_sha256, where="receipt"):
            self._file_fault("wheel-corrupt", "wheel", path, fault)
            return None
        return path

    def _wheels_of_dependencies(self, receipt: Receipt | None) -> None:
        """Those that came in a bundle: there may be no other place that has them."""
        try:
            wheels = locks.sums(self.folder)
        except StoreError as error:
            self._file_fault("wheel-corrupt", "list of wheels", self.folder / locks.SUMS, "; ".join(error.causes))
            return
        for name, sha256 in wheels.items():
            path = self.folder / os.path.basename(name)
            if receipt and name != receipt.wheel and (fault := _digest_fault(path, sha256, where="list beside it")):
                self._file_fault("wheel-corrupt", f"wheel `{path.name}`", path, fault)

    def _source(self, receipt: Receipt) -> None:
        """An editable plugin runs from its folder."""
        folder = receipt.editable_source
        if folder and not os.path.isdir(folder):
            remedy = f"Bring the folder back, or `remove {self.plugin}`"
            self._add("source-missing", "The folder that it is run from is gone", folder, remedy)

    def _file_fault(self, reference: str, kind: str, path: Path, said: str) -> None:
        if path.exists():
            self.damaged.append(path)
        verb = "is damaged" if path.exists() else "is missing"
        what = f"Its {kind} {verb}" if self.in_force else f"The {kind} of {self._called}, {verb}"
        self._add(reference, f"{what}: {said}" if path.exists() else what, str(path))

    def _add(self, reference: str, what: str, where: str, remedy: str = "") -> None:
        remedy = remedy or f"`repair {self.plugin}`"
        self.faults.append(Fault(plugin=self.plugin, reference=reference, what=what, where=where, remedy=remedy))

    @property
    def _called(self) -> str:
        return f"the revision `{self.name}`" + ("" if self.in_force else ", which is kept for a way back")


def _read_state(plugin: str, folder: str) -> tuple[State | None, tuple[Fault, ...]]:
    try:
        return registry.read_whole_state(folder), ()
    except PermissionError:
        raise
    except (OSError, ValueError):
        pass
    try:
        return registry.read_whole_state(folder), ()  # another revision may have come into force while it was read
    except (OSError, ValueError) as error:
        return None, (_state_fault(plugin, folder, error),)


def _state_fault(plugin: str, folder: str, error: Exception) -> Fault:
    path = os.path.join(folder, "current")
    lost = isinstance(error, FileNotFoundError)
    what = "The file that says which of its revisions is in force is " + ("missing" if lost else f"damaged: {_said(error)}")
    return Fault(plugin=plugin, reference="state-corrupt", what=what, where=path, remedy=f"`repair {plugin}`")


def _revisions_in(plugin: str) -> Iterator[str]:
    return (entry.name for entry in scan(plugin) if entry.is_dir(follow_symlinks=False) and entry.name != "current")


def _shape_fault(manifest: Mapping[str, object]) -> str:
    wanted: dict[str, type] = {"name": str, "venv": str, "entry_points": dict, "tools": list, "hooks": list}
    for key, kind in wanted.items():
        if not isinstance(manifest.get(key), kind):
            return f"`{key}` is missing or of another type"
    return ""


def _digest_fault(path: Path, sha256: str, *, where: str) -> str:
    try:
        same = sha256_of(path) == sha256
    except OSError as error:
        return _said(error)
    return "" if same else f"Its SHA-256 is not the one in the {where}"


def _contradiction(receipt: Receipt, manifest: Mapping[str, object]) -> str:
    """What the receipt has otherwise than the manifest, which is as it was when the receipt was written; "" if nothing."""
    origin = manifest.get("origin")
    said = {**(origin if isinstance(origin, dict) else {}), **{key: manifest.get(key) for key in _IN_BOTH}}
    for key, value in said.items():
        if getattr(receipt, key, value) != value:
            return f"`{key}` is `{getattr(receipt, key)}`, and the manifest has `{value}`"
    return ""


def _said(error: Exception) -> str:
    return error.message if isinstance(error, PlughostError) else said(error)
