"""pip itself, from the wheel that virtualenv has for the interpreter in question, unpacked once into the store.

Above it: `_pip`; below it: virtualenv's wheels, and the store's cache. The host's own environment may have no pip, or one that
the plugin's Python is too old for.
"""

from __future__ import annotations

import os
import zipfile
from glob import glob

from plughost.errors import ResolveError
from plughost.paths import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._interpreters import Interpreter
    from plughost.paths import Store

__all__ = ["program_for"]


def program_for(python: Interpreter, store: Store) -> str:
    """The folder to run as pip for `python`: run from the wheel, it would be compiled anew each time."""
    wheel = _pip_wheel(python)
    folder = os.path.join(store.root, "cache", "pip-programs", os.path.basename(wheel).removesuffix(".whl"))
    if not os.path.isdir(folder):
        with locked(store.lock("pip-programs")):
            if not os.path.isdir(folder):
                aside = f"{folder}.{os.getpid()}.new"
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(aside)
                os.rename(aside, folder)
    return os.path.join(folder, "pip")


def _pip_wheel(python: Interpreter) -> str:
    """A pip that runs on `python`: virtualenv's, else the one that came with the interpreter.

    Raises: ResolveError: there is none.
    """
    from virtualenv.seed.wheels.embed import get_embed_wheel

    if embedded := get_embed_wheel("pip", python.series):
        return os.fspath(embedded.path)
    base = os.path.dirname(os.path.dirname(python.executable))
    bundled = glob(os.path.join(base, "lib", f"python{python.series}", "ensurepip", "_bundled", "pip-*.whl"))
    if bundled:
        return max(bundled, key=lambda path: [int(part) for part in os.path.basename(path).split("-")[1].split(".")])
    raise ResolveError(
        f"There is no pip for Python {python.version}",
        reference="python-incompatible",
        hint="Use `--installer uv`, or another interpreter with `--python VERSION`",
    )
