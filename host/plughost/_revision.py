"""A revision: the folder of one installation of a plugin, and the receipt that stands for it.

Above it: `add`; below it: the registry, which moves the folder into place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

from plughost import __version__, registry
from plughost.lock import SUMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plughost.lock import LockedPackage, Lockfile
    from plughost.paths import Store
    from plughost.source import Origin, Source
    from plughost.venv import PluginVenv
    from plughost.wheel import BuiltWheel

__all__ = ["Made", "write_manifest", "write_revision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What the stages have made of a source. There is no wheel of a requirement, whose package the lock names."""

    name: str
    package: str
    wheel: BuiltWheel | None
    lockfile: Lockfile
    environment: PluginVenv
    entry_points: Mapping[str, str]
    manifest: Mapping[str, object]
    installer: str

    @property
    def locked(self) -> LockedPackage:
        return next(item for item in self.lockfile.packages if registry.normalize_name(item.name) == self.package)


def write_revision(
    folder: Path,
    made: Made,
    *,
    options: dict[str, object],
    editable: bool,
    source: Source,
    origin: Origin,
    store: Store,
    previous: registry.Receipt | None,
    signer: dict[str, str],
    grant: dict[str, object] | None = None,
    unenforced: tuple[str, ...] = (),
) -> registry.Receipt:
    """Make `folder`, complete but for its receipt, and that receipt. `options` are the request's."""
    revision = _identifier(made, origin)
    folder.mkdir()
    shutil.copyfile(made.lockfile.folder / "pylock.toml", folder / "pylock.toml")
    if (made.lockfile.folder / "uv.lock").is_file():
        shutil.copyfile(made.lockfile.folder / "uv.lock", folder / "uv.lock")
    wheel = made.wheel
    if wheel:
        shutil.copyfile(wheel.path, folder / wheel.path.name)
    if made.lockfile.wheels:  # from a bundle: there may be no other place that has them
        for name in (*made.lockfile.wheels, SUMS):
            shutil.copyfile(made.lockfile.folder / name, folder / name)
    of_it = {"kind": origin.kind, "source": source.text, "commit_id": origin.commit_id or "", "digest": origin.sha256 or ""}
    known = {**of_it, "direct_url": origin.direct_url(), "request": options}
    manifest_sha256 = write_manifest(folder / "manifest.json", made, revision=revision, editable=editable, origin=known)
    environment = made.environment
    return registry.Receipt(
        name=made.name,
        project=store.project,
        package=made.package,
        version=made.locked.version,
        revision=revision,
        added_at=datetime.now(UTC).isoformat(timespec="seconds"),
        added_by=f"plughost {__version__}",
        kind=origin.kind,
        source=source.text,
        commit_id=origin.commit_id or "",
        digest=origin.sha256 or "",
        direct_url=origin.direct_url(),
        request=options,
        wheel=wheel.path.name if wheel else "",
        wheel_sha256=wheel.sha256 if wheel else "",
        lock_sha256=made.lockfile.digest,
        installer=made.installer,
        built_from_source=tuple(made.lockfile.built_from_source),
        venv=environment.key,
        venv_digest=environment.record_digest,
        python=environment.interpreter.executable,
        python_version=environment.interpreter.version,
        manifest_sha256=manifest_sha256,
        uv_lock_sha256=_sha256(folder / "uv.lock"),
        signer=signer,
        grant=grant,
        unenforced=unenforced,
        history=(previous.as_history(), *previous.history) if previous else (),
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _identifier(made: Made, origin: Origin) -> str:
    """Version and commit for whoever looks into the store; the random end keeps two adds of one commit apart."""
    version = made.locked.version
    exact = origin.commit_id or origin.sha256 or version
    return f"{''.join(c for c in version if c.isascii() and (c.isalnum() or c in '.+'))}-{exact[:8]}-{os.urandom(4).hex()}"


def write_manifest(path: Path, made: Made, *, revision: str, editable: bool, origin: Mapping[str, object]) -> str:
    """Write what a call needs to know of the plugin, and its `origin`, should the receipt be lost; the SHA-256 of the file."""
    record = {
        "format": 1,
        "name": made.name,
        "package": made.package,
        "version": made.locked.version,
        "revision": revision,
        "venv": made.environment.key,
        "editable": editable,
        "entry_points": dict(made.entry_points),
        "summary": made.wheel.summary if made.wheel else "",
        **made.manifest,
        "origin": dict(origin),
    }
    data = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
