"""A store that is thrown away, for a plugin that is only looked at. It shares the downloads of the user's own store.

Above it: the check and `dev`; below it: `Host`. It lies in the folder for temporary files, under a lock: what a killed process
has left there, the next one takes away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from plughost._add import forget_packages
from plughost.errors import PlughostError
from plughost.host import Host
from plughost.paths import Store, locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["throw_away_host"]

_PREFIX = "plughost-looking-"


@contextlib.contextmanager
def throw_away_host(project: str, *, downloads: Store) -> Iterator[tuple[Host, Path]]:
    """A host with an empty store that is gone at the end of the block, and a folder for whatever else is only for now.

    uv's cache is that of `downloads`: uv locks it itself. What is looked at here could be added there just as well, so nothing is
    trusted that wouldn't be; the plugin's own wheel is taken out again.
    """
    top = Path(tempfile.gettempdir())
    _sweep(top)
    with _folder(top) as folder:
        root = folder / "store"
        _share(downloads, root)
        scratch = folder / "scratch"
        scratch.mkdir()
        with Host(project, store=root) as host:
            try:
                yield host, scratch
            finally:
                host.close()
                with contextlib.suppress(PlughostError):  # what is damaged goes with the store; its wheel is only space
                    packages = tuple(str(host.manifest(plugin.name)["package"]) for plugin in host.plugins())
                    forget_packages(host.store, packages)


@contextlib.contextmanager
def _folder(top: Path) -> Iterator[Path]:
    """A folder of our own, which has its name only once its lock is held."""
    suffix = os.urandom(8).hex()
    new, folder = top / f".{_PREFIX}{suffix}", top / f"{_PREFIX}{suffix}"
    new.mkdir(mode=0o700)
    try:
        with locked(str(new / "lock")):
            new.rename(folder)
            yield folder
    finally:
        for path in (new, folder):
            shutil.rmtree(path, ignore_errors=True)


def _share(downloads: Store, root: Path) -> None:
    cache = root / "cache"
    cache.mkdir(parents=True)
    try:
        os.makedirs(downloads.uv_cache, exist_ok=True)
    except OSError:  # a store that can't be written: then everything is downloaded anew
        return
    (cache / "uv").symlink_to(os.path.realpath(downloads.uv_cache), target_is_directory=True)


def _sweep(top: Path) -> None:
    """Take away what killed processes of this user have left."""
    for folder in top.glob(f"{_PREFIX}*"):
        try:
            if folder.stat().st_uid == os.getuid() and (folder / "lock").exists():
                with locked(str(folder / "lock"), wait=False):
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, or gone by now
            continue
