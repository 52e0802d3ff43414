"""Which Pythons are on this machine, and which of them a plugin gets.

Above it: the wheel, the lock and the venv, which all need the same one; below it: `_process`. It knows nothing of uv or pip.

An interpreter is recorded by the real path of its base executable, never by a version manager's shim (slow, and its answer
depends on the folder it is asked from) and never by a virtual environment's `python` (its base may be gone tomorrow). The host's
own base interpreter is known without starting a process, and it is the first choice wherever it fits.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from glob import escape, glob

from plughost import _process
from plughost._names import satisfies
from plughost.errors import ResolveError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

__all__ = ["Interpreter", "ask", "available", "find", "foreign_part", "own"]

#: What the runner is written for.
_RUN_ON = ">=3.8"
#: Printed by an interpreter about itself. `-I -S` keeps it from running anything of the machine's or the user's.
_QUESTION = (
    "import sys; v = sys.version_info; print('%d.%d.%d%s' % (v[0], v[1], v[2], '' if v[3] == 'final' else "
    "{'alpha': 'a', 'beta': 'b', 'candidate': 'rc'}[v[3]] + str(v[4]))); "
    "print(getattr(sys, '_base_executable', '') or sys.executable)"
)
_ANSWER_TIMEOUT_S = 20.0
_THINKABLE_MINORS = 100
_CONFIGURATION = "pyvenv.cfg"
_MOST_LINKS = 40  # one after another, as the kernel has it
_NAME = re.compile(r"python3\.(\d+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that venvs can be made from: the real path of its executable and its full version, such as `3.9.18`."""

    executable: str
    version: str

    @property
    def series(self) -> str:
        """The version as far as it decides which wheels fit, such as `3.9`."""
        return ".".join(self.version.split(".")[:2])


def own() -> Interpreter | None:
    """The base interpreter that this process runs on; None where it has none that could be started, as in an embedding app."""
    executable: str = getattr(sys, "_base_executable", "") or sys.executable
    if not executable or not os.access(executable, os.X_OK) or _is_shim(executable):
        return None
    return Interpreter(executable=os.path.realpath(executable), version=_own_version())


def find(requires: str = "", *, requested: str = "") -> Interpreter:
    """The interpreter for a package that asks for `requires` (a Requires-Python specifier; "" if it asks for nothing).

    `requested` narrows the choice to a version (`3.9`, `3.9.18`), a name (`python3.9`) or a path. Of those that fit, the
    host's own comes first, then the newest.

    Raises: ResolveError: none is there, or the one requested doesn't fit. UsageError: `requested` can't be read.
    """
    mine = own()
    if mine and not requested and _specifiers_fit(mine, requires) and _specifiers_fit(mine, _RUN_ON):
        return mine
    needs = _specifiers(requires) & _specifiers(_RUN_ON)
    if os.sep in requested:
        return _check(_at(os.path.abspath(os.path.expanduser(requested))), needs, requested)
    wanted = _wanted(requested)
    misfit: Interpreter | None = None
    for interpreter in _in_order(wanted if requested else needs):
        if _fits(interpreter, wanted):
            if _fits(interpreter, needs):
                return interpreter
            misfit = misfit or interpreter
    if misfit and requested:
        return _check(misfit, needs, requested)
    raise _missing(requires, requested)


def _in_order(needs: SpecifierSet) -> Iterator[Interpreter]:
    """The host's own interpreter, then the others from the newest down; started one by one, as far as somebody asks for more."""
    if mine := own():
        yield mine
    for minor, path in sorted(_candidates(), key=lambda found: -found[0]):
        if _may_fit(minor, needs) and (interpreter := ask(path)):
            yield interpreter


def available() -> list[Interpreter]:
    """All that there are, each started: the host's own first, then the newest."""
    from packaging.specifiers import SpecifierSet

    return list(dict.fromkeys(_in_order(SpecifierSet())))


def _candidates() -> Iterator[tuple[int, str]]:
    """Minor version and path of every interpreter whose name tells its version, each real file once."""
    seen: set[str] = set()
    for folder in _folders():
        for path in glob(os.path.join(escape(folder), "python3.*")):
            named = _NAME.fullmatch(os.path.basename(path))
            real = os.path.realpath(path)
            if named and real not in seen and not _is_shim(path) and os.access(path, os.X_OK):
                seen.add(real)
                yield int(named[1]), path


def _folders() -> Iterator[str]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        # A virtual environment's python is nobody's base.
        if os.path.isabs(folder) and not os.path.exists(os.path.join(os.path.dirname(folder), "pyvenv.cfg")):
            yield folder
    home = os.path.expanduser("~")
    data = os.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    patterns = (
        f"{os.environ.get('PYENV_ROOT') or f'{home}/.pyenv'}/versions/*/bin",
        f"{os.environ.get('UV_PYTHON_INSTALL_DIR') or f'{data}/uv/python'}/*/bin",
        f"{data}/mise/installs/python/*/bin",
        f"{home}/.asdf/installs/python/*/bin",
        "/usr/local/bin",
        "/usr/bin",
        "/opt/*/bin",
        "/opt/python/*/bin",
        "/Library/Frameworks/Python.framework/Versions/*/bin",
    )
    for pattern in patterns:
        yield from sorted(glob(pattern), reverse=True)


def _at(path: str) -> Interpreter:
    interpreter = ask(path)
    if interpreter is None:
        raise ResolveError(f"`{path}` is not a Python interpreter that can be started", reference="python-missing")
    return interpreter


