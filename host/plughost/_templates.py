"""The templates that a new plugin starts from.

Above it: the command line; below it: the standard library and the errors. A template is a folder: in the names of its files
`__module__` stands for the import name, in their text `${name}`, `${module}`, `${description}` and `${author}` for what the
caller gave. It knows nothing of any one template.
"""

from __future__ import annotations

import json
import keyword
import re
from pathlib import Path

from plughost.errors import PlughostError, UsageError

__all__ = ["render", "templates"]

#: Source: Python packaging specifications, "Names and normalization", and without dots, which would split the import name.
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

#: Where a value stands between double quotes. JSON's escapes are TOML's and Python's as well.
_QUOTED = frozenset({".py", ".toml"})


def templates() -> dict[str, Path]:
    """The folder of each template, by its name."""
    folder = _folder()
    return {entry.name: entry for entry in sorted(folder.iterdir()) if entry.is_dir()}


def render(template: str, into: Path, *, name: str, description: str = "", author: str = "") -> None:
    """Write a new plugin called `name` into the folder `into`, which is made if missing and must be empty.

    Raises: UsageError: there is no such template, `name` can't name a package and a module, or `into` has something in it.
    """
    known = templates()
    if template not in known:
        raise UsageError(f"There is no template `{template}`", reference="usage", hint=f"Use one of: {', '.join(known)}")
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise UsageError(f"`{into}` is not an empty folder", reference="usage", hint="Name a folder that is new or empty")
    module = _module(name)
    values = {
        "name": name,
        "module": module,
        "description": _one_line(description) or f"The {name} plugin.",
        "author": _one_line(author) or f"The {name} authors",
    }
    for source in sorted(known[template].rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            target = into / str(source.relative_to(known[template])).replace("__module__", module)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_fill(source, values), encoding="utf-8")


def _folder() -> Path:
    here = Path(__file__).parent
    for folder in (here / "templates", here.parent.parent / "templates"):  # in a wheel; beside `host/` in an editable install
        if folder.is_dir():
            return folder
    raise PlughostError("The templates are missing", hint="Install plughost again")


def _module(name: str) -> str:
    module = name.lower().replace("-", "_")
    if not _NAME.fullmatch(name) or not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(
            f"`{name}` can't name a plugin",
            reference="name-invalid",
            hint="Use letters, digits and dashes, a letter first, such as `weather-tools`",
        )
    return module


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fill(source: Path, values: dict[str, str]) -> str:
    if source.suffix in _QUOTED:
        values = {key: json.dumps(value, ensure_ascii=False)[1:-1] for key, value in values.items()}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], source.read_text(encoding="utf-8"))
