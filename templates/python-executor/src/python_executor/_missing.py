"""What to do about what isn't there: a package, a module, a name in one, a variable."""

from __future__ import annotations

import difflib
import linecache
import re
import sys
from itertools import islice
from typing import TYPE_CHECKING

from . import _packages
from ._traces import MOST_FRAMES, frames

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["of_import", "of_name"]

_IMPORTED = re.compile(r"^\s*(?:import|from)\s+([\w.]+)")
#: How libraries name what they could use, and don't find.
_OPTIONAL = re.compile(r"(?:[Mm]issing optional dependency|usable engine; tried using:) '([\w.-]+)'")

_ONLY_NOTEBOOKS = "Only notebooks know `{}`: {}"
_MEANT = {
    "np": "Import it first: `import numpy as np`",
    "pd": "Import it first: `import pandas as pd`",
    "plt": "Import it first: `import matplotlib.pyplot as plt`",
    "sns": "Import it first: `import seaborn as sns`",
    "true": "In Python it is `True`",
    "false": "In Python it is `False`",
    "null": "In Python it is `None`",
    "undefined": "In Python it is `None`",
    "display": _ONLY_NOTEBOOKS.format("display", "`print(…)` it, or let it be the last line, whose value comes back"),
    "get_ipython": _ONLY_NOTEBOOKS.format("get_ipython", "leave the line out"),
    "In": "Give the code alone, without the prompts in front of its lines and without what it has printed",
    "__file__": "The code is in no file: use paths relative to the working directory",
}


def of_import(error: ImportError) -> str:
    """Nothing where there is nothing to say."""
    if not isinstance(error, ModuleNotFoundError):
        return _of_name_in_module(error.name or "", str(error))
    name = error.name or ""
    top = name.partition(".")[0]
    if top in sys.modules and name != top:
        return "`{}` is there but has no module of that name: look with `help({})`".format(top, top)
    if top in getattr(sys, "stdlib_module_names", ()):
        return "`{}` belongs to Python, but isn't a part of this installation or platform: do without it".format(top)
    return _of_package(top, _packages.package_of(_whole_name(error, name)))


def _of_package(module: str, package: str) -> str:
    return (
        "`{0}` isn't installed here. If it is the package `{1}` that you need, add the executor once more with it, "
        "`plughost add SOURCE --with {1}`; else do without it, by Python's own library".format(module, package)
    )


def _whole_name(error: ImportError, name: str) -> str:
    """Of `import a.b`, where there is no `a`, the error names no more than that: what is imported, its line says."""
    way = list(islice(frames(error), MOST_FRAMES))
    line = linecache.getline(way[-1].tb_frame.f_code.co_filename, way[-1].tb_lineno) if way else ""
    found = _IMPORTED.match(line)
    return found[1] if found and found[1].startswith(name + ".") else name


def _of_name_in_module(module: str, message: str) -> str:
    if "relative import" in message:
        return "Import by full names: what runs here is no part of a package"
    optional = _OPTIONAL.search(message)
    if optional:
        return _of_package(optional[1], _packages.package_of(optional[1]))
    if not module:
        return ""
    return "`{0}` is there but hasn't got this name, or not in this version: look with `dir({0})`".format(module)


def of_name(error: NameError, names: Iterable[str]) -> str:
    """`names` are those that there are."""
    found = re.search(r"name '(\w+)'", str(error))
    name = getattr(error, "name", None) or (found[1] if found else "")
    if name in _MEANT:
        return _MEANT[name]
    known = {one for one in names if isinstance(one, str) and not one.startswith("__")}
    near = difflib.get_close_matches(name, sorted(known), n=3)
    if name in getattr(sys, "stdlib_module_names", ()):
        return "Import it first: `import {}`".format(name)
    if near:
        return "There is no such name; did you mean {}?".format(" or ".join("`{}`".format(one) for one in near))
    return "Define `{}` first, or give it in `context`; variables stay from call to call only within a session".format(name)
