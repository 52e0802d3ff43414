"""The one module that knows pip's and virtualenv's commands and flags: the way to install where uv is missing or refused.

Above it: the stages, through `_installer.Installer`; below it: pip itself (`_pip_program`), its environment (`_pip_settings`),
its errors (`_pip_errors`), `_pip_lock` and `_process`. Slower than uv, and with less: nothing is shared between venvs, and
offline there is only what the configured folders of files hold.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from dataclasses import replace
from glob import glob
from pathlib import Path

from plughost import _process
from plughost._failures import Doing
from plughost._installing import lock_with, pinned, within, write_log
from plughost._pip_errors import failure
from plughost._pip_lock import locked_versions, metadata_file, pylock, requirements
from plughost._pip_program import program_for
from plughost._pip_settings import environment
from plughost.errors import BuildError, InstallError, ResolveError, UsageError, VenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from plughost._installing import LockRequest, Shop
    from plughost._interpreters import Interpreter
    from plughost._process import Completed
    from plughost.paths import Store

__all__ = ["Pip"]

#: What pip says where versions don't fit, or where they might if they had a wheel.
_MAYBE_NO_WHEEL = frozenset({"package-not-found", "version-not-found", "resolution-conflict"})
#: pip without the code of packages.
_SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_pip_sources.py")


class Pip:
    """pip and virtualenv, with caches of their own in `store`."""

    __slots__ = ("name", "scratch", "shop", "store")

    def __init__(self, store: Store, scratch: str = "", shop: Shop | None = None) -> None:
        self.store = store
        self.shop = shop
        self.scratch = scratch
        self.name = "pip"

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
        arguments = ["wheel", "--no-deps", "-w", str(into), str(source)]
        extra, executable = {} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)}, python.executable
        way = ("build", "")
        self._call(arguments, doing, executable=executable, python=python, offline=offline, log=log, extra=extra, way=way)

    def furnish(self, venv: str, requirements: Sequence[str], *, python: Interpreter, offline: bool, log: Path) -> None:
        doing = Doing(message="Failed to install the build requirements", error=BuildError, reference="build-requires")
        executable = self._make_venv(venv, python=python, log=log, keep=())
        if requirements:  # a backend that a project brings along may need none
            arguments = ["install", "--only-binary=:all:", "--", *requirements]
            self._call(arguments, doing, executable=executable, python=python, offline=offline, log=log)

    def lock(self, request: LockRequest) -> None:
        doing = Doing(
            message=f"Failed to lock the dependencies of {request.subject}", error=ResolveError, reference="resolution-conflict"
        )
        report = self._report_like_before(request, doing) or self._report(request, doing)
        (request.folder / "pylock.toml").write_text(pylock(report, request), encoding="utf-8")

    def _report_like_before(self, request: LockRequest, doing: Doing) -> dict[str, object] | None:
        """The report with every version as it is locked in `request.previous`; None where they don't all fit any more."""
        own = {request.wheel_name, request.upgrade}
        versions = locked_versions(request.previous, leave_out=own) if request.previous else []
        if not versions:
            return None
        try:
            return self._report(replace(request, constraints=(*request.constraints, *versions)), doing)
        except InstallError as error:
            if error.reference not in _MAYBE_NO_WHEEL:
                raise
            return None

    def _report(self, request: LockRequest, doing: Doing) -> dict[str, object]:
        folder = request.folder
        report, constraints, listed = (folder / f"pip-{name}" for name in ("report.json", "constraints.txt", "wanted.txt"))
        # The caller's other requirements may name the plugin too, so the file stands as one more requirement of that name.
        wanted = list(request.requirements)
        if request.wheel:
            wanted[0] = f"{wanted[0]} @ {request.wheel.absolute().as_uri()}"
        constraints.write_text("\n".join(request.constraints), encoding="utf-8")
        # In a file, because their URLs may have credentials, and everybody on the machine can see arguments.
        listed.write_text("\n".join(wanted), encoding="utf-8")
        arguments = ["install", "--dry-run", "--ignore-installed", "--report", str(report), "-c", str(constraints)]
        arguments += _formats(request.from_source)
        sources = folder / "pip-sources"
        sources.mkdir()
        known = [(built.name, built.version, metadata_file(built)) for built in request.built]
        (sources / "built.json").write_text(json.dumps(known), encoding="utf-8")
        if request.exclude_newer:
            arguments += ["--uploaded-prior-to", request.exclude_newer]
        try:
            self._call(
                [*arguments, "-r", str(listed)],
                doing,
                executable=request.python.executable,
                python=request.python,
                offline=request.offline,
                log=request.log,
                way=("resolve", str(sources)),
            )
            answer: dict[str, object] = json.loads(report.read_bytes())
            return answer
        finally:
            for path in (report, constraints, listed):
                path.unlink(missing_ok=True)
            shutil.rmtree(sources)

    def lock_ahead(self, request: LockRequest) -> None:  # noqa: ARG002 - pip keeps nothing of a resolution that a second one could use
        return None

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
        executable = self._make_venv(venv, python=python, log=log, keep=keep)
        doing = Doing(message="Failed to install what is locked", error=VenvError, reference="venv-failed")
        lock = tomllib.loads(lock_with(built, folder))
        # At once: a further call would run in this venv, and with that the `.pth` files of what is there.
        listed = folder / "pip-requirements.txt"
        listed.write_text(requirements(lock), encoding="utf-8")
        arguments = ["install", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes", "-r", listed.name]
        try:
            if lock["packages"]:
                self._call(
                    arguments, doing, executable=executable, python=python, offline=offline, log=log, keep=keep, cwd=folder
                )
        finally:
            listed.unlink()

    def install_wheels(
        self, folder: Path, venv: str, *, wheels: Mapping[str, str], python: Interpreter, log: Path, keep: Iterable[int]
    ) -> None:
        doing = Doing(message="Failed to install the wheels at hand", error=VenvError, reference="venv-failed")
        keep = tuple(keep)
        executable = self._make_venv(venv, python=python, log=log, keep=keep)
        alone = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(folder)}
        with pinned(wheels, venv) as listed:
            arguments = [
                "install",
                "--no-deps",
                "--no-compile",
                "--no-cache-dir",
                "--only-binary=:all:",
                "--require-hashes",
                "-r",
                listed,
            ]
            self._call(arguments, doing, executable=executable, python=python, offline=True, log=log, keep=keep, extra=alone)

    def fetch(self, requirements: Sequence[str], into: Path, *, python: Interpreter, log: Path, env: Mapping[str, str]) -> None:
        """Put the wheels of `requirements`, which say where each is and its hash, into `into`.

        `env` are further settings of pip's, for places that uv was told of.
        """
        doing = Doing(message="Failed to fetch what is locked", error=InstallError, reference="network")
        listed = into / "pip-requirements.txt"
        listed.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        arguments = ["wheel", "--no-deps", "--only-binary=:all:", "--require-hashes", "-w", str(into), "-r", str(listed)]
        try:
            self._call(arguments, doing, executable=python.executable, python=python, offline=False, log=log, extra=env)
        finally:
            listed.unlink()

    def fetch_source(self, requirement: str, into: Path, *, python: Interpreter, log: Path, env: Mapping[str, str]) -> None:
        """Put what `requirement` says into the folder `into`: an sdist as it is, or the files of a commit; nothing of it is run.

        The rest is as for `fetch`.
        """
        doing = Doing(message="Failed to fetch what is locked", error=InstallError, reference="network")
        listed = into.with_name(f"{into.name}.txt")
        listed.write_text(f"{requirement}\n", encoding="utf-8")
        arguments = ["install", "--dry-run", "--ignore-installed", "--no-deps", "-r", str(listed)]
        if " --hash=" in requirement:
            arguments.append("--require-hashes")
        executable, way = python.executable, ("fetch", str(into))
        self._call(arguments, doing, executable=executable, python=python, offline=False, log=log, extra=env, way=way)

    def forget(self, name: str) -> None:
        stem = name.replace("-", "_")
        for wheel in glob(os.path.join(self._cache, "wheels", "**", f"{stem}-*.whl"), recursive=True):
            Path(wheel).unlink(missing_ok=True)

    def cached(self) -> dict[str, list[str]]:
        return {}  # it keeps answers of servers, and files under the digests of their URLs

    def prune(self, names: Sequence[str]) -> None:
        for name in names:
            self.forget(name)

    @property
    def _cache(self) -> str:
        return os.path.join(self.store.root, "cache", "pip")

    @property
    def _temporary(self) -> dict[str, str]:
        return {"TMPDIR": self.scratch} if self.scratch else {}

    def _make_venv(self, venv: str, *, python: Interpreter, log: Path, keep: Iterable[int]) -> str:
        """An empty venv at `venv`; the path of its Python."""
        options = ["--no-seed", "--no-periodic-update", "--no-vcs-ignore", "-q", "-p", python.executable]
        argv = [sys.executable, "-P", "-m", "virtualenv", *options, venv]
        data = os.path.join(self.store.root, "cache", "virtualenv")
        env = _process.base_environment({**self._temporary, "VIRTUALENV_OVERRIDE_APP_DATA": data})
        completed = _process.run(within(self.store.root, argv), env=env, keep=keep)
        write_log(log, completed)
        if completed.returncode:
            doing = Doing(message="Failed to make a virtual environment", error=VenvError, reference="venv-failed")
            raise failure(completed, doing, offline=False, log=log)
        return os.path.join(venv, "bin", "python")

    def _call(
        self,
        arguments: Sequence[str],
        doing: Doing,
        *,
        executable: str,
        python: Interpreter,
        offline: bool,
        log: Path,
        extra: Mapping[str, str] | None = None,
        keep: Iterable[int] = (),
        cwd: Path | None = None,
        way: tuple[str, str] = ("refuse", ""),
    ) -> Completed:
        """Run pip on `executable`, a Python of the version that `python` has.

        The `way` is what `_pip_sources` does about what would have to be built, and a folder for it; "build" has pip build it.
        """
        program = program_for(python, self.store)
        command, *rest = arguments
        kind, folder = way
        start = [executable, program] if kind == "build" else [executable, "-I", _SOURCES, folder, program, kind]
        argv = [*start, command, *(["--no-index"] if offline else []), *rest]
        argv = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(cwd), *argv] if cwd else [*within(self.store.root, argv)]
        env = environment(cache=self._cache, extra={**self._temporary, **(extra or {})})
        try:
            completed = _process.run(argv, env=env, keep=keep)
        except OSError as error:
            raise InstallError("`pip` can't be started", reference="tool-failed", causes=[str(error)], log=log) from error
        write_log(log, completed)
        if completed.returncode == 0:
            return completed
        if "no such option: --uploaded-prior-to" in completed.stderr:
            raise UsageError(
                f"The pip for Python {python.series} knows no `--exclude-newer`", reference="usage", hint="Use `--installer uv`"
            )
        raise failure(completed, doing, offline=offline, log=log)


def _formats(from_source: frozenset[str]) -> list[str]:
    if ":all:" in from_source:
        return []
    return ["--only-binary=:all:", *(f"--no-binary={name}" for name in sorted(from_source))]
