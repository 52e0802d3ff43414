"""What a damaged revision can be made of again: copies of its wheel, its commit, the versions that are installed.

Above it: the remaking of a revision; below it: the stages and the store's caches.
"""

from __future__ import annotations

import os
import tomllib
from glob import escape, glob
from pathlib import Path
from urllib.parse import quote

from plughost import lock as locks
from plughost import source as sources
from plughost import venv as venvs
from plughost import wheel as wheels
from plughost._foundry import Foundry
from plughost.errors import StoreError
from plughost.health import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost.health import ExaminedRevision
    from plughost.paths import Store
    from plughost.registry import Receipt
    from plughost.wheel import BuiltWheel

__all__ = ["find_wheel", "fits", "installed_pins", "lock_requires", "lock_series", "rebuild_wheel"]


def find_wheel(store: Store, plugin: str, receipt: Receipt) -> Path | None:
    """Another copy of the plugin's own wheel, the same to the byte: in another revision, or kept since it was built."""
    folders = [os.path.join(escape(folder), "*") for folder in (store.plugin(plugin), store.kept_wheels)]
    for folder in folders:
        for path in glob(os.path.join(folder, escape(os.path.basename(receipt.wheel or "-")))):
            if digest_of(path) == receipt.wheel_sha256:
                return Path(path)
    return None


def rebuild_wheel(
    receipt: Receipt,
    *,
    store: Store,
    installer: Installer,
    python: Interpreter,
    stage: Path,
    log: Path,
    offline: bool,
) -> BuiltWheel:
    """The wheel, built again from exactly what it was built from.

    Raises: StoreError: that is not there any more. InstallError: it can't be had or built.
    """
    if not receipt.source or (receipt.kind == "git" and not receipt.commit_id):
        raise _gone(receipt, "Its wheel is damaged, and nobody knows what it was built from")
    source = sources.parse(_exact_source(receipt))
    origin = sources.resolve(source, offline=offline)
    if (origin.commit_id, origin.sha256) != (receipt.commit_id, receipt.digest):
        raise _gone(receipt, f"Its wheel is damaged, and `{receipt.source}` is not what it was")
    folder = stage / "source"
    folder.mkdir()
    tree = sources.check_out(source, origin, folder, project=store.project, offline=offline)
    if origin.kind == "wheel":
        return wheels.read(tree.path)
    into = stage / "wheel"
    into.mkdir()
    furnish = Foundry(installer, python, offline=offline, log=log).furnish
    return wheels.build(tree, installer=installer, python=python, into=into, offline=offline, log=log, furnish=furnish)


def installed_pins(revision: ExaminedRevision, *, leave_out: str) -> list[str]:
    """The versions that are locked, or where the lock is lost, installed, as constraints."""
    try:
        if revision.lock:
            versions = locks.versions(revision.lock)
        else:
            versions = venvs.installed(revision.venv.path) if revision.venv.key else []
    except (OSError, ValueError):
        return []
    return [f"{name}=={version}" for name, version in versions if name != leave_out and version]


def lock_requires(lock: Path | None) -> str:
    """The Pythons that a lock is for, as a specifier; "" if it doesn't say."""
    try:
        return str(tomllib.loads(lock.read_text(encoding="utf-8")).get("requires-python", "")) if lock else ""
    except (OSError, ValueError):
        return ""


def lock_series(lock: Path | None) -> str:
    """The Python that a lock was made for, such as `3.11`; "" if that can't be told."""
    parts = [part.strip() for part in lock_requires(lock).split(",")]
    lowest = next((part.removeprefix(">=").strip() for part in parts if part.startswith(">=")), "")
    return ".".join(lowest.split(".")[:2])


def fits(wheel: BuiltWheel, python: Interpreter) -> bool:
    """Whether `python` takes the wheel."""
    return not locks.tags_of(wheel.path.name).isdisjoint(locks.tags_in_order(python))


def _exact_source(receipt: Receipt) -> str:
    """The source string for the commit that it was built from; what is no repository has a digest instead."""
    if receipt.kind != "git":
        return receipt.source
    subdirectory = receipt.direct_url.get("subdirectory")
    fragment = f"#subdirectory={quote(str(subdirectory))}" if subdirectory else ""
    return f"git+{receipt.direct_url.get('url')}@{receipt.commit_id}{fragment}"


def _gone(receipt: Receipt, message: str) -> StoreError:
    return StoreError(
        f"`{receipt.name}` can't be made again",
        reference="store-corrupt",
        causes=[message],
        hint=f"`add SOURCE --name {receipt.name} --force` puts a new one in its place",
    )
