"""The machine that plugins are installed on: the programs that installing takes, and the disk that the store is on."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import asdict, dataclass

from plughost import __version__, _process
from plughost import _interpreters as interpreters
from plughost._names import satisfies
from plughost.health._fault import Fault
from plughost.paths import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from plughost.paths import Store

__all__ = ["Machine", "examine_machine"]

_VERSION_TIMEOUT_S = 10.0
#: What the runner needs.
_PYTHONS = ">=3.8"
#: An environment with next to nothing in it, and the files of a revision, take about a tenth of that.
_LEAST_FREE_BYTES = 10 << 20


#: What says nothing of locks.
_NOTHING_CAN_BE_WRITTEN = (errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was found. `notes` are what is no fault and still worth knowing; a program's version is "" where there is none.

    `landlock` is the version of the kernel's, 0 where there is none; `unenforceable` names what of the default policy can't be
    kept here.
    """

    plughost: str
    python: str
    store: str
    home: str
    exists: bool
    free_bytes: int
    hard_links: bool
    uv: str
    uv_version: str
    git: str
    git_version: str
    landlock: int
    unenforceable: tuple[str, ...]
    pythons: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def record(self) -> dict[str, object]:
        return {
            **asdict(self),
            "home": self.home or None,
            "pythons": [{"version": version, "executable": path} for version, path in self.pythons],
            "unenforceable": list(self.unenforceable),
            "notes": list(self.notes),
        }


def examine_machine(store: Store, *, waived: Collection[str] = ()) -> tuple[Machine, list[Fault]]:
    """The machine as the store and its plugins need it, and what is wrong with it. Writes nothing that stays.

    `waived` are limits that may go unenforced.
    """
    faults: list[Fault] = []
    notes: list[str] = []
    exists = os.path.isdir(store.root)
    folder = store.root if exists else _nearest_folder(store.root)
    links = _look_at_folder(folder, exists=exists, faults=faults, notes=notes)
    free = os.statvfs(folder)
    free_bytes = free.f_bavail * free.f_frsize
    if free_bytes < _LEAST_FREE_BYTES:
        what = f"The disk that holds the store is nearly full: {free_bytes:,} bytes are free"
        _fault(faults, "disk-full", what, folder, "Free some space: `gc --dry-run` lists what may go")
    uv, uv_version = _look_at_uv(faults, notes)
    git, git_version = _look_at_git(notes)
    landlock, unenforceable = _look_at_confinement(notes, waived)
    pythons = tuple((found.version, found.executable) for found in interpreters.available() if satisfies(found.version, _PYTHONS))
    if not pythons:
        _fault(
            faults, "python-missing", "There is no Python that a plugin could run on", "PATH", "Install Python 3.8 or a later one"
        )
    machine = Machine(
        plughost=__version__,
        python=f"{'.'.join(map(str, sys.version_info[:3]))}  {sys.executable}",
        store=store.root,
        home=os.environ.get("PLUGHOST_HOME", ""),
        exists=exists,
        free_bytes=free_bytes,
        hard_links=links,
        uv=uv,
        uv_version=uv_version,
        git=git,
        git_version=git_version,
        landlock=landlock,
        unenforceable=unenforceable,
        pythons=pythons,
        notes=tuple(notes),
    )
    return machine, faults


def _look_at_folder(folder: str, *, exists: bool, faults: list[Fault], notes: list[str]) -> bool:
    """Whether the store's folder, or the one that it would be made in, serves; true if it has hard links."""
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        what = "The store can't be written" if exists else "The store isn't there yet, and can't be made"
        _fault(faults, "store-unwritable", what, folder, "Point `PLUGHOST_HOME` to a folder that you may write to")
        return True
    owner = os.stat(folder).st_uid
    if exists and owner != os.geteuid():
        whose = f"The store belongs to {_user(owner)}, and you are {_user(os.geteuid())}"
        if os.geteuid():
            _fault(faults, "store-owner", whose, folder, "Point `PLUGHOST_HOME` to a folder of your own")
        else:
            notes.append(f"{whose}: what is added now, its owner can't change")
    if not exists:
        return True
    swept = os.path.join(folder, "tmp")
    probe = os.path.join(swept if os.path.isdir(swept) else folder, f"doctor-{os.getpid()}")
    try:
        return _probe(folder, probe, faults, notes)
    except OSError as error:
        what = f"The store can't be written: {error.strerror}"
        _fault(faults, "store-unwritable", what, folder, "Free some space, or use another disk")
        return True
    finally:
        for path in (probe, f"{probe}-link"):
            if os.path.lexists(path):
                os.unlink(path)


