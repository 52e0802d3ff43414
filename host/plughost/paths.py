"""The store on disk: one folder, whose every path is named here.

Above it: the stages, the registry and the host; below it: the standard library. It knows where things are and how a file is
replaced, not what is in it.

    <store>/                                $PLUGHOST_HOME, else the platform's data folder for the project
      plugins/<project>/<name>/
        current                             the revision in force, those before it, and marks; replaced by one rename
        <revision>/                         never changed once it is here; moved in by one rename
          receipt.toml                      what is installed, from where, and what was before it
          pylock.toml                       PEP 751, with hashes, the plugin's own wheel included
          uv.lock                           the same as uv has it, for an update that keeps versions
          manifest.json                     what the plugin offers, and all that a call needs to know
          <name>-<version>-….whl            the plugin's own wheel
          *.whl, SHA256SUMS                 of a plugin from a bundle: the wheels of its dependencies, and all their digests
      venvs/<key>/                          content-addressed; `plughost-venv.json`, written last, marks it as whole
      index/<project>.json                  made from the receipts; may be deleted at any time
      index/<project>/<name>.json           likewise: all that is known of one plugin
      indexes/<name>.json                   a list of plugins that was fetched, for searching
      cache/uv/                             uv's own cache: on the venvs' filesystem, for hard links, and shared with nobody
      cache/build/<key>/                    build environments that are kept, because making one takes longer than a build
      cache/fetched/<key>/<digest>/         wheels fetched for an export, for the next one; deleted after a week
      cache/wheels/<key>/                   wheels built from a commit, for when that is added again; deleted after a week
      cache/built/<key>/                    wheels built from dependencies' sources; deleted after three months unused
      cache/pip*/, cache/virtualenv/        what pip and virtualenv keep, where they are used instead of uv
      cache/runner/                         bytecode of the runner, by interpreter
      cache/machine.json                    how processes can be confined on this machine
      journal/<project>/
        calls.sqlite3                       a record of each call, for its owner alone
        spool/                              records that nobody has taken into the database yet
      sessions/<project>/<id>/              a session's work directory and its lock, deleted with it
      work/<random>/<number>/               a worker's work directory, deleted with it; all of one host's, which locks them
      daemon/<project>.sock                 where the daemon listens; only its owner can reach it
      logs/<name>-<time>.log                what the build, the resolver and the installer printed, kept where they failed
      locks/<scope>.lock                    held while a scope is written; empty files, of which an environment's goes with it
      tmp/<random>/                         what is being made; swept once its maker is gone, by the next that adds or removes
      trash/<random>/                       what is being deleted
      set-aside/<time>-<name>-<random>/     damaged files that a repair has replaced; `gc` deletes them after a month
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = [
    "BUILT_DAYS",
    "KEPT_DAYS",
    "RUNNER",
    "Store",
    "default_store",
    "is_held",
    "locked",
    "older",
    "read_file",
    "regular",
    "replace_file",
    "scan",
    "sha256_of",
    "sync_folder",
]

#: How long wheels are kept to be used once more: of plugins and of what was fetched, and of what was built of dependencies.
KEPT_DAYS, BUILT_DAYS = 7, 90
_DAY_S = 86400
#: The program of the child's side.
RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runner", "__main__.py")


def default_store(project: str = "plughost") -> str:
    """The folder that `PLUGHOST_HOME` names, else the platform's data folder for `project`."""
    if home := os.environ.get("PLUGHOST_HOME"):
        return os.path.abspath(os.path.expanduser(home))
    if sys.platform == "darwin":
        return os.path.expanduser(f"~/Library/Application Support/{project}")
    data = os.environ.get("XDG_DATA_HOME", "")
    # XDG Base Directory Specification: a relative path is invalid and to be ignored.
    base = data if os.path.isabs(data) else os.path.expanduser("~/.local/share")
    return os.path.join(base, project)


