"""That a limit was reached.

Above it: the guard, which finds that, and what tells of it; below it: nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.policy import Policy

__all__ = ["NEAR", "Breach", "limit_of_files"]

#: Of the memory that is allowed, as much as has to be in use for a failure to be possibly for want of it.
NEAR = 0.8


class Breach:
    """A limit that was reached: the policy's field, and by what figure (bytes, seconds or a count)."""

    __slots__ = ("figure", "limit")

    def __init__(self, limit: str, figure: float) -> None:
        self.limit = limit
        self.figure = figure


def limit_of_files(policy: Policy) -> tuple[str, int | None]:
    """How large a file may be, and the policy's field that says so.

    A work directory is watched, and what one call of the kernel allots is there at once: where there is nowhere else to write
    to, a file of twice what the directory may hold is none of its.
    """
    largest = 2 * policy.disk_bytes if policy.disk_bytes is not None and not policy.write else None
    if largest is None or (policy.file_bytes is not None and policy.file_bytes <= largest):
        return "file_bytes", policy.file_bytes
    return "disk_bytes", largest
