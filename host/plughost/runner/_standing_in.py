"""A function of the plugin's side in the place of one of the standard library's.

Above it: what puts denials into words, and what dials; below it: nothing.
"""

from __future__ import annotations

__all__ = ["replace"]


def replace(owner: object, name: str, method: object) -> None:
    """In a module or a class, by one that goes by the same name, and has it as `__wrapped__`."""
    plain = getattr(owner, name)
    for attribute in ("__name__", "__qualname__", "__doc__"):
        setattr(method, attribute, getattr(plain, attribute))
    vars(method)["__wrapped__"] = plain
    setattr(owner, name, method)
