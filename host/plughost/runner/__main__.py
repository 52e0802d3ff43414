"""The runner: serves one plugin over the standard streams of its process. `_start.py` is the reference of the wire.

Started as `python -I -S runner/__main__.py` with the environment's own Python, 3.8 or later. Python keeps no bytecode of the file
that it is given, and compiles it at each start: so this one makes the others importable, and does nothing else.
"""

import _frozen_importlib_external as machinery  # importlib.machinery, without the time that importing it takes
import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


class _Loader(machinery.SourceFileLoader):
    """Gives the runner's modules built-ins of their own: whatever a plugin replaces, it replaces for itself."""

    built_ins = vars(builtins).copy()

    def exec_module(self, module: "ModuleType") -> None:
        module.__dict__["__builtins__"] = self.built_ins
        super().exec_module(module)


def main() -> None:
    """Serve until the host has no more to ask."""
    # The runner's modules are a package of their own name, found by its __path__: its folder never is on sys.path, where it
    # would answer a plugin's `import wire`. Their bytecode goes where the host said (-X pycache_prefix), the plugin's to its
    # usual place.
    package = type(sys)("plughost_runner")
    folder = os.path.dirname(os.path.abspath(__file__))
    package.__path__ = [folder]
    sys.modules["plughost_runner"] = package
    sys.path_importer_cache[folder] = machinery.FileFinder(folder, (_Loader, [".py"]))
    from plughost_runner import _start

    _start.start()


if __name__ == "__main__":
    main()
