"""The one module that knows uv's commands and flags.

Above it: the stages, through `_installer.Installer`; below it: uv's environment (`_uv_settings`), its errors (`_uv_errors`) and
`_process`. It knows nothing of sources and receipts.

A lock is made by generating a project (`_uv_project`), and locking that: `uv sync` of it makes the venv and fills it in one call.
`pylock.toml` is exported from it. uv is asked offline first wherever its cache may know the answer; what is resolved anew is
resolved online.
"""

from __future__ import annotations

import _thread
import os
import re
import shutil
from functools import partial

from plughost import _process
from plughost._failures import Doing
from plughost._installing import lock_with, pinned, within, without_passwords, write_log
from plughost._uv_cache import cached_packages
from plughost._uv_errors import failure
from plughost._uv_lock import begin_with, write_lock
from plughost._uv_project import write_metadata, write_project
from plughost._uv_settings import environment
from plughost.errors import BuildError, InstallError, ResolveError, VenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from plughost._installing import LockRequest, Shop
    from plughost._interpreters import Interpreter
    from plughost._process import Child, Completed
    from plughost.paths import Store

__all__ = ["OLDEST", "Uv", "find_uv", "version_of"]

#: The first version that has been tried with all that is asked of it here.
OLDEST = (0, 9, 0)
_FORGET_TIMEOUT_S = 15.0  # it waits for other uv processes; what it leaves is only space
_VERSION_TIMEOUT_S = 10.0

#: uv's package asks `sysconfig`, which several threads must not ask for the first time together (python/cpython#92452).
_FINDING = _thread.allocate_lock()

#: No second, online attempt after these: it would end the same.
_FINAL = frozenset({"disk-full", "hash-mismatch", "build-failed", "not-a-python-project", "uv-missing", "python-incompatible"})


def find_uv() -> str | None:
    """The path of uv's binary: that of the installed `uv` package, else one on PATH."""
    try:
        from uv import find_uv_bin

        with _FINDING:
            return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return _process.find_program("uv")


def version_of(binary: str) -> tuple[int, ...]:
    """The version that uv at `binary` says it has; empty if it says none.

    Raises: OSError: it can't be started, or doesn't answer.
    """
    said = _process.run([binary, "--version"], env=_process.base_environment(), timeout_s=_VERSION_TIMEOUT_S).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:3])


class UvAhead:
    """A lock, and a venv to throw away, made in the background: afterwards uv's cache has all that the plugin needs."""

    __slots__ = ("_child", "_folder")

    def __init__(self, child: Child, folder: Path) -> None:
        self._child = child
        self._folder = folder

    def finish(self) -> Path | None:
        self._child.wait()
        self._child.close()
        return self._folder if (self._folder / "uv.lock").exists() else None

    def abandon(self) -> None:
        if self._child.returncode is None:
            self._child.kill_tree()


