"""What the stages ask of the program that builds, resolves and installs: of uv, or where it is missing or refused, of pip.

Above it: the stages wheel, lock and venv, which hold what is common to both (digests, verification, atomicity); below it:
`_uv` and `_pip`, which fulfil `Installer` and are the only modules that know those programs' flags.
"""

from __future__ import annotations

from typing import Protocol

from plughost.errors import InstallError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from plughost._installing import LockRequest, Shop
    from plughost._interpreters import Interpreter
    from plughost.paths import Store

__all__ = ["Ahead", "Installer", "choose"]


class Ahead(Protocol):
    """A lock that is being made while the wheel is built, from dependencies that are known before."""

    def finish(self) -> Path | None:
        """The folder of the lock, once it is made; None if it can't be. Says nothing: the lock proper will."""

    def abandon(self) -> None:
        """End it now, with its whole tree."""


class Installer(Protocol):
    """uv or pip. Every method raises an `InstallError` that says what the program said, with `log` holding all of it."""

    @property
    def name(self) -> str: ...

    @property
    def store(self) -> Store: ...

    @property
    def scratch(self) -> str:
        """The folder for temporary files; "" where it has none of its own."""

    @property
    def shop(self) -> Shop | None:
        """Where packages are built; None where they are trusted."""

    def build(
        self,
        source: Path,
        *,
        subject: str,
        python: Interpreter,
        into: Path,
        epoch: int | None,
        offline: bool,
        log: Path,
    ) -> None:
        """Leave the wheel of `source`, a folder or an sdist, in `into`; messages call it `subject`.

        Its build requirements are installed into an environment that lasts for this build.
        """

    def furnish(self, venv: str, requirements: Sequence[str], *, python: Interpreter, offline: bool, log: Path) -> None:
        """Make a venv at `venv`, where nothing is, and install `requirements`, unlocked: for building, not for plugins."""

    def lock(self, request: LockRequest) -> None:
        """Write `pylock.toml`, with hashes, into the request's folder. Nothing is built for it.

        Raises: InstallError: `without_wheel` are the packages that the request doesn't allow to be had `from_source`, if it is
        for these.
        """

    def lock_ahead(self, request: LockRequest) -> Ahead | None:
        """Begin to lock, and to fetch what is locked; None where this installer can't."""

    def install(
        self,
        folder: Path,
        venv: str,
        *,
        python: Interpreter,
        built: Mapping[str, Path],
        offline: bool,
        log: Path,
        keep: Iterable[int],
    ) -> None:
        """Make a venv at `venv`, where nothing is, and install what `folder`'s lock says, and nothing else.

        Of the packages that are `built`, the wheels at those paths. `keep` are descriptors that the program holds until it ends.
        """

    def install_wheels(
        self, folder: Path, venv: str, *, wheels: Mapping[str, str], python: Interpreter, log: Path, keep: Iterable[int]
    ) -> None:
        """Make a venv at `venv`, where nothing is, and install `wheels` (file name → SHA-256) from `folder`, and nothing else.

        Asks no network, and leaves nothing in a cache.
        """

    def forget(self, name: str) -> None:
        """Remove what the cache keeps of the package `name`. Never raises."""

    def cached(self) -> dict[str, list[str]]:
        """For each package that the cache keeps unpacked the folders where it does."""

    def prune(self, names: Sequence[str]) -> None:
        """Remove what the cache keeps of these packages, and what is of no use any more. Never raises."""


def choose(store: Store, preferred: str = "", *, scratch: str = "", shop: Shop | None = None) -> Installer:
    """The installer called `preferred` ("uv" or "pip"); "" takes uv where there is one, else pip.

    `scratch` is the folder for its temporary files, of which it leaves some behind, and a killed one all. Packages are built in
    the `shop`.

    Raises: UsageError: `preferred` names neither, or the store's path can't be used. InstallError: uv is asked for and missing.
    """
    if any(letter < " " or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in store.root):
        raise UsageError(
            f"Nothing can be installed in the store {store.root!a}",
            causes=["Its path has a control character, or bytes that are no text, and uv, pip and builds can't be told of it"],
            hint="Name another folder by `PLUGHOST_HOME`",
        )
    if preferred not in ("", "uv", "pip"):
        raise UsageError(f"`{preferred}` is not an installer", reference="usage", hint="Give `uv` or `pip`")
    if preferred != "pip":
        from plughost._uv import Uv, find_uv

        if binary := find_uv():
            return Uv(store, binary, scratch, shop)
        if preferred == "uv":
            raise InstallError(
                "There is no `uv` on this machine",
                reference="uv-missing",
                hint="Install it with `pip install uv`, or use `--installer pip`",
            )
    from plughost._pip import Pip

    return Pip(store, scratch, shop)
