"""`plughost.lock`: of each declared plugin the exact origin, its wheel, and the lock of all that it depends on.

Above it: what makes a lock, and what installs from it; below it: TOML. It is read with suspicion: a lock travels with other
people's repositories, and what is installed from it must be all that it says, to the digest.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from dataclasses import dataclass

from plughost._names import normalized
from plughost._wording import said, shown
from plughost.errors import UsageError
from plughost.paths import regular
from plughost.wheel import WheelContents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import NoReturn

__all__ = ["LockedPlugin", "LockedWheel", "SetLock", "platform", "read_lock"]

FORMAT = 1
_HEAD = b"# Made by `plughost lock` from the plugins that the file beside it declares. Change those, and lock again.\n"

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SERIES = re.compile(r"\d+\.\d+")
_FILE = re.compile(r"[^/\\\0]+")
_KINDS = ("folder", "git", "requirement", "sdist", "wheel")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWheel:
    """The plugin's own wheel."""

    sha256: str
    contents: WheelContents


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPlugin:
    """What one plugin is, exactly. `source` is as it was declared, without credentials; `request` what was asked for beside it.

    A git source has `commit_id`; a folder and an archive have `sha256`; a requirement has neither, and no `wheel`: all of it is
    in `lock`, which is a `pylock.toml` (PEP 751). `python` is a version such as `3.11`.
    """

    name: str
    source: str
    kind: str
    commit_id: str
    sha256: str
    package: str
    version: str
    python: str
    request: Mapping[str, object]
    wheel: LockedWheel | None
    lock: Mapping[str, object]

    @property
    def packages(self) -> list[dict[str, object]]:
        packages = self.lock.get("packages")
        return packages if isinstance(packages, list) else []

    def pylock(self) -> bytes:
        """The lock as the file that installers read."""
        import tomli_w

        return tomli_w.dumps(dict(self.lock)).encode()

    def record(self) -> dict[str, object]:
        """As it stands in the file."""
        wheel: dict[str, object] = {}
        if self.wheel:
            contents = self.wheel.contents
            wheel = {"name": contents.filename, "sha256": self.wheel.sha256, "generator": contents.generator}
            wheel |= {"files": dict(contents.files)} if contents.files else {}
        exact = {"commit": self.commit_id, "sha256": self.sha256}
        return {
            "source": self.source,
            "kind": self.kind,
            **{key: value for key, value in exact.items() if value},
            "package": self.package,
            "version": self.version,
            "python": self.python,
            "request": dict(self.request),
            **({"wheel": wheel} if wheel else {}),
            "lock": dict(self.lock),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLock:
    """The whole file: the plugins by name, sorted, for one `platform` such as `linux-x86_64`."""

    platform: str
    plugins: Mapping[str, LockedPlugin]

    def to_toml(self) -> bytes:
        import tomli_w

        plugins = {name: self.plugins[name].record() for name in sorted(self.plugins)}
        return _HEAD + tomli_w.dumps({"format": FORMAT, "platform": self.platform, "plugins": plugins}).encode()


def platform() -> str:
    return f"{sys.platform}-{os.uname().machine}"


def read_lock(path: str) -> SetLock | None:
    """The lock at `path`; None if there is none.

    Raises: UsageError: it can't be read, or says something that can't be relied on; the fault is named by its path of keys.
    """
    try:
        with open(path, "rb", opener=regular) as file:
            document: dict[str, object] = tomllib.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        _refuse(path, said(error))
    top = _Table(path, "", document)
    if document.get("format") != FORMAT:
        _refuse(path, f"`format` is `{shown(document.get('format'))}`, and this version of plughost reads {FORMAT}")
    tables = top.table("plugins")
    plugins = {name: _plugin(name, tables.table(name)) for name in sorted(tables.content)}
    return SetLock(platform=top.text("platform"), plugins=plugins)


def _plugin(name: str, table: _Table) -> LockedPlugin:
    if normalized(name) != name:
        table.refuse("is no name of a plugin")
    kind = table.text("kind", one_of=_KINDS)
    wheel = _wheel(table.table("wheel")) if kind != "requirement" else None
    lock = table.table("lock")
    own = wheel.contents.filename if wheel else ""
    for package in lock.tables("packages"):
        _check_package(package, own)
    request = table.table("request")
    return LockedPlugin(
        name=name,
        source=table.text("source"),
        kind=kind,
        commit_id=table.text("commit", _COMMIT, absent="" if kind != "git" else None),
        sha256=table.text("sha256", _SHA256, absent="" if kind in {"git", "requirement"} else None),
        package=table.text("package"),
        version=table.text("version"),
        python=table.text("python", _SERIES),
        request=request.content,
        wheel=wheel,
        lock=lock.content,
    )


def _wheel(table: _Table) -> LockedWheel:
    files = table.table("files", absent=True)
    contents = WheelContents(
        filename=table.text("name", _FILE),
        generator=table.text("generator"),
        files={name: files.text(name) for name in sorted(files.content)},
    )
    return LockedWheel(sha256=table.text("sha256", _SHA256), contents=contents)


def _check_package(package: _Table, own: str) -> None:
    """Raises: UsageError: it isn't held by a digest, or would be built from what happens to be on this machine.

    Source: PEP 751.
    """
    name = package.text("name")
    if "directory" in package.content:
        package.refuse(f"is `{name}` from a folder, whose contents a lock doesn't hold")
    if "vcs" in package.content:
        package.table("vcs").text("commit-id", _COMMIT)
        return
    files = [*package.tables("wheels", absent=True)]
    files += [package.table(key) for key in ("sdist", "archive") if key in package.content]
    if not files:
        package.refuse(f"has no file of `{name}`")
    for file in files:
        file.table("hashes").text("sha256", _SHA256)
        if "path" in file.content and file.text("path") != own and not os.path.isabs(file.text("path")):
            file.refuse(f"has the path `{shown(file.content['path'])}`, and only the plugin's own wheel lies beside the lock")


class _Table:
    """A table of the file at `path`, at the path of keys `keys`."""

    def __init__(self, path: str, keys: str, content: dict[str, object]) -> None:
        self._path = path
        self._keys = keys
        self.content = content

    def text(
        self, key: str, form: re.Pattern[str] | None = None, *, absent: str | None = None, one_of: tuple[str, ...] = ()
    ) -> str:
        value = self.content.get(key, absent)
        if value == absent and isinstance(value, str):
            return value
        if not isinstance(value, str) or (form and not form.fullmatch(value)) or (one_of and value not in one_of):
            self._misfit(key, "a text of its form" if form else "one of the words for it" if one_of else "a text")
        return value

    def table(self, key: str, *, absent: bool = False) -> _Table:
        value = self.content.get(key, {} if absent else None)
        if not isinstance(value, dict):
            self._misfit(key, "a table")
        return _Table(self._path, self._below(key), value)

    def tables(self, key: str, *, absent: bool = False) -> Iterator[_Table]:
        value = self.content.get(key, [] if absent else None)
        if not isinstance(value, list):
            self._misfit(key, "an array of tables")
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                self._misfit(key, "an array of tables")
            yield _Table(self._path, f"{self._below(key)}[{number}]", item)

    def refuse(self, what: str) -> NoReturn:
        _refuse(self._path, f"`{self._keys}` {what}")

    def _misfit(self, key: str, wanted: str) -> NoReturn:
        if key not in self.content:
            _refuse(self._path, f"`{self._below(key)}` is missing")
        _refuse(self._path, f"`{self._below(key)}` is `{shown(self.content[key])}`, and not {wanted}")

    def _below(self, key: str) -> str:
        return f"{self._keys}.{key}".lstrip(".")


def _refuse(path: str, cause: str) -> NoReturn:
    raise UsageError(
        f"The lock `{path}` can't be used",
        reference="settings-invalid",
        causes=[cause],
        hint="Restore it as it was made; or delete it, and `plughost lock` makes it anew, with what is newest now",
    )
