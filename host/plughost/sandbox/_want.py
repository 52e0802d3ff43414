"""Whether a process may have ended for want of memory, which the kernel tells nobody whose own limit is reached.

Above it: what tells of ends; below it: the meter. A program that is given no memory ends as its author had it end: by a signal,
or with an exit code, and mostly with a word about it.
"""

from __future__ import annotations

from plughost.sandbox._breach import NEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from plughost.sandbox._guard import Guard

__all__ = ["Want", "find_want", "tells_of_want"]

#: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGSEGV: how a program ends that finds no memory and doesn't expect that.
_SIGNALS = (4, 5, 6, 7, 11)
_SIGBUS = 7
#: Of what is allowed, as much as has to be in use for an end by one of them to be most likely for want of more.
_ALL_BUT = 0.95
#: What Python, Rust, C++, the C library and others say of it, in small letters.
_WORDS = (
    "memoryerror",
    "memory allocation of",
    "bad_alloc",
    "out of memory",
    "allocate memory",
    "failed to allocate",
    "unable to allocate",
)


class Want:
    """What there was of it, and of how much (bytes); of files in memory, where these are. Unless it is `likely`, it may be so."""

    __slots__ = ("allowed", "figure", "likely", "said", "where")

    def __init__(self, figure: int, allowed: int, *, where: str = "", likely: bool, said: bool = False) -> None:
        self.figure = figure
        self.allowed = allowed
        self.where = where
        self.likely = likely
        #: Whether the program has said so, whatever it had when it was last seen.
        self.said = said


def find_want(guard: Guard, code: int | None, printed: Iterable[str]) -> Want | None:
    """What speaks for it: how the process ended, what it had when it was last seen, and what it printed last."""
    allowed, meter = guard.policy.memory_bytes, guard.meter
    if not code or (code < 0 and -code not in _SIGNALS):
        return None
    used, size = meter.temporary_use()
    if code == -_SIGBUS and size and used >= NEAR * size:
        return Want(used, size, where=meter.temporary, likely=True)
    if allowed is None:
        return None
    had = max(meter.peak_bytes, meter.peak_data_bytes)
    if any(map(tells_of_want, printed)):
        return Want(had, allowed, likely=True, said=True)
    if code > 0 or had < NEAR * allowed:  # who has that much left wants no more, as a rule
        return None
    return Want(had, allowed, likely=had >= _ALL_BUT * allowed)


def tells_of_want(text: str) -> bool:
    """Whether a program says there that it was given no memory."""
    small = text.lower()
    return any(word in small for word in _WORDS)
