"""What is installed of a declared plugin already, in force or kept: looked up without asking anybody else."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from plughost import registry
from plughost.errors import PlughostError
from plughost.paths import read_file
from plughost.venv import is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._request import Request
    from plughost.paths import Store
    from plughost.registry import Receipt
    from plughost.sets._locked import LockedPlugin
    from plughost.sets._wanted import Wanted

__all__ = ["Installed", "find_installed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A revision that is whole, and is what was asked for."""

    receipt: Receipt
    in_force: bool


def find_installed(store: Store, wanted: Wanted, request: Request, locked: LockedPlugin | None) -> Installed | None:
    """The revision that is what `request` asks for, and what is `locked`; without a lock, what the source once gave is enough."""
    options = request.options()
    try:
        receipts = registry.revisions(store, wanted.declared.name)
    except PlughostError:  # none, or a damaged one, which is installed anew
        return None
    for number, receipt in enumerate(receipts):
        if receipt.source != wanted.source.text or receipt.request != options or not is_whole(store, receipt.venv):
            continue
        if _is_exactly(store, receipt, request, locked) if locked else _is_still(receipt, wanted):
            return Installed(receipt=receipt, in_force=number == 0)
    return None


def _is_exactly(store: Store, receipt: Receipt, request: Request, locked: LockedPlugin) -> bool:
    origin = request.origin
    if origin is None or receipt.kind != origin.kind or receipt.direct_url != origin.direct_url():
        return False
    exact = receipt.commit_id == locked.commit_id if origin.kind == "git" else receipt.digest == locked.sha256
    series = ".".join(receipt.python_version.split(".")[:2])
    wheel_sha256 = locked.wheel.sha256 if locked.wheel else ""
    if not exact or series != locked.python or receipt.wheel_sha256 != wheel_sha256:
        return False
    return _packages(store, receipt) == locked.packages


def _packages(store: Store, receipt: Receipt) -> object:
    try:
        lock = read_file(Path(store.plugin(receipt.name), receipt.revision, "pylock.toml"))
        return tomllib.loads(lock.decode()).get("packages")
    except (OSError, ValueError, RecursionError):
        return None


def _is_still(receipt: Receipt, wanted: Wanted) -> bool:
    """Whether what was installed from a place on this machine is still what is there."""
    return wanted.here is None or wanted.here.sha256 == receipt.digest
