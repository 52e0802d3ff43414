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
    from plughost.source import SourceTree

__all__ = ["EDITABLE", "WHEEL", "ask_for_wheel", "build_system_of", "further_requirements"]

#: What a backend can be asked for. Source: PEP 517, PEP 660.
WHEEL, EDITABLE = "build_wheel", "build_editable"

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
if hook.startswith("build_"):
    getattr(hooks, hook)(out)
else:
    ask = getattr(hooks, hook, None)
    answer = json.dumps([str(each) for each in (ask() if ask else ())])
    with open(os.path.join(out, "requires.json"), "w", encoding="utf-8") as file:
        file.write(answer)
"""
_LEGACY = "setuptools.build_meta:__legacy__"
_MOST_BYTES = 1 << 22  # of a file with a project's settings, or a list of requirements


class BuildSystem:
    """What a project says of how it is built; `requires` is None where it says nothing. Source: PEP 517, PEP 518."""

    __slots__ = ("backend", "paths", "requires")

    def __init__(self, requires: tuple[str, ...] | None, backend: str, paths: list[str]) -> None:
        self.requires = requires
        self.backend = backend
        #: Folders of the project's own in which the backend is.
        self.paths = paths


def ask_for_wheel(tree: SourceTree, *, environment: str, into: Path, shop: Shop | None = None, hook: str = WHEEL) -> Completed:
    """Have the backend that the project names put its wheel into the folder `into`.

    Raises: OSError: the environment's interpreter can't be started. SandboxError: it can't be confined.
    """
    return _ask(hook, tree, environment=environment, into=into, shop=shop)


def further_requirements(
    tree: SourceTree, *, environment: str, into: Path, shop: Shop | None, hook: str = WHEEL
) -> tuple[Completed, tuple[str, ...]]:
    """What the backend wants besides what the project says; nothing where it can't be asked, as its output then says.

    Raises: as `ask_for_wheel` does.
    """
    into.mkdir(parents=True, exist_ok=True)
    completed = _ask(f"get_requires_for_{hook}", tree, environment=environment, into=into, shop=shop)
    try:
        with open(into / "requires.json", "rb", opener=_itself) as file:
            said = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return completed, ()
    return completed, tuple(each for each in said if isinstance(each, str)) if isinstance(said, list) else ()


def _ask(hook: str, tree: SourceTree, *, environment: str, into: Path, shop: Shop | None) -> Completed:
    env = _process.base_environment({} if tree.epoch is None else {"SOURCE_DATE_EPOCH": str(tree.epoch)})
    env["PATH"] = os.pathsep.join(filter(None, (os.path.join(environment, "bin"), env.get("PATH"))))
    python = os.path.join(environment, "bin", "python")
    system = build_system_of(tree.path)
    argv = [python, "-I", "-c", _SCRIPT, str(tree.path), str(into), system.backend, json.dumps(system.paths), hook]
    if shop is None:
        return _process.run(argv, env=env)
    return shop.run(argv, env=env, venv=environment, write=[str(tree.top), str(into)])


def build_system_of(source: Path) -> BuildSystem:
    """What the project in the folder `source` says. Never raises: what can't be read says nothing."""
    try:
        with open(source / "pyproject.toml", "rb", opener=regular) as file:
            system = tomllib.loads(file.read(_MOST_BYTES).decode())["build-system"]
    except (OSError, KeyError, ValueError, RecursionError):  # it could be read before: now it is what the build has made of it
        return BuildSystem(None, _LEGACY, [])
    if not isinstance(system, dict):
        return BuildSystem(None, _LEGACY, [])
    requires, backend, paths = system.get("requires"), system.get("build-backend"), system.get("backend-path")
    inside = [os.path.normpath(source / path) for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    return BuildSystem(
        tuple(each for each in requires if isinstance(each, str)) if isinstance(requires, list) else (),
        backend if isinstance(backend, str) else _LEGACY,
        [path for path in inside if path.startswith(str(source))],
    )


def _itself(path: str, flags: int) -> int:
    """An opener for what a build was to make: a file, and not what a link in its place leads to."""
    return regular(path, flags | os.O_NOFOLLOW)
