"""What a plugin's packages bring along besides their modules, from the files of its environment.

Above it: `audit`; below it: `_environment`. Each check takes the environment and yields what it found.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections import Counter, defaultdict

from plughost._wording import counted, listed
from plughost.paths import regular
from plughost.trust._findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plughost.trust._environment import Distribution, Environment

__all__ = ["examine"]

_SHOWN = 3
_LONGEST_LINE = 60

#: What uv and virtualenv write into each environment, and no package lists.
_OF_THE_VENV = frozenset(("_virtualenv.py", "_virtualenv.pth"))
_COMMANDS_OF_THE_VENV = re.compile(r"(de)?activate(_this)?(\.\w+)?|Activate\.ps1|pythonw?[\d.]*|pypy[\d.]*|pydoc\.bat")
_PYTHONS_OWN = re.compile(r"(python|pip|pydoc|idle|2to3)[\d.-]*(-config)?|ensurepip|venv")
_SYSTEM = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")
_COMPILED = re.compile(r"\.(so(\.[\d.]+)?|pyd|dylib)\Z")
#: Names at the top of `site-packages` that belong to no package, and that the next package brings too.
_ANYBODYS = frozenset(
    ("benchmark", "benchmarks", "doc", "docs", "example", "examples", "script", "scripts", "src", "test", "testing", "tests")
)
_RUN_AT_START = frozenset(("sitecustomize.py", "usercustomize.py"))


def examine(environment: Environment) -> Iterator[Finding]:
    """Raises: OSError: a file can't be read."""
    owners: dict[str, list[tuple[Distribution, str]]] = defaultdict(list)
    for distribution in environment.distributions:
        for file in distribution.files or ():
            owners[file.path].append((distribution, file.digest))
    files = list(environment.walk())
    owned = {path: claims[0][0] for path, claims in owners.items()}
    yield from _startup_code(environment, owned)
    for distribution in environment.distributions:
        yield from _scripts(environment, distribution)
        yield from _modules(environment, distribution)
        yield from _outside(environment, distribution)
        yield from _compiled(environment, distribution)
    yield from _conflicts(environment, owners)
    yield from _unlisted(environment, owned, (file.path for file in files))
    yield from _setuid(environment, owned, files)


def _startup_code(environment: Environment, owned: dict[str, Distribution]) -> Iterator[Finding]:
    """Source: Python's documentation of `site`: lines that begin with `import` are executed."""
    for folder in environment.site_packages:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            line = _first_code(path) if name.endswith(".pth") else "itself" if name in _RUN_AT_START else ""
            if not line or (name in _OF_THE_VENV and path not in owned):
                continue
            what = "is run" if line == "itself" else f"runs `{line[:_LONGEST_LINE]}{'…' * (len(line) > _LONGEST_LINE)}`"
            yield Finding(
                level="warning",
                kind="startup-code",
                message=f"`{name}` {what} whenever Python starts",
                package=_name(owned, path),
                path=environment.within(path),
            )


