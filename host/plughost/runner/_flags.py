"""The flags of the interpreter's that a plugin's own processes inherit.

Above it: the loop; below it: `subprocess`, once the plugin has imported it.
"""

from __future__ import annotations

from ._standing_in import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["inherit_site"]


def inherit_site(subprocess: ModuleType) -> None:
    """Leave out `-S`: the site of this process was entered, only later, and children that have none don't find their packages."""
    plain = subprocess._args_from_interpreter_flags  # noqa: SLF001 - what `multiprocessing` asks, too

    def _args_from_interpreter_flags() -> list[str]:
        return [flag for flag in plain() if flag != "-S"]

    replace(subprocess, "_args_from_interpreter_flags", _args_from_interpreter_flags)
