"""Faces of packages whose names are loaded when they are first used (PEP 562).

A call is over before what installs plugins could be imported; so a face that names both must not import both.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazily"]


def lazily(face: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """The `__getattr__` of the package `face`; `homes` has the names that each of its modules is home to."""
    home_of = {name: f"{face}.{module}" for module, names in homes.items() for name in names}

    def get(name: str) -> object:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        __import__(home)  # importlib would have to be imported first
        value: object = getattr(sys.modules[home], name)
        setattr(sys.modules[face], name, value)
        return value

    return get
