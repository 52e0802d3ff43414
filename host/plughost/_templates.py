"""The templates that a new plugin starts from.

Above it: whoever makes a project; below it: the standard library and the errors. A template is a folder. Its `template.toml` says
what it is for and what to do next; of its other files, `__module__` in their names stands for the import name, and `${name}` and
its like in their text for what the caller gave. Python files end in `.py.in`, because an installer compiles all that ends in
`.py`, and they are no Python yet. A template may also be a project that is added as it stands, `is_project`
in its `template.toml`: then its own name, description and author stand for the new ones. It knows nothing of any one template.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
import tomllib
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path

from plughost.errors import PlughostError, UsageError

__all__ = ["Template", "render", "templates"]

#: Source: Python packaging specifications, "Names and normalization", and without dots, which would split the import name.
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_PROJECT = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE | re.ASCII)

#: Python's own tests, which come with it: `sys.stdlib_module_names` leaves them out.
_ALSO_PYTHONS = "test"

_IMPORT = re.compile(r"^\s*(?:import|from) +(\w+)", re.MULTILINE)
_REQUIREMENT = re.compile(r'"([a-z][\w-]*)[<>=]', re.IGNORECASE)

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

#: Where a value stands between double quotes. JSON's escapes are TOML's and Python's as well.
_QUOTED = frozenset({".py", ".toml"})

_ABOUT = "template.toml"
_FILLED_IN = ".in"

#: What comes of working on a project in its folder.
_NO_SOURCES = frozenset({"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", "build", "dist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`steps` are command lines for whoever has just made a project from it, each with what it does; `kind` is what it makes.

    `is_project` says that it is a project already, whose own name, description and author stand for the new ones.
    """

    name: str
    folder: Path
    summary: str
    kind: str
    steps: tuple[tuple[str, str], ...]
    is_project: bool

    def description(self, name: str) -> str:
        """What stands in a project for which nobody has said what it is."""
        if self.is_project:
            return self._own()[0]
        return f"The {name} {self.kind}."

    def needed(self) -> set[str]:
        """The modules and packages that its projects use, as module names: a project of that name would take their place."""
        found: set[str] = set()
        for path in self.folder.rglob("*.py" if self.is_project else "*.py" + _FILLED_IN):
            found.update(_IMPORT.findall(path.read_text(encoding="utf-8")))
        for path in self.folder.rglob("pyproject.toml"):
            found.update(_REQUIREMENT.findall(path.read_text(encoding="utf-8")))
        return {name.lower().replace("-", "_") for name in found} - {_module_of(self.name)}

    def fill(self, text: str, values: dict[str, str], *, quoted: bool = False) -> str:
        """The text, or the path, of one of its files as the new project has it."""
        if not self.is_project:
            return _fill(text, values, quoted=quoted)
        for own, new in self._stands_for(values):
            text = text.replace(own, _quoted(new)[1:-1] if quoted else new)
        return text

    def _stands_for(self, values: dict[str, str]) -> list[tuple[str, str]]:
        """What of it stands for what of the new project; `values` are the new one's."""
        description, author = self._own()
        return [
            (description, values["description"]),
            (author, values["author"]),
            (self.name, values["name"]),
            (_module_of(self.name), values["module"]),
        ]

    def _own(self) -> tuple[str, str]:
        """Its own description and author, of one that is a project."""
        project = tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return str(project["description"]), str(project["authors"][0]["name"])


def templates() -> dict[str, Template]:
    """Each template by its name, the plainest first."""
    found = []
    for folder in _folder().iterdir():
        if (folder / _ABOUT).is_file():
            about = tomllib.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            steps = tuple((str(step["run"]), str(step["what"])) for step in about.get("steps", ()))
            kind = about.get("kind", "plugin")
            template = Template(
                name=folder.name,
                folder=folder,
                summary=about["summary"],
                kind=kind,
                steps=steps,
                is_project=about.get("is_project", False),
            )
            found.append((about["place"], template))
    return {template.name: template for _, template in sorted(found, key=lambda item: item[0])}


