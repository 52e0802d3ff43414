"""One build: in a kept environment first, and where that fails for any reason, in one made for this build alone.

Above it: `build`; below it: the backend's hooks and the installer. Where there is a workshop, the package's code runs in that
alone, and what it needs is fetched before.
"""

from __future__ import annotations

from dataclasses import replace

from packaging.requirements import InvalidRequirement, Requirement

from plughost._installing import write_log
from plughost.errors import BuildError, InstallError
from plughost.wheel._environment import check_python, keepable, obtain
from plughost.wheel._hook import EDITABLE, WHEEL, ask_for_wheel, build_system_of, further_requirements
from plughost.wheel._unpack import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from plughost._installer import Installer
    from plughost._interpreters import Interpreter
    from plughost._process import Completed
    from plughost.source import SourceTree

    Furnish = Callable[[str, Sequence[str]], None]

__all__ = ["Bench"]

#: These say nothing of the environment, and would end a second attempt the same way.
_NOT_THE_ENVIRONMENT = frozenset({"disk-full", "network", "offline", "tls", "uv-missing"})

_LONGEST_SHOWN = 200


class Bench:
    """What a build has: an installer and an interpreter, a folder for what it needs on the way, and a log."""

    def __init__(
        self, folder: Path, *, installer: Installer, python: Interpreter, offline: bool, log: Path, furnish: Furnish | None = None
    ) -> None:
        """`furnish` makes an environment where not all that is needed has wheels."""
        self._folder, self._installer, self._python, self._offline = folder, installer, python, offline
        self._log, self._furnish_otherwise = log, furnish

    def unpacked(self, tree: SourceTree) -> SourceTree:
        """The tree as a folder, with what its files say of its build."""
        source = tree.path
        if not source.is_dir():
            top = unpack(tree.path, self._folder / "source")
            source = top / tree.origin.subdirectory
            if not source.is_dir() or not source.resolve().is_relative_to(top.resolve()):
                raise BuildError(f"`{tree.path.name}` has no folder `{tree.origin.subdirectory}`", reference="build-failed")
        return replace(tree, path=source, build_requires=build_system_of(source).requires)

    def kept_environment(self, tree: SourceTree, requires: Sequence[str]) -> str:
        """The folder of a kept environment for this build; empty if it needs one of its own."""
        # uv has the backend `uv_build` in itself; in the workshop it is asked as any other.
        if not keepable(tree.path, requires, exact=self._installer.shop is not None):
            return ""
        try:
            return obtain(requires, installer=self._installer, python=self._python, offline=self._offline, log=self._log)
        except InstallError as error:
            if error.reference in _NOT_THE_ENVIRONMENT:
                raise
            return ""

    def build_kept(self, tree: SourceTree, environment: str, into: Path) -> bool:
        """Build in a kept environment. False if that failed, for whatever reason: a build that has its own then decides."""
        completed = ask_for_wheel(tree, environment=environment, into=into, shop=self._installer.shop)
        write_log(self._log, completed)
        if completed.returncode == 0:
            return True
        for leftover in into.glob("*.whl"):
            leftover.unlink()
        return False

    def build_apart(self, tree: SourceTree, requires: Sequence[str], into: Path, *, subject: str, editable: bool = False) -> None:
        """Build in environments that are made for it.

        Raises: BuildError: the backend fails. InstallError: what it needs can't be had.
        """
        hook, shop = EDITABLE if editable else WHEEL, self._installer.shop
        environment = self._furnish("first", requires)
        asked, further = further_requirements(tree, environment=environment, into=self._folder / "asked", shop=shop, hook=hook)
        write_log(self._log, asked)
        if shop is not None:
            _refuse_places(further, subject, self._log)
        if further:
            environment = self._furnish("second", [*requires, *further])
        if asked.returncode == 0:
            asked = ask_for_wheel(tree, environment=environment, into=into, shop=shop, hook=hook)
            write_log(self._log, asked)
        if asked.returncode != 0:
            raise _failed(subject, asked, self._log, is_confined=shop is not None)

    def _furnish(self, name: str, requires: Sequence[str]) -> str:
        folder = str(self._folder / name)
        try:
            self._installer.furnish(folder, list(requires), python=self._python, offline=self._offline, log=self._log)
        except InstallError as error:
            if not error.without_wheel or self._furnish_otherwise is None:
                raise
            folder += "-built"
            self._furnish_otherwise(folder, requires)
        check_python(folder, python=self._python, log=self._log)
        return folder


def _refuse_places(asked: Sequence[str], subject: str, log: Path) -> None:
    """What a build asks for is fetched outside: by a URL it could send what it has seen, by a path read what it may not.

    Raises: BuildError: it asks for more than names.
    """
    for text in asked:
        try:
            is_name = not Requirement(text).url
        except InvalidRequirement:
            is_name = False
        if not is_name:
            raise BuildError(
                f"Failed to build a wheel from {subject}",
                reference="build-failed",
                causes=[f"The build backend asks for {text[:_LONGEST_SHOWN]!r}, and may ask for names of the index alone"],
                hint="Have the project itself name it, in `build-system.requires`",
                log=log,
            )


def _failed(subject: str, completed: Completed, log: Path, *, is_confined: bool) -> BuildError:
    said = [line.strip() for line in completed.stderr.splitlines() if line.strip()]
    ended = f"The build backend ended with code {completed.returncode}"
    return BuildError(
        f"Failed to build a wheel from {subject}",
        reference="build-failed",
        causes=[ended, *said[-1:]],
        hint="What it may use is limited: the log has all that it said" if is_confined else "",
        log=log,
    )