def _first_code(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace", opener=regular) as file:
        return next((line.strip() for line in file if line.startswith(("import ", "import\t"))), "")


def _scripts(environment: Environment, distribution: Distribution) -> Iterator[Finding]:
    commands = os.path.join(environment.root, "bin")
    for file in distribution.files or ():
        folder, name = os.path.split(file.path)
        if folder != commands:
            continue
        other = shutil.which(name) or ""
        is_pythons = _PYTHONS_OWN.fullmatch(name)
        if is_pythons or other:
            yield Finding(
                level="warning" if is_pythons or os.path.dirname(other) in _SYSTEM else "info",
                kind="script-shadows",
                message=f"Its command `{name}` has the name of {'one of Python' if is_pythons else f'`{other}`'}",
                package=distribution.name,
                path=environment.within(file.path),
            )


def _modules(environment: Environment, distribution: Distribution) -> Iterator[Finding]:
    for module, path in sorted(_top_modules(environment, distribution).items()):
        if module in _ANYBODYS:
            kind, message = "outside-package", f"It puts `{module}` beside all packages, a name that is nobody's own"
        elif module in sys.stdlib_module_names:
            kind, message = "shadows-stdlib", f"Its module `{module}` has the name of one of the standard library"
        else:
            continue
        yield Finding(level="warning", kind=kind, message=message, package=distribution.name, path=environment.within(path))


def _top_modules(environment: Environment, distribution: Distribution) -> dict[str, str]:
    """The names that it can be imported by, each with its file or folder."""
    found = {}
    for file in distribution.files or ():
        first, slash, rest = environment.below_site_packages(file.path).partition("/")
        is_module = slash or first.endswith(".py") or _COMPILED.search(first)
        name = first if slash else first.partition(".")[0]
        if is_module and name.isidentifier() and name != "__pycache__":
            found[name] = file.path[: len(file.path) - len(slash + rest)]
    return found


def _outside(environment: Environment, distribution: Distribution) -> Iterator[Finding]:
    data = []
    for file in distribution.files or ():
        top = environment.within(file.path).partition("/")[0]
        if environment.below_site_packages(file.path) or top == "bin":
            continue
        if top in {"share", "etc", "include"}:
            data.append(environment.within(file.path))
            continue
        yield Finding(
            level="warning",
            kind="outside-package",
            message="It has a file outside of `site-packages`",
            package=distribution.name,
            path=environment.within(file.path),
        )
    if data:
        message = f"It has {counted(len(data), 'file')} of data: {_some(data)}"
        yield Finding(level="info", kind="data-file", message=message, package=distribution.name, path=data[0])


def _compiled(environment: Environment, distribution: Distribution) -> Iterator[Finding]:
    compiled = [file.path for file in distribution.files or () if _COMPILED.search(file.path)]
    if compiled:
        message = f"It has {counted(len(compiled), 'compiled extension')}: {_some(map(os.path.basename, compiled))}"
        path = environment.within(compiled[0])
        yield Finding(level="info", kind="compiled", message=message, package=distribution.name, path=path)


def _conflicts(environment: Environment, owners: dict[str, list[tuple[Distribution, str]]]) -> Iterator[Finding]:
    shared: dict[tuple[tuple[str, ...], bool], list[str]] = defaultdict(list)
    for path, claims in owners.items():
        names = tuple(sorted({distribution.name for distribution, _ in claims}))
        if len(names) > 1:
            digests = {digest for _, digest in claims}
            shared[names, len(digests) == 1 and "" not in digests].append(environment.within(path))
    for (names, same), paths in sorted(shared.items()):
        others = listed(names, between=" and ")
        what = "the same" if same else "with different contents"
        yield Finding(
            level="info" if same else "warning",
            kind="file-conflict",
            message=f"{others} have {counted(len(paths), 'file')} in one place, {what}: {_some(paths)}",
            package=names[0],
            path=paths[0],
        )


def _unlisted(environment: Environment, owned: dict[str, Distribution], paths: Iterable[str]) -> Iterator[Finding]:
    for distribution in environment.distributions:
        if distribution.files is None:
            message = "It has no list of its files"
            yield Finding(level="warning", kind="not-in-record", message=message, package=distribution.name)
    commands = os.path.join(environment.root, "bin")
    strays: Counter[str] = Counter()
    for path in paths:
        folder, name = os.path.split(path)
        below = environment.below_site_packages(path)
        if path in owned or name.endswith((".pyc", ".pyo")) or (below and name in _OF_THE_VENV and below == name):
            continue
        if folder == commands and not _COMMANDS_OF_THE_VENV.fullmatch(name):
            strays[environment.within(path)] += 1
        elif below:
            strays[environment.within(path).removesuffix(below) + below.partition("/")[0]] += 1
    for place, count in sorted(strays.items()):
        message = f"No package lists {counted(count, 'file')} of `{os.path.basename(place)}` as its own"
        yield Finding(level="warning", kind="not-in-record", message=message, path=place)


def _setuid(environment: Environment, owned: dict[str, Distribution], files: Iterable[os.DirEntry[str]]) -> Iterator[Finding]:
    for file in files:
        mode = file.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            yield Finding(
                level="warning",
                kind="setuid",
                message="It runs with the rights of its owner, whoever starts it",
                package=_name(owned, file.path),
                path=environment.within(file.path),
            )


def _name(owned: dict[str, Distribution], path: str) -> str:
    return owned[path].name if path in owned else ""


def _some(names: Iterable[str]) -> str:
    return listed(sorted(names), most=_SHOWN)