class Uv:
    """uv at `binary`, with a cache of its own in `store`."""

    __slots__ = ("binary", "name", "scratch", "shop", "store")

    def __init__(self, store: Store, binary: str, scratch: str = "", shop: Shop | None = None) -> None:
        self.store = store
        self.shop = shop
        self.scratch = scratch
        self.binary = binary
        self.name = "uv"

    def build(
        self,
        source: Path,
        *,
        subject: str,
        python: Interpreter,
        into: Path,
        epoch: int | None,
        offline: bool,
        log: Path,
    ) -> None:
        doing = Doing(message=f"Failed to build a wheel from {subject}", error=BuildError, reference="build-failed")
        arguments = [
            "build",
            "--wheel",
            "--no-sources",
            "-o",
            str(into),
            "--directory",
            str(into),
            "-p",
            python.executable,
            str(source),
        ]
        extra = {} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)}
        self._offline_first(arguments, doing, python=python, offline=offline, log=log, extra=extra)
        (into / ".gitignore").unlink(missing_ok=True)

    def furnish(self, venv: str, requirements: Sequence[str], *, python: Interpreter, offline: bool, log: Path) -> None:
        doing = Doing(message="Failed to install the build requirements", error=BuildError, reference="build-requires")
        self._make_venv(venv, python=python, log=log, keep=())
        if requirements:  # a backend that a project brings along may need none
            arguments = ["pip", "install", "-q", "--no-build", "-p", os.path.join(venv, "bin", "python"), "--", *requirements]
            self._call(arguments, doing, python=python, offline=offline, log=log)

    def lock(self, request: LockRequest) -> None:
        write_project(request)
        if request.previous:
            begin_with(request.previous, request.folder, exclude_newer=request.exclude_newer)
        write_lock(without_passwords(self._lock_and_export(request)), request)

    def _lock_and_export(self, request: LockRequest) -> str:
        """`uv export` that isn't told to be frozen writes `uv.lock` first: one call instead of two."""
        doing = Doing(
            message=f"Failed to lock the dependencies of {request.subject}", error=ResolveError, reference="resolution-conflict"
        )
        arguments = ["export", "-q", "--no-header", "--no-emit-project", "--no-dev", "--format", "pylock.toml"]
        arguments += ["--directory", str(request.folder), *_newer(request), "--no-build"]
        extra = {}
        if request.from_source:
            # That a package may be built is what it takes for uv to choose a version of it that has no wheel; it isn't, since
            # its metadata is told. What is from a place of its own may be chosen without, and would be built.
            may_be_built = sorted(request.from_source - set(request.places))
            arguments += [f"--no-binary-package={name}" for name in may_be_built]
            extra["UV_CONFIG_FILE"] = write_metadata(request)
        if request.upgrade:
            arguments += ["--upgrade-package", request.upgrade]
        call = self._offline_first if (request.folder / "uv.lock").exists() and not request.anew else self._call
        return call(arguments, doing, python=request.python, offline=request.offline, log=request.log, extra=extra).stdout

    def lock_ahead(self, request: LockRequest) -> UvAhead | None:
        write_project(request)
        arguments = ["sync", "-q", "--no-build", "--no-dev", "--directory", str(request.folder), *_newer(request)]
        env = self._environment(request.python, {"UV_PROJECT_ENVIRONMENT": str(request.folder / "venv")})
        argv = [self.binary, *arguments, *(["--offline"] if request.offline else [])]
        return UvAhead(_process.spawn(within(self.store.root, argv), env=env), request.folder)

    def install(
        self,
        folder: Path,
        venv: str,
        *,
        python: Interpreter,
        built: Mapping[str, Path],
        offline: bool,
        log: Path,
        keep: Iterable[int],
    ) -> None:
        keep = tuple(keep)
        doing = Doing(message="Failed to install what is locked", error=VenvError, reference="venv-failed")
        call = partial(self._offline_first, doing=doing, python=python, offline=offline, log=log, keep=keep)
        if (folder / "uv.lock").exists() and not built:
            arguments = ["sync", "-q", "--frozen", "--no-dev", "--no-build", "--directory", str(folder)]
            call(arguments, extra={"UV_PROJECT_ENVIRONMENT": venv}, clear=venv)
            return
        # At once: a further call would ask the venv's Python what it is, and that would run the `.pth` files of what is there.
        self._make_venv(venv, python=python, log=log, keep=keep)
        arguments = ["pip", "sync", "-q", "--no-build", "--directory", str(folder), "-p", os.path.join(venv, "bin", "python")]
        if built:
            (folder / "pylock.built.toml").write_text(lock_with(built, folder), encoding="utf-8")
        call([*arguments, "pylock.built.toml" if built else "pylock.toml"])

    def install_wheels(
        self, folder: Path, venv: str, *, wheels: Mapping[str, str], python: Interpreter, log: Path, keep: Iterable[int]
    ) -> None:
        doing = Doing(message="Failed to install the wheels at hand", error=VenvError, reference="venv-failed")
        keep = tuple(keep)
        self._make_venv(venv, python=python, log=log, keep=keep)
        arguments = ["pip", "install", "-q", "--no-deps", "--no-build", "--no-cache", "--no-index", "--find-links", str(folder)]
        with pinned(wheels, venv) as listed:
            arguments += ["-p", os.path.join(venv, "bin", "python"), "--require-hashes", "-r", listed]
            self._call(arguments, doing, python=python, offline=True, log=log, keep=keep)

    def forget(self, name: str) -> None:
        self._tidy("clean", "-q", "--", name)

    def cached(self) -> dict[str, list[str]]:
        return cached_packages(self.store.uv_cache)

    def prune(self, names: Sequence[str]) -> None:
        if names:
            self._tidy("clean", "-q", "--", *names)
        self._tidy("prune", "-q")

    def _tidy(self, *arguments: str) -> None:
        try:
            env = self._environment(None, {})
            _process.run([self.binary, "cache", *arguments], env=env, timeout_s=_FORGET_TIMEOUT_S)
        except OSError:  # a TimeoutError is one too
            pass

    def _make_venv(self, venv: str, *, python: Interpreter, log: Path, keep: Iterable[int]) -> None:
        doing = Doing(message="Failed to make a virtual environment", error=VenvError, reference="venv-failed")
        self._call(["venv", "-q", "--no-project", venv], doing, python=python, offline=True, log=log, keep=keep)

    def _offline_first(
        self,
        arguments: Sequence[str],
        doing: Doing,
        *,
        python: Interpreter,
        offline: bool,
        log: Path,
        extra: Mapping[str, str] | None = None,
        keep: Iterable[int] = (),
        clear: str = "",
    ) -> Completed:
        """Call uv offline, and where that fails, online. What it left at `clear` is deleted before the second attempt."""
        keep = tuple(keep)
        try:
            return self._call(arguments, doing, python=python, offline=True, log=log, extra=extra, keep=keep)
        except InstallError as error:
            if offline or error.reference in _FINAL:
                raise
            if clear:
                shutil.rmtree(clear, ignore_errors=True)
            return self._call(arguments, doing, python=python, offline=False, log=log, extra=extra, keep=keep)

    def _call(
        self,
        arguments: Sequence[str],
        doing: Doing,
        *,
        python: Interpreter,
        offline: bool,
        log: Path,
        extra: Mapping[str, str] | None = None,
        keep: Iterable[int] = (),
    ) -> Completed:
        argv = [self.binary, arguments[0], *(["--offline"] if offline else []), *arguments[1:]]
        env = self._environment(python, extra or {})
        completed = self._run(argv, env, log, keep)
        if completed.returncode and "invalid peer certificate" in completed.stderr and "UV_SYSTEM_CERTS" not in env:
            # uv brings its own list of authorities; a company's proxy is known to the machine alone.
            completed = self._run(argv, {**env, "UV_SYSTEM_CERTS": "1"}, log, keep)
        if completed.returncode == 0:
            return completed
        if "unexpected argument" in completed.stderr or "invalid value" in completed.stderr:
            self._require_version()
        raise failure(completed, doing, log=log)

    def _run(self, argv: Sequence[str], env: Mapping[str, str], log: Path, keep: Iterable[int]) -> Completed:
        try:
            completed = _process.run(within(self.store.root, argv), env=env, keep=keep)
        except OSError as error:
            raise InstallError("`uv` can't be started", reference="uv-missing", causes=[str(error)], log=log) from error
        write_log(log, completed)
        return completed

    def _environment(self, python: Interpreter | None, extra: Mapping[str, str]) -> dict[str, str]:
        chosen = {"UV_PYTHON": python.executable} if python else {}
        temporary = {"TMPDIR": self.scratch} if self.scratch else {}
        return environment(cache=self.store.uv_cache, extra={**temporary, **chosen, **extra})

    def _require_version(self) -> None:
        """Say so if it failed because it is too old. Asked only then: it takes as long as a tenth of the whole."""
        version = version_of(self.binary)
        if version < OLDEST:
            raise InstallError(
                f"`{self.binary}` is too old: uv {'.'.join(map(str, version))}",
                reference="uv-missing",
                hint=f"Update it with `pip install 'uv>={'.'.join(map(str, OLDEST))}'`, or use `--installer pip`",
            )


def _newer(request: LockRequest) -> list[str]:
    return ["--exclude-newer", request.exclude_newer] if request.exclude_newer else []