def render(
    template: str, into: Path, *, name: str, description: str = "", author: str = "", project: str = "plughost"
) -> tuple[tuple[str, str], ...]:
    """Write a new project called `name` into the folder `into`, which is made if missing and must be empty; its next steps.

    `author` may have an address, `Ada <ada@example.org>`; `project` is the pluggy project that the plugin is for.

    Raises: UsageError: there is no such template, `name` can't name a package and a module, or `into` has something in it.
    """
    known = templates()
    if template not in known:
        raise UsageError(f"There is no template `{template}`", reference="usage", hint=f"Use one of: {', '.join(known)}")
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise UsageError(f"`{into}` is not an empty folder", reference="usage", hint="Name a folder that is new or empty")
    module = _module(name)
    if module in known[template].needed():
        raise _taken(name, f"What is made from the template `{template}` uses a package or a module of that name")
    values = _values(name, module, _one_line(description) or known[template].description(name), author, project)
    _write(known[template], into, values)
    return tuple((known[template].fill(run, values), what) for run, what in known[template].steps)


def _write(template: Template, into: Path, values: dict[str, str]) -> None:
    for source in sorted(template.folder.rglob("*")):
        relative = source.relative_to(template.folder)
        if source.is_file() and _NO_SOURCES.isdisjoint(relative.parts) and str(relative) != _ABOUT:
            path = str(relative).removesuffix(_FILLED_IN).replace("__module__", values["module"])
            target = into / template.fill(path, values)
            target.parent.mkdir(parents=True, exist_ok=True)
            filled = template.fill(source.read_text(encoding="utf-8"), values, quoted=target.suffix in _QUOTED)
            target.write_text(filled, encoding="utf-8")


def _folder() -> Path:
    here = Path(__file__).parent
    for folder in (here / "templates", here.parent.parent / "templates"):  # in a wheel; beside `host/` in an editable install
        if folder.is_dir():
            return folder
    raise PlughostError("The templates are missing", hint="Install plughost again")


def _values(name: str, module: str, description: str, author: str, project: str) -> dict[str, str]:
    if not _PROJECT.fullmatch(project):
        raise UsageError(
            f"`{project}` can't name a project",
            reference="name-invalid",
            hint="Give the name in the app's `HookspecMarker(NAME)`, such as `myapp`",
        )
    who = _one_line(author) or f"The {name} authors"
    given, address = parseaddr(who)
    named = {"name": given, "email": address} if given and "@" in address else {"name": who}
    return {
        "name": name,
        "module": module,
        "description": description,
        "author": named["name"],
        "authors": f"{{ {', '.join(f'{key} = {_quoted(value)}' for key, value in named.items())} }}",
        "project": project,
    }


def _module(name: str) -> str:
    module = _module_of(name)
    if not _NAME.fullmatch(name) or not module.isidentifier():
        raise UsageError(
            f"`{name}` can't name a plugin",
            reference="name-invalid",
            hint="Use letters, digits and dashes, a letter first, such as `weather-tools`",
        )
    if keyword.iskeyword(module):
        raise _taken(name, f"`{module}` is a word of Python's own language")
    if module in sys.stdlib_module_names or module == _ALSO_PYTHONS:
        raise _taken(name, f"Python has a module `{module}` of its own")
    return module


def _module_of(name: str) -> str:
    return name.lower().replace("-", "_")


def _taken(name: str, cause: str) -> UsageError:
    return UsageError(
        f"`{name}` can't name a plugin",
        reference="name-invalid",
        causes=[cause],
        hint=f"Use a name with more words, such as `{name}-tools`",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _fill(text: str, values: dict[str, str], *, quoted: bool = False) -> str:
    """The text with its placeholders filled in; `authors` is TOML already."""
    if quoted:
        values = {key: value if key == "authors" else _quoted(value)[1:-1] for key, value in values.items()}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
