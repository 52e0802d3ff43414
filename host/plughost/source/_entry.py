"""Where the entry point of a package of the older kind is: which module, on which folder of the path, and what in it.

Above it: `_legacy`; below it: the package's files, which are parsed and not run. People write `module.function` and
`module:function`, but also `main.py:run`, `src/app/main.py` and the module alone; and modules find their neighbours as scripts
do.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from keyword import iskeyword

from plughost.source._document import invalid
from plughost.source._shim import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plughost.source._package_file import PackageFile

    Function = ast.FunctionDef | ast.AsyncFunctionDef

__all__ = ["locate"]

#: Where modules are looked for: in the folder itself, then in these.
_BASES = ("", "src", "lib", "python")
#: What is called where only a module, or only a class, is named; the first that there is.
_FUNCTIONS = ("main", "run", "execute")
_METHODS = ("__call__", "run", "execute", "main")

_ALLOWED = "`module.function` or `module:function`, of a module that the package has"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """The entry point, read: the parts of a path to a module, of which the last are a function where `rest` is None."""

    parts: tuple[str, ...]
    rest: str | None


def locate(folder: Path, package: PackageFile) -> tuple[str, Target]:
    """The folder that the entry point's module is found from (`""`: the package's own), and what it is.

    Raises: SourceError: there is no such module, or no function is named.
    """
    written = _read(package)
    for base in _BASES:
        if base and not (folder / base).resolve().is_relative_to(folder.resolve()):
            continue  # a link that leads out of the copy
        path, count = _longest_module(folder / base, written.parts)
        if count == 0 or (written.rest is not None and count < len(written.parts)):
            continue
        tree = _tree(path)
        rest = ".".join(written.parts[count:]) if written.rest is None else written.rest
        name = rest or _function_in(tree, package, path)
        if not name:
            module = ".".join(written.parts[:count])
            raise invalid(package.file, "entry_point", package.entry_point, f"`{module}.FUNCTION`, since `{module}` is a module")
        found_from, module = _as_imported(folder, base, written.parts[:count], path, tree)
        return found_from, _target(module, name, tree)
    raise invalid(package.file, "entry_point", package.entry_point, _ALLOWED)


def _read(package: PackageFile) -> _Written:
    """Raises: SourceError: it names nothing that could be a module."""
    text = package.entry_point
    module, colon, name = text.partition(":")
    is_path = "/" in module or module.endswith(".py")
    parts = module.removesuffix(".py").removeprefix("./").strip("/").split("/" if is_path else ".")
    # A module may have a dash in its file's name; a function can't have one.
    names = [part.replace("-", "_") for part in parts] + (name.split(".") if colon else [])
    if not all(part.isidentifier() and not iskeyword(part) for part in names):
        raise invalid(package.file, "entry_point", text, _ALLOWED)
    return _Written(parts=tuple(parts), rest=name if colon else "" if is_path else None)


def _longest_module(base: Path, parts: tuple[str, ...]) -> tuple[Path, int]:
    """The file of the module that the most of `parts` lead to, and how many those are."""
    for count, part in enumerate(parts):
        if (base / part).is_dir():
            base /= part
        elif (base / f"{part}.py").is_file():
            return base / f"{part}.py", count + 1
        else:
            return base / "__init__.py", count
    return base / "__init__.py", len(parts)


def _tree(path: Path) -> ast.Module:
    """What is in the file; nothing where it isn't here, or isn't for our Python: at the latest, importing it will tell."""
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


def _function_in(tree: ast.Module, package: PackageFile, path: Path) -> str:
    """What is called where only the module is named: by the usual name, or the package's, or the only public function."""
    functions = [item.name for item in tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    wanted = (*_FUNCTIONS, path.stem, package.name.lower().replace("-", "_"))
    public = [name for name in functions if not name.startswith("_")]
    return next((name for name in wanted if name in functions), public[0] if len(public) == 1 else "")


def _as_imported(folder: Path, base: str, parts: tuple[str, ...], path: Path, tree: ast.Module) -> tuple[str, str]:
    """The base and the module's name for it to find its neighbours: as part of a package, or as a script does, beside it."""
    tops = {name for item in ast.walk(tree) for name in _imported_tops(item)}
    is_relative = any(isinstance(item, ast.ImportFrom) and item.level for item in ast.walk(tree))
    beside = {name for name in tops if _is_module(path.parent, name) and not _is_module(folder / base, name)}
    is_package = (folder / base / parts[0] / "__init__.py").is_file()
    is_base = len(parts) > 1 and parts[0] in _BASES and parts[0] not in tops and not is_package
    if path.name != "__init__.py" and beside and not is_relative:
        return str(path.parent.relative_to(folder)).strip("."), path.stem
    if is_base and not base:  # `src` is where the modules are, and none of them
        return parts[0], ".".join(parts[1:])
    return base, ".".join(parts)


def _imported_tops(item: ast.AST) -> Iterator[str]:
    if isinstance(item, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in item.names)
    elif isinstance(item, ast.ImportFrom) and item.module and not item.level:
        yield item.module.partition(".")[0]


def _is_module(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()


def _target(module: str, name: str, tree: ast.Module) -> Target:
    """What is called; of a class, an instance, if it can be made without arguments."""
    *owners, last = name.split(".")
    owner: ast.Module | ast.ClassDef | None = tree
    for part in owners:
        owner = _find(owner, part, ast.ClassDef)
    if found := _find(owner, last, ast.ClassDef):
        methods = [item.name for item in found.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
        method = next((method for method in _METHODS if method in methods), "")
        if not method or not _is_made_plainly(found):
            return Target(module=module, name=name, kind="")
        return Target(module=module, name=f"{name}.{method}", instance_of=name, kind=_kind(_function(found, method)))
    function = _function(owner, last)
    if function and isinstance(owner, ast.ClassDef) and not function.decorator_list and _is_made_plainly(owner):
        return Target(module=module, name=name, instance_of=".".join(owners), kind=_kind(function))
    return Target(module=module, name=name, kind=_kind(function))


def _find(owner: ast.Module | ast.ClassDef | None, name: str, kind: type[ast.ClassDef]) -> ast.ClassDef | None:
    return next((item for item in (owner.body if owner else ()) if isinstance(item, kind) and item.name == name), None)


def _function(owner: ast.Module | ast.ClassDef | None, name: str) -> Function | None:
    functions = (item for item in (owner.body if owner else ()) if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))
    return next((item for item in functions if item.name == name), None)


def _is_made_plainly(found: ast.ClassDef) -> bool:
    """Whether the class needs no arguments, as far as its source says."""
    made = _function(found, "__init__")
    if made is None:
        return True
    arguments = made.args
    needed = len([*arguments.posonlyargs, *arguments.args]) - 1 - len(arguments.defaults)
    return needed <= 0 and None not in arguments.kw_defaults


def _kind(function: Function | None) -> str:
    """What calling the function gives, as far as its source says: "coroutine", "generator", "async-generator"; else ""."""
    if function is None or function.decorator_list:
        return ""
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function))
    if isinstance(function, ast.AsyncFunctionDef):
        return "async-generator" if yields else "coroutine"
    return "generator" if yields else ""


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Those of the function, and not of the functions within it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            yield from _own_nodes(node)