class Store:
    """The paths of one store, for one project. Making it touches nothing on disk."""

    __slots__ = ("project", "root")

    def __init__(self, root: str | os.PathLike[str], project: str = "plughost") -> None:
        self.root = os.path.abspath(os.fspath(root))
        self.project = project

    @property
    def plugins(self) -> str:
        return os.path.join(self.root, "plugins", self.project)

    @property
    def venvs(self) -> str:
        return os.path.join(self.root, "venvs")

    @property
    def index(self) -> str:
        return os.path.join(self.root, "index", f"{self.project}.json")

    def index_of(self, name: str) -> str:
        return os.path.join(self.root, "index", self.project, f"{name}.json")

    @property
    def plugin_indexes(self) -> str:
        return os.path.join(self.root, "indexes")

    @property
    def uv_cache(self) -> str:
        return os.path.join(self.root, "cache", "uv")

    @property
    def build_environments(self) -> str:
        return os.path.join(self.root, "cache", "build")

    @property
    def kept_wheels(self) -> str:
        return os.path.join(self.root, "cache", "wheels")

    @property
    def built_wheels(self) -> str:
        return os.path.join(self.root, "cache", "built")

    @property
    def fetched_wheels(self) -> str:
        return os.path.join(self.root, "cache", "fetched")

    @property
    def runner_bytecode(self) -> str:
        return os.path.join(self.root, "cache", "runner")

    @property
    def machine(self) -> str:
        return os.path.join(self.root, "cache", "machine.json")

    @property
    def sessions(self) -> str:
        return os.path.join(self.root, "sessions", self.project)

    @property
    def work(self) -> str:
        return os.path.join(self.root, "work")

    @property
    def logs(self) -> str:
        return os.path.join(self.root, "logs")

    @property
    def calls(self) -> str:
        return os.path.join(self.root, "journal", self.project, "calls.sqlite3")

    @property
    def spool(self) -> str:
        return os.path.join(self.root, "journal", self.project, "spool")

    @property
    def daemon_socket(self) -> str:
        return os.path.join(self.root, "daemon", f"{self.project}.sock")

    @property
    def tmp(self) -> str:
        return os.path.join(self.root, "tmp")

    @property
    def trash(self) -> str:
        return os.path.join(self.root, "trash")

    @property
    def set_aside(self) -> str:
        return os.path.join(self.root, "set-aside")

    def plugin(self, name: str) -> str:
        return os.path.join(self.plugins, name)

    def plugin_index(self, name: str) -> str:
        return os.path.join(self.plugin_indexes, f"{name}.json")

    def lock(self, scope: str) -> str:
        return os.path.join(self.root, "locks", f"{scope}.lock")


class locked:  # noqa: N801 - reads as the context manager it is: `with locked(path):`
    """Hold an exclusive lock on `path` (a lock file, made if missing) for a block; other processes and threads wait.

    The lock belongs to the open descriptor: it ends with the block or with the process, however that ends. A child that is
    handed `fd` keeps it until the child ends too.

    Raises: BlockingIOError: `wait` is false and somebody else holds it.
    """

    def __init__(self, path: str, *, wait: bool = True, shared: bool = False) -> None:
        self.path = path
        self.wait = wait
        self.shared = shared
        self.fd = -1

    def __enter__(self) -> Self:
        import fcntl

        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        operation = fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.fd, operation | (0 if self.wait else fcntl.LOCK_NB))
        except BaseException:
            os.close(self.fd)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def is_held(path: str) -> bool:
    """Whether somebody holds the lock on the file at `path`, or that can't be told.

    Raises: OSError: there is no such file, or a link in its place.
    """
    import fcntl

    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def regular(path: str, flags: int) -> int:
    """An opener for `open`, of what should be a file: a pipe or a device in its place is refused, and keeps nobody waiting."""
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_IFMT(os.fstat(fd).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):  # `open` refuses a folder itself
        os.close(fd)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return fd


def read_file(path: str | os.PathLike[str]) -> bytes:
    """What is in the file at `path`; never waits for a pipe in its place.

    Raises: OSError.
    """
    with open(path, "rb", opener=regular) as file:
        return file.read()


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of what is in the file at `path`, in hexadecimal; never waits for a pipe in its place.

    Raises: OSError.
    """
    import hashlib

    with open(path, "rb", opener=regular) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: str, data: bytes, *, durable: bool = True) -> None:
    """Put `data` at `path` by one rename, so that a reader finds the old bytes or the new ones.

    The new file is written beside `path`; it is removed again if it can't be completed. `durable` waits for the disk.
    """
    beside = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.new"
    try:
        with open(beside, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        if os.path.lexists(beside):
            os.unlink(beside)
        raise
    if durable:
        sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Wait until renames into the folder at `path` are on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def scan(path: str) -> Iterator[os.DirEntry[str]]:
    """The entries of the folder at `path`; none where there is no such folder."""
    try:
        with os.scandir(path) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def older(path: str, days: int) -> list[str]:
    """The paths of what is in the folder at `path`, and was changed last more than `days` ago."""
    oldest = time.time() - days * _DAY_S
    found = []
    for entry in scan(path):
        try:
            changed = entry.stat(follow_symlinks=False).st_mtime
        except FileNotFoundError:  # another process has deleted it
            continue
        if changed < oldest:
            found.append(entry.path)
    return found
