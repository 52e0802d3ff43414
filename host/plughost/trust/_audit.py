"""`audit`: what is known of the packages of plugins, and what they bring along.

Above it: `Host`; below it: the checks, the receipts and the locks. All plugins are one question to the service.
"""

from __future__ import annotations

from pathlib import Path

from plughost import lock as locks
from plughost import registry
from plughost._interpreters import Interpreter
from plughost.errors import PlughostError, StoreError
from plughost.paths import sha256_of
from plughost.trust._contents import examine
from plughost.trust._environment import read_environment
from plughost.trust._findings import Audit, Finding
from plughost.trust._osv import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plughost.lock import LockedPackage, Lockfile
    from plughost.paths import Store
    from plughost.registry import Installed, Receipt
    from plughost.settings import Settings
    from plughost.trust._environment import Environment
    from plughost.trust._findings import Level, Vulnerability

    Known = dict[tuple[str, str], tuple[Vulnerability, ...]]

__all__ = ["audit"]

_WORST_FIRST = ("vulnerable", "warning", "info")


def audit(store: Store, names: Iterable[str], *, settings: Settings, offline: bool) -> list[Audit]:
    """An audit of each plugin; that one is damaged is found too. `offline` asks no service.

    Raises: UnknownError: one isn't installed. AuditError: the service can't be asked.
    """
    service = None if offline else Service(settings.audit_service)
    read = [_read(store, name) for name in names]
    packages = {(package.name, package.version) for one in read if isinstance(one, _Audited) for package in one.lock.packages}
    known = service.vulnerabilities(packages) if service else {}
    return [one if isinstance(one, Audit) else one.audit(known, settings, asked=not offline) for one in read]


def _read(store: Store, name: str) -> _Audited | Audit:
    """What is to be audited; where its files can't be read, the audit that says so."""
    try:
        return _Audited(registry.find(store, name))
    except StoreError as error:
        return _damaged(name, error)


def _damaged(name: str, error: StoreError) -> Audit:
    message = ": ".join([error.message, *error.causes])
    finding = Finding(level="warning", kind="damaged", message=message)
    return Audit(name=name, version="", packages=0, asked=False, findings=(finding,))


class _Audited:
    """One plugin, its receipt, its lock and its environment."""

    def __init__(self, installed: Installed) -> None:
        folder = Path(installed.folder)
        self.name = installed.name
        self.folder = folder
        self.is_editable = bool(installed.manifest.get("editable"))
        self.receipt: Receipt = registry.load_receipt(folder / "receipt.toml")
        python = Interpreter(executable=self.receipt.python, version=self.receipt.python_version)
        self.lock: Lockfile = locks.read(folder, python=python)
        self.root = installed.venv

    def audit(self, known: Known, settings: Settings, *, asked: bool) -> Audit:
        try:
            found = [*self._vulnerable(known), *self._receipt(settings), *self._lock(), *self._environment()]
        except OSError as error:
            return _damaged(self.name, StoreError(f"The files of `{self.name}` can't be read", causes=[str(error)]))
        found.sort(key=lambda finding: (_WORST_FIRST.index(finding.level), finding.kind, finding.package, finding.path))
        return Audit(
            name=self.name,
            version=self.receipt.version,
            packages=len(self.lock.packages),
            asked=asked,
            findings=tuple(found),
        )

    def _vulnerable(self, known: Known) -> Iterator[Finding]:
        for package in self.lock.packages:
            for vulnerability in known.get((package.name, package.version), ()):
                yield Finding(
                    level="vulnerable",
                    kind="vulnerability",
                    message=vulnerability.summary or "A known vulnerability",
                    package=package.name,
                    version=package.version,
                    vulnerability=vulnerability,
                )

    def _receipt(self, settings: Settings) -> Iterator[Finding]:
        receipt = self.receipt
        if settings.require_signed and not receipt.signer:
            from plughost.source import is_signature_demanded, parse

            try:
                demanded = is_signature_demanded(parse(receipt.source, editable=self.is_editable), settings.require_signed)
            except PlughostError:  # a folder or a file that is gone
                demanded = False
            if demanded:
                message = "The settings demand a signature of its source, and it was added without"
                yield Finding(level="warning", kind="unsigned", message=message, package=receipt.package)
        if self.is_editable:
            message = f"Its code is the folder `{receipt.source}`, which may change at any time"
            yield Finding(level="info", kind="editable", message=message, package=receipt.package)
        if receipt.wheel and sha256_of(self.folder / receipt.wheel) != receipt.wheel_sha256:
            yield self._altered("Its wheel is not the one that the receipt has", receipt.wheel)

    def _lock(self) -> Iterator[Finding]:
        receipt = self.receipt
        if self.lock.digest != receipt.lock_sha256:
            yield self._altered("Its lock is not the one that the receipt has", "pylock.toml")
        for package in self.lock.packages:
            if package.url and package.name != receipt.package:
                message = f"It comes from `{package.url}`, and no index"
                yield _of(package, "warning", "not-from-index", message)
            if package.name in receipt.built_from_source:
                yield _of(package, "info", "built-from-source", "It was built on this machine, which ran its code")

    def _environment(self) -> Iterator[Finding]:
        environment = read_environment(self.root)
        yield from self._versions(environment)
        yield from examine(environment)

    def _versions(self, environment: Environment) -> Iterator[Finding]:
        """What is installed, held against the lock; a version that the folder of an editable plugin has may be a later one."""
        from packaging.utils import canonicalize_version

        own = self.receipt.package if self.is_editable else ""
        locked = {package.name: canonicalize_version(package.version) for package in self.lock.packages}
        found = {one.name: canonicalize_version(one.version) for one in environment.distributions}
        for name in sorted(locked.keys() | found.keys()):
            if locked.get(name) not in {found.get(name), ""} and name != own:  # a commit's version is not always locked
                message = f"Locked is {locked.get(name) or 'nothing'}, installed is {found.get(name) or 'nothing'}"
                yield Finding(level="warning", kind="altered", message=message, package=name, version=found.get(name, ""))

    def _altered(self, message: str, file: str) -> Finding:
        path = str(self.folder / file)
        return Finding(level="warning", kind="altered", message=message, package=self.receipt.package, path=path)


def _of(package: LockedPackage, level: Level, kind: str, message: str) -> Finding:
    return Finding(level=level, kind=kind, message=message, package=package.name, version=package.version)
