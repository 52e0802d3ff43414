"""Whether it is a damaged environment by which a call has failed.

Above it: the host's workers; below it: the plugins' health, which is only asked where it may be that.
"""

from __future__ import annotations

import time

from plughost.errors import PluginCrashed, PluginError, VenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from plughost.registry import Installed

    Blame = Callable[[Installed, PluginError | PluginCrashed], None]

__all__ = ["Blaming", "Damage"]

#: What a plugin raises, or seems to, where files of its environment are missing.
_SHOWS_AS = ("FileNotFoundError", "ImportError", "ModuleNotFoundError", "SyntaxError")
#: How long an environment that was sound counts as such: a plugin may fail often, and for other reasons.
_LOOKED_AT_EVERY_S = 10.0


class Blaming:
    """A context manager that blames an environment for the error that ends its block."""

    __slots__ = ("_blame", "_installed")

    def __init__(self, blame: Blame, installed: Installed) -> None:
        self._blame = blame
        self._installed = installed

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, PluginError | PluginCrashed):
            self._blame(self._installed, error)


class Damage:
    """Remembers which environments were found sound."""

    __slots__ = ("_sound_at",)

    def __init__(self) -> None:
        self._sound_at: dict[str, float] = {}

    def blame(self, installed: Installed, error: PluginError | PluginCrashed) -> None:
        """Say so where a call failed because the plugin's environment is damaged; quick, and only where it may be that.

        Raises: VenvError: it is.
        """
        if isinstance(error, PluginError) and error.builtin_name not in _SHOWS_AS:
            return
        now = time.monotonic()
        if now - self._sound_at.get(installed.venv, -_LOOKED_AT_EVERY_S) < _LOOKED_AT_EVERY_S:
            return
        from plughost.health import first_fault

        fault = first_fault(installed.venv)
        if not fault:
            self._sound_at[installed.venv] = now
            return
        raise VenvError(
            f"The environment of `{installed.name}` is damaged",
            reference="venv-damaged",
            causes=[fault, error.message],
            hint=f"`repair {installed.name}` makes it again",
        ) from error