def ask(path: str) -> Interpreter | None:
    """What the interpreter at `path` says of itself; None if it doesn't start, or not in time."""
    try:
        answer = _process.run([path, "-I", "-S", "-c", _QUESTION], env=_process.base_environment(), timeout_s=_ANSWER_TIMEOUT_S)
    except (OSError, TimeoutError):
        return None
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or len(lines) != 2 or not os.path.isabs(lines[1]):  # noqa: PLR2004 - version, path
        return None
    return Interpreter(executable=os.path.realpath(lines[1]), version=lines[0])


def _check(interpreter: Interpreter, needs: SpecifierSet, requested: str) -> Interpreter:
    if _fits(interpreter, needs):
        return interpreter
    raise ResolveError(
        f"Python {interpreter.version}, which `{requested}` names, is not one this package runs on",
        reference="python-incompatible",
        causes=[f"The package requires Python `{needs}`"],
        hint="Leave the choice to plughost by omitting `--python`",
    )


def _missing(requires: str, requested: str) -> ResolveError:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    needs = _specifiers(requires) & _specifiers(_RUN_ON)
    if not requested and not any(_may_fit(minor, needs) for minor in range(_THINKABLE_MINORS)) and not needs.contains("4.0"):
        return ResolveError(
            f"The package runs on Python `{requires}` alone, and plughost runs plugins on Python `{_RUN_ON}`",
            reference="python-incompatible",
            hint="Look for a release of the package that supports a later Python, or tell its author",
        )
    found = sorted({interpreter.version for interpreter in _in_order(SpecifierSet())}, key=Version)
    wish = requested or requires
    return ResolveError(
        f"There is no Python `{wish}` on this machine",
        reference="python-missing",
        causes=[f"Found: {', '.join(found) or 'none'}"],
        hint=f"Install it (for example: `uv python install '{wish.removeprefix('python')}'`), or name one with `--python PATH`",
    )


def _specifiers_fit(interpreter: Interpreter, text: str) -> bool:
    try:
        return satisfies(interpreter.version, text)
    except ValueError:  # `_specifiers` has the words for it
        return False


def _specifiers(text: str) -> SpecifierSet:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        raise ResolveError(f"`{text}`, which the package requires, is no Python", reference="python-incompatible") from None


def _wanted(requested: str) -> SpecifierSet:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    version = requested.removeprefix("python").removeprefix("@")
    if not version:
        return SpecifierSet()
    if re.fullmatch(r"\d+(\.\d+)?", version):
        return SpecifierSet(f"=={version}.*")
    if re.fullmatch(r"\d+\.\d+\.\d+\w*", version):
        return SpecifierSet(f"=={version}")
    try:
        return SpecifierSet(version)
    except InvalidSpecifier:
        raise UsageError(
            f"`{requested}` names no Python",
            reference="usage",
            hint="Give a version such as `3.12`, a name such as `python3.12`, or a path",
        ) from None


def _fits(interpreter: Interpreter, needs: SpecifierSet) -> bool:
    return needs.contains(interpreter.version, prereleases=True)


def _may_fit(minor: int, needs: SpecifierSet) -> bool:
    """Whether some patch release of this series fits: so that the others need not be started."""
    return any(needs.contains(f"3.{minor}.{patch}", prereleases=True) for patch in range(40))


def foreign_part(venv: str, python: Interpreter) -> str:
    """The file by which the environment would start another Python than this, or with another standard library; "" if none does.

    A package may bring files for any place in an environment, and what starts there isn't confined yet.
    """
    program = os.path.realpath(python.executable)
    for name in ("python", "python3", f"python{python.series}"):
        link = os.path.join(venv, "bin", name)
        if os.path.lexists(link) and not (os.path.islink(link) and os.path.realpath(link) == program):
            return f"bin/{name}"
    folders = {os.path.realpath(os.path.dirname(path)) for path in (program, *_steps(os.path.join(venv, "bin", "python")))}
    homes = _homes(os.path.join(venv, _CONFIGURATION))
    is_own = bool(homes) and all(os.path.isabs(home) and os.path.realpath(home) in folders for home in homes)
    return "" if is_own else _CONFIGURATION


def _steps(link: str) -> Iterator[str]:
    """Where a link leads, step by step, out of the folder that it is in."""
    folder = os.path.realpath(os.path.dirname(link))
    for _ in range(_MOST_LINKS):
        if not os.path.islink(link):
            return
        link = os.path.join(os.path.dirname(link), os.readlink(link))
        if os.path.realpath(os.path.dirname(link)) != folder:
            yield link


def _homes(configuration: str) -> list[str]:
    """Every value of `home`, as Python reads it: the first one counts, in whatever letters its name is."""
    try:
        with open(configuration, encoding="utf-8", errors="replace") as file:
            pairs = [line.partition("=") for line in file]
    except OSError:
        return []
    return [value.strip() for key, _, value in pairs if key.strip().lower() == "home"]


def _is_shim(path: str) -> bool:
    return os.path.basename(os.path.dirname(path)) == "shims"


def _own_version() -> str:
    major, minor, micro, level, serial = sys.version_info
    suffix = "" if level == "final" else {"alpha": "a", "beta": "b", "candidate": "rc"}[level] + str(serial)
    return f"{major}.{minor}.{micro}{suffix}"
