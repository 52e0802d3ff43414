"""The log of one `add`, and what becomes of it: it stays where a stage failed, and goes where none did.

Above it: `add`; below it: the standard library. It turns what the operating system refuses into the one error that is shown.
"""

from __future__ import annotations

import contextlib
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

from plughost.errors import InstallError, PlughostError, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost.paths import Store

__all__ = ["failures_told", "last_part", "log_path", "write_log"]

#: Logs of failed adds that are kept; older ones go.
KEPT_LOGS = 50


def log_path(store: Store, source: str) -> Path:
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in last_part(source)).strip("-").lower() or "plugin"
    return Path(store.logs, f"{stem[:60]}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log")


def write_log(log: Path, text: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def failures_told(store: Store, log: Path) -> Iterator[None]:
    """One error for whatever ends a stage; the log stays where it failed, and goes where it didn't."""
    try:
        yield
    except PlughostError as error:
        if not isinstance(error, InstallError | StoreError):  # nothing was tried: there is nothing to read up
            log.unlink(missing_ok=True)
        elif log.exists():
            error.log = error.log or str(log)
            _keep_newest(log.parent)
        raise
    except OSError as error:
        raise _from_os_error(store, log, error) from error
    with contextlib.suppress(FileNotFoundError):
        log.unlink()


def last_part(source: str) -> str:
    """What people call a source: the end of its path, without the reference."""
    path = source.partition("#")[0].partition("?")[0].rstrip("/")  # a token may stand after the `?`
    return path.rpartition("/")[2].partition("@")[0].removesuffix(".git") or path


def _from_os_error(store: Store, log: Path, error: OSError) -> PlughostError:
    kept = log if log.exists() else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return InstallError(
            f"The disk that holds the store `{store.root}` is full",
            reference="disk-full",
            causes=[str(error)],
            hint="Free some space, or point `PLUGHOST_HOME` to another disk; nothing that was installed is lost",
            log=kept,
        )
    if error.errno in {errno.EACCES, errno.EROFS, errno.EPERM}:
        return StoreError(
            f"The store at `{store.root}` can't be written",
            reference="store-unwritable",
            causes=[str(error)],
            hint="Point `PLUGHOST_HOME` to a folder that you may write to",
            log=kept,
        )
    return InstallError("The plugin could not be installed", reference="install-failed", causes=[str(error)], log=kept)


def _keep_newest(folder: Path) -> None:
    for old in sorted(folder.glob("*.log"), key=lambda path: path.name[-30:])[:-KEPT_LOGS]:
        with contextlib.suppress(FileNotFoundError):
            old.unlink()
