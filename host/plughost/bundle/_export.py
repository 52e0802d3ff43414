"""`export`: an installed plugin, and every wheel that it needs, in one file."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from plughost import lock as locks
from plughost import registry
from plughost._foundry import Foundry
from plughost._interpreters import Interpreter
from plughost._interpreters import find as find_interpreter
from plughost._log import failures_told, log_path
from plughost._request import nowhere
from plughost.bundle._archive import write
from plughost.bundle._contents import CONTENTS, Contents, Member
from plughost.bundle._wheels import gather
from plughost.errors import InstallError, UsageError
from plughost.paths import read_file, sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._request import MakeShop
    from plughost.bundle._wheels import Gathered
    from plughost.lock import LockedFile
    from plughost.paths import Store

__all__ = ["Exported", "export"]

ENDING = ".plughost"
#: What of a revision's folder goes into a bundle as it is.
_TEXTS = ("manifest.json", "pylock.toml", "receipt.toml")
#: Where uv has made the lock: to make the next one from.
_OPTIONAL = ("uv.lock",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A bundle that was written. `sha256` is that of the file; `packages` is how many wheels are in it."""

    name: str
    version: str
    path: Path
    sha256: str
    size_bytes: int
    packages: int

    def record(self) -> dict[str, object]:
        """As plain JSON values: what `export --json` prints."""
        return {
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "packages": self.packages,
        }


def export(
    store: Store, name: str, path: str | os.PathLike[str] | None, *, offline: bool, make_shop: MakeShop = nowhere
) -> Exported:
    """Write the bundle of the plugin `name` to `path`: a file, a folder to put it in, or None for the folder one is in.

    `make_shop` gives the place to build in what there are no wheels of.

    Raises: UsageError: it is editable, or `path` can't be written. UnknownError: it isn't installed. StoreError: its files are
    damaged. InstallError: a wheel can't be had, or isn't what is locked.
    """
    installed = registry.find(store, name)
    folder = Path(installed.folder)
    receipt = registry.load_receipt(folder / "receipt.toml")
    if installed.manifest.get("editable"):
        raise UsageError(
            f"`{installed.name}` is editable, and its code is not in the store",
            causes=[f"It is in `{receipt.source}`"],
            hint=f"Add it without `--editable` first: `add {receipt.source}`",
        )
    target = _target(path, f"{installed.name}-{receipt.version}{ENDING}")
    _check_revision(installed, receipt)
    texts = {name: read_file(folder / name) for name in (*_TEXTS, *_OPTIONAL) if name in _TEXTS or (folder / name).exists()}
    log = log_path(store, installed.name)
    with failures_told(store, log), registry.adding(store), registry.staging(store) as stage:
        gathered = _Wheels(store, installed, receipt, stage=stage, offline=offline, log=log, make_shop=make_shop).gather()
        files = {f"wheels/{wheel}": path for wheel, path in gathered.files.items()}
        contents = _contents(installed.name, receipt, texts, files, gathered)
        sha256 = _write(target, {CONTENTS: contents.to_json(), **texts}, files)
    return Exported(
        name=installed.name,
        version=receipt.version,
        path=target,
        sha256=sha256,
        size_bytes=target.stat().st_size,
        packages=len(files),
    )


class _Wheels:
    """The wheels of one revision, and what it takes to have them."""

    def __init__(
        self,
        store: Store,
        installed: registry.Installed,
        receipt: registry.Receipt,
        *,
        stage: Path,
        offline: bool,
        log: Path,
        make_shop: MakeShop,
    ) -> None:
        self.make_shop = make_shop
        self.store = store
        self.installed = installed
        self.receipt = receipt
        self.offline = offline
        self.log = log
        self.into = stage / "wheels"
        self.scratch = stage / "scratch"
        self.python = Interpreter(executable=receipt.python, version=receipt.python_version)

    def gather(self) -> Gathered:
        from plughost._installer import choose

        self.into.mkdir()
        self.scratch.mkdir()
        installer = choose(
            self.store, "pip" if self.receipt.installer == "pip" else "", scratch=str(self.scratch), shop=self.make_shop()
        )
        return gather(
            locks.read(Path(self.installed.folder), python=self.python),
            store=self.store,
            python=self.python,
            into=self.into,
            fetch=self._fetch,
            build=Foundry(installer, self.python, offline=self.offline, log=self.log).wheel_of,
        )

    def _fetch(self, absent: list[LockedFile]) -> None:
        from plughost import _uv_settings
        from plughost._pip import Pip

        by_uv = self.receipt.installer == "uv"
        if self.offline or (by_uv and _uv_settings.is_offline()):
            raise InstallError(
                f"Not all wheels of `{self.installed.name}` are on this machine",
                reference="offline",
                causes=[f"Missing: {', '.join(f'`{file.name}` {file.version}' for file in absent)}"],
                hint="Export it once where there is a network; its wheels are then kept for a week",
            )
        python = self.python
        if not os.access(python.executable, os.X_OK):
            python = find_interpreter(requested=python.series)
        pip = Pip(self.store, str(self.scratch))
        requirements = [file.requirement for file in absent]
        pip.fetch(requirements, self.into, python=python, log=self.log, env=_uv_settings.for_pip() if by_uv else {})


def _target(path: str | os.PathLike[str] | None, name: str) -> Path:
    target = Path(os.path.abspath(os.path.expanduser(path or ".")))
    if target.is_dir():
        return target / name
    if target.suffix != ENDING:
        raise UsageError(
            f"`{target}` is not the name of a bundle",
            causes=[f"`add` knows a bundle by its ending, `{ENDING}`"],
            hint=f"Give `{target}{ENDING}`, or a folder that is there",
        )
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder `{target.parent}` to put the bundle in", hint="Make it first")
    return target


def _check_revision(installed: registry.Installed, receipt: registry.Receipt) -> None:
    """Raises: StoreError: the receipt, or what it has the digest of, is not what was written when it was added."""
    folder = installed.folder
    registry.check_receipt(folder, receipt, installed.manifest)
    digests = {
        "manifest.json": receipt.manifest_sha256,
        "pylock.toml": receipt.lock_sha256,
        "uv.lock": receipt.uv_lock_sha256,
        receipt.wheel: receipt.wheel_sha256,
    }
    for name, sha256 in digests.items():
        if name and sha256:
            registry.check_file(folder, receipt, name, sha256)


def _contents(
    name: str, receipt: registry.Receipt, texts: dict[str, bytes], files: dict[str, Path], gathered: Gathered
) -> Contents:
    members = {text: Member(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data)) for text, data in texts.items()}
    for member, path in files.items():
        members[member] = Member(sha256=_digest(path), size_bytes=path.stat().st_size)
    return Contents(
        name=name,
        version=receipt.version,
        project=receipt.project,
        system=sys.platform,
        machine=os.uname().machine,
        python_version=receipt.python_version,
        built=gathered.built,
        members=members,
    )


def _write(target: Path, texts: dict[str, bytes], files: dict[str, Path]) -> str:
    try:
        return write(target, texts, files)
    except OSError as error:
        raise UsageError(f"`{target}` can't be written", causes=[error.strerror or str(error)]) from error


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except FileNotFoundError:
        return "no file"
