"""The paths that a policy gives: which of them are left, since others stand for them, hide them, or lead to processes.

Above it: the files; below it: nothing but the disk.
"""

from __future__ import annotations

import os

from plughost.policy import is_within, shows_processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["TEMPORARY", "not_in", "overlap", "without", "without_processes"]

TEMPORARY = "/tmp"  # noqa: S108 - where programs expect it; each process has one of its own


def not_in(writable: Sequence[str], paths: Sequence[str]) -> list[str]:
    """The paths but for what lies in a folder that the plugin may write to: that is there with it, or led elsewhere by now."""
    return [path for path in paths if not any(_is_below(folder, path) for folder in writable)]


def _is_below(folder: str, path: str) -> bool:
    """Whether it is there by the folder alone; `/` doesn't stand for the temporary files of others."""
    return path != folder and is_within(folder, path) and not (folder == "/" and is_within(TEMPORARY, path))


def without_processes(paths: Iterable[str]) -> Iterator[str]:
    """The paths but for those that are, or lead to, what the kernel shows of a process: there is no root folder but one's own."""
    for path in paths:
        if not any(shows_processes(each) for each in (path, os.path.realpath(path))):
            yield path


def overlap(one: str, other: str) -> bool:
    return is_within(one, other) or is_within(other, one)


def without(hidden: Sequence[str], paths: Iterable[str]) -> Iterator[str]:
    """The paths but for what is hidden: of a folder that has some of it, whatever else is in it now."""
    for path in paths:
        real = os.path.realpath(path)
        if path == "/" or any(real == each or real.startswith(each + "/") for each in hidden):
            continue
        if any(each.startswith(real + "/") for each in hidden) and os.path.isdir(real):
            yield from without(hidden, sorted(os.path.join(real, name) for name in os.listdir(real)))
        else:
            yield path