def _probe(folder: str, probe: str, faults: list[Fault], notes: list[str]) -> bool:
    """Try with an empty file whether there are locks and hard links."""
    what = ""
    try:
        with locked(probe), locked(probe, wait=False):
            what = "Two processes can hold one lock at once on the store's file system"
    except BlockingIOError:  # as it should be
        pass
    except OSError as error:
        if error.errno in _NOTHING_CAN_BE_WRITTEN:
            raise
        what = f"There are no locks on the store's file system: {error.strerror}"
    if what:
        _fault(faults, "no-locks", what, folder, "Move the store to another disk with `PLUGHOST_HOME`")
        if not os.path.exists(probe):
            return True
    try:
        os.link(probe, f"{probe}-link")
    except OSError:
        notes.append("There are no hard links on the store's file system: each environment takes the space of all its files")
        return False
    return True


def _look_at_uv(faults: list[Fault], notes: list[str]) -> tuple[str, str]:
    from plughost._uv import OLDEST, find_uv, version_of

    uv = find_uv()
    if uv is None:
        notes.append("There is no uv: pip and virtualenv are used, which take far longer. `pip install uv` brings it")
        return "", ""
    try:
        version = version_of(uv)
    except OSError as error:
        _fault(faults, "uv-missing", f"uv can't be started: {error}", uv, "Install it again: `pip install --force-reinstall uv`")
        return uv, ""
    if version < OLDEST:
        oldest = _dotted(OLDEST)
        what = f"uv {_dotted(version)} is too old" if version else "uv doesn't say its version"
        what = f"{what}: plughost needs {oldest}"
        _fault(faults, "uv-missing", what, uv, f"Update it: `pip install 'uv>={oldest}'`")
    return uv, _dotted(version)


def _look_at_git(notes: list[str]) -> tuple[str, str]:
    git = _process.find_program("git")
    if git is None:
        notes.append("There is no git: nothing can be added from a repository")
        return "", ""
    try:
        answer = _process.run([git, "--version"], env=_process.base_environment(), timeout_s=_VERSION_TIMEOUT_S)
    except OSError as error:
        notes.append(f"`{git}` can't be started: {error}")
        return git, ""
    return git, answer.stdout.strip().removeprefix("git version ")


def _look_at_confinement(notes: list[str], waived: Collection[str]) -> tuple[int, tuple[str, ...]]:
    from plughost.policy import DEFAULT
    from plughost.sandbox import found_machine, unenforceable

    try:
        machine = found_machine()
    except OSError as error:
        notes.append(f"Nobody knows how plugins can be confined here: {error}")
        return 0, ()
    if machine.bubblewrap:
        notes.append(f"No process may have namespaces of its own here; bubblewrap makes them: `{machine.bubblewrap}`")
    found = unenforceable(DEFAULT, machine)
    missing = [each for each in found if each.name not in waived]
    notes += [f"`{each.name}` isn't enforced here ({each.what}), by your leave" for each in found if each.name in waived]
    notes += [f"`{each.name}` can't be enforced ({each.what}): {each.why}. It takes {each.how}" for each in missing]
    if missing:
        names = " ".join(f"--allow-unenforced {each.name}" for each in missing)
        notes.append(f"So plugins are started only if they are trusted, or by `{names}`")
    return machine.abi, tuple(each.name for each in missing)


def _fault(faults: list[Fault], reference: str, what: str, where: str, remedy: str) -> None:
    faults.append(Fault(plugin="", reference=reference, what=what, where=where, remedy=remedy))


def _nearest_folder(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _user(number: int) -> str:
    import pwd

    try:
        return f"`{pwd.getpwuid(number).pw_name}`"
    except KeyError:
        return f"user {number}"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
