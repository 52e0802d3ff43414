"""Asking a build backend for a wheel, in an environment that has it (PEP 517).

The hooks run in processes of their own. Where there is a workshop they are confined there, without a network: what they need is
in their environment before they begin, and the environment can't be written.
"""

from __future__ import annotations

import json
import os
import tomllib

from plughost import _process
from plughost.paths import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plughost._installing import Shop
    from plughost._process import Completed


__all__ = ["backend_of", "build_wheel", "further_requirements"]

#: Source: PEP 517, "Build backend interface". `-I` keeps the folder that it runs in off sys.path, as the PEP demands; what a
#: project has of a backend itself comes there by `backend-path`.
_SCRIPT = """
import importlib, json, os, sys
source, out, backend, paths, hook = sys.argv[1:]
os.chdir(source)
sys.argv[:] = ["build"]
sys.path[:0] = json.loads(paths)
module, _, attributes = backend.partition(":")
hooks = importlib.import_module(module)
for attribute in filter(None, attributes.split(".")):
    hooks = getattr(hooks, attribute)
if hook == "build_wheel":
    hooks.build_wheel(out)
else:
    ask = getattr(hooks, hook, None)
    answer = json.dumps([str(each) for each in (ask() if ask else ())])
    with open(os.path.join(out, "requires.json"), "w", encoding="utf-8") as file:
        file.write(answer)
"""
_LEGACY = "setuptools.build_meta:__legacy__"
_MOST_BYTES = 1 << 22  # of a file with a project's settings, or a list of requirements


def build_wheel(source: Path, *, environment: str, into: Path, epoch: int | None, shop: Shop | None = None) -> Completed:
    """Have the backend that the project in `source` names put its wheel into the folder `into`.

    Raises: OSError: the environment's interpreter can't be started. SandboxError: it can't be confined.
    """
    return _ask("build_wheel", source, environment=environment, into=into, epoch=epoch, shop=shop)


def further_requirements(source: Path, *, environment: str, into: Path, shop: Shop) -> tuple[Completed, tuple[str, ...]]:
    """What the backend wants besides what the project says; nothing where it can't be asked, as its output then says.

    Raises: as `build_wheel` does.
    """
    into.mkdir(parents=True, exist_ok=True)
    completed = _ask("get_requires_for_build_wheel", source, environment=environment, into=into, epoch=None, shop=shop)
    try:
        with open(into / "requires.json", "rb", opener=_itself) as file:
            said = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return completed, ()
    return completed, tuple(each for each in said if isinstance(each, str)) if isinstance(said, list) else ()


def _ask(hook: str, source: Path, *, environment: str, into: Path, epoch: int | None, shop: Shop | None) -> Completed:
    env = _process.base_environment({} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)})
    env["PATH"] = os.pathsep.join(filter(None, (os.path.join(environment, "bin"), env.get("PATH"))))
    python = os.path.join(environment, "bin", "python")
    backend, paths = backend_of(source)
    argv = [python, "-I", "-c", _SCRIPT, str(source), str(into), backend, json.dumps(paths), hook]
    if shop is None:
        return _process.run(argv, env=env)
    return shop.run(argv, env=env, venv=environment, write=[str(source), str(into)])


def backend_of(source: Path) -> tuple[str, list[str]]:
    """The build backend that a project names, and the folders of its own in which that is. Source: PEP 517, PEP 518."""
    try:
        with open(source / "pyproject.toml", "rb", opener=regular) as file:
            system = tomllib.loads(file.read(_MOST_BYTES).decode())["build-system"]
    except (OSError, KeyError, ValueError, RecursionError):  # it could be read before: now it is what the build has made of it
        return _LEGACY, []
    if not isinstance(system, dict):
        return _LEGACY, []
    backend, paths = system.get("build-backend"), system.get("backend-path")
    inside = [os.path.normpath(source / path) for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    return backend if isinstance(backend, str) else _LEGACY, [path for path in inside if path.startswith(str(source))]


def _itself(path: str, flags: int) -> int:
    """An opener for what a build was to make: a file, and not what a link in its place leads to."""
    return regular(path, flags | os.O_NOFOLLOW)
