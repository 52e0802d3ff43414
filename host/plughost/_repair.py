"""`repair`: what is damaged of a plugin is made again beside it, and takes its place by one rename.

Above it: `Host`; below it: the examination, the remaking of a revision, and the registry. What was there stays in force until
the new one has described itself, also when this process is killed.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass

from plughost import registry
from plughost._log import failures_told, log_path
from plughost._remake import Remaking
from plughost._request import nowhere
from plughost.errors import StoreError, UnknownError
from plughost.health import Examiner, Fault, recover_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._remake import Describe, Report
    from plughost._request import MakeShop
    from plughost.health import ExaminedPlugin, ExaminedRevision
    from plughost.paths import Store

__all__ = ["Repaired", "diagnose", "diagnose_store", "repair", "repair_store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a repair found and did. `left` is what is still wrong; `notes` say what is not as it was before."""

    name: str
    faults: tuple[Fault, ...]
    left: tuple[Fault, ...]
    notes: tuple[str, ...]
    duration_s: float

    @property
    def changed(self) -> bool:
        return len(self.left) < len(self.faults)

    def record(self) -> dict[str, object]:
        return {
            "name": self.name,
            "changed": self.changed,
            "faults": [fault.record() for fault in self.faults],
            "left": [fault.record() for fault in self.left],
            "notes": list(self.notes),
            "duration_s": round(self.duration_s, 3),
        }


def diagnose(store: Store, names: Sequence[str]) -> list[Fault]:
    """What is wrong with the plugins of these names."""
    return [fault for name in names for fault in _examined(store, name).faults]


def diagnose_store(store: Store) -> list[Fault]:
    """What is wrong with the store, and with each plugin of the project."""
    examiner = Examiner(store)
    faults = examiner.store_faults()
    for name in registry.installed_names(store):
        with suppress(UnknownError):  # another process has removed it meanwhile
            faults += _examined(store, name).faults
    return faults


def repair(
    store: Store, name: str, *, describe: Describe, report: Report | None, offline: bool, make_shop: MakeShop = nowhere
) -> Repaired:
    """Mend all that is wrong with the plugin, as far as it can be. `describe` starts it in a finished environment."""
    started = time.monotonic()
    found = _examined(store, name)
    notes: list[str] = []
    if found.faults:
        log = log_path(store, found.name)
        with failures_told(store, log), registry.adding(store):
            plugin = found if found.state else _with_state(store, found, notes)
            for revision in sorted(plugin.revisions, key=lambda one: not one.in_force):
                if _is_to_be_remade(revision):
                    with registry.staging(store) as stage:
                        remaking = Remaking(store, plugin, revision, stage=stage, log=log, report=report, offline=offline)
                        remaking.make_shop = make_shop
                        notes += remaking.run(describe)
    left = _faults_left(store, found.name) if found.faults else ()
    return Repaired(name=found.name, faults=found.faults, left=left, notes=tuple(notes), duration_s=time.monotonic() - started)


def _examined(store: Store, name: str) -> ExaminedPlugin:
    """What is wrong with the plugin, and not only on its way: another process may be changing it.

    Raises: UnknownError: it isn't installed, or was removed meanwhile.
    """
    switch = registry.switch(store, name)
    while True:
        before = registry.stamp(switch)
        found = Examiner(store).plugin(name)
        if not found.faults or registry.stamp(switch) == before:
            return found


def _faults_left(store: Store, name: str) -> tuple[Fault, ...]:
    try:
        return Examiner(store).plugin(name).faults
    except UnknownError:  # another process has removed it meanwhile
        return ()


def repair_store(store: Store) -> list[Fault]:
    """Make the index of what is installed again if it is damaged, and say what that was. Others are fetched again by name."""
    faults = [fault for fault in Examiner(store).store_faults() if fault.where == store.index]
    for fault in faults:
        registry.set_aside(store, [fault.where], name="index")
        os.unlink(fault.where)
    if faults:
        registry.summaries(store)
    return faults


def _is_to_be_remade(revision: ExaminedRevision) -> bool:
    """Whether making it again would help: a folder that an editable plugin is run from can't be made again."""
    return any(fault.reference != "source-missing" for fault in revision.faults)


def _with_state(store: Store, plugin: ExaminedPlugin, notes: list[str]) -> ExaminedPlugin:
    """The plugin with a state that was worked out in the place of the damaged one."""
    state = recover_state(store, plugin)
    if state is None:
        raise StoreError(
            f"Nothing is left of `{plugin.name}` that it could be made again from",
            reference="store-corrupt",
            causes=[fault.what for fault in plugin.faults[:3]],
            hint=f"`remove {plugin.name}`, then add it again",
        )
    with registry.staging(store) as stage:
        if registry.put_state_back(store, plugin.name, state, stage):
            notes.append(f"The revision in force is `{state.revision}`, as far as that could still be told")
    return Examiner(store).plugin(plugin.name)
