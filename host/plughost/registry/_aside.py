"""Setting damaged files aside, before something sound takes their place: what they held may still tell somebody something.

Above it: what mends the registry; below it: the store's paths.
"""

from __future__ import annotations

import os
import shutil
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from plughost.paths import Store

__all__ = ["aside_since", "set_aside"]

_TIME = "%Y%m%dT%H%M%S"


def set_aside(store: Store, paths: Iterable[str | os.PathLike[str]], *, name: str) -> str:
    """Keep the files at `paths` in a folder of their own under `set-aside/`, which is returned; "" if there are none.

    They stay where they are, too, until they are replaced: a kill in between loses nothing. But for a folder in the place of one,
    which no file can replace.
    """
    there = [os.fspath(path) for path in paths if os.path.isfile(path) or _is_folder(path)]
    if not there:
        return ""
    folder = os.path.join(store.set_aside, f"{time.strftime(_TIME, time.gmtime())}-{name}-{os.urandom(4).hex()}")
    os.makedirs(folder)
    for number, path in enumerate(there):
        kept = os.path.join(folder, os.path.basename(path))
        move = os.rename if _is_folder(path) else _link
        move(path, f"{kept}.{number}" if os.path.lexists(kept) else kept)
    return folder


def aside_since(name: str) -> float:
    """When the folder of that name was set aside, in seconds since the epoch; now, if its name doesn't say.

    Not the time of its files: that is when they were written.
    """
    import calendar

    try:
        return calendar.timegm(time.strptime(name.partition("-")[0], _TIME))
    except ValueError:
        return time.time()


def _is_folder(path: str | os.PathLike[str]) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _link(path: str, to: str) -> None:
    try:
        os.link(path, to)
    except OSError:  # a filesystem without hard links
        shutil.copyfile(path, to)
