"""Asking a build backend for a wheel, in an environment that has it (PEP 517).

One process, and the one hook that matters: a frontend asks for further requirements first, in a process of its own, but a kept
environment has all that its backends can ask for.
"""

from __future__ import annotations

import os
import tomllib

from plughost import _process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plughost._process import Completed

__all__ = ["build_wheel"]

#: Source: PEP 517, "Build backend interface". `-I` keeps the folder that it runs in off sys.path, as the PEP demands.
_SCRIPT = """
import importlib, os, sys
source, out, backend = sys.argv[1:]
os.chdir(source)
sys.argv[:] = ["build"]
module, _, attributes = backend.partition(":")
hooks = importlib.import_module(module)
for attribute in filter(None, attributes.split(".")):
    hooks = getattr(hooks, attribute)
hooks.build_wheel(out)
"""
_LEGACY = "setuptools.build_meta:__legacy__"


def build_wheel(source: Path, *, environment: str, into: Path, epoch: int | None) -> Completed:
    """Have the backend that the project in `source` names put its wheel into the folder `into`.

    Raises: OSError: the environment's interpreter can't be started.
    """
    env = _process.base_environment({} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)})
    env["PATH"] = os.pathsep.join(filter(None, (os.path.join(environment, "bin"), env.get("PATH"))))
    python = os.path.join(environment, "bin", "python")
    return _process.run([python, "-I", "-c", _SCRIPT, str(source), str(into), _backend(source)], env=env)


def _backend(source: Path) -> str:
    try:
        document = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _LEGACY
    backend = document.get("build-system", {}).get("build-backend")
    return backend if isinstance(backend, str) else _LEGACY
