"""Locking and installing again, for a plugin that is repaired: with the same versions, and without the damage.

Above it: the remaking of a revision; below it: the lock and the venv.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from plughost import lock as locks
from plughost import venv as venvs
from plughost._foundry import Foundry
from plughost._values import texts
from plughost._wording import listed
from plughost.errors import InstallError, VenvError
from plughost.settings import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost.health import ExaminedVenv
    from plughost.lock import Lockfile
    from plughost.paths import Store
    from plughost.registry import Receipt
    from plughost.venv import PluginVenv
    from plughost.wheel import BuiltWheel

__all__ = ["lock_again", "reinstall"]

#: How often an installation is tried whose files come out damaged: each time what brought them is dropped from the cache.
_ATTEMPTS = 3


def lock_again(
    receipt: Receipt,
    wheel: BuiltWheel | None,
    *,
    pins: Sequence[str],
    installer: Installer,
    python: Interpreter,
    stage: Path,
    log: Path,
    offline: bool,
) -> Lockfile:
    """A lock with the versions in `pins`, from the cache, else from the index; else with other versions.

    Raises: InstallError: there is none.
    """
    asked = receipt.request
    constraints = texts(asked.get("constraints"))
    attempts = [([*constraints, *pins], True), ([*constraints, *pins], False), (constraints, False)]
    for number, (lines, from_cache) in enumerate(attempts, 1):
        listed = stage / f"constraints-{number}.txt"
        listed.write_text("\n".join(lines), encoding="utf-8")
        try:
            return locks.resolve(
                wheel or f"{receipt.package}=={receipt.version}",
                installer=installer,
                python=python,
                into=stage / f"lock-{number}",
                log=log,
                extras=texts(asked.get("extras")),
                with_=texts(asked.get("with")),
                constraints=listed,
                exclude_newer=absolute(str(asked.get("exclude_newer") or "")),
                offline=from_cache,
                foundry=Foundry(installer, python, offline=from_cache, log=log),
            )
        except InstallError:
            if offline or number == len(attempts):
                raise
    raise AssertionError


def reinstall(
    lockfile: Lockfile,
    receipt: Receipt,
    old: ExaminedVenv,
    *,
    store: Store,
    installer: Installer,
    python: Interpreter,
    log: Path,
    offline: bool,
) -> PluginVenv:
    """A sound environment in the place of `old`, beside it. What brings damaged files is dropped from the installer's cache.

    Raises: InstallError: it can't be made, or comes out damaged each time.
    """
    for package in old.shared:  # the cache has the damaged bytes, too
        installer.forget(package)
    damaged: set[str] = set()
    editable = Path(receipt.editable_source) if receipt.editable_source else None
    foundry = Foundry(installer, python, offline=offline, log=log)
    for attempt in range(_ATTEMPTS):
        # Plugins that had one environment have one again. Where that is damaged by now, it is left to whoever has it.
        salt = os.urandom(8).hex() if attempt else f"instead of {old.key}"
        try:
            made = venvs.create(
                lockfile,
                store=store,
                installer=installer,
                python=python,
                build=partial(foundry.wheels_of, editable=editable),
                offline=offline,
                log=log,
                editable=editable,
                plugin=receipt.package,
                salt=salt,
            )
        except VenvError as error:
            if not error.package:
                raise
            damaged = {error.package}
            continue
        fingerprint = venvs.read_marker(str(made.path)).fingerprint
        damaged = {damage.package for damage in venvs.find_damage(str(made.path), fingerprint)}
        if not damaged:
            return made
        for package in damaged:
            installer.forget(package)
    raise VenvError(
        f"The environment of `{receipt.name}` comes out damaged each time",
        reference="venv-damaged",
        causes=[f"Files of {listed(sorted(damaged))} are not what is locked"],
        hint="Delete the store's `cache` folder, then repeat the command",
        log=log,
    )
