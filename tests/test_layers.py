"""The table of `docs/explanation/architecture.md`, held against every import in the package."""

from __future__ import annotations

import ast
import graphlib
import importlib
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "host" / "plughost"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"

PROCESS_MODULES = {"multiprocessing", "pty", "subprocess"}
PROCESS_CALLS = re.compile(r"os\.(posix_spawnp?|fork(pty)?|system|popen|exec[lv]\w*|spawn[lv]\w*)")
#: The host's one module that starts processes, and the runner's, which copy their own.
STARTING_MODULES = {"_process", "runner._bytecode", "runner._exec", "runner._nursery", "runner._probe"}
UV_COMMANDS = {"build", "cache", "export", "lock", "pip", "python", "sync", "tool", "venv"}
UV_FLAGS = {"--frozen", "--no-build", "--no-create-gitignore", "--no-emit-project", "--no-project", "--no-sources"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a unit stands: its row, counted from the top, its group between the arrows, and what the row says of records."""

    row: float
    group: int = 0
    records_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    tree: ast.Module
    is_package: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    importer: str
    imported: str
    names: tuple[str, ...]
    for_types: bool


def table_of(page: str) -> dict[str, Place]:
    """The units of the page's table. The face of the package stands below the command line, its `__main__` above."""
    block = re.search(r"## Layers.*?```text\n(.*?)```", page, re.DOTALL)
    assert block, "the page has no table of layers"
    places = {}
    for row, line in enumerate(block[1].splitlines()):
        units, _, note = line.partition("  ")
        for number, group in enumerate(units.split("→")):
            for unit in group.split("·"):
                places[unit.strip()] = Place(row=row, group=number, records_only="RECORD" in note)
    command_line = places["cli"].row
    return {**places, "__init__": Place(row=command_line - 0.5), "__main__": Place(row=command_line + 0.5)}


def read_modules(package: Path) -> dict[str, Module]:
    """Every module, by its name inside the package; a folder stands for its `__init__`."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        modules[name.removesuffix(".__init__")] = Module(tree=tree, is_package=path.name == "__init__.py")
    return modules


def imports_of(name: str, modules: dict[str, Module]) -> Iterator[Import]:
    """What the module imports: of the package by the name inside it, of anything else by its full name after a colon."""
    module = modules[name]
    for_types = {
        node
        for branch in ast.walk(module.tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            pairs = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, name, is_package=module.is_package)
            pairs = [(source, alias.name) for alias in node.names]
        else:
            continue
        for source, what in pairs:
            imported, names = inside_the_package(source, what, modules)
            yield Import(importer=name, imported=imported, names=names, for_types=node in for_types)


def absolute(node: ast.ImportFrom, importer: str, *, is_package: bool) -> str:
    if not node.level:
        return str(node.module)
    parts = ["plughost", *(importer.split(".") if importer != "__init__" else [])]
    parents = parts[: len(parts) - node.level + is_package]
    return ".".join([*parents, *([node.module] if node.module else [])])


def inside_the_package(source: str, name: str, modules: dict[str, Module]) -> tuple[str, tuple[str, ...]]:
    top, _, inside = source.partition(".")
    if top != "plughost":
        return f":{source}", (name,)
    submodule = f"{inside}.{name}".strip(".")
    if submodule in modules:
        return submodule, ()
    return inside or "__init__", (name,)


def unit_of(module: str, table: dict[str, Place]) -> str:
    return module if module in table else module.partition(".")[0]


def broken_rows(modules: dict[str, Module], table: dict[str, Place]) -> Iterator[str]:
    for module in modules:
        importer = unit_of(module, table)
        if importer not in table:
            yield f"`{module}` stands in no row"
            continue
        for found in imports_of(module, modules):
            imported = unit_of(found.imported, table)
            if not imported.startswith(":") and imported in table and not may_import(importer, imported, found.names, table):
                yield f"`{module}` must not import `{found.imported}`"


def may_import(importer: str, imported: str, names: tuple[str, ...], table: dict[str, Place]) -> bool:
    if importer == imported or (importer.startswith("runner") and imported.startswith("runner")):
        return True
    if importer.startswith("runner") or imported == "runner":
        return False
    if imported == "__init__" and names == ("__version__",):  # a constant
        return True
    below, above = table[imported], table[importer]
    if below.row != above.row:
        return below.row < above.row
    if above.records_only:
        return below.group == above.group - 1 and all(name[:1].isupper() for name in names)
    return below.group < above.group


def cycles(modules: dict[str, Module]) -> Iterator[str]:
    graph = {
        module: {
            found.imported for found in imports_of(module, modules) if not found.for_types and not found.imported.startswith(":")
        }
        for module in modules
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        yield f"an import cycle: {' → '.join(error.args[1])}"


def strays(modules: dict[str, Module]) -> Iterator[str]:
    """What stands outside the one module that may have it: starting processes, uv's flags, other people's packages."""
    for module, entry in modules.items():
        for found in imports_of(module, modules):
            top = found.imported.removeprefix(":").partition(".")[0]
            if module != "_process" and top in PROCESS_MODULES:
                yield f"`{module}` imports `{top}`"
            own = {"plughost_runner"} | ({"runner"} if not found.imported.startswith(":") else set())
            if module.startswith("runner") and not found.for_types and top not in sys.stdlib_module_names | own:
                yield f"`{module}` imports `{top}`, which is not in the standard library"
        for node in ast.walk(entry.tree):
            if module not in STARTING_MODULES and isinstance(node, ast.Attribute) and PROCESS_CALLS.fullmatch(ast.unparse(node)):
                yield f"`{module}` uses `{ast.unparse(node)}`"
            # The commands of plughost have flags of their own, some of uv's name.
            if not module.startswith(("_uv", "cli")) and isinstance(node, ast.Constant) and node.value in UV_FLAGS:
                yield f"`{module}` has uv's flag `{node.value}`"
            if not module.startswith("_uv") and isinstance(node, ast.List | ast.Tuple) and is_uv_command(node):
                yield f"`{module}` has uv's command `{ast.unparse(node)}`"


def is_uv_command(node: ast.List | ast.Tuple) -> bool:
    words = [item.value if isinstance(item, ast.Constant) else None for item in node.elts[:2]]
    return len(words) == 2 and words[0] == "uv" and words[1] in UV_COMMANDS


def problems(package: Path, page: str) -> list[str]:
    modules = read_modules(package)
    return [*broken_rows(modules, table_of(page)), *cycles(modules), *strays(modules)]


def test_the_package_is_cut_as_the_page_says():
    found = problems(PACKAGE, PAGE.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "room", ["plughost", *(f"plughost.{path.parent.name}" for path in sorted(PACKAGE.glob("*/__init__.py")))]
)
def test_every_name_that_a_face_lists_is_there(room):
    face = importlib.import_module(room)
    assert [name for name in getattr(face, "__all__", ()) if not hasattr(face, name)] == []


SMALL_PAGE = """
## Layers

```text
errors
_process → _uv · runner.wire
source → wheel → lock        (a stage may import the RECORD of the stage before it, nothing else)
worker
cli
runner                       (the standard library only)
```
"""

SMALL_PACKAGE = {
    "__init__": "from plughost.errors import Fault",
    "_process": "import subprocess\nfrom plughost.errors import Fault",
    "_uv": "from plughost import _process\nLOCK = ['uv', 'lock', '--no-build']",
    "cli.__init__": "from plughost import Fault\nfrom plughost.worker import launch",
    "errors": "class Fault(Exception): ...",
    "lock.__init__": "from plughost.wheel import BuiltWheel",
    "runner.__init__": "",
    "runner._serve": "import json\nfrom . import wire",
    "runner.wire": "import struct",
    "source.__init__": "from plughost import errors",
    "wheel.__init__": "from plughost.wheel._read import read",
    "wheel._read": "from plughost.source import SourceTree\ndef read(): from plughost import _uv",
    "worker.__init__": "from plughost.runner import wire",
}


@pytest.mark.parametrize(
    ("module", "text", "problem"),
    [
        ("weather", "", "`weather` stands in no row"),
        ("errors", "from plughost._process import run", "`errors` must not import `_process`"),
        ("_process", "def run(): from plughost.worker import launch", "`_process` must not import `worker`"),
        ("_uv", "from plughost.runner.wire import pack", "`_uv` must not import `runner.wire`"),
        ("source.__init__", "from plughost.wheel import BuiltWheel", "`source` must not import `wheel`"),
        ("wheel._read", "from plughost.source import check_out", "`wheel._read` must not import `source`"),
        ("lock.__init__", "from plughost.source import SourceTree", "`lock` must not import `source`"),
        ("worker.__init__", "import plughost.runner._serve", "`worker` must not import `runner._serve`"),
        ("worker.__init__", "from plughost import Fault", "`worker` must not import `__init__`"),
        ("worker.__init__", "from ..cli import main", "`worker` must not import `cli`"),
        ("runner._serve", "from plughost.errors import Fault", "`runner._serve` must not import `errors`"),
        ("runner._serve", "import msgspec", "`runner._serve` imports `msgspec`, which is not in the standard library"),
        ("wheel._read", "from plughost import wheel", "an import cycle: wheel → wheel._read → wheel"),
        ("wheel._read", "def read(): import plughost.wheel", "an import cycle: wheel → wheel._read → wheel"),
        ("cli.__init__", "def run(): import subprocess", "`cli` imports `subprocess`"),
        ("cli.__init__", "import os\nos.posix_spawn('a', [], {})", "`cli` uses `os.posix_spawn`"),
        ("cli.__init__", "import os\nos.system('a')", "`cli` uses `os.system`"),
        ("lock.__init__", "FLAGS = ('--no-build',)", "`lock` has uv's flag `--no-build`"),
        ("lock.__init__", "RUN = [*PYTHON, *('uv', 'sync')]", "`lock` has uv's command `('uv', 'sync')`"),
    ],
)
def test_a_breach_is_found(tmp_path, module, text, problem):
    write(tmp_path, {**SMALL_PACKAGE, module: text})
    assert problem in problems(tmp_path, SMALL_PAGE)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("source.__init__", "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from plughost.source import _git"),
        ("cli.__init__", "HELP = ('uv', 'is fast')"),
        ("cli.__init__", "import os\nos.path.join('a', 'b')"),
    ],
)
def test_what_only_looks_like_a_breach_is_none(tmp_path, module, text):
    write(tmp_path, {**SMALL_PACKAGE, "source._git": "from plughost.source import Source", module: text})
    assert problems(tmp_path, SMALL_PAGE) == []


def write(package, texts):
    for module, text in texts.items():
        path = package.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
